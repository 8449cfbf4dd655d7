#include "tools/compat/go_flags.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>

#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

namespace lade::tools::compat {
namespace {

using Kind = FlagSpec::Kind;
using templates::go_quote;

constexpr FlagSpec kHelp = {
    .name = "help", .letter = 'h', .kind = Kind::boolean, .help = kHelpFlagText};

std::optional<bool> boolean_of(std::string_view text) {
  for (const std::string_view word : {"1", "t", "T", "true", "TRUE", "True"})
    if (text == word) return true;
  for (const std::string_view word : {"0", "f", "F", "false", "FALSE", "False"})
    if (text == word) return false;
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto done = std::from_chars(text.data(), end, value);
  if (done.ec != std::errc() || done.ptr != end) return std::nullopt;
  return value;
}

/// What is wrong with `value` in Go's words; "" if nothing is.
std::string complaint(const FlagSpec& flag, const std::string& value) {
  const auto number = [](std::string_view text, std::string_view function) {
    return integer_of(text)
               ? std::string()
               : cat("strconv.", function, ": parsing ", go_quote(text), ": invalid syntax");
  };
  switch (flag.kind) {
    case Kind::boolean:
    case Kind::optional_boolean:
      return boolean_of(value)
                 ? std::string()
                 : cat("strconv.ParseBool: parsing ", go_quote(value), ": invalid syntax");
    case Kind::integer:
      return number(value, "ParseInt");
    case Kind::integers:
      for (const std::string_view piece : split(value, ',')) {
        if (std::string wrong = number(piece, "Atoi"); !wrong.empty()) return wrong;
      }
      return {};
    case Kind::duration:
      try {
        (void)parse_duration(value);
      } catch (const Fatal& e) {
        return e.what();
      }
      return {};
    default:
      return {};
  }
}

/// Units of durations, in nanoseconds.
std::optional<double> unit_of(std::string_view unit) {
  constexpr std::array<std::pair<std::string_view, double>, 8> kUnits = {{{"ns", 1.0},
                                                                          {"us", 1e3},
                                                                          {"\xc2\xb5s", 1e3},
                                                                          {"\xce\xbcs", 1e3},
                                                                          {"ms", 1e6},
                                                                          {"s", 1e9},
                                                                          {"m", 6e10},
                                                                          {"h", 3.6e12}}};
  for (const auto& [name, size] : kUnits)
    if (name == unit) return size;
  return std::nullopt;
}

std::string_view type_of(const FlagSpec& flag) {
  if (!flag.value.empty()) return flag.value;
  switch (flag.kind) {
    case Kind::text:
      return "string";
    case Kind::texts:
      return "strings";
    case Kind::integer:
      return "int";
    case Kind::integers:
      return "ints";
    case Kind::duration:
      return "duration";
    default:
      return {};
  }
}

}  // namespace

class FlagParser {
 public:
  FlagParser(const FlagGroups& groups, const std::vector<std::string>& words, Flags& flags)
      : groups_(groups), words_(words), flags_(flags) {}

  std::vector<std::string> run(Stop stop) {
    while (at_ < words_.size()) {
      const std::string& word = words_[at_];
      if (word == "--" && stop == Stop::at_end) {
        ++at_;
        flags_.arguments_.insert(flags_.arguments_.end(), words_.begin() + offset(), words_.end());
        return {};
      }
      if (word.size() < 2 || word[0] != '-') {
        if (stop == Stop::at_command) return {words_.begin() + offset(), words_.end()};
        flags_.arguments_.push_back(word);
        ++at_;
      } else if (word[1] == '-') {
        if (word == "--") return {words_.begin() + offset() + 1, words_.end()};
        long_flag(word);
      } else {
        short_flags(word);
      }
    }
    return {};
  }

 private:
  [[nodiscard]] std::ptrdiff_t offset() const { return static_cast<std::ptrdiff_t>(at_); }

  template <typename Match>
  const FlagSpec* find(const Match& match) const {
    for (const FlagGroup& group : groups_) {
      for (const FlagSpec& flag : group) {
        if (match(flag)) return &flag;
      }
    }
    return match(kHelp) ? &kHelp : nullptr;
  }

  void long_flag(const std::string& word) {
    const std::string text = word.substr(2);
    if (text.front() == '-' || text.front() == '=') throw Fatal(cat("bad flag syntax: ", word));
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    const FlagSpec* flag = find([&](const FlagSpec& candidate) { return candidate.name == name; });
    if (flag == nullptr) throw Fatal(cat("unknown flag: --", name));
    ++at_;
    if (equals != std::string::npos) {
      set(*flag, text.substr(equals + 1));
    } else if (takes_no_value(*flag)) {
      set(*flag, "true");
    } else if (at_ < words_.size()) {
      set(*flag, words_[at_++]);
    } else {
      throw Fatal(cat("flag needs an argument: ", word));
    }
  }

  void short_flags(const std::string& word) {
    ++at_;
    for (std::size_t i = 1; i < word.size(); ++i) {
      const FlagSpec* flag =
          find([&](const FlagSpec& candidate) { return candidate.letter == word[i]; });
      if (flag == nullptr) {
        throw Fatal(cat("unknown shorthand flag: '", printable(word.substr(i, 1)), "' in -",
                        word.substr(i)));
      }
      const bool last = i + 1 == word.size();
      if (!last && word[i + 1] == '=') return set(*flag, word.substr(i + 2));
      if (takes_no_value(*flag)) {
        set(*flag, "true");
        continue;
      }
      if (!last) return set(*flag, word.substr(i + 1));
      if (at_ == words_.size())
        throw Fatal(cat("flag needs an argument: '", word.substr(i, 1), "' in ", word));
      return set(*flag, words_[at_++]);
    }
  }

  void set(const FlagSpec& flag, const std::string& value) {
    if (const std::string wrong = complaint(flag, value); !wrong.empty()) {
      const std::string shown =
          flag.letter == 0 ? cat("--", flag.name) : cat("-", flag.letter, ", --", flag.name);
      throw Fatal(
          cat("invalid argument ", go_quote(value), " for ", go_quote(shown), " flag: ", wrong));
    }
    if (!flag.refusal.empty()) throw Fatal(cat("--", flag.name, ": ", flag.refusal));
    flags_.values_[std::string(flag.name)].push_back(value);
  }

  const FlagGroups& groups_;
  const std::vector<std::string>& words_;
  Flags& flags_;
  std::size_t at_ = 0;
};

std::string Flags::text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string() : found->second.back();
}

std::vector<std::string> Flags::texts(std::string_view name) const {
  std::vector<std::string> all;
  const auto found = values_.find(name);
  if (found == values_.end()) return all;
  for (const std::string& value : found->second) {
    if (value.empty()) continue;
    for (const std::string_view piece : split(value, ',')) all.emplace_back(piece);
  }
  return all;
}

bool Flags::boolean(std::string_view name) const { return optional_boolean(name).value_or(false); }

std::optional<bool> Flags::optional_boolean(std::string_view name) const {
  if (!given(name)) return std::nullopt;
  return boolean_of(text(name));
}

std::int64_t Flags::integer(std::string_view name) const {
  return integer_of(text(name)).value_or(0);
}

std::chrono::nanoseconds Flags::duration(std::string_view name) const {
  return given(name) ? parse_duration(text(name)) : std::chrono::nanoseconds(0);
}

std::vector<std::string> parse_flags(const FlagGroups& groups,
                                     const std::vector<std::string>& words, Stop stop,
                                     Flags& flags) {
  return FlagParser(groups, words, flags).run(stop);
}

bool takes_no_value(const FlagSpec& flag) {
  return flag.kind == Kind::boolean || flag.kind == Kind::optional_boolean;
}

std::vector<FlagSpec> shown_flags(const FlagGroups& groups) {
  std::vector<FlagSpec> shown = {kHelp};
  for (const FlagGroup& group : groups) {
    std::copy_if(group.begin(), group.end(), std::back_inserter(shown),
                 [](const FlagSpec& flag) { return !flag.hidden; });
  }
  std::sort(shown.begin(), shown.end(),
            [](const FlagSpec& a, const FlagSpec& b) { return a.name < b.name; });
  return shown;
}

std::string flag_usages(const FlagGroups& groups, std::string_view command) {
  const std::string help = cat(kHelp.help, command);
  std::vector<std::pair<std::string, std::string_view>> lines;
  std::size_t width = 0;
  for (const FlagSpec& flag : shown_flags(groups)) {
    std::string line = flag.letter == 0 ? "      " : cat("  -", flag.letter, ", ");
    line += cat("--", flag.name);
    if (const std::string_view type = type_of(flag); !type.empty()) line += cat(" ", type);
    width = std::max(width, line.size());
    lines.emplace_back(std::move(line), flag.name == kHelp.name ? help : flag.help);
  }
  std::string out;
  for (const auto& [line, text] : lines)
    out += cat(line, std::string(width - line.size() + 3, ' '), text, "\n");
  return out;
}

std::chrono::nanoseconds parse_duration(std::string_view text) {
  constexpr double kMost = 9.2e18;  // what int64 holds
  const std::string whole = go_quote(text);
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return std::chrono::nanoseconds(0);
  if (rest.empty()) throw Fatal(cat("time: invalid duration ", whole));
  double total = 0;
  while (!rest.empty()) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    double number = 0;
    const auto done = std::from_chars(rest.data(), rest.data() + digits, number);
    if (done.ec != std::errc() || done.ptr != rest.data() + digits || digits == 0)
      throw Fatal(cat("time: invalid duration ", whole));
    rest.remove_prefix(digits);
    const std::size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const std::string_view unit = rest.substr(0, letters);
    if (unit.empty()) throw Fatal(cat("time: missing unit in duration ", whole));
    const auto size = unit_of(unit);
    if (!size) throw Fatal(cat("time: unknown unit ", go_quote(unit), " in duration ", whole));
    total += number * *size;
    if (total > kMost) throw Fatal(cat("time: invalid duration ", whole));
    rest.remove_prefix(letters);
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(negative ? -total : total));
}

}  // namespace lade::tools::compat
