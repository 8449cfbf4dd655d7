/// Which tags (or names of repositories) of a list are wanted, and in what order.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/name/semver.h"

namespace lade {

/// A regular expression in RE2's syntax, that of Go and so of skopeo and regsync. Matching takes
/// time linear in the text, whatever the expression.
class Pattern {
 public:
  enum class Match {
    whole,     ///< the expression must match the whole text
    anywhere,  ///< it may match any part of it
  };
  /// Throws Error{invalid_argument} with the expression and what is wrong with it.
  Pattern(std::string_view expression, Match match);
  [[nodiscard]] bool matches(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
  Match match_;
};

/// What a TagFilter keeps: what one of `include` matches (everything, if there is none) and none of
/// `exclude`, in one of the `ranges` where there are any, in which case tags that are no versions
/// are left out.
struct TagFilter {
  std::vector<Pattern> include = {};
  std::vector<Pattern> exclude = {};
  std::vector<SemverRange> ranges = {};
  bool omit_digest_tags = false;  ///< see is_digest_tag()

  [[nodiscard]] bool keeps(std::string_view tag) const;
};

/// True for the tags that stand for something about a digest: "sha256-<64 hex>" (distribution-spec
/// v1.1.1, "Referrers Tag Schema"), also with cosign's ".sig", ".att" and ".sbom" behind it.
bool is_digest_tag(std::string_view tag) noexcept;

/// "sha256-HEX.sig" and its siblings, where cosign keeps what is about `subject`; none for an
/// algorithm whose name makes no tag.
std::vector<std::string> cosign_tags(const Digest& subject);

/// Before: by bytes, or by version: what is no version first, by bytes; then versions by
/// precedence, equal ones by bytes.
enum class TagOrder { name, semver };
void sort_tags(std::vector<std::string>& tags, TagOrder order);

}  // namespace lade
