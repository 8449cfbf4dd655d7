#include "libimage/packages/tree.h"

#include <algorithm>

#include "libimage/base/bytes.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::packages {

std::optional<std::string> Tree::read(const std::string& path, std::uint64_t limit) {
  const std::unique_ptr<File> file = open(path);
  if (!file) return std::nullopt;
  if (file->size() > limit) {
    throw Error(Errc::limit_exceeded,
                cat(quoted(path), " has ", file->size(), " bytes, more than ", limit));
  }
  std::vector<std::byte> content(file->size());
  content.resize(content.empty() ? 0 : file->read_at(0, content));
  return std::string(chars_of(content));
}

std::size_t TextFile::read_at(std::uint64_t offset, std::span<std::byte> out) {
  if (offset >= text_.size()) return 0;
  const std::size_t count = std::min(out.size(), text_.size() - static_cast<std::size_t>(offset));
  const ByteView from = bytes_of(text_.substr(static_cast<std::size_t>(offset), count));
  std::copy(from.begin(), from.end(), out.begin());
  return count;
}

}  // namespace lade::packages
