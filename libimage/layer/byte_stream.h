/// A source read in pieces of any size through one buffer. Internal to the layer module.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "libimage/io/stream.h"

namespace lade {

/// Large reads go past the buffer.
class ByteStream {
 public:
  explicit ByteStream(Source& source) : source_(source), buffer_(kChunkBytes) {}

  /// Some bytes of the stream, 0 at its end.
  std::size_t read(std::span<std::byte> out) {
    if (at_ == end_) {
      if (out.size() >= buffer_.size() / 4) return ended_ ? 0 : read_source(out);
      fill();
    }
    const std::size_t count = std::min(out.size(), end_ - at_);
    std::memcpy(out.data(), buffer_.data() + at_, count);
    at_ += count;
    return count;
  }

  /// Fills `out` unless the stream ends first; returns the bytes read.
  std::size_t read_all_of(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const std::size_t got = read(out.subspan(filled));
      if (got == 0) break;
      filled += got;
    }
    return filled;
  }

  /// Skips up to `count` bytes; returns how many there were.
  std::uint64_t skip(std::uint64_t count) {
    std::uint64_t skipped = 0;
    while (skipped < count) {
      if (at_ == end_) fill();
      if (at_ == end_) break;
      const std::uint64_t step = std::min<std::uint64_t>(count - skipped, end_ - at_);
      at_ += static_cast<std::size_t>(step);
      skipped += step;
    }
    return skipped;
  }

  /// Bytes that the calls have taken from the stream so far.
  [[nodiscard]] std::uint64_t position() const noexcept { return taken_ - (end_ - at_); }

  void drain_rest() {
    at_ = end_;
    while (!ended_) read_source(buffer_);
  }

 private:
  std::size_t read_source(std::span<std::byte> out) {
    const std::size_t got = source_.read(out);
    if (got == 0) ended_ = true;
    taken_ += got;
    return got;
  }
  void fill() {
    at_ = end_ = 0;
    if (!ended_) end_ = read_source(buffer_);
  }

  Source& source_;
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::uint64_t taken_ = 0;  // from source_
  bool ended_ = false;
};

}  // namespace lade
