/// The JSON that registries and token servers answer with, to values. Internal.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade::docker {

/// The first error of an answer (distribution-spec v1.1.1, "Error Codes"); empty texts where the
/// body is anything else.
struct RegistryError {
  std::string code = {};
  std::string message = {};
};
RegistryError parse_errors(std::string_view body);

struct TokenAnswer {
  std::string token;
  std::int64_t expires_in = 0;  ///< seconds; 0 if absent
};
/// Throws Error{invalid_content} unless there is a token that can stand in a header.
TokenAnswer parse_token(std::string_view body);

/// `tags` of a tag list; members that are no texts are left out, as some registries put null there.
/// Throws Error{invalid_content}.
std::vector<std::string> parse_tags(std::string_view body);

/// `repositories` of a catalog, as parse_tags().
std::vector<std::string> parse_repositories(std::string_view body);

}  // namespace lade::docker
