#include "libimage/name/semver.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

// As npm: the largest number that JavaScript holds exactly; one more still fits.
constexpr std::uint64_t kMaxNumber = 9'007'199'254'740'991;
constexpr std::size_t kMaxRangeBytes = 4096;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const std::optional<std::uint64_t> number = is_number(text) ? parse_decimal(text) : std::nullopt;
  return number && *number <= kMaxNumber ? number : std::nullopt;
}

enum class LeadingZeros { allowed, refused };

/// Identifiers of letters, digits and dashes between dots (semver.org, sections 9 and 10).
bool are_identifiers(std::string_view text, LeadingZeros zeros) {
  for (const std::string_view identifier : split(text, '.')) {
    const bool valid = std::all_of(identifier.begin(), identifier.end(), [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
    if (identifier.empty() || !valid) return false;
    if (zeros == LeadingZeros::refused && identifier.size() > 1 && identifier.front() == '0' &&
        is_number(identifier)) {
      return false;
    }
  }
  return true;
}

std::strong_ordering compare_numbers(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return left.size() <=> right.size();
  return left.compare(right) <=> 0;
}

/// semver.org, section 11.4.
std::strong_ordering compare_prereleases(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return right.size() <=> left.size();  // a release is higher
  const std::vector<std::string_view> lefts = split(left, '.');
  const std::vector<std::string_view> rights = split(right, '.');
  for (std::size_t i = 0; i < std::min(lefts.size(), rights.size()); ++i) {
    const bool left_is_number = is_number(lefts[i]);
    const bool right_is_number = is_number(rights[i]);
    if (left_is_number != right_is_number) {
      return left_is_number ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    const auto order =
        left_is_number ? compare_numbers(lefts[i], rights[i]) : lefts[i].compare(rights[i]) <=> 0;
    if (order != 0) return order;
  }
  return lefts.size() <=> rights.size();
}

/// A version of which the end may be open: "1", "1.x", "1.2.*".
struct Partial {
  std::array<std::optional<std::uint64_t>, 3> numbers = {};
  std::string prerelease = {};

  [[nodiscard]] bool is_full() const { return numbers[2].has_value(); }
  [[nodiscard]] bool is_any() const { return !numbers[0]; }
  [[nodiscard]] SemanticVersion lowest() const {
    return {.major = numbers[0].value_or(0),
            .minor = numbers[1].value_or(0),
            .patch = numbers[2].value_or(0),
            .prerelease = prerelease};
  }
};

/// Splits off "+build" and "-prerelease"; false if they break the rules.
bool take_suffixes(std::string_view& text, std::string& prerelease) {
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    if (!are_identifiers(text.substr(plus + 1), LeadingZeros::allowed)) return false;
    text = text.substr(0, plus);
  }
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    prerelease = text.substr(dash + 1);
    if (!are_identifiers(prerelease, LeadingZeros::refused)) return false;
    text = text.substr(0, dash);
  }
  return true;
}

bool is_wildcard(std::string_view text) { return text == "x" || text == "X" || text == "*"; }

std::optional<Partial> parse_partial(std::string_view text) {
  Partial partial;
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  if (!take_suffixes(text, partial.prerelease)) return std::nullopt;
  const std::vector<std::string_view> pieces = split(text, '.');
  if (pieces.size() > partial.numbers.size()) return std::nullopt;
  bool open = false;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (is_wildcard(pieces[i])) {
      open = true;
      continue;
    }
    const std::optional<std::uint64_t> number = parse_number(pieces[i]);
    if (!number) return std::nullopt;
    if (!open) partial.numbers.at(i) = number;  // "x.2" is "x"
  }
  if (partial.prerelease.empty()) return partial;
  if (open) return std::nullopt;
  for (std::optional<std::uint64_t>& number : partial.numbers) number = number.value_or(0);
  return partial;
}

/// The lowest version, pre-releases included, above every version that has the first `kept`
/// numbers.
SemanticVersion next_after(const SemanticVersion& version, std::size_t kept) {
  SemanticVersion next{.major = version.major, .prerelease = "0"};
  if (kept > 1) next.minor = version.minor;
  if (kept > 2) next.patch = version.patch;
  ++(kept == 1 ? next.major : kept == 2 ? next.minor : next.patch);
  return next;
}

std::size_t given_numbers(const Partial& partial) {
  return static_cast<std::size_t>(
      std::count_if(partial.numbers.begin(), partial.numbers.end(),
                    [](const std::optional<std::uint64_t>& number) { return number.has_value(); }));
}

SemanticVersion end_of(const Partial& partial) {
  return next_after(partial.lowest(), given_numbers(partial));
}

}  // namespace

std::optional<SemanticVersion> SemanticVersion::try_parse(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  SemanticVersion version;
  if (!take_suffixes(text, version.prerelease)) return std::nullopt;
  const std::vector<std::string_view> pieces = split(text, '.');
  const std::array<std::uint64_t*, 3> numbers = {&version.major, &version.minor, &version.patch};
  if (pieces.size() > numbers.size()) return std::nullopt;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::optional<std::uint64_t> number = parse_number(pieces[i]);
    if (!number) return std::nullopt;
    *numbers.at(i) = *number;
  }
  return version;
}

std::strong_ordering SemanticVersion::operator<=>(const SemanticVersion& other) const {
  if (major != other.major) return major <=> other.major;
  if (minor != other.minor) return minor <=> other.minor;
  if (patch != other.patch) return patch <=> other.patch;
  return compare_prereleases(prerelease, other.prerelease);
}

bool SemverRange::Comparator::holds(const SemanticVersion& candidate) const {
  switch (op) {
    case Op::less:
      return candidate < version;
    case Op::less_or_equal:
      return candidate <= version;
    case Op::greater:
      return candidate > version;
    case Op::greater_or_equal:
      return candidate >= version;
    case Op::outside:
      return candidate < version || candidate >= end;
  }
  return false;
}

class SemverRange::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Alternative> parse() {
    if (text_.size() > kMaxRangeBytes) fail("it is too long");
    std::vector<Alternative> alternatives;
    for (std::string_view rest = text_;;) {
      const std::size_t bars = rest.find("||");
      alternatives.push_back(alternative(rest.substr(0, bars)));
      if (bars == std::string_view::npos) return alternatives;
      rest.remove_prefix(bars + 2);
    }
  }

 private:
  using Op = Comparator::Op;

  [[noreturn]] void fail(std::string_view rule) const {
    throw Error(Errc::invalid_argument,
                cat("invalid version range ", quoted(text_.substr(0, 200)), ": ", rule));
  }

  static std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    constexpr std::string_view kBetween = " \t,";
    for (std::size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;) {
      const std::size_t end = std::min(text.find_first_of(kBetween, at), text.size());
      words.push_back(text.substr(at, end - at));
      at = text.find_first_not_of(kBetween, end);
    }
    return words;
  }

  /// Splits the operator off the word.
  static std::string_view take_operator(std::string_view& word) {
    const std::size_t end = std::min(word.find_first_not_of("<>=!~^"), word.size());
    const std::string_view found = word.substr(0, end);
    word.remove_prefix(end);
    return found;
  }

  Partial partial(std::string_view word) const {
    std::optional<Partial> parsed = parse_partial(word);
    if (!parsed) fail(cat(quoted(word), " is no version"));
    return *std::move(parsed);
  }

  Alternative alternative(std::string_view text) const {
    Alternative made;
    const std::vector<std::string_view> words = words_of(text);
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::string_view word = words[i];
      const std::string_view op = take_operator(word);
      if (op.empty() && i + 2 < words.size() && words[i + 1] == "-") {
        add_hyphen(made, partial(word), partial(words[i + 2]));
        i += 2;
        continue;
      }
      if (word.empty()) {  // "> 1.2"
        if (i + 1 == words.size()) fail("an operator needs a version");
        word = words[++i];
      }
      add(made, op, partial(word));
    }
    return made;
  }

  static void note(Alternative& made, const Partial& partial) {
    if (!partial.prerelease.empty()) made.prereleases.push_back(partial.lowest());
  }

  static void put(Alternative& made, Op op, SemanticVersion version) {
    made.comparators.push_back({.op = op, .version = std::move(version)});
  }

  /// Nothing is lower than the lowest pre-release of all.
  static void put_nothing(Alternative& made) { put(made, Op::less, {.prerelease = "0"}); }

  static void add_hyphen(Alternative& made, const Partial& low, const Partial& high) {
    note(made, low);
    note(made, high);
    if (!low.is_any()) put(made, Op::greater_or_equal, low.lowest());
    add_up_to(made, high);
  }

  static void add_up_to(Alternative& made, const Partial& high) {
    if (high.is_any()) return;
    if (high.is_full()) return put(made, Op::less_or_equal, high.lowest());
    put(made, Op::less, end_of(high));
  }

  /// From the partial version to the end of what shares its first `kept` numbers.
  static void add_span(Alternative& made, const Partial& partial, std::size_t kept) {
    put(made, Op::greater_or_equal, partial.lowest());
    put(made, Op::less, next_after(partial.lowest(), kept));
  }

  static std::size_t caret_kept(const Partial& partial) {
    const std::size_t given = given_numbers(partial);
    for (std::size_t i = 0; i < given; ++i) {
      if (partial.numbers.at(i).value_or(0) != 0) return i + 1;
    }
    return given;
  }

  void add(Alternative& made, std::string_view op, const Partial& version) const {
    note(made, version);
    const bool any = version.is_any();
    if (op.empty() || op == "=" || op == "==") return add_equal(made, version);
    if (op == "!=") return add_unequal(made, version);
    if (op == ">") {
      if (any) return put_nothing(made);
      return version.is_full() ? put(made, Op::greater, version.lowest())
                               : put(made, Op::greater_or_equal, released(end_of(version)));
    }
    if (op == ">=" || op == "=>") {
      if (!any) put(made, Op::greater_or_equal, version.lowest());
      return;
    }
    if (op == "<") {
      if (any) return put_nothing(made);
      SemanticVersion bound = version.lowest();
      if (!version.is_full()) bound.prerelease = "0";
      return put(made, Op::less, std::move(bound));
    }
    if (op == "<=" || op == "=<") return add_up_to(made, version);
    if (op == "~" || op == "~>") {
      if (!any) add_span(made, version, std::min<std::size_t>(given_numbers(version), 2));
      return;
    }
    if (op == "^") {
      if (!any) add_span(made, version, caret_kept(version));
      return;
    }
    fail(cat(quoted(op), " is no operator"));
  }

  static SemanticVersion released(SemanticVersion version) {
    version.prerelease.clear();
    return version;
  }

  static void add_equal(Alternative& made, const Partial& version) {
    if (version.is_any()) return;
    put(made, Op::greater_or_equal, version.lowest());
    add_up_to(made, version);
  }

  static void add_unequal(Alternative& made, const Partial& version) {
    if (version.is_any()) return put_nothing(made);
    if (!version.is_full()) {
      made.comparators.push_back(
          {.op = Op::outside, .version = version.lowest(), .end = end_of(version)});
      return;
    }
    // Nothing lies between a version and the same with ".0" behind its pre-release, or, for a
    // release, the lowest pre-release of the next patch.
    SemanticVersion end = version.lowest();
    if (end.prerelease.empty()) {
      end = next_after(end, 3);
    } else {
      end.prerelease += ".0";
    }
    made.comparators.push_back(
        {.op = Op::outside, .version = version.lowest(), .end = std::move(end)});
  }

  std::string_view text_;
};

SemverRange SemverRange::parse(std::string_view text, Prereleases prereleases) {
  SemverRange range;
  range.alternatives_ = Parser(text).parse();
  range.prereleases_ = prereleases;
  return range;
}

bool SemverRange::admits_prerelease(const Alternative& alternative,
                                    const SemanticVersion& version) const {
  if (prereleases_ == Prereleases::of_any_version) return !alternative.prereleases.empty();
  return std::any_of(alternative.prereleases.begin(), alternative.prereleases.end(),
                     [&](const SemanticVersion& named) {
                       return named.major == version.major && named.minor == version.minor &&
                              named.patch == version.patch;
                     });
}

bool SemverRange::contains(const SemanticVersion& version) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const Alternative& one) {
    if (!version.prerelease.empty() && !admits_prerelease(one, version)) return false;
    return std::all_of(one.comparators.begin(), one.comparators.end(),
                       [&](const Comparator& comparator) { return comparator.holds(version); });
  });
}

}  // namespace lade
