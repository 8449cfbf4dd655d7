/// Prefix codes of deflate (RFC 1951, section 3.2.2): lengths from frequencies, codes from lengths.
#pragma once
#include <cstdint>
#include <span>

namespace lade::deflate {

/// The code length of each symbol, 0 for one of frequency 0, at most `limit` (up to 15). The code
/// is complete, unless a single symbol has a frequency: that has length 1 then. At most 288
/// symbols, with frequencies below 2^22 in sum. The same on every machine: ties go to the lower
/// symbol.
void code_lengths(std::span<const std::uint32_t> frequencies, unsigned limit,
                  std::span<std::uint8_t> lengths);

/// The canonical code of each symbol, its first bit lowest, as deflate writes it; 0 for symbols of
/// length 0.
void canonical_codes(std::span<const std::uint8_t> lengths, std::span<std::uint16_t> codes);

}  // namespace lade::deflate
