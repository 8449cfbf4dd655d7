#include "libimage/copy/foresee.h"

#include <algorithm>

#include "libimage/copy/rewrite.h"

namespace lade {

std::optional<oci::Descriptor> foreseen_root(const CopyPlan& plan) {
  const bool only_moved =
      std::all_of(plan.blobs.begin(), plan.blobs.end(), [](const PlannedBlob& blob) {
        return blob.action == PlannedBlob::Action::move && !blob.listed_as;
      });
  if (!only_moved) return std::nullopt;
  if (!plan.rewrites_documents) return plan.root;
  Replacements replaced;
  oci::Descriptor root = plan.root;
  for (const oci::Document& document : plan.documents) {  // children first
    const oci::Document made = rewritten(document, replaced, plan.convert_to);
    if (document.descriptor.digest == plan.root.digest) root = made.descriptor;
    if (made.descriptor.digest != document.descriptor.digest)
      replaced.insert_or_assign(document.descriptor.digest, made.descriptor);
  }
  return root;
}

}  // namespace lade
