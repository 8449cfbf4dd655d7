#include "libimage/build/source_tree.h"

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {
namespace {

std::uint8_t nibble(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

/// lookup() and list() of all at and below `path`.
template <typename Visit>
void visit_below(SourceTree& tree, const std::string& path, const Attributes& attributes,
                 const std::stop_token& stop, const Visit& visit) {
  if (stop.stop_requested()) throw Cancelled();
  visit(path, attributes);
  if (attributes.type != FileType::directory) return;
  for (const std::string& name : tree.list(path)) {
    const std::string below = path.empty() ? name : cat(path, "/", name);
    if (const auto found = tree.lookup(below)) visit_below(tree, below, *found, stop, visit);
  }
}

}  // namespace

void SourceTree::prepare(const std::string& /*path*/, unsigned /*jobs*/,
                         const std::stop_token& /*stop*/) {}

void SourceTree::walk(const std::string& path, const Attributes& attributes, unsigned jobs,
                      const std::stop_token& stop, const WalkVisit& visit) {
  // In portions: enough for all threads, and little memory however many files there are.
  constexpr std::size_t kPortion = 4096;
  std::vector<std::string> files;
  visit_below(*this, path, attributes, stop, [&](const std::string& file, const Attributes& found) {
    if (found.type == FileType::regular) files.push_back(file);
    if (files.size() < kPortion) return;
    prepare_digests(files, jobs, stop);
    files.clear();
  });
  prepare_digests(files, jobs, stop);
  visit_below(*this, path, attributes, stop, [&](const std::string& file, const Attributes& found) {
    if (found.type != FileType::regular) {
      visit({.path = file, .attributes = found});
      return;
    }
    const Sha256 sha = digest(file, stop);
    visit({.path = file, .attributes = found, .content = &sha, .identity = identity(file)});
  });
}

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
