#include <algorithm>
#include <cstring>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"

namespace lade {
namespace {

bool starts_with(ByteView head, std::string_view magic) {
  return chars_of(head).starts_with(magic);
}

bool is_zstd(ByteView head) {
  using namespace std::string_view_literals;
  if (starts_with(head, "\x28\xB5\x2F\xFD"sv)) return true;
  // A skippable frame (RFC 8878 section 3.1.2) may come first: pzstd writes so.
  return head.size() >= 4 && (static_cast<unsigned>(head[0]) & 0xF0U) == 0x50U &&
         starts_with(head.subspan(1), "\x2A\x4D\x18"sv);
}

bool is_bzip2(ByteView head) {
  using namespace std::string_view_literals;
  if (!starts_with(head, "BZh"sv) || head.size() < 6) return false;
  // "BZh9" may begin a file name in a tar: the magic of the first block or of the end must follow.
  const auto level = static_cast<unsigned char>(head[3]);
  return level >= '1' && level <= '9' &&
         (starts_with(head.subspan(4), "1A"sv) || starts_with(head.subspan(4), "\x17\x72"sv));
}

/// A decoder together with the source that it reads.
class OwningSource final : public Source {
 public:
  OwningSource(std::unique_ptr<Source> in, const Codec& codec, const DecompressOptions& options)
      : in_(std::move(in)), decoder_(codec.decompress_from(*in_, options)) {}
  std::size_t read(std::span<std::byte> out) override { return decoder_->read(out); }

 private:
  std::unique_ptr<Source> in_;
  std::unique_ptr<Source> decoder_;
};

}  // namespace

const std::vector<Codec>& codecs() {
  static const std::vector<Codec> table = {
      identity_codec(), gzip_codec(), zstd_codec(), bzip2_codec(), xz_codec(),
  };
  return table;
}

const Codec& codec_named(std::string_view name) {
  std::string known;
  for (const Codec& codec : codecs()) {
    if (codec.name == name) return codec;
    known += cat(known.empty() ? "" : ", ", codec.name);
  }
  throw Error(Errc::unsupported, cat("compression ", quoted(name), ": known are ", known));
}

const Codec& codec_of(ByteView head) {
  using namespace std::string_view_literals;
  if (starts_with(head, "\x1F\x8B"sv)) return codec_named("gzip");
  if (is_zstd(head)) return codec_named("zstd");
  if (is_bzip2(head)) return codec_named("bzip2");
  if (starts_with(head, "\xFD\x37\x7A\x58\x5A\x00"sv)) return codec_named("xz");
  return codec_named("identity");
}

ByteView PeekableSource::peek(std::size_t count) {
  const std::size_t have = head_.size();
  if (have < count) {
    head_.resize(count);
    head_.resize(have + read_full(*source_, std::span(head_).subspan(have)));
  }
  return ByteView(head_).first(std::min(count, head_.size()));
}

std::size_t PeekableSource::read(std::span<std::byte> out) {
  if (at_ == head_.size()) return source_->read(out);
  const std::size_t count = std::min(out.size(), head_.size() - at_);
  std::memcpy(out.data(), head_.data() + at_, count);
  at_ += count;
  return count;
}

std::unique_ptr<Source> decompressed(std::unique_ptr<Source> source,
                                     const DecompressOptions& options) {
  auto peekable = std::make_unique<PeekableSource>(std::move(source));
  const Codec& codec = codec_of(peekable->peek(6));
  return decompressed(std::move(peekable), codec, options);
}

std::unique_ptr<Source> decompressed(std::unique_ptr<Source> source, const Codec& codec,
                                     const DecompressOptions& options) {
  return std::make_unique<OwningSource>(std::move(source), codec, options);
}

}  // namespace lade
