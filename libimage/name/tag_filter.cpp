#include "libimage/name/tag_filter.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <re2/re2.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/reference.h"

namespace lade {
namespace {

// A hostile expression may ask for much: more states than this are refused.
constexpr std::int64_t kMaxPatternMemory = std::int64_t{1} << 20;
constexpr std::size_t kMaxPatternBytes = 4096;

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

RE2::Options pattern_options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  return options;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

struct Pattern::Compiled {
  explicit Compiled(std::string_view expression) : regex(piece(expression), pattern_options()) {}
  RE2 regex;
};

Pattern::Pattern(std::string_view expression, Match match) : match_(match) {
  const auto fail = [&](std::string_view reason) {
    throw Error(Errc::invalid_argument, cat("invalid regular expression ",
                                            quoted(expression.substr(0, 200)), ": ", reason));
  };
  if (expression.size() > kMaxPatternBytes) fail("it is too long");
  auto compiled = std::make_shared<const Compiled>(expression);
  if (!compiled->regex.ok()) fail(printable(compiled->regex.error()));
  compiled_ = std::move(compiled);
}

bool Pattern::matches(std::string_view text) const {
  return match_ == Match::whole ? RE2::FullMatch(piece(text), compiled_->regex)
                                : RE2::PartialMatch(piece(text), compiled_->regex);
}

bool is_digest_tag(std::string_view tag) noexcept {
  constexpr std::array<std::string_view, 2> kAlgorithms = {"sha256-", "sha512-"};
  constexpr std::size_t kHexDigits = 64;  // of sha512 as many as a tag has room for
  for (const std::string_view algorithm : kAlgorithms) {
    if (!tag.starts_with(algorithm)) continue;
    const std::string_view rest = tag.substr(algorithm.size());
    if (rest.size() < kHexDigits || !is_hex(rest.substr(0, kHexDigits))) return false;
    return rest.size() == kHexDigits || rest[kHexDigits] == '.';
  }
  return false;
}

std::vector<std::string> cosign_tags(const Digest& subject) {
  constexpr std::array<std::string_view, 3> kSuffixes = {".sig", ".att", ".sbom"};
  std::vector<std::string> out;
  for (const std::string_view suffix : kSuffixes) {
    std::string tag = cat(subject.algorithm(), "-", subject.encoded(), suffix);
    if (is_tag(tag)) out.push_back(std::move(tag));
  }
  return out;
}

bool TagFilter::keeps(std::string_view tag) const {
  const auto matches = [&](const Pattern& pattern) { return pattern.matches(tag); };
  if (omit_digest_tags && is_digest_tag(tag)) return false;
  if (!include.empty() && std::none_of(include.begin(), include.end(), matches)) return false;
  if (std::any_of(exclude.begin(), exclude.end(), matches)) return false;
  if (ranges.empty()) return true;
  const std::optional<SemanticVersion> version = SemanticVersion::try_parse(tag);
  return version && std::any_of(ranges.begin(), ranges.end(),
                                [&](const SemverRange& range) { return range.contains(*version); });
}

void sort_tags(std::vector<std::string>& tags, TagOrder order) {
  if (order == TagOrder::name) {
    std::sort(tags.begin(), tags.end());
    return;
  }
  using Keyed = std::pair<std::optional<SemanticVersion>, std::string>;
  std::vector<Keyed> keyed;
  keyed.reserve(tags.size());
  for (std::string& tag : tags) {
    std::optional<SemanticVersion> version = SemanticVersion::try_parse(tag);
    keyed.emplace_back(std::move(version), std::move(tag));
  }
  std::sort(keyed.begin(), keyed.end(), [](const Keyed& left, const Keyed& right) {
    if (left.first.has_value() != right.first.has_value()) return !left.first.has_value();
    if (left.first && *left.first != *right.first) {
      const auto by_version = *left.first <=> *right.first;
      if (by_version != 0) return by_version < 0;
    }
    return left.second < right.second;
  });
  for (std::size_t i = 0; i < tags.size(); ++i) tags[i] = std::move(keyed[i].second);
}

}  // namespace lade
