/// Text as Go's standard library spells it: what scripts read in messages and JSON.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lade::templates {

/// strconv.Quote: double quotes, Go's escapes, \x for bytes that are not UTF-8.
std::string go_quote(std::string_view text);

/// strconv.Unquote of a "string", `raw string` or 'character'; nullopt where the syntax is wrong.
std::optional<std::string> go_unquote(std::string_view literal);

/// %v of a float64: the shortest decimals, an exponent below 1e-4 and from 1e21 on.
std::string go_float(double value);

/// As encoding/json writes a float64: as go_float(), but "1e-7" for "1e-07".
std::string go_json_float(double value);

/// Length in bytes of the UTF-8 sequence at the start of `text` (not empty), its code point in
/// `rune`. Bytes that are not UTF-8: 1 and U+FFFD.
std::size_t decode_rune(std::string_view text, char32_t& rune) noexcept;

void append_utf8(std::string& out, char32_t rune);

/// True for code points that strconv.Quote leaves as they are. Approximated outside ASCII: all but
/// controls, separators, formats and private use.
bool is_printable_rune(char32_t rune) noexcept;

}  // namespace lade::templates
