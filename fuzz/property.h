#pragma once
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "libimage/base/error.h"

namespace lade::fuzz {

/// Ends the process, so that the fuzzer keeps the input, unless `holds`.
inline void require(bool holds) {
  if (!holds) std::abort();
}

/// Runs `body`, which may refuse what users typed, in no other way than as an invalid argument.
template <typename Body>
void unless_refused(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    require(e.code() == Errc::invalid_argument);
  }
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace lade::fuzz
