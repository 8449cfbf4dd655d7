/// The JSON that a Docker engine answers with, to values.
#pragma once
#include <string>
#include <string_view>

namespace lade::engine {

/// What the `message` of an error answer says; else the body's beginning, printable.
std::string parse_message(std::string_view body);

/// The first failure that the answer to a load reports among its progress ("error" or
/// "errorDetail.message", one object a line), "" if there is none. Throws Error{invalid_content}
/// for what is no such stream, so that no failure is taken for a success.
std::string parse_load_failure(std::string_view body);

}  // namespace lade::engine
