#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libimage/build/account.h"
#include "libimage/build/copy_source.h"
#include "libimage/build/file_mode.h"
#include "libimage/container/root_fs.h"
#include "libimage/layer/snapshot.h"

namespace lade::build {

/// What --chown and --chmod ask for.
struct CopyRules {
  std::optional<Owner> owner = {};
  std::optional<FileMode> mode = {};
};

/// Where a COPY or ADD writes to.
struct CopyDestination {
  std::string path;           ///< clean, relative to the root
  bool is_directory = false;  ///< "", "." or a trailing slash
};

/// The layer of a COPY or ADD in the making: entries by BuildKit's rules, against the tree that is
/// there. No file is touched or read.
///
/// - a directory's content is merged into the destination; a file goes into a directory under its
///   own name, or becomes the destination
/// - links in the destination's path are followed in the target's root; below it they are not: a
///   link where a directory is to go is an error, as is a file where a directory is, or the reverse
/// - missing parents are 0755 0:0 (or as CopyRules say; a symbolic mode is not for them); a
///   destination directory that is made is too, and takes the source directory's mtime
/// - existing parents are repeated as they are, so that the layer unpacked alone shows them so
class CopyTarget {
 public:
  CopyTarget(RootFs& root, CopyRules rules) : root_(root), rules_(std::move(rules)) {}

  /// Times that made parents get. Not the time of day: the same inputs give the same bytes.
  void set_parent_mtime(const Timestamp& mtime) { parent_mtime_ = mtime; }
  void copy(SourceTree& tree, const CopySource& source, const CopyDestination& destination);
  /// A file with these bytes, called `name` if the destination is a directory.
  void write(const std::string& name, std::string text, const Timestamp& mtime,
             const CopyDestination& destination);
  /// The tree `snapshot` of an archive, whose files have their bytes at `content`: merged like `tar
  /// -x --keep-directory-symlink`.
  void merge(const Snapshot& snapshot, const std::function<ContentRef(const std::string&)>& content,
             const CopyDestination& destination);
  /// The entries, sorted, hard links last of their group. The object is then empty.
  std::vector<LayerEntry> take();

 private:
  std::optional<Attributes> lookup(const std::string& path);
  void make_directories(const std::string& path);
  void index_everything();
  std::string prepare(const CopyDestination& destination);
  std::string file_target(const std::string& target, const std::string& name);
  void copy_below(SourceTree& tree, const std::string& from, const std::string& to, bool exists);
  void copy_file(SourceTree& tree, const std::string& from, const std::string& to,
                 Attributes attributes);
  Attributes ruled(Attributes attributes) const;
  Attributes made_directory() const;
  void put(LayerEntry entry);

  using FileKey = std::pair<std::uint64_t, std::uint64_t>;
  RootFs& root_;
  CopyRules rules_;
  Timestamp parent_mtime_ = {};
  std::vector<LayerEntry> entries_;
  std::unordered_map<std::string, std::size_t> by_path_;  // of what may be written again
  bool index_all_ = false;  // from the second source on; the first one's paths differ anyway
  std::size_t sources_ = 0;
  std::map<std::string, FileKey> linked_;  // path of files with several names
};

}  // namespace lade::build
