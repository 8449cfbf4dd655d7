/// Semantic versions (semver.org 2.0.0) as tags spell them, and ranges of them as npm writes them.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// A version. Ordered by precedence (semver.org, section 11): build metadata does not count, so it
/// is not kept.
struct SemanticVersion {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::string prerelease = {};  ///< "rc.1"; "" for a release

  /// "1.2.3-rc.1+build" as tags have it: a "v" before it, leading zeros and missing minor and patch
  /// numbers are allowed ("v1", "2024.01"). nullopt for anything else.
  static std::optional<SemanticVersion> try_parse(std::string_view text);

  bool operator==(const SemanticVersion&) const = default;
  std::strong_ordering operator<=>(const SemanticVersion& other) const;
};

/// A range: comparators joined by blanks or commas (all must hold), alternatives joined by "||".
///
/// Comparators: `1.2.3`, `=`, `!=`, `>`, `>=`, `<`, `<=`, `~1.2.3` (also `~>`), `^1.2.3`, `1.2.x`,
/// `1.2.*`, `1.2`, `*`, and `1.2 - 2.3`. What is left out stands for any number.
class SemverRange {
 public:
  /// Which pre-releases a range holds at all.
  enum class Prereleases {
    of_named_versions,  ///< those of a version that the range names with a pre-release (npm)
    of_any_version,  ///< all, if the range names any version with a pre-release (Go's Masterminds)
  };

  /// Throws Error{invalid_argument} with the text and the rule that it breaks.
  static SemverRange parse(std::string_view text,
                           Prereleases prereleases = Prereleases::of_named_versions);

  [[nodiscard]] bool contains(const SemanticVersion& version) const;

 private:
  struct Comparator {
    enum class Op { less, less_or_equal, greater, greater_or_equal, outside };
    Op op = Op::greater_or_equal;
    SemanticVersion version = {};
    SemanticVersion end = {};  ///< outside: not from `version` on and before `end`
    [[nodiscard]] bool holds(const SemanticVersion& candidate) const;
  };
  struct Alternative {
    std::vector<Comparator> comparators = {};
    std::vector<SemanticVersion> prereleases = {};  ///< those that the user named
  };
  class Parser;
  [[nodiscard]] bool admits_prerelease(const Alternative& alternative,
                                       const SemanticVersion& version) const;

  std::vector<Alternative> alternatives_;
  Prereleases prereleases_ = Prereleases::of_named_versions;
};

}  // namespace lade
