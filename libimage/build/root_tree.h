#pragma once
#include <map>
#include <mutex>

#include "libimage/build/source_tree.h"
#include "libimage/container/root_fs.h"

namespace lade::build {

/// The tree of another stage or image, for COPY --from: owners and modes as they are there.
class RootTree final : public SourceTree {
 public:
  /// `name` is the stage or image in messages.
  RootTree(const RootFs& root, std::string name) : root_(root), name_(std::move(name)) {}

  std::optional<Attributes> lookup(const std::string& path) override;
  std::string resolve(const std::string& path) override { return root_.resolve(path); }
  std::vector<std::string> list(const std::string& path) override { return root_.list(path); }
  ContentRef content(const std::string& path) override { return root_.content(path); }
  FileIdentity identity(const std::string& path) override;
  Sha256 digest(const std::string& path, const std::stop_token& stop) override;
  void prepare_digests(const std::vector<std::string>& paths, unsigned jobs,
                       const std::stop_token& stop) override;
  void remember(const ContentRef& content, const Sha256& sha) override;
  std::string why_hidden(const std::string& path) override;

 private:
  using Key = std::pair<const DirFd*, std::string>;
  RootFs root_;
  std::string name_;
  std::mutex mutex_;
  std::map<Key, Sha256> known_;  // guarded by mutex_
};

}  // namespace lade::build
