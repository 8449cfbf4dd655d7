/// One layer (or one merged tree) of a stack, as lookups see it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/container/memory_tree.h"
#include "libimage/layer/entry.h"

namespace lade {

/// What one part has at a path.
struct PartEntry {
  enum class Kind {
    absent,
    whiteout,
    implicit_directory,  ///< a directory whose attributes are the lower layers'
    hiding_directory,    ///< hides names of a directory, if a lower layer has it
    present,
  };
  Kind kind = Kind::absent;
  Attributes attributes = {};             ///< if present
  bool opaque = false;                    ///< lower parts do not show through this directory
  const LayerEntry* in_memory = nullptr;  ///< the entry with the content, if the part is a list

  [[nodiscard]] bool is_directory() const noexcept {
    return kind == Kind::implicit_directory || kind == Kind::hiding_directory ||
           (kind == Kind::present && attributes.type == FileType::directory);
  }
};

struct PartName {
  enum class Kind {
    shown,
    whiteout,
    undecided,  ///< a hiding directory
  };
  std::string name;
  Kind kind = Kind::shown;
};

/// Paths given to a part are clean, relative, and all their parents are directories of this part.
class Part {
 public:
  virtual ~Part() = default;
  virtual PartEntry find(const std::string& path) = 0;
  virtual std::vector<PartName> names(const std::string& directory) = 0;
  /// The regular file `entry` (found at `path`); nullopt if its content is gone or changed since.
  virtual std::optional<ContentRef> content(const std::string& path, const PartEntry& entry) = 0;
};

/// A snapshot's tree in overlayfs form; `open` is called when it is first looked at.
class DiskPart final : public Part {
 public:
  using Open = std::function<std::shared_ptr<const DirFd>()>;
  explicit DiskPart(Open open) : open_(std::move(open)) {}
  PartEntry find(const std::string& path) override;
  std::vector<PartName> names(const std::string& directory) override;
  std::optional<ContentRef> content(const std::string& path, const PartEntry& entry) override;

 private:
  const DirFd& root();
  Open open_;
  std::shared_ptr<const DirFd> root_;
};

/// A list of entries.
class MemoryPart final : public Part {
 public:
  explicit MemoryPart(std::shared_ptr<const MemoryTree> tree) : tree_(std::move(tree)) {}
  PartEntry find(const std::string& path) override;
  std::vector<PartName> names(const std::string& directory) override;
  std::optional<ContentRef> content(const std::string& path, const PartEntry& entry) override;

 private:
  std::shared_ptr<const MemoryTree> tree_;
};

/// `name` below `directory`, "" being the root.
std::string join_path(const std::string& directory, std::string_view name);

}  // namespace lade
