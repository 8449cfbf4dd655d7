/// What libimage/build asks beside the local store's step results: caches of other machines
/// (docs/design/0017-build-cache-exchange.md).
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "libimage/container/root_fs.h"
#include "libimage/local/local_store.h"

namespace lade::buildcache {

/// A step of this build that is done: executed, or found in some cache.
struct StepDone {
  std::string key;  ///< under which its result is kept
  /// Further keys of the same result.
  std::vector<std::string> aliases = {};
  /// Keys that say something without a result ("a COPY of these words was stored").
  std::vector<std::string> marks = {};
  const RootFs* root = nullptr;  ///< the tree after the step; read during the call only
};

/// Thread-safe. Neither member throws for what a source of the cache does wrong.
class StepCache {
 public:
  virtual ~StepCache() = default;

  /// The result of a step whose tree before it has `depth` layers; nullopt if nobody knows it. Its
  /// layer may be promised to the store only (LocalStore::require).
  virtual std::optional<StepResult> find(const std::string& key, std::size_t depth) = 0;
  /// True if `key` was marked.
  virtual bool is_marked(const std::string& key) = 0;
  virtual void record(const StepDone& step) = 0;

  /// The value of the config's member "moby.buildkit.cache.v0" (JSON) for an image of these layers;
  /// "" if the image is not to have one.
  virtual std::string inline_cache(const RootFs& root) = 0;
  /// Tells that an image of these layers is a result of the build.
  virtual void add_result(const RootFs& root) = 0;

  /// To be called when a build failed: true if the reason may be that a layer which find() promised
  /// could not be had. Such layers are not given again, so that the build should be tried again.
  virtual bool lost_layers() = 0;
};

}  // namespace lade::buildcache
