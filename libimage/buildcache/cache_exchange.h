/// The caches of one build: what --cache-from reads and --cache-to gets.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libimage/base/progress.h"
#include "libimage/base/timestamp.h"
#include "libimage/buildcache/cache_option.h"
#include "libimage/buildcache/cache_set.h"
#include "libimage/buildcache/step_cache.h"

namespace lade::buildcache {

/// A cache to read, found.
struct OpenedCache {
  std::shared_ptr<Reader> reader;
  oci::Descriptor root;
};

/// A source of --cache-from. `open` is called when the first step is not in the local store; what
/// it throws, and a cache that cannot be read, is a warning.
struct CacheSource {
  std::string name;  ///< for messages
  std::function<OpenedCache()> open;
};

/// The directory of type=local, opened. Throws Error{not_found}, what LayoutStore throws.
OpenedCache open_local_cache(const CacheFrom& from);

struct ExchangeOptions {
  std::vector<CacheSource> sources = {};
  bool writes_inline = false;  ///< the image's config gets the cache of its own layers
  /// When results that are not from a cache were made: RFC 3339 (SOURCE_DATE_EPOCH, or now).
  std::string created_at = {};
  /// Results made before are not used.
  std::optional<Timestamp> not_before = {};
};

/// A StepCache over BuildKit's documents. A step's key is the digest of a record without inputs,
/// its result the layers of the tree after the step.
class CacheExchange final : public StepCache {
 public:
  CacheExchange(LocalStore& store, ExchangeOptions options, ProgressObserver& observer);
  ~CacheExchange() override;

  std::optional<StepResult> find(const std::string& key, std::size_t depth) override;
  bool is_marked(const std::string& key) override;
  void record(const StepDone& step) override;
  std::string inline_cache(const RootFs& root) override;
  void add_result(const RootFs& root) override;
  bool lost_layers() override;

  /// What the build did, for export_cache().
  [[nodiscard]] CacheSet collected(CacheMode mode) const;

 private:
  struct Source;
  struct Layer {
    RootFsLayer layer;
    std::optional<std::size_t> parent;
    std::size_t depth = 1;
  };
  struct Step {
    std::string key;
    std::size_t layer;  ///< top of the tree after it
    std::string created_at;
    std::set<std::string> marks = {};
  };
  /// The topmost; nullopt for an empty tree.
  std::optional<std::size_t> add_layers(const RootFs& root);
  std::size_t add_layer(const RootFsLayer& layer, const std::optional<std::size_t>& parent,
                        const ChainId& chain);
  void add_step(const std::string& key, std::size_t layer, const std::vector<std::string>& marks);
  [[nodiscard]] std::set<std::size_t> layers_below(const std::set<std::size_t>& tops) const;
  /// Records of the steps whose layer has a position; the layers of their results are these.
  [[nodiscard]] std::vector<oci::CacheRecord> records_of(
      const std::map<std::size_t, std::size_t>& positions) const;
  [[nodiscard]] std::string created_at_of(const std::string& key) const;
  bool ready(Source& source);
  std::optional<StepResult> find_in(Source& source, const std::string& key, std::size_t depth);
  void warn(std::string note);

  LocalStore& store_;
  ExchangeOptions options_;
  ProgressObserver& observer_;
  std::vector<std::unique_ptr<Source>> sources_;

  mutable std::mutex mutex_;
  std::vector<Layer> layers_;                  // guarded by mutex_
  std::map<ChainId, std::size_t> by_chain_;    // guarded by mutex_
  std::vector<Step> steps_;                    // guarded by mutex_
  std::map<std::string, std::size_t> by_key_;  // guarded by mutex_
  std::set<std::size_t> results_;              // guarded by mutex_
};

}  // namespace lade::buildcache
