/// The tree that a stack of parts shows, by the rules of overlayfs, looked at without a mount.
/// Lower parts are touched only as far as an answer needs them.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libimage/container/part.h"

namespace lade {

/// Thrown out of every operation: part `position` has entries below a path that is no directory in
/// the parts below it, and does not say itself what the path is. Only unpacking it, which follows
/// links, tells.
struct PartNeedsUnpacking {
  std::size_t position = 0;
};

class MergedTree {
 public:
  /// `parts` topmost first.
  explicit MergedTree(std::vector<std::unique_ptr<Part>> parts);
  ~MergedTree();

  struct Hit {
    PartEntry entry;
    std::size_t part = 0;
  };
  /// What is at `path`, whose parents are real directories (resolve() it first).
  std::optional<Hit> find(const std::string& path);

  /// `path` with its links resolved inside the root (see RootFs::resolve).
  std::string resolve(const std::string& path, bool follow_last);

  /// Names in directory `path` (resolved), sorted; nullopt if there is no such directory.
  std::optional<std::vector<std::string>> list(const std::string& path);

  /// The content of `hit`, a regular file found at `path`. Throws PartNeedsUnpacking where an entry
  /// list's file is gone.
  ContentRef content(const std::string& path, const Hit& hit);

 private:
  struct Directory;
  Directory& root();
  Hit find_root();
  Directory* directory(const std::string& path);
  bool extend(Directory& directory);
  bool contributes(Directory& directory, std::size_t part);
  std::optional<Hit> find_in(Directory& directory, const std::string& name);

  std::vector<std::unique_ptr<Part>> parts_;
  std::map<std::string, std::unique_ptr<Directory>> directories_;  ///< by path
};

}  // namespace lade
