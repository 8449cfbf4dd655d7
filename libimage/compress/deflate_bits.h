/// The bits of a deflate stream, the first lowest (RFC 1951, section 3.1.1).
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lade::deflate {

/// Eight bytes, the first lowest.
inline std::uint64_t load64(const std::byte* at) {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// Four bytes, the first lowest.
inline std::uint32_t load32(const std::byte* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

/// Writes bits to memory that the caller has made large enough: with eight bytes behind the last.
class BitWriter {
 public:
  explicit BitWriter(std::byte* out) : out_(out) {}
  /// At most 57 bits between two calls of flush(); the bits above `count` are zero.
  void add(std::uint64_t bits, unsigned count) {
    bits_ |= bits << count_;
    count_ += count;
  }
  /// Leaves at most 7 bits.
  void flush() {
    std::memcpy(out_, &bits_, sizeof(bits_));
    out_ += count_ >> 3U;
    bits_ >>= count_ & ~7U;
    count_ &= 7U;
  }
  /// Fills the last byte with zeros and returns the end.
  std::byte* align() {
    if (count_ % 8 != 0) count_ += 8 - count_ % 8;
    flush();
    return out_;
  }
  /// Whole bytes, after align().
  void write(const std::byte* from, std::size_t size) {
    std::memcpy(out_, from, size);
    out_ += size;
  }

 private:
  std::byte* out_;
  std::uint64_t bits_ = 0;
  unsigned count_ = 0;
};

}  // namespace lade::deflate
