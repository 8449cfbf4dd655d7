#pragma once
#include <string>

#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade {

/// A file that appears whole or not at all: written under a unique temporary name in the same
/// directory
/// (".NAME.tmp-XXXXXXXX"), renamed by commit(). Destroyed uncommitted, it leaves no trace.
class AtomicFile final : public Sink {
 public:
  /// `dir` must outlive the object; `name` is one path component.
  AtomicFile(const DirFd& dir, std::string name, mode_t mode = 0644);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(ByteView data) override;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  enum class Durability { none, fsync };
  /// Publishes the file, replacing one of that name. `fsync` makes it survive a power failure.
  void commit(Durability durability = Durability::none);

 private:
  const DirFd& dir_;
  std::string name_;
  std::string temporary_;
  UniqueFd fd_;
  bool committed_ = false;
};

}  // namespace lade
