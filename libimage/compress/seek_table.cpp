#include "libimage/compress/seek_table.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <zstd.h>

#include "libimage/base/error.h"
#include "libimage/compress/gzip_source.h"
#include "libimage/compress/zstd_source.h"

namespace lade {
namespace {

// Entering a longer frame costs more than a decompressed copy on disk.
constexpr unsigned long long kMaxFrameBytes = 64ULL << 20U;

/// The stream from a place on, which owns its input.
class ResumedSource final : public Source {
 public:
  ResumedSource(std::unique_ptr<Source> in, const std::shared_ptr<const inflate_state>& middle,
                bool zstd)
      : in_(std::move(in)) {
    if (zstd) {
      out_ = std::make_unique<ZstdSource>(*in_, DecompressOptions{});
    } else if (middle) {
      out_ = std::make_unique<GzipSource>(*in_, DecompressOptions{}, *middle);
    } else {
      out_ = std::make_unique<GzipSource>(*in_, DecompressOptions{});
    }
  }
  std::size_t read(std::span<std::byte> out) override { return out_->read(out); }

  void skip(std::uint64_t bytes) {
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes, std::uint64_t{kChunkBytes})));
    while (bytes != 0) {
      const std::size_t got = out_->read(std::span(buffer).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer.size()))));
      if (got == 0) throw Error(Errc::invalid_content, "compressed file: it became shorter");
      bytes -= got;
    }
  }

 private:
  std::unique_ptr<Source> in_;
  std::unique_ptr<Source> out_;
};

}  // namespace

/// Decodes in large steps, so that between two of them the decoder holds nothing back.
class ScanningSource final : public Source {
 public:
  ScanningSource(SeekTable& table, std::unique_ptr<Source> in)
      : table_(table), in_(std::move(in)), buffer_(kChunkBytes) {
    if (table.zstd_) {
      zstd_ = std::make_unique<ZstdSource>(*in_, DecompressOptions{});
    } else {
      gzip_ = std::make_unique<GzipSource>(*in_, DecompressOptions{});
    }
  }

  std::size_t read(std::span<std::byte> out) override {
    if (at_ == end_) {
      std::optional<SeekTable::Place> place = place_here();
      at_ = 0;
      end_ = 0;
      end_ = zstd_ ? zstd_->read(buffer_) : gzip_->read(buffer_);
      // At the end of the stream nothing could begin.
      if (place && end_ != 0) {
        table_.add(*std::move(place));
        next_ = content_ + table_.step_;
      }
      content_ += end_;
    }
    const std::size_t count = std::min(out.size(), end_ - at_);
    std::memcpy(out.data(), buffer_.data() + at_, count);
    at_ += count;
    return count;
  }

 private:
  /// Where the decoder is, if a place is due.
  [[nodiscard]] std::optional<SeekTable::Place> place_here() const {
    if (content_ < next_ || (zstd_ && !zstd_->between_frames())) return std::nullopt;
    return SeekTable::Place{.compressed = zstd_ ? zstd_->consumed() : gzip_->consumed(),
                            .content = content_,
                            .middle = zstd_ ? nullptr : gzip_->middle()};
  }

  SeekTable& table_;
  std::unique_ptr<Source> in_;
  std::unique_ptr<GzipSource> gzip_;
  std::unique_ptr<ZstdSource> zstd_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t content_ = 0;  // decoded so far
  std::uint64_t next_ = 0;     // where the next place is due
};

bool SeekTable::suits(ByteView head) {
  const Codec& codec = codec_of(head);
  if (codec.name == "gzip") return true;
  if (codec.name != "zstd") return false;
  const unsigned long long content = ZSTD_getFrameContentSize(head.data(), head.size());
  return content != ZSTD_CONTENTSIZE_ERROR && content != ZSTD_CONTENTSIZE_UNKNOWN &&
         content <= kMaxFrameBytes;
}

std::unique_ptr<Source> SeekTable::scan(std::unique_ptr<Source> in, const Codec& codec) {
  zstd_ = codec.name == "zstd";
  places_.clear();
  return std::make_unique<ScanningSource>(*this, std::move(in));
}

void SeekTable::add(Place place) {
  places_.push_back(std::move(place));
  if (places_.size() < kMaxPlaces) return;
  // Every other one, so that memory stays as it is and the steps double.
  std::vector<Place> kept;
  for (std::size_t i = 0; i < places_.size(); i += 2) kept.push_back(std::move(places_[i]));
  places_ = std::move(kept);
  step_ *= 2;
}

std::unique_ptr<Source> SeekTable::open(const OpenAt& open_at, std::uint64_t offset) const {
  const auto after = std::upper_bound(
      places_.begin(), places_.end(), offset,
      [](std::uint64_t wanted, const Place& place) { return wanted < place.content; });
  const Place start = after == places_.begin() ? Place{} : *std::prev(after);
  auto source = std::make_unique<ResumedSource>(open_at(start.compressed), start.middle, zstd_);
  source->skip(offset - start.content);
  return source;
}

}  // namespace lade
