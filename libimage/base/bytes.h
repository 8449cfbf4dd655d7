#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace lade {

/// Borrowed bytes; valid for the call unless a contract says otherwise.
using ByteView = std::span<const std::byte>;

/// The bytes of `text`, borrowed.
inline ByteView bytes_of(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// `bytes` seen as characters, borrowed.
inline std::string_view chars_of(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace lade
