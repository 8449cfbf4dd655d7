/// Helpers for databases that are paragraphs of "Name: value" lines. Internal.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace lade::packages {

/// `text` if it is UTF-8 and short enough to be taken over, else "".
std::string field_text(std::string_view text);

/// Calls `paragraph` for each run of lines between empty lines, and inside it `line` for each with
/// its name and trimmed value; lines that continue another (leading blank) are passed over.
void for_each_field(std::string_view text, char separator,
                    const std::function<void(std::string_view name, std::string_view value)>& field,
                    const std::function<void()>& end_of_paragraph);

}  // namespace lade::packages
