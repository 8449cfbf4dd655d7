#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace lade {

/// Standard base64 with padding (RFC 4648, section 4).
std::string to_base64(std::string_view bytes);

/// Reads standard base64, with or without its padding; nullopt if `text` holds anything else.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace lade
