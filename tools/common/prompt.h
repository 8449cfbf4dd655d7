#pragma once
#include <stop_token>
#include <string>
#include <string_view>

namespace lade::tools {

/// Prints `question` to standard output and reads a line from standard input, without its end.
/// Throws Error{io} where the input ends before it, and Cancelled.
std::string ask(std::string_view question, const std::stop_token& stop);

/// As ask(), from a terminal that does not show what is typed; Error{unsupported} where standard
/// input is none.
std::string ask_secret(std::string_view question, const std::stop_token& stop);

/// All of standard input, at most `limit` bytes, without line ends behind it.
std::string read_input(std::size_t limit, const std::stop_token& stop);

}  // namespace lade::tools
