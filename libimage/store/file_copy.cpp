#include "libimage/store/file_copy.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/io/stream.h"

namespace lade {
namespace {

constexpr std::uint64_t kCopyStep = std::uint64_t{1} << 30U;

[[noreturn]] void throw_short() {
  throw Error(Errc::size_mismatch, "copy file: it became shorter while it was read");
}

void copy_through_memory(int from, std::uint64_t from_at, int to, std::uint64_t to_at,
                         std::uint64_t size) {
  std::vector<std::byte> buffer(kChunkBytes);
  for (std::uint64_t done = 0; done < size;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - done));
    const ssize_t got = ::pread(from, buffer.data(), want, static_cast<off_t>(from_at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("copy file: read");
    if (got == 0) throw_short();
    write_file_at(to, to_at + done, ByteView(buffer).first(static_cast<std::size_t>(got)));
    done += static_cast<std::uint64_t>(got);
  }
}

}  // namespace

void copy_file_bytes(int from, std::uint64_t from_at, int to, std::uint64_t to_at,
                     std::uint64_t size) {
  for (std::uint64_t done = 0; done < size;) {
    auto source = static_cast<off64_t>(from_at + done);
    auto target = static_cast<off64_t>(to_at + done);
    const auto want = static_cast<std::size_t>(std::min(kCopyStep, size - done));
    const ssize_t got = ::copy_file_range(from, &source, to, &target, want, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      if (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == EFBIG) {
        throw_errno("copy file");
      }
      copy_through_memory(from, from_at + done, to, to_at + done, size - done);
      return;
    }
    if (got == 0) throw_short();
    done += static_cast<std::uint64_t>(got);
  }
}

void write_file_at(int fd, std::uint64_t at, ByteView data) {
  while (!data.empty()) {
    const ssize_t put = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_errno("write file");
    at += static_cast<std::uint64_t>(put);
    data = data.subspan(static_cast<std::size_t>(put));
  }
}

}  // namespace lade
