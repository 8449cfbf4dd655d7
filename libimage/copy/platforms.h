/// Which entries of an index belong to the platforms asked for: pure functions on descriptors.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "libimage/copy/copy.h"

namespace lade {

struct ChosenEntries {
  std::vector<bool> chosen;       ///< for each entry; attestations follow what they are about
  std::set<std::size_t> matched;  ///< positions of the platforms that an entry was found for
};

/// The best entry for each of `platforms` (choose_platform), or every variant of it; all others of
/// that very platform (the same image in another compression); and what attests to one of them.
ChosenEntries choose_entries(const std::vector<oci::Descriptor>& entries,
                             const std::vector<oci::Platform>& platforms,
                             CopyOptions::Variants variants);

/// True if `entry` says something about another entry (BuildKit's attestations).
bool is_attestation(const oci::Descriptor& entry);

/// "linux/amd64, linux/arm64": the platforms of `entries` for a message, at most some dozens;
/// "none with a platform".
std::string platforms_text(const std::vector<oci::Descriptor>& entries);
std::string platforms_text(const std::vector<oci::Platform>& platforms);

}  // namespace lade
