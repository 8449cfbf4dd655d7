/// Paths resolved inside a root directory that nothing can leave, and the file system helpers built
/// on them.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>
#include <sys/types.h>

#include "libimage/base/unique_fd.h"

namespace lade {

/// Opens the directory `path` (O_RDONLY, links followed): for paths that the user typed.
DirFd open_dir(const std::string& path);

/// `path` absolute and without links; nullopt, with errno set, if it does not exist.
std::optional<std::string> real_path(const std::string& path);

/// Opens (O_PATH|O_DIRECTORY) `path`, creating it and its parents with `mode` where missing.
DirFd create_dir(const std::string& path, mode_t mode = 0755);

/// Another descriptor of the same directory.
DirFd duplicate(const DirFd& dir);

/// Opens `path` inside `root` as if `root` were "/": absolute links and ".." are clamped to it and
/// no magic link is followed (openat2 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). EAGAIN from
/// concurrent renames is retried 128 times. Returns an empty UniqueFd with errno set if it cannot
/// be opened. Paths longer than PATH_MAX work.
UniqueFd try_open_in_root(const DirFd& root, std::string_view path, int flags,
                          mode_t mode = 0) noexcept;

/// As try_open_in_root(), but throws "open 'path': reason".
UniqueFd open_in_root(const DirFd& root, std::string_view path, int flags, mode_t mode = 0);

/// A path's last component and its parent directory, opened (O_PATH) inside the root.
struct ParentAndName {
  DirFd parent;
  std::string
      name;  ///< one component, never "", "." or ".."; empty only if the path is the root itself
};

/// Called for each directory that create_parents makes: (parent, name); e.g. to set owner and
/// times.
using DirCreated = std::function<void(const DirFd& parent, const std::string& name)>;

/// Opens the parent of `path` inside `root`, following links inside the root, creating missing
/// directories with mode 0755 when `create_parents`. `path` is cleaned lexically first: "." and
/// empty components vanish, ".." is clamped. Throws Error{not_found...} naming the component that
/// failed; more than 1,000 components is limit_exceeded.
ParentAndName open_parent_in_root(const DirFd& root, std::string_view path,
                                  bool create_parents = false, const DirCreated& created = {});

/// Opens the entry `name` (one component; a symlink is refused with ELOOP) of `dir`; throws on
/// failure.
UniqueFd open_entry(const DirFd& dir, const std::string& name, int flags, mode_t mode = 0);

/// lstat of `name` in `dir`; nullopt if there is none; throws on other errors.
std::optional<struct stat> stat_entry(const DirFd& dir, const std::string& name);

/// Names of the entries of `dir`, without "." and "..", in no order.
std::vector<std::string> list_names(const DirFd& dir);

/// Removes `name` in `dir` with all below it, never following a link. Absent is no error.
/// Directories without write permission are made writable first. A mount point is Error{denied}
/// (also of a bind mount), a directory that another process moves away meanwhile
/// Error{unavailable}; what was removed until then stays removed. Depth costs no descriptors.
void remove_tree(const DirFd& dir, const std::string& name);

/// Removes everything in `dir`, not `dir` itself.
void remove_contents(const DirFd& dir);

/// Lexically cleaned path: no empty or "." components, ".." clamped at the front, no leading or
/// trailing slash.
/// "" is the root itself.
std::string clean_path(std::string_view path);

/// The whole content of a regular file `path` in `dir` (final link not followed), at most `limit`
/// bytes.
std::string read_file_at(const DirFd& dir, const std::string& path, std::uint64_t limit);

/// The whole content of the file that the user named, at most `limit` bytes.
std::string read_file(const std::string& path, std::uint64_t limit);

/// True if there is something at `path`, links followed; false also where it cannot be looked at.
bool path_exists(const std::string& path) noexcept;

/// The path of `fd` in /proc/self/fd, for calls that take only a path.
std::string proc_path(int fd);

/// A directory of its own under `parent`, removed with all it holds on destruction.
class TempDir {
 public:
  /// Named `prefix` + 12 random characters, mode 0700.
  explicit TempDir(const std::string& parent, std::string_view prefix = "lade-");
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const DirFd& dir() const noexcept { return dir_; }

 private:
  std::string path_;
  std::string name_;
  DirFd parent_;
  DirFd dir_;
};

/// `count` characters from [a-z0-9], unpredictable (getrandom).
std::string random_name(std::size_t count);

}  // namespace lade
