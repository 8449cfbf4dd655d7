/// What one COPY or ADD takes, whatever the place: the context, another tree, http, git.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/copy_source.h"
#include "libimage/build/source_filter.h"
#include "libimage/build/stage.h"
#include "libimage/build/step_key.h"

namespace lade::build {

/// A file or directory to be copied.
struct FoundSource {
  SourceTree* tree = nullptr;
  CopySource source = {};
  bool may_be_archive = false;  ///< ADD unpacks it if it is one
};

/// One kind of sources of a line. The key comes first, so that what is cached is not fetched.
class CopyInput {
 public:
  virtual ~CopyInput() = default;
  /// Adds what decides the content. Called again after open() it may be cheaper, and for http
  /// another one: a server may have changed its mind.
  virtual void add_to(StepKey& key) = 0;
  /// The sources, fetched where they were not. They live as long as the input.
  virtual const std::vector<FoundSource>& open() = 0;
  /// True if add_to() reads content that the layer would need as well.
  [[nodiscard]] virtual bool reads_content() const { return false; }
  /// Tells that the content `content` has this digest.
  virtual void remember(const ContentRef& content, const Sha256& sha) {
    (void)content;
    (void)sha;
  }
};

enum class UnpackMode {
  local,  ///< ADD: archives of the context are unpacked, those of http servers are not
  never,  ///< COPY, or ADD --unpack=false
  always  ///< ADD --unpack
};

/// What a line's flags say of its sources.
struct InputRules {
  bool parents = false;                   ///< --parents
  bool optional_sources = false;          ///< an absent one is left out (--optional, Lade's own)
  std::vector<std::string> exclude = {};  ///< --exclude
  UnpackMode unpack = UnpackMode::never;
  std::string checksum = {};              ///< --checksum
  std::optional<bool> keep_git_dir = {};  ///< --keep-git-dir
};

/// Files of `tree`, which outlives the input.
std::unique_ptr<CopyInput> tree_input(StageContext& stage, SourceTree& tree,
                                      const std::vector<std::string>& sources,
                                      const InputRules& rules);
/// A file of an http server. Known by its validators, or by `checksum`, it is fetched only if a
/// layer needs it.
std::unique_ptr<CopyInput> http_input(StageContext& stage, const std::string& url,
                                      const InputRules& rules);
/// A git repository's files: the remote is asked for its commit, and fetched only if a layer needs
/// it.
std::unique_ptr<CopyInput> git_input(StageContext& stage, const std::string& url,
                                     const InputRules& rules);

}  // namespace lade::build
