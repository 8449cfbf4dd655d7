// Version ranges and regular expressions that users type, and the tags of a registry that meet
// them: "RANGE\nEXPRESSION\nTAG".
#include "libimage/name/tag_filter.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::string_view> lines = split(fuzz::text_of(data, size), '\n');
  if (lines.size() < 3) return 0;
  const std::string_view tag = lines[2];
  const auto version = SemanticVersion::try_parse(tag);
  if (version) {
    fuzz::require(*version <=> *version == 0);
    fuzz::unless_refused([&] {
      const SemverRange exact = SemverRange::parse(cat("=", tag));
      fuzz::require(exact.contains(*version));
    });
  }
  fuzz::unless_refused([&] {
    const SemverRange npm = SemverRange::parse(lines[0]);
    const SemverRange go = SemverRange::parse(lines[0], SemverRange::Prereleases::of_any_version);
    // Go's rule holds all that npm's does.
    if (version && npm.contains(*version)) fuzz::require(go.contains(*version));
  });
  fuzz::unless_refused([&] {
    const Pattern whole(lines[1], Pattern::Match::whole);
    const Pattern anywhere(lines[1], Pattern::Match::anywhere);
    if (whole.matches(tag)) fuzz::require(anywhere.matches(tag));
  });
  (void)is_digest_tag(tag);
  return 0;
}
