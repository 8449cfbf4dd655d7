#include "libimage/build/source_tree.h"

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

std::uint8_t nibble(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

}  // namespace

Sha256 raw_sha256(const Digest& digest) {
  const std::string_view hex = digest.encoded();
  Sha256 out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(nibble(hex[2 * i]) << 4U | nibble(hex[2 * i + 1]));
  return out;
}

std::string to_hex(const Sha256& sha) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * sha.size());
  for (const std::uint8_t byte : sha) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

Sha256 hash_content(const ContentRef& content, const std::stop_token& stop) {
  if (content.text) return raw_sha256(sha256_of(*content.text));
  // O_NONBLOCK: a fifo put in the file's place must not stop the build.
  UniqueFd fd = open_in_root(*content.root, content.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(cat("stat ", quoted(content.path)));
  if (!S_ISREG(status.st_mode))
    throw Error(Errc::io, cat(quoted(content.path), " changed into another type of file"));
  FdSource source(std::move(fd), content.path);
  Hasher hasher;
  std::vector<std::byte> buffer(std::min<std::size_t>(
      kChunkBytes, static_cast<std::size_t>(status.st_size) + 1));  // most files are small
  for (;;) {
    if (stop.stop_requested()) throw Cancelled();
    const std::size_t got = source.read(buffer);
    if (got == 0) return raw_sha256(hasher.digest());
    hasher.update(ByteView(buffer).first(got));
  }
}

}  // namespace lade::build
