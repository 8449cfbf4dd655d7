#pragma once
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace lade::fuzz {

/// Ends the process, so that the fuzzer keeps the input, unless `holds`.
inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace lade::fuzz
