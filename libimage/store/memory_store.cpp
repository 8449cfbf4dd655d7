#include "libimage/store/memory_store.h"

#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/store/blob_check.h"
#include "libimage/store/layout_index.h"
#include "libimage/store/text_source.h"

namespace lade {

class MemoryBlobWriter final : public BlobWriter {
 public:
  MemoryBlobWriter(MemoryStore& store, BlobHint hint) : store_(store), check_(std::move(hint)) {}

  void write(ByteView data) override {
    check_.add(data);
    bytes_ += chars_of(data);
  }

  oci::Descriptor commit(oci::MediaType media_type) override {
    oci::Descriptor blob = check_.result(std::move(media_type));
    const std::scoped_lock lock(store_.mutex_);
    store_.blobs_.insert_or_assign(blob.digest, std::move(bytes_));
    return blob;
  }

 private:
  MemoryStore& store_;
  BlobCheck check_;
  std::string bytes_;
};

std::optional<oci::Descriptor> MemoryStore::resolve(const TagOrDigest& reference) {
  const std::scoped_lock lock(mutex_);
  if (const auto* tag = std::get_if<Tag>(&reference)) {
    if (tag->value.empty() && tags_.size() == 1) return tags_.begin()->second;
    const auto found = tags_.find(tag->value);
    if (found == tags_.end()) return std::nullopt;
    return found->second;
  }
  const auto& digest = std::get<Digest>(reference);
  const auto document = documents_.find(digest);
  const auto blob = blobs_.find(digest);
  if (document == documents_.end() || blob == blobs_.end()) return std::nullopt;
  return oci::Descriptor{
      .media_type = document->second, .digest = digest, .size = blob->second.size()};
}

std::optional<std::vector<std::string>> MemoryStore::tags() {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, descriptor] : tags_) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::optional<std::uint64_t> MemoryStore::size_of(const Digest& blob) {
  const std::scoped_lock lock(mutex_);
  const auto found = blobs_.find(blob);
  if (found == blobs_.end()) return std::nullopt;
  return found->second.size();
}

std::optional<std::vector<oci::Descriptor>> MemoryStore::referrers(const Digest& subject) {
  std::vector<oci::Descriptor> documents;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [digest, media_type] : documents_) {
      documents.push_back(
          {.media_type = media_type, .digest = digest, .size = blobs_.at(digest).size()});
    }
  }
  const auto has = [](const oci::Descriptor&) { return true; };
  return referrers_of(all_referrers(*this, documents, has), subject);
}

bool MemoryStore::contains(const oci::Descriptor& blob) {
  const std::scoped_lock lock(mutex_);
  const auto found = blobs_.find(blob.digest);
  return found != blobs_.end() && found->second.size() == blob.size;
}

std::unique_ptr<BlobWriter> MemoryStore::start_blob(const BlobHint& hint) {
  return std::make_unique<MemoryBlobWriter>(*this, hint);
}

void MemoryStore::put_manifest(const oci::Descriptor& descriptor, std::string_view raw) {
  check_document(descriptor, raw);
  const std::scoped_lock lock(mutex_);
  blobs_.insert_or_assign(descriptor.digest, std::string(raw));
  documents_.insert_or_assign(descriptor.digest, descriptor.media_type);
}

void MemoryStore::tag(const Tag& tag, const oci::Descriptor& descriptor) {
  const std::scoped_lock lock(mutex_);
  if (!blobs_.contains(descriptor.digest)) {
    throw Error(Errc::not_found,
                cat("tag ", quoted(tag.value), ": ", descriptor.digest.str(), " is not stored"));
  }
  tags_.insert_or_assign(tag.value, descriptor);
}

oci::Descriptor MemoryStore::put(oci::MediaType media_type, std::string bytes) {
  oci::Descriptor blob{
      .media_type = std::move(media_type), .digest = sha256_of(bytes), .size = bytes.size()};
  const std::scoped_lock lock(mutex_);
  blobs_.insert_or_assign(blob.digest, std::move(bytes));
  if (oci::is_manifest(blob.media_type) || oci::is_index(blob.media_type)) {
    documents_.insert_or_assign(blob.digest, blob.media_type);
  }
  return blob;
}

void MemoryStore::corrupt(const Digest& digest, std::string bytes) {
  const std::scoped_lock lock(mutex_);
  blobs_.insert_or_assign(digest, std::move(bytes));
}

std::size_t MemoryStore::blob_count() const {
  const std::scoped_lock lock(mutex_);
  return blobs_.size();
}

std::string MemoryStore::bytes_of_blob(const Digest& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto found = blobs_.find(digest);
  if (found == blobs_.end()) throw Error(Errc::not_found, cat("no blob ", digest.str()));
  return found->second;
}

std::unique_ptr<Source> MemoryStore::do_open(const oci::Descriptor& blob) {
  return std::make_unique<TextSource>(bytes_of_blob(blob.digest));
}

}  // namespace lade
