#include <algorithm>
#include <set>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/store/layout_store.h"

namespace lade {
namespace {

// A hostile layout must not make us read documents for ever.
constexpr std::size_t kMaxDocumentsWalked = 100'000;

void add_if_referrer(const oci::Document& document, const Digest& subject,
                     std::vector<oci::Descriptor>& found) {
  const auto add = [&](const auto& parsed, const std::string& artifact_type) {
    if (!parsed.subject || parsed.subject->digest != subject) return;
    // distribution-spec v1.1.1, "Listing Referrers": the document's own type and annotations.
    found.push_back({.media_type = document.descriptor.media_type,
                     .digest = document.descriptor.digest,
                     .size = document.descriptor.size,
                     .annotations = parsed.annotations,
                     .artifact_type = artifact_type});
  };
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    add(*manifest,
        manifest->artifact_type.empty() ? manifest->config.media_type : manifest->artifact_type);
  } else if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    add(*index, index->artifact_type);
  }
}

}  // namespace

std::optional<std::vector<oci::Descriptor>> LayoutStore::referrers(const Digest& subject) {
  struct Visit {
    oci::Descriptor descriptor;
    std::size_t depth;
  };
  std::vector<oci::Descriptor> found;
  std::vector<Visit> pending;
  std::set<Digest> seen;
  for (const oci::Descriptor& entry : entries()) pending.push_back({entry, 0});
  std::reverse(pending.begin(), pending.end());
  while (!pending.empty()) {
    const Visit visit = std::move(pending.back());
    pending.pop_back();
    const bool readable =
        oci::is_manifest(visit.descriptor.media_type) || oci::is_index(visit.descriptor.media_type);
    if (!readable || !seen.insert(visit.descriptor.digest).second) continue;
    if (!contains(visit.descriptor)) continue;  // a sparse index lists what is elsewhere
    if (seen.size() > kMaxDocumentsWalked) {
      throw Error(Errc::limit_exceeded, cat("layout ", quoted(path()), ": more than ",
                                            kMaxDocumentsWalked, " documents"));
    }
    const oci::Document document = this->document(visit.descriptor);
    add_if_referrer(document, subject, found);
    if (const auto* index = std::get_if<oci::Index>(&document.parsed);
        index != nullptr && visit.depth < oci::kMaxIndexDepth) {
      for (auto child = index->manifests.rbegin(); child != index->manifests.rend(); ++child) {
        pending.push_back({*child, visit.depth + 1});
      }
    }
  }
  return found;
}

}  // namespace lade
