/// Narrows an index to the platforms asked for, through indexes within indexes.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "libimage/copy/document_cache.h"

namespace lade {

/// Error{limit_exceeded} for an index deeper than oci::kMaxIndexDepth.
void check_depth(std::size_t depth);

class Narrowing {
 public:
  /// Both must outlive it.
  Narrowing(DocumentCache& documents, const CopyOptions& options)
      : documents_(documents), options_(options) {}

  /// The image for the one platform. Error{not_found} with those that there are.
  DocumentCache::Shared to_one(DocumentCache::Shared document);

  /// The index with what is for the platforms, or as it is where the other entries are kept; `kept`
  /// gets the digests of all that is for them. Error{not_found} if nothing is.
  DocumentCache::Shared to_several(const DocumentCache::Shared& document, std::set<Digest>& kept,
                                   std::vector<std::string>& warnings);

 private:
  DocumentCache::Shared narrowed_index(const DocumentCache::Shared& document, std::size_t depth,
                                       std::set<Digest>& kept);
  DocumentCache::Shared narrowed_once(const DocumentCache::Shared& document, std::size_t depth,
                                      std::set<Digest>& kept);
  bool narrow_inner(oci::Descriptor& entry, std::size_t depth, std::set<Digest>& kept);

  DocumentCache& documents_;
  const CopyOptions& options_;
  std::map<Digest, DocumentCache::Shared> done_;  // what each index was narrowed to
  std::set<std::size_t> matched_;                 // positions of platforms that were found
  std::vector<oci::Descriptor> seen_;             // entries with a platform
};

}  // namespace lade
