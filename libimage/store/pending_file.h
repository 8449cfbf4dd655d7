#pragma once
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade {

/// A file in the making inside one directory. It has no name until publish(), so that a process
/// that dies leaves nothing. Where the file system has no such files (O_TMPFILE), and for the
/// moment in which it replaces another, it lives under a name and a lock in DIR/.lade-tmp, from
/// where sweep() removes what no process holds.
class PendingFile final : public Sink {
 public:
  enum class Kind { unnamed, named };
  /// Keeps a descriptor of its own of `dir`. `named` skips the attempt at an unnamed file.
  explicit PendingFile(const DirFd& dir, Kind kind = Kind::unnamed, mode_t mode = 0644);
  ~PendingFile() override;
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(ByteView data) override;
  /// Open for reading and writing.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const DirFd& dir() const noexcept { return dir_; }

  /// Gives the file `name` (one component) in the directory, replacing what has it.
  void publish(const std::string& name);

  /// Removes the named leftovers of dead processes from `dir`.
  static void sweep(const DirFd& dir);

 private:
  void create_named(mode_t mode);
  void link_unnamed(const std::string& name);
  void rename_to(const std::string& name);

  DirFd dir_;
  UniqueFd fd_;
  std::string temporary_;  // path below dir_; empty while unnamed
};

}  // namespace lade
