#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade {

/// A file in the making inside one directory. It has no name until publish(), so that a process
/// that dies leaves nothing. Where the file system has no such files (O_TMPFILE), and for the
/// moment in which it replaces another, it lives under a name and a lock in DIR/.lade-tmp, from
/// where sweep() removes what no process holds. Files with a key live there too, and may stay.
class PendingFile final : public Sink {
 public:
  enum class Kind { unnamed, named };
  /// Keeps a descriptor of its own of `dir`. `named` skips the attempt at an unnamed file.
  explicit PendingFile(const DirFd& dir, Kind kind = Kind::unnamed, mode_t mode = 0644);
  /// A file that can outlive this object and its process: it lives under a name made of `key` (a
  /// part of one component) from the start, and begins with what an earlier one of that key kept.
  /// Where that is not possible (another process is at it, no locks), as the other constructor.
  PendingFile(const DirFd& dir, const std::string& key, Kind otherwise, mode_t mode = 0644);
  ~PendingFile() override;
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  void write(ByteView data) override;
  /// Bytes that an earlier file of the same key left, which write() appends to.
  [[nodiscard]] std::uint64_t kept() const noexcept { return kept_; }
  /// Drops what was kept and written so far.
  void start_over();
  /// Leaves the file for another of the same key if it is not published; only where it has a key.
  void keep() noexcept { keep_ = !key_.empty(); }
  /// Open for reading and writing.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const DirFd& dir() const noexcept { return dir_; }

  /// Gives the file `name` (one component) in the directory, replacing what has it.
  void publish(const std::string& name);

  /// How long kept files wait for another attempt.
  static constexpr std::chrono::hours kKeptFor{7 * 24};
  /// Removes the named leftovers of dead processes from `dir`, and kept files that nobody has
  /// written to for `kept_for`.
  static void sweep(const DirFd& dir, std::chrono::seconds kept_for = kKeptFor);

 private:
  void create(Kind kind, mode_t mode);
  bool open_kept(mode_t mode);
  void create_named(mode_t mode);
  void link_unnamed(const std::string& name);
  void rename_to(const std::string& name);

  DirFd dir_;
  UniqueFd fd_;
  std::string temporary_;  // path below dir_; empty while unnamed
  std::string key_;        // empty if the file cannot be kept
  std::uint64_t kept_ = 0;
  bool keep_ = false;
};

}  // namespace lade
