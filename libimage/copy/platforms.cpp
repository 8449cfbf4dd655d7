#include "libimage/copy/platforms.h"

#include "libimage/base/text.h"
#include "libimage/name/platform.h"

namespace lade {
namespace {

using oci::Descriptor;
using oci::Platform;

constexpr std::size_t kMostShown = 40;

constexpr const char* kReferenceDigest = "vnd.docker.reference.digest";

bool same_platform(const Descriptor& a, const Descriptor& b) {
  if (!a.platform || !b.platform) return false;
  return normalised(*a.platform) == normalised(*b.platform);
}

bool is_variant(const Descriptor& entry, const Platform& wanted) {
  if (!entry.platform) return false;
  const Platform have = normalised(*entry.platform);
  return have.os == wanted.os && have.architecture == wanted.architecture;
}

}  // namespace

bool is_attestation(const Descriptor& entry) {
  return entry.annotations && entry.annotations->contains(kReferenceDigest);
}

ChosenEntries choose_entries(const std::vector<Descriptor>& entries,
                             const std::vector<Platform>& platforms,
                             CopyOptions::Variants variants) {
  ChosenEntries out{.chosen = std::vector<bool>(entries.size(), false), .matched = {}};
  std::set<std::string> digests;
  for (std::size_t wanted = 0; wanted < platforms.size(); ++wanted) {
    std::optional<std::size_t> best = choose_platform(entries, platforms[wanted]);
    if (!best && variants == CopyOptions::Variants::every) {
      for (std::size_t i = 0; i < entries.size() && !best; ++i) {
        if (is_variant(entries[i], platforms[wanted])) best = i;
      }
    }
    if (!best) continue;
    out.matched.insert(wanted);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool twin = variants == CopyOptions::Variants::best
                            ? same_platform(entries[i], entries[*best])
                            : is_variant(entries[i], platforms[wanted]);
      if (i != *best && (!twin || is_attestation(entries[i]))) continue;
      out.chosen[i] = true;
      digests.insert(entries[i].digest.str());
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (is_attestation(entries[i]) && digests.contains(entries[i].annotation(kReferenceDigest))) {
      out.chosen[i] = true;
    }
  }
  return out;
}

std::string platforms_text(const std::vector<Descriptor>& entries) {
  std::vector<Platform> platforms;
  for (const Descriptor& entry : entries) {
    if (entry.platform && entry.platform->os != "unknown") platforms.push_back(*entry.platform);
  }
  return platforms.empty() ? "none with a platform" : platforms_text(platforms);
}

std::string platforms_text(const std::vector<Platform>& platforms) {
  std::string text;
  std::set<std::string> seen;
  for (const Platform& platform : platforms) {
    const std::string one = oci::to_string(platform);
    if (!seen.insert(one).second) continue;
    if (seen.size() > kMostShown) return cat(text, " and others");
    text += cat(text.empty() ? "" : ", ", printable(one));
  }
  return text;
}

}  // namespace lade
