/// Small JSON helpers for modules above that must not see the JSON library in their headers.
#pragma once
#include <string>
#include <string_view>

namespace lade::oci {

/// `text` as a JSON string literal with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// `json` indented by `spaces`; throws Error{invalid_content} if it is not JSON.
std::string pretty_json(std::string_view json, int spaces = 2);

/// `json` as YAML in block style, members in the same order; ends with a newline. Throws
/// Error{invalid_content} if it is not JSON.
std::string yaml_text(std::string_view json);

}  // namespace lade::oci
