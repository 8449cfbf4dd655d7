#include "libimage/seekable/chunker.h"

#include <algorithm>
#include <array>

namespace lade::seekable {
namespace {

/// One fixed random number for each byte: splitmix64 from 0.
constexpr std::array<std::uint64_t, 256> gear_table() {
  std::array<std::uint64_t, 256> table{};
  std::uint64_t state = 0;
  for (std::uint64_t& number : table) {
    state += 0x9E3779B97F4A7C15U;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    number = mixed ^ (mixed >> 31U);
  }
  return table;
}

constexpr std::array<std::uint64_t, 256> kGear = gear_table();

/// Bytes that the hash remembers: each shift forgets one bit of 64.
constexpr std::size_t kMemory = 64;

/// A chunk ends where these bits are zero: once in 2^20 bytes.
constexpr std::uint64_t kMask = std::uint64_t{0xFFFFF} << 44U;

}  // namespace

std::size_t Chunker::take(ByteView data) noexcept {
  if (at_end_) {
    at_end_ = false;
    size_ = 0;
    hash_ = 0;
  }
  std::size_t at = 0;
  const std::size_t quiet = kSmallest - kMemory;
  if (size_ < quiet) at = std::min(data.size(), quiet - size_);
  const std::size_t last = std::min(data.size(), kLargest - size_);
  while (at < last) {
    hash_ = (hash_ << 1U) + kGear[static_cast<std::size_t>(data[at])];
    ++at;
    if ((hash_ & kMask) == 0 && size_ + at >= kSmallest) {
      at_end_ = true;
      break;
    }
  }
  size_ += at;
  if (size_ == kLargest) at_end_ = true;
  return at;
}

}  // namespace lade::seekable
