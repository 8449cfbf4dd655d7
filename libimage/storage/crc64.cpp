#include "libimage/storage/crc64.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace lade {
namespace {

constexpr std::uint64_t kPolynomial = 0xD800000000000000U;
constexpr std::size_t kSlices = 8;
using Table = std::array<std::array<std::uint64_t, 256>, kSlices>;

/// tables[n][b]: the remainder of byte b followed by n zero bytes.
constexpr Table make_tables() {
  Table tables{};
  for (std::uint64_t byte = 0; byte < 256; ++byte) {
    std::uint64_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ ((value & 1U) * kPolynomial);
    tables[0][byte] = value;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint64_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8U) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr Table kTables = make_tables();
static_assert(std::endian::native == std::endian::little, "eight bytes are taken as one number");

}  // namespace

void Crc64::update(ByteView data) noexcept {
  const std::byte* at = data.data();
  std::size_t left = data.size();
  std::uint64_t state = state_;
  for (; left >= kSlices; at += kSlices, left -= kSlices) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    word ^= state;
    state = 0;
    for (std::size_t i = 0; i < kSlices; ++i) {
      state ^= kTables[kSlices - 1 - i][(word >> (8 * i)) & 0xFFU];
    }
  }
  for (; left > 0; ++at, --left) {
    state = (state >> 8U) ^ kTables[0][(state ^ std::to_integer<std::uint64_t>(*at)) & 0xFFU];
  }
  state_ = state;
}

}  // namespace lade
