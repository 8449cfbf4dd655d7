#include "libimage/layer/pax.h"

#include <algorithm>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::tar {
namespace {

constexpr std::uint64_t kLargestNumber = std::uint64_t{1} << 62U;  // as in tar_header.cpp
constexpr std::uint32_t kNanosecondsPerSecond = 1'000'000'000;

[[noreturn]] void throw_malformed(std::string_view what) {
  throw Error(Errc::invalid_content, cat("PAX header: ", what));
}

std::uint64_t number_of(const PaxRecord& record) {
  const std::optional<std::uint64_t> value = parse_decimal(record.value);
  if (!value || *value > kLargestNumber) {
    throw_malformed(cat("malformed ", record.key, " ", quoted(record.value)));
  }
  return *value;
}

std::string text_of(const PaxRecord& record) {
  if (record.value.find('\0') != std::string_view::npos) {
    throw_malformed(cat("NUL byte in ", record.key, " ", quoted(record.value)));
  }
  return std::string(record.value);
}

Timestamp time_of(const PaxRecord& record) {
  const std::optional<Timestamp> time = parse_pax_time(record.value);
  if (!time) throw_malformed(cat("malformed ", record.key, " ", quoted(record.value)));
  return *time;
}

std::vector<Segment> map_of(const PaxRecord& record) {
  std::vector<Segment> map;
  if (record.value.empty()) return map;
  const std::vector<std::string_view> numbers = split(record.value, ',');
  if (numbers.size() % 2 != 0) throw_malformed("GNU.sparse.map has an odd number of numbers");
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    map.push_back({number_of({record.key, numbers[i]}), number_of({record.key, numbers[i + 1]})});
  }
  return map;
}

/// Keys that say where content or names are: readers disagree whether a global header may.
bool locates(std::string_view key) {
  return key == "path" || key == "linkpath" || key == "size" || key.starts_with("GNU.sparse.");
}

void read_sparse(const PaxRecord& record, PaxValues& values) {
  const std::string_view key = record.key.substr(std::string_view("GNU.sparse.").size());
  if (key == "major") {
    values.sparse_major = number_of(record);
  } else if (key == "minor") {
    values.sparse_minor = number_of(record);
  } else if (key == "name") {
    values.sparse_name = text_of(record);
  } else if (key == "size" || key == "realsize") {
    values.sparse_size = number_of(record);
  } else if (key == "map") {
    values.sparse_map = map_of(record);
  } else if (key == "numblocks") {
    if (!values.sparse_map) values.sparse_map.emplace();  // the map itself tells the number
  } else if (key == "offset") {
    if (!values.sparse_map) values.sparse_map.emplace();
    values.sparse_map->push_back({number_of(record), kLargestNumber});
  } else if (key == "numbytes") {
    if (!values.sparse_map || values.sparse_map->empty() ||
        values.sparse_map->back().size != kLargestNumber) {
      throw_malformed("GNU.sparse.numbytes without its offset");
    }
    values.sparse_map->back().size = number_of(record);
  }
}

template <typename T, typename Read>
void set_or_reset(std::optional<T>& target, const PaxRecord& record, Read read) {
  if (record.value.empty()) {
    target.reset();
  } else {
    target = read(record);
  }
}

void read_record(const PaxRecord& record, PaxValues& values) {
  const std::string_view key = record.key;
  if (key == "path") {
    set_or_reset(values.path, record, text_of);
  } else if (key == "linkpath") {
    set_or_reset(values.link_path, record, text_of);
  } else if (key == "size") {
    set_or_reset(values.size, record, number_of);
  } else if (key == "uid") {
    set_or_reset(values.uid, record, number_of);
  } else if (key == "gid") {
    set_or_reset(values.gid, record, number_of);
  } else if (key == "mtime") {
    set_or_reset(values.mtime, record, time_of);
  } else if (key == "atime") {
    set_or_reset(values.atime, record, time_of);
  } else if (key == "ctime") {
    set_or_reset(values.ctime, record, time_of);
  } else if (key == "uname") {
    set_or_reset(values.user, record, text_of);
  } else if (key == "gname") {
    set_or_reset(values.group, record, text_of);
  } else if (key == "SCHILY.devmajor") {
    set_or_reset(values.device_major, record, number_of);
  } else if (key == "SCHILY.devminor") {
    set_or_reset(values.device_minor, record, number_of);
  } else if (key.starts_with(kXattrPrefix)) {
    values.xattrs[std::string(key.substr(kXattrPrefix.size()))] = record.value;
  } else if (key.starts_with("GNU.sparse.")) {
    read_sparse(record, values);
  }
}

}  // namespace

std::vector<PaxRecord> parse_pax(std::string_view body, std::uint64_t max_records) {
  std::vector<PaxRecord> records;
  while (!body.empty()) {
    const std::size_t blank = body.find(' ');
    const std::optional<std::uint64_t> length =
        blank == std::string_view::npos ? std::nullopt : parse_decimal(body.substr(0, blank));
    if (!length || *length > body.size() || *length < blank + 3) {
      throw_malformed(cat("malformed record length ", quoted(body.substr(0, 24))));
    }
    const std::string_view record =
        body.substr(blank + 1, static_cast<std::size_t>(*length) - blank - 1);
    const std::size_t equals = record.find('=');
    if (record.back() != '\n' || equals == std::string_view::npos || equals == 0) {
      throw_malformed(cat("malformed record ", quoted(record.substr(0, 64))));
    }
    const std::string_view key = record.substr(0, equals);
    if (key.find('\0') != std::string_view::npos) throw_malformed("NUL byte in a key");
    if (records.size() == max_records) {
      throw Error(Errc::limit_exceeded, cat("PAX header: more than ", max_records, " records"));
    }
    records.push_back({key, record.substr(equals + 1, record.size() - equals - 2)});
    body.remove_prefix(static_cast<std::size_t>(*length));
  }
  return records;
}

void append_pax(std::string& body, std::string_view key, std::string_view value) {
  const std::size_t rest = 1 + key.size() + 1 + value.size() + 1;
  // The length counts its own digits.
  std::size_t length = rest + 1;
  while (cat(length).size() + rest != length) length = cat(length).size() + rest;
  body += cat(length, " ", key, "=", value, "\n");
}

void read_pax(std::string_view body, PaxScope scope, const ApplyLimits& limits, PaxValues& values) {
  for (const PaxRecord& record : parse_pax(body, limits.max_pax_records)) {
    if (scope == PaxScope::global && locates(record.key)) {
      throw_malformed(cat(quoted(record.key), " in a global header"));
    }
    read_record(record, values);
  }
}

std::optional<Timestamp> parse_pax_time(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const std::size_t dot = text.find('.');
  const std::optional<std::uint64_t> whole = parse_decimal(text.substr(0, dot));
  if (!whole || *whole > kLargestNumber) return std::nullopt;
  std::uint32_t nanoseconds = 0;
  if (dot != std::string_view::npos) {
    const std::string_view fraction = text.substr(dot + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!std::all_of(fraction.begin(), fraction.end(), is_digit)) return std::nullopt;
    for (std::size_t i = 0; i < 9; ++i) {
      const char digit = i < fraction.size() ? fraction[i] : '0';
      nanoseconds = nanoseconds * 10 + static_cast<std::uint32_t>(digit - '0');
    }
  }
  Timestamp time{static_cast<std::int64_t>(*whole), nanoseconds};
  if (negative) {
    time.seconds = -time.seconds;
    if (nanoseconds != 0) {
      time.seconds -= 1;
      time.nanoseconds = kNanosecondsPerSecond - nanoseconds;
    }
  }
  return time;
}

std::string pax_time(const Timestamp& time) {
  std::int64_t seconds = time.seconds;
  std::uint32_t nanoseconds = time.nanoseconds;
  const bool negative = seconds < 0;
  if (negative && nanoseconds != 0) {
    seconds += 1;
    nanoseconds = kNanosecondsPerSecond - nanoseconds;
  }
  std::string text = cat(negative ? "-" : "", negative ? -seconds : seconds);
  if (nanoseconds == 0) return text;
  std::string fraction = cat(nanoseconds);
  fraction.insert(0, 9 - fraction.size(), '0');
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return cat(text, ".", fraction);
}

}  // namespace lade::tar
