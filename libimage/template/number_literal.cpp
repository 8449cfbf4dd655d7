#include "libimage/template/number_literal.h"

#include <algorithm>
#include <charconv>

#include "libimage/base/text.h"

namespace lade::templates {

std::optional<std::int64_t> integer_literal(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  const bool negative = text.starts_with("-");
  if (negative || text.starts_with("+")) text.erase(0, 1);
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char mark = lower_case(text)[1];
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.erase(0, mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  if (negative) text.insert(0, "-");
  std::int64_t value = 0;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (done.ec != std::errc() || done.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> real_literal(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
  if (text.starts_with("+")) text.erase(0, 1);
  if (text.find_first_of(".eEpP") == std::string::npos) return std::nullopt;
  double value = 0;
  const bool hex = text.find_first_of("xX") != std::string::npos;
  if (hex) return std::nullopt;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
  if (done.ec != std::errc() || done.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace lade::templates
