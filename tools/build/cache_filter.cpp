#include "tools/build/cache_filter.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libimage/base/text.h"

namespace lade::tools {
namespace {

using Type = CacheEntry::Type;

/// Types by our names, and by BuildKit's for what it calls otherwise.
std::optional<Type> type_named(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Type>, 10> kTypes = {
      {{"step", Type::step},
       {"layer", Type::layer},
       {"mount", Type::mount},
       {"context", Type::context},
       {"log", Type::log},
       {"record", Type::record},
       {"regular", Type::step},
       {"exec.cachemount", Type::mount},
       {"source.local", Type::context},
       {"internal", Type::record}}};
  for (const auto& [known, type] : kTypes) {
    if (known == name) return type;
  }
  return std::nullopt;
}

/// "90s", "15m", "24h", "7d", "2w", and several of them one after another ("1h30m").
std::int64_t seconds_of(std::string_view option, std::string_view text) {
  constexpr std::int64_t kMost = std::int64_t{1} << 40U;
  std::int64_t sum = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t unit = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto number = parse_decimal(rest.substr(0, unit));
    const std::string_view units = "smhdw";
    constexpr std::array<std::int64_t, 5> kSeconds = {1, 60, 3600, 86400, 604800};
    const std::size_t which = unit == rest.size() ? units.npos : units.find(rest[unit]);
    if (!number || *number > 1'000'000'000 || which == units.npos)
      throw UsageError(cat(option, " takes a time such as 30m, 24h or 7d, not ", quoted(text)));
    sum = std::min(kMost, sum + static_cast<std::int64_t>(*number) * kSeconds.at(which));
    rest.remove_prefix(unit + 1);
  }
  return sum;
}

bool truth_of(std::string_view filter, std::string_view text) {
  if (text == "true" || text == "1" || text.empty()) return true;
  if (text == "false" || text == "0") return false;
  throw UsageError(cat("filter ", quoted(filter), " is true or false, not ", quoted(text)));
}

}  // namespace

bool CacheFilters::match(const CacheEntry& entry, const Timestamp& now) const {
  const bool id = std::any_of(ids.begin(), ids.end(), [&](const std::string& wanted) {
    return entry.id.starts_with(wanted) ||
           (entry.type == Type::mount && entry.description == wanted);
  });
  if (!ids.empty() && !id) return false;
  if (!types.empty() && std::find(types.begin(), types.end(), entry.type) == types.end())
    return false;
  if (unused_seconds && entry.used.seconds > now.seconds - *unused_seconds) return false;
  if (shared && entry.shared != *shared) return false;
  if (in_use && entry.in_use != *in_use) return false;
  return entry.description.find(description) != std::string::npos;
}

std::uint64_t cache_bytes(std::string_view text) {
  const auto wrong = [&]() -> UsageError {
    return UsageError(
        cat("option --keep-storage takes a size such as 500MB or 10GB, not ", quoted(text)));
  };
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view digits = text.substr(0, end);
  std::string unit = lower_case(trimmed(text.substr(end)));
  const std::size_t dot = digits.find('.');
  const auto whole = parse_decimal(digits.substr(0, dot));
  const auto tenths = dot == std::string_view::npos ? std::optional<std::uint64_t>(0)
                                                    : parse_decimal(digits.substr(dot + 1, 1));
  if (!whole || !tenths || *whole > 1'000'000'000'000) throw wrong();
  std::uint64_t step = 1000;
  if (unit.ends_with("ib")) {
    step = 1024;
    unit.erase(unit.size() - 2);
  } else if (unit.ends_with('b')) {
    unit.pop_back();
  }
  constexpr std::string_view kUnits = "kmgt";
  if (unit.size() > 1 || (!unit.empty() && kUnits.find(unit) == kUnits.npos)) throw wrong();
  const std::size_t power = unit.empty() ? 0 : kUnits.find(unit) + 1;
  std::uint64_t factor = 1;
  for (std::size_t i = 0; i < power; ++i) factor *= step;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62U;
  if (*whole > kMost / factor) return kMost;
  return *whole * factor + *tenths * factor / 10;
}

CacheFilters read_cache_filters(const Arguments& arguments) {
  CacheFilters out;
  for (const std::string& word : arguments.values("filter")) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(std::min(equals + 1, word.size()));
    if (key == "id" && !value.empty()) {
      out.ids.push_back(value);
    } else if (key == "type") {
      const auto type = type_named(value);
      if (!type)
        throw UsageError(
            cat("filter type is step, layer, mount, context, log or record, not ", quoted(value)));
      out.types.push_back(*type);
    } else if ((key == "until" || key == "age" || key == "unused-for") && !value.empty()) {
      out.unused_seconds = seconds_of(cat("filter ", key), value);
    } else if (key == "shared" || key == "private") {
      out.shared = truth_of(key, value) == (key == "shared");
    } else if (key == "inuse") {
      out.in_use = truth_of(key, value);
    } else if (key == "description" && !value.empty()) {
      out.description = value;
    } else {
      throw UsageError(
          cat("option --filter takes id=, type=, until=, shared=, private=, inuse= or "
              "description=, not ",
              quoted(word)));
    }
  }
  return out;
}

}  // namespace lade::tools
