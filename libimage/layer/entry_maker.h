/// Makes one entry of a layer under a name in an open directory. Internal to the layer module.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/layer/apply_layer.h"
#include "libimage/layer/tree_cursor.h"

namespace lade {

/// Somebody else may put a name back as often as we remove it.
inline constexpr int kReplaceAttempts = 128;

class EntryMaker {
 public:
  EntryMaker(TreeCursor& tree, const ApplyOptions& options);

  /// Whatever has the name already is replaced, except a directory by a directory.
  void make(TreeDirectory& dir, const std::string& name, const Attributes& attributes,
            TarReader& content);
  /// Sets the attributes of a directory that is there (O_PATH).
  void set_directory(const DirFd& dir, const Attributes& attributes);
  /// Makes `name` another name of `target_name` in `target`, which is not a directory.
  void link(TreeDirectory& dir, const std::string& name, const DirFd& target,
            const std::string& target_name);
  /// Copies a lower layer's file to the same place in this one.
  void copy_up(TreeDirectory& dir, const std::string& name, const LowerDirectory::Found& lower);
  /// Removes the name with all below it; absent is no error.
  void remove(const TreeDirectory& dir, const std::string& name);
  /// The bits that directories lacked while they were filled (Rights::own).
  void finish();

  [[nodiscard]] Rights rights() const noexcept { return rights_; }

 private:
  template <typename Try>
  void replacing(TreeDirectory& dir, const std::string& name, const Try& attempt);
  void make_file(TreeDirectory& dir, const std::string& name, const Attributes& attributes,
                 TarReader& content);
  void make_directory(TreeDirectory& dir, const std::string& name, const Attributes& attributes);
  void make_link(TreeDirectory& dir, const std::string& name, const Attributes& attributes);
  void make_node(TreeDirectory& dir, const std::string& name, const Attributes& attributes);
  void write_content(int fd, TarReader& content);

  struct Narrow {  // a directory that its owner may not search or write
    std::string path;
    std::uint32_t mode;
  };
  TreeCursor& tree_;
  Rights rights_;
  std::vector<std::byte> buffer_;
  std::vector<Narrow> narrow_;
};

}  // namespace lade
