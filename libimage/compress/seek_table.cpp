#include "libimage/compress/seek_table.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include <isa-l.h>
#include <zstd.h>

#include "libimage/base/error.h"
#include "libimage/compress/gzip_source.h"
#include "libimage/compress/zstd_source.h"

#define LADE_TEXT_OF(value) #value
#define LADE_TEXT(value) LADE_TEXT_OF(value)

namespace lade {
namespace {

// Entering a longer frame costs more than a decompressed copy on disk.
constexpr unsigned long long kMaxFrameBytes = 64ULL << 20U;

// Of what saved() gives: another release of ISA-L may keep other states.
constexpr std::string_view kSavedMagic =
    "lade-seek-1 " LADE_TEXT(ISAL_MAJOR_VERSION) "." LADE_TEXT(ISAL_MINOR_VERSION) "\n";

// No divisor of a member's size, so that the decoder stops at the ends of members of 1 MiB.
constexpr std::size_t kStepBytes = std::size_t{320} * 1024;

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
      : table_(table), in_(std::move(in)), buffer_(kStepBytes) {
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
        last_ = content_;
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
    const std::uint64_t past = content_ - last_;
    if (past < table_.member_step_ && content_ != 0) return std::nullopt;
    if (zstd_) {
      if (!zstd_->between_frames()) return std::nullopt;
      return SeekTable::Place{.compressed = zstd_->consumed(), .content = content_};
    }
    if (gzip_->in_member() && past < table_.step_ && content_ != 0) return std::nullopt;
    return SeekTable::Place{
        .compressed = gzip_->consumed(), .content = content_, .middle = gzip_->middle()};
  }

  SeekTable& table_;
  std::unique_ptr<Source> in_;
  std::unique_ptr<GzipSource> gzip_;
  std::unique_ptr<ZstdSource> zstd_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t content_ = 0;  // decoded so far
  std::uint64_t last_ = 0;     // where the last place is
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
  *this = SeekTable();
  zstd_ = codec.name == "zstd";
  return std::make_unique<ScanningSource>(*this, std::move(in));
}

void SeekTable::add(Place place) {
  const auto is_middle = [](const Place& p) { return p.middle != nullptr; };
  if (is_middle(place)) ++middles_;
  places_.push_back(std::move(place));
  if (middles_ >= kMaxMiddles) {
    thin(is_middle);
    step_ *= 2;
  } else if (places_.size() >= kMaxPlaces) {
    thin([](const Place& p) { return p.middle == nullptr; });
    member_step_ *= 2;
  }
}

/// Drops every other one of these, so that memory stays as it is and the steps double.
void SeekTable::thin(bool (*which)(const Place&)) {
  std::vector<Place> kept;
  bool keep = false;
  middles_ = 0;
  for (Place& place : places_) {
    if (which(place)) {
      keep = !keep;
      if (!keep) continue;
    }
    if (place.middle) ++middles_;
    kept.push_back(std::move(place));
  }
  places_ = std::move(kept);
}

std::optional<std::uint64_t> SeekTable::compressed_end(std::uint64_t offset) const {
  const auto after = std::lower_bound(
      places_.begin(), places_.end(), offset,
      [](const Place& place, std::uint64_t wanted) { return place.content < wanted; });
  if (after == places_.end()) return std::nullopt;
  return after->compressed;
}

std::string SeekTable::saved() const {
  std::string out(kSavedMagic);
  const auto number = [&](std::uint64_t value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  number(sizeof(inflate_state));
  number(zstd_ ? 1 : 0);
  number(places_.size());
  for (const Place& place : places_) {
    number(place.compressed);
    number(place.content);
    number(place.middle ? 1 : 0);
    if (place.middle) {
      inflate_state state = *place.middle;
      state.next_in = nullptr;
      state.next_out = nullptr;
      out.append(reinterpret_cast<const char*>(&state), sizeof state);
    }
  }
  return out;
}

std::optional<SeekTable> SeekTable::load(std::string_view bytes) {
  if (!bytes.starts_with(kSavedMagic)) return std::nullopt;
  bytes.remove_prefix(kSavedMagic.size());
  bool whole = true;
  const auto take = [&](void* to, std::size_t size) {
    whole = whole && bytes.size() >= size;
    if (!whole) return;
    std::memcpy(to, bytes.data(), size);
    bytes.remove_prefix(size);
  };
  const auto number = [&] {
    std::uint64_t value = 0;
    take(&value, sizeof value);
    return value;
  };
  if (number() != sizeof(inflate_state)) return std::nullopt;
  SeekTable table;
  table.zstd_ = number() != 0;
  const std::uint64_t count = number();
  if (!whole || count > kMaxPlaces + kMaxMiddles) return std::nullopt;
  for (std::uint64_t i = 0; i < count; ++i) {
    Place place{.compressed = number(), .content = number()};
    if (number() != 0) {
      auto state = std::make_shared<inflate_state>();
      take(state.get(), sizeof(inflate_state));
      place.middle = std::move(state);
      ++table.middles_;
    }
    const bool ordered =
        table.places_.empty() || (place.content > table.places_.back().content &&
                                  place.compressed >= table.places_.back().compressed);
    if (!whole || !ordered) return std::nullopt;
    table.places_.push_back(std::move(place));
  }
  if (!bytes.empty()) return std::nullopt;
  return table;
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
