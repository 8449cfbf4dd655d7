#pragma once
#include <cstdint>

#include "libimage/base/bytes.h"

namespace lade {

/// CRC-64 of ISO 3309, as tar-split's JSON has it of each file's content (polynomial x^64 + x^4 +
/// x^3 + x + 1, reflected, inverted before and after).
class Crc64 {
 public:
  void update(ByteView data) noexcept;
  [[nodiscard]] std::uint64_t value() const noexcept { return ~state_; }

 private:
  std::uint64_t state_ = ~std::uint64_t{0};
};

}  // namespace lade
