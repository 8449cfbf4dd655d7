#include "libimage/base/timestamp.h"

#include <ctime>

#include "libimage/base/text.h"

namespace lade {
namespace {

/// Days from 1970-01-01 to the civil date (proleptic Gregorian).
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year = (153 * (month + (month > 2 ? -3U : 9U)) + 2) / 5 + day - 1;
  const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

unsigned days_of_month(unsigned year, unsigned month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

std::string padded(std::int64_t value, std::size_t width) {
  std::string digits = cat(value);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

std::optional<unsigned> digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  const std::string_view piece = text.substr(at, count);
  for (const char c : piece) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  return static_cast<unsigned>(*parse_decimal(piece));
}

}  // namespace

Timestamp system_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec, static_cast<std::uint32_t>(now.tv_nsec)};
}

std::string to_rfc3339(const Timestamp& time) {
  const time_t seconds = time.seconds;
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::string out = cat(padded(parts.tm_year + 1900, 4), "-", padded(parts.tm_mon + 1, 2), "-",
                        padded(parts.tm_mday, 2), "T", padded(parts.tm_hour, 2), ":",
                        padded(parts.tm_min, 2), ":", padded(parts.tm_sec, 2));
  if (time.nanoseconds != 0) {
    std::string fraction = padded(time.nanoseconds, 9);
    fraction.resize(fraction.find_last_not_of('0') + 1);
    out += '.';
    out += fraction;
  }
  return out += 'Z';
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  const auto year = digits_at(text, 0, 4);
  const auto month = digits_at(text, 5, 2);
  const auto day = digits_at(text, 8, 2);
  const auto hour = digits_at(text, 11, 2);
  const auto minute = digits_at(text, 14, 2);
  const auto second = digits_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  if (*month < 1 || *month > 12 || *day < 1 || *day > days_of_month(*year, *month) || *hour > 23 ||
      *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  Timestamp time{
      days_from_civil(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second, 0};
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    std::uint32_t scale = 100'000'000;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      time.nanoseconds += static_cast<std::uint32_t>(text[at] - '0') * scale;
      scale /= 10;
    }
    if (at == first) return std::nullopt;
  }
  const std::string_view zone = text.substr(at);
  if (zone == "Z" || zone == "z") return time;
  const auto zone_hour = digits_at(zone, 1, 2);
  const auto zone_minute = digits_at(zone, 4, 2);
  if (zone.size() != 6 || zone[3] != ':' || !zone_hour || !zone_minute || *zone_hour > 23 ||
      *zone_minute > 59 || (zone[0] != '+' && zone[0] != '-')) {
    return std::nullopt;
  }
  const std::int64_t offset = *zone_hour * 3600 + *zone_minute * 60;
  time.seconds += zone[0] == '+' ? -offset : offset;
  return time;
}

}  // namespace lade
