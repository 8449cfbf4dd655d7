#include "libimage/build/remote_file.h"

#include <algorithm>
#include <array>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

/// What follows "scheme://", without query and fragment.
std::string_view authority_and_path(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  return url.substr(0, url.find_first_of("?#"));
}

/// Days since 1970-01-01 of a date of the Gregorian calendar.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  if (month <= 2) {
    --year;
    month += 12;
  }
  return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
         719469;
}

}  // namespace

std::string file_name_of_url(std::string_view url) {
  std::string_view rest = authority_and_path(url);
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return "__unnamed__";
  std::string path = percent_decoded(rest.substr(slash));
  while (path.ends_with('/')) path.pop_back();
  const std::string name = path.substr(path.rfind('/') + 1);
  if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string::npos ||
      name.size() > 255)
    return "__unnamed__";
  return name;
}

std::string host_of_url(std::string_view url) {
  std::string_view rest = authority_and_path(url);
  rest = rest.substr(0, rest.find('/'));
  return std::string(rest.substr(rest.rfind('@') + 1));
}

std::optional<Timestamp> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto words = split(text, ' ');
  if (words.size() != 6 || words[5] != "GMT") return std::nullopt;
  const auto day = parse_decimal(words[1]);
  const auto* const month = std::find(kMonths.begin(), kMonths.end(), words[2]);
  const auto year = parse_decimal(words[3]);
  const auto clock = split(words[4], ':');
  if (!day || month == kMonths.end() || !year || clock.size() != 3) return std::nullopt;
  const auto hour = parse_decimal(clock[0]);
  const auto minute = parse_decimal(clock[1]);
  const auto second = parse_decimal(clock[2]);
  if (!hour || !minute || !second || *day < 1 || *day > 31 || *year < 1970 || *year > 9999 ||
      *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  const std::int64_t days = days_of(static_cast<std::int64_t>(*year), month - kMonths.begin() + 1,
                                    static_cast<std::int64_t>(*day));
  return Timestamp{.seconds = days * 86400 + static_cast<std::int64_t>(*hour) * 3600 +
                              static_cast<std::int64_t>(*minute) * 60 +
                              static_cast<std::int64_t>(*second)};
}

}  // namespace lade::build
