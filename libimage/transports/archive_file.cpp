#include "libimage/transports/archive_file.h"

#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/store/pending_file.h"

namespace lade {
namespace {

constexpr std::size_t kMagicBytes = 6;

UniqueFd open_regular(const std::string& path) {
  // O_NONBLOCK: a FIFO must not block the open.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) throw_errno("open");
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) throw_errno("stat");
  if (!S_ISREG(st.st_mode)) {
    throw Error(Errc::unsupported, "it is not a regular file, so it cannot be read at random");
  }
  return fd;
}

std::uint64_t size_of(int fd) {
  struct stat st {};
  if (::fstat(fd, &st) != 0) throw_errno("stat");
  return static_cast<std::uint64_t>(st.st_size);
}

std::size_t read_at(int fd, std::uint64_t offset, std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got =
        ::pread(fd, out.data() + filled, out.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("read");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return filled;
}

/// The content of `fd` decompressed into a file that nobody else can open.
UniqueFd spooled(UniqueFd fd, const Codec& codec, const SessionOptions& options) {
  FdSource compressed(std::move(fd), "archive");
  const std::unique_ptr<Source> plain = codec.decompress_from(compressed, {});
  PendingFile file(open_dir(options.temp_root), PendingFile::Kind::unnamed, 0600);
  std::vector<std::byte> buffer(kChunkBytes);
  while (const std::size_t got = plain->read(buffer)) {
    if (options.stop.stop_requested()) throw Cancelled();
    file.write(ByteView(buffer).first(got));
  }
  UniqueFd copy(::fcntl(file.fd(), F_DUPFD_CLOEXEC, 0));
  if (!copy) throw_errno("duplicate descriptor");
  return copy;
}

}  // namespace

ArchiveFile::ArchiveFile(const std::string& path, const SessionOptions& options) : path_(path) {
  with_context([&] { return cat("read archive ", quoted(path)); },
               [&] {
                 UniqueFd fd = open_regular(path);
                 std::vector<std::byte> head(kMagicBytes);
                 head.resize(read_at(fd.get(), 0, head));
                 if (head.empty()) throw Error(Errc::invalid_content, "the file is empty");
                 const Codec& codec = codec_of(head);
                 if (codec.name != "identity") fd = spooled(std::move(fd), codec, options);
                 fd_ = std::make_shared<UniqueFd>(std::move(fd));
                 index_ = ArchiveIndex::read(
                     [this](std::uint64_t offset, std::span<std::byte> out) {
                       return read_at(fd_->get(), offset, out);
                     },
                     size_of(fd_->get()));
               });
}

const ArchiveMember* ArchiveFile::find(std::string_view name) const { return index_.find(name); }

const ArchiveMember& ArchiveFile::member(std::string_view name) const {
  const ArchiveMember* found = find(name);
  if (found == nullptr) {
    throw Error(Errc::not_found, cat("archive ", quoted(path_), " has no member ", quoted(name)));
  }
  return *found;
}

std::string ArchiveFile::text(std::string_view name, std::uint64_t limit) const {
  const ArchiveMember& found = member(name);
  if (found.size > limit) {
    throw Error(Errc::limit_exceeded, cat("archive ", quoted(path_), ": member ", quoted(name),
                                          " of ", found.size, " bytes, more than ", limit));
  }
  const std::unique_ptr<Source> source = open(found);
  return read_all(*source, limit, quoted(name));
}

std::unique_ptr<Source> ArchiveFile::open(const ArchiveMember& member) const {
  return std::make_unique<FileRangeSource>(fd_, member.offset, member.size,
                                           cat("archive ", quoted(path_)));
}

}  // namespace lade
