/// A root file system as the readers of package databases see it.
#pragma once
#include "libimage/container/root_fs.h"
#include "libimage/packages/tree.h"

namespace lade::build {

class PackageTree final : public packages::Tree {
 public:
  explicit PackageTree(const RootFs& root) : root_(root) {}
  std::optional<std::vector<packages::TreeEntry>> list(const std::string& path) override;
  std::unique_ptr<packages::File> open(const std::string& path) override;

 private:
  RootFs root_;
};

}  // namespace lade::build
