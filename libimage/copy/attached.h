/// What is attached to documents from outside: referrers (distribution-spec v1.1.1, "Listing
/// Referrers") and cosign's tags.
#pragma once
#include <set>
#include <vector>

#include "libimage/copy/document_cache.h"

namespace lade {

/// Referrers of referrers of ...; more only attack clients.
inline constexpr std::size_t kMaxReferrerDepth = 8;

/// The documents that a list names as referrers of `subject`.
struct Referrers {
  oci::Descriptor subject;
  std::vector<oci::Descriptor> found = {};
  bool known = true;  ///< false: the store cannot tell
};

/// Asks for the referrers of each of `subjects`, several at a time; the answers in their order.
std::vector<Referrers> find_referrers(DocumentCache& documents,
                                      const std::vector<oci::Descriptor>& subjects,
                                      const CopyOptions& options);

/// A tag of cosign's and the document that it is about.
struct CosignTag {
  Tag tag;
  oci::Descriptor document;
  Digest subject;
};

/// The tags sha256-HEX.sig, .att and .sbom of the documents `of`, in that order: asked for one by
/// one if there are few documents, else found in the list of all tags.
std::vector<CosignTag> find_cosign_tags(DocumentCache& documents,
                                        const std::vector<oci::Descriptor>& of,
                                        const CopyOptions& options);

}  // namespace lade
