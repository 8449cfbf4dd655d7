#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "libimage/build/ignore_pattern.h"
#include "libimage/build/source_tree.h"

namespace lade::build {

/// Which of the files below a source COPY takes.
struct SourceRules {
  std::optional<PathGlob> include = {};  ///< --parents: only what this matches, and all below it
  IgnoreList exclude = {};               ///< --exclude
};

/// Another tree of which only some files below `top` are shown; a directory that is not taken
/// itself shows if something below it is. Thread-safe if the other tree is.
class FilteredTree final : public SourceTree {
 public:
  /// `inner` and `rules` outlive the object.
  FilteredTree(SourceTree& inner, std::string top, const SourceRules& rules)
      : inner_(inner), top_(std::move(top)), rules_(rules) {}

  std::optional<Attributes> lookup(const std::string& path) override { return inner_.lookup(path); }
  std::string resolve(const std::string& path) override { return inner_.resolve(path); }
  std::vector<std::string> list(const std::string& path) override;
  ContentRef content(const std::string& path) override { return inner_.content(path); }
  FileIdentity identity(const std::string& path) override { return inner_.identity(path); }
  Sha256 digest(const std::string& path, const std::stop_token& stop) override {
    return inner_.digest(path, stop);
  }
  void prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                       const std::stop_token& stop) override {
    inner_.prepare_digests(paths, jobs, stop);
  }
  void remember(const ContentRef& content, const Sha256& sha) override {
    inner_.remember(content, sha);
  }
  std::string why_hidden(const std::string& path) override { return inner_.why_hidden(path); }

 private:
  [[nodiscard]] std::string_view below_top(const std::string& path) const;
  [[nodiscard]] bool is_taken(std::string_view relative) const;
  bool shows(const std::string& path);

  SourceTree& inner_;
  std::string top_;
  const SourceRules& rules_;
  std::mutex mutex_;
  std::map<std::string, bool> directories_;  // guarded by mutex_: those that are not taken
};

}  // namespace lade::build
