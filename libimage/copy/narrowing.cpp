#include "libimage/copy/narrowing.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/copy/platforms.h"
#include "libimage/copy/rewrite.h"
#include "libimage/name/platform.h"

namespace lade {

using oci::Descriptor;

void check_depth(std::size_t depth) {
  if (depth > oci::kMaxIndexDepth) {
    throw Error(Errc::limit_exceeded, cat("indexes are nested deeper than ", oci::kMaxIndexDepth));
  }
}

DocumentCache::Shared Narrowing::to_one(DocumentCache::Shared document) {
  const oci::Platform wanted = options_.platform.os.empty() ? host_platform() : options_.platform;
  for (std::size_t depth = 0; const auto* index = std::get_if<oci::Index>(&document->parsed);
       ++depth) {
    if (depth == oci::kMaxIndexDepth) check_depth(depth + 1);
    const auto position = choose_platform(index->manifests, wanted);
    if (!position) {
      throw Error(Errc::not_found, cat("no image for platform ", oci::to_string(wanted),
                                       " in the index; it has ", platforms_text(index->manifests)));
    }
    document = documents_.get(index->manifests[*position]);
  }
  return document;
}

DocumentCache::Shared Narrowing::to_several(const DocumentCache::Shared& document,
                                            std::set<Digest>& kept,
                                            std::vector<std::string>& warnings) {
  if (!std::holds_alternative<oci::Index>(document->parsed)) return document;
  const DocumentCache::Shared narrowed = narrowed_index(document, 0, kept);
  if (matched_.empty()) {
    throw Error(Errc::not_found, cat("no image for platform ", platforms_text(options_.platforms),
                                     " in the index; it has ", platforms_text(seen_)));
  }
  std::vector<oci::Platform> missing;
  for (std::size_t i = 0; i < options_.platforms.size(); ++i) {
    if (!matched_.contains(i)) missing.push_back(options_.platforms[i]);
  }
  if (!missing.empty()) {
    warnings.push_back(cat("the index has no image for ", platforms_text(missing)));
  }
  return options_.other_entries == CopyOptions::OtherEntries::kept ? document : narrowed;
}

/// An index that is listed many times costs one.
DocumentCache::Shared Narrowing::narrowed_once(const DocumentCache::Shared& document,
                                               std::size_t depth, std::set<Digest>& kept) {
  const auto found = done_.find(document->descriptor.digest);
  if (found != done_.end()) return found->second;
  DocumentCache::Shared narrowed = narrowed_index(document, depth, kept);
  return done_.emplace(document->descriptor.digest, std::move(narrowed)).first->second;
}

DocumentCache::Shared Narrowing::narrowed_index(const DocumentCache::Shared& document,
                                                std::size_t depth, std::set<Digest>& kept) {
  check_depth(depth);
  const auto& index = std::get<oci::Index>(document->parsed);
  std::copy_if(index.manifests.begin(), index.manifests.end(), std::back_inserter(seen_),
               [](const Descriptor& entry) { return entry.platform.has_value(); });
  const ChosenEntries choice =
      choose_entries(index.manifests, options_.platforms, options_.variants);
  matched_.insert(choice.matched.begin(), choice.matched.end());
  oci::Index edited = index;
  edited.manifests.clear();
  for (std::size_t i = 0; i < index.manifests.size(); ++i) {
    Descriptor entry = index.manifests[i];
    if (!choice.chosen[i] && !narrow_inner(entry, depth, kept)) continue;
    kept.insert(index.manifests[i].digest);
    edited.manifests.push_back(std::move(entry));
  }
  if (edited == index) return document;
  return documents_.put(reissued(*document, std::move(edited)));
}

/// Narrows the index that `entry` is, if it is one for no platform of its own; false: nothing is
/// left.
bool Narrowing::narrow_inner(Descriptor& entry, std::size_t depth, std::set<Digest>& kept) {
  if (!oci::is_index(entry.media_type) || entry.platform) return false;
  const DocumentCache::Shared inner = documents_.get(entry);
  const DocumentCache::Shared narrowed = narrowed_once(inner, depth + 1, kept);
  if (std::get<oci::Index>(narrowed->parsed).manifests.empty()) return false;
  if (narrowed != inner) {
    entry.digest = narrowed->descriptor.digest;
    entry.size = narrowed->descriptor.size;
    entry.data.reset();
  }
  return true;
}

}  // namespace lade
