#include "libimage/transports/archive_file.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/compress/seek_table.h"
#include "libimage/store/text_source.h"
#include "libimage/transports/input_file.h"

namespace lade {
namespace {

// Documents of usual sizes are kept while a compressed archive is read the first time: entering it
// again for each of them would cost more.
constexpr std::uint64_t kSmallBytes = std::uint64_t{64} * 1024;
constexpr std::uint64_t kMaxSmallBytes = std::uint64_t{8} * 1024 * 1024;  // all of them

/// The first `size` bytes of a source.
class FirstBytes final : public Source {
 public:
  FirstBytes(std::unique_ptr<Source> source, std::uint64_t size)
      : source_(std::move(source)), left_(size) {}
  std::size_t read(std::span<std::byte> out) override {
    if (left_ == 0) return 0;
    const std::size_t got = source_->read(
        out.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, out.size()))));
    left_ -= got;
    return got;
  }

 private:
  std::unique_ptr<Source> source_;
  std::uint64_t left_;
};

bool have_same_bytes(Source& left, Source& right) {
  std::vector<std::byte> a(kChunkBytes);
  std::vector<std::byte> b(kChunkBytes);
  for (;;) {
    const std::size_t got = read_full(left, a);
    if (got != read_full(right, b)) return false;
    if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(got), b.begin())) {
      return false;
    }
    if (got < a.size()) return true;
  }
}

}  // namespace

/// The bytes of the archive, uncompressed.
class ArchiveFile::Content {
 public:
  Content(std::string name, UniqueFd fd)
      : name_(std::move(name)), fd_(std::make_shared<UniqueFd>(std::move(fd))) {}

  /// The file from `offset` on, as it is.
  [[nodiscard]] std::unique_ptr<Source> open_file(std::uint64_t offset, std::uint64_t size) const {
    return std::make_unique<FileRangeSource>(fd_, offset, size, cat("archive ", quoted(name_)));
  }
  [[nodiscard]] std::unique_ptr<Source> open_all() const {
    return open_file(0, file_size(fd_->get()));
  }
  [[nodiscard]] std::unique_ptr<Source> open(std::uint64_t offset, std::uint64_t size) const {
    if (!compressed_) return open_file(offset, size);
    const std::uint64_t bytes = file_size(fd_->get());
    return std::make_unique<FirstBytes>(
        table_.open([&](std::uint64_t at) { return open_file(at, bytes - std::min(at, bytes)); },
                    offset),
        size);
  }
  /// The archive read once, so that it can be entered.
  [[nodiscard]] std::unique_ptr<Source> scan(const Codec& codec) {
    compressed_ = true;
    return table_.scan(open_all(), codec);
  }
  [[nodiscard]] int fd() const noexcept { return fd_->get(); }
  [[nodiscard]] bool is_compressed() const noexcept { return compressed_; }

 private:
  std::string name_;
  std::shared_ptr<const UniqueFd> fd_;
  bool compressed_ = false;
  SeekTable table_;
};

ArchiveFile::ArchiveFile(const std::string& path, const SessionOptions& options) : path_(path) {
  with_context([&] { return cat("read archive ", quoted(path_)); },
               [&] { read(open_input_file(path_, options), options); });
}

ArchiveFile::ArchiveFile(Source& stream, std::string name, const SessionOptions& options)
    : path_(std::move(name)) {
  with_context([&] { return cat("read archive ", quoted(path_)); },
               [&] { read(keep_stream(stream, options), options); });
}

void ArchiveFile::read_plain(UniqueFd fd) {
  content_ = std::make_shared<Content>(path_, std::move(fd));
  index_ = ArchiveIndex::read(
      [this](std::uint64_t offset, std::span<std::byte> out) {
        return read_file_range(content_->fd(), offset, out);
      },
      file_size(content_->fd()));
}

void ArchiveFile::read(UniqueFd fd, const SessionOptions& options) {
  std::vector<std::byte> head(SeekTable::kHeadBytes);
  head.resize(read_file_range(fd.get(), 0, head));
  if (head.empty()) throw Error(Errc::invalid_content, "the file is empty");
  const Codec& codec = codec_of(head);
  if (codec.name == "identity") return read_plain(std::move(fd));
  const auto content = std::make_shared<Content>(path_, std::move(fd));
  if (!SeekTable::suits(head)) {
    const std::unique_ptr<Source> packed = content->open_all();
    const std::unique_ptr<Source> plain = codec.decompress_from(*packed, {});
    return read_plain(keep_stream(*plain, options));
  }
  std::uint64_t kept = 0;
  const auto keep_small = [&](const ArchiveMember& member, const ReadAt& read_at) {
    if (options.stop.stop_requested()) throw Cancelled();
    if (member.kind != ArchiveMember::Kind::file || member.size > kSmallBytes ||
        kept + member.size > kMaxSmallBytes) {
      return;
    }
    std::string text(static_cast<std::size_t>(member.size), '\0');
    const auto out = std::as_writable_bytes(std::span(text.data(), text.size()));
    if (read_at(member.offset, out) != out.size()) return;  // truncated, as the index will say
    kept += member.size;
    small_.emplace(member.offset, std::move(text));
  };
  const std::unique_ptr<Source> plain = content->scan(codec);
  index_ = ArchiveIndex::read(*plain, keep_small);
  content_ = content;
}

const ArchiveMember* ArchiveFile::find(std::string_view name) const {
  return index_.find(name, [this](const ArchiveMember& a, const ArchiveMember& b) {
    return have_same_bytes(*open(a), *open(b));
  });
}

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
  if (const auto kept = small_.find(member.offset); kept != small_.end()) {
    return std::make_unique<TextSource>(kept->second);
  }
  return content_->open(member.offset, member.size);
}

int ArchiveFile::plain_file() const noexcept {
  return content_->is_compressed() ? -1 : content_->fd();
}

}  // namespace lade
