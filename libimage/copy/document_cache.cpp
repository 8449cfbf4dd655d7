#include "libimage/copy/document_cache.h"

#include <algorithm>
#include <set>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/copy/schema1_image.h"
#include "libimage/task/run_graph.h"

namespace lade {

using oci::Descriptor;
using oci::Document;

DocumentCache::Shared DocumentCache::find(const Digest& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto found = documents_.find(digest);
  return found == documents_.end() ? nullptr : found->second;
}

void DocumentCache::admit(const Descriptor& descriptor) {
  const std::scoped_lock lock(mutex_);
  ++admitted_;
  // Reading fails where the size is a lie, so that it may be counted before.
  admitted_bytes_ += std::min(descriptor.size, oci::kMaxManifestBytes);
  if (admitted_ > options_.max_documents || admitted_bytes_ > options_.max_document_bytes) {
    throw Error(Errc::limit_exceeded, cat("more than ", options_.max_documents, " documents or ",
                                          options_.max_document_bytes, " bytes of them"));
  }
}

DocumentCache::Shared DocumentCache::read(const Descriptor& descriptor) {
  Document document = source_.document(descriptor);
  std::string config;
  if (oci::is_schema1(document.descriptor.media_type)) {
    Schema1Image image = convert_schema1(document, source_, options_);
    config = std::move(image.config);
    document = std::move(image.manifest);
  }
  auto shared = std::make_shared<const Document>(std::move(document));
  const std::scoped_lock lock(mutex_);
  if (!config.empty()) {
    made_.emplace(std::get<oci::Manifest>(shared->parsed).config.digest, std::move(config));
    made_.emplace(shared->descriptor.digest, shared->raw);
  }
  return documents_.emplace(descriptor.digest, std::move(shared)).first->second;
}

DocumentCache::Shared DocumentCache::get(const Descriptor& descriptor) {
  if (Shared found = find(descriptor.digest)) return found;
  admit(descriptor);
  return read(descriptor);
}

void DocumentCache::fetch(const std::vector<Descriptor>& descriptors) {
  std::vector<const Descriptor*> wanted;
  std::set<Digest> seen;
  for (const Descriptor& descriptor : descriptors) {
    if (find(descriptor.digest) || !seen.insert(descriptor.digest).second) continue;
    admit(descriptor);
    wanted.push_back(&descriptor);
  }
  parallel_for(wanted.size(), options_.jobs, [&](std::size_t i) { (void)read(*wanted[i]); });
}

DocumentCache::Shared DocumentCache::put(Document document) {
  auto shared = std::make_shared<const Document>(std::move(document));
  const std::scoped_lock lock(mutex_);
  return documents_.insert_or_assign(shared->descriptor.digest, shared).first->second;
}

Descriptor DocumentCache::with_data(const Descriptor& blob) const {
  const std::scoped_lock lock(mutex_);
  Descriptor out = blob;
  if (const auto found = made_.find(blob.digest); found != made_.end()) out.data = found->second;
  return out;
}

bool DocumentCache::is_made(const Digest& document) const {
  const std::scoped_lock lock(mutex_);
  return made_.contains(document);
}

}  // namespace lade
