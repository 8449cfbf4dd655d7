#include "libimage/local/promised_blobs.h"

#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {

void PromisedBlobs::add(const oci::Descriptor& blob, std::shared_ptr<Reader> from) {
  const std::scoped_lock lock(mutex_);
  std::shared_ptr<Promise>& promise = promises_[blob.digest];
  if (!promise) promise = std::make_shared<Promise>();
  if (promise->from && !promise->broken) return;
  readers_.insert(from);
  promise->from = std::move(from);
  promise->broken = false;
}

std::shared_ptr<PromisedBlobs::Promise> PromisedBlobs::find(const Digest& blob) {
  const std::scoped_lock lock(mutex_);
  const auto found = promises_.find(blob);
  return found == promises_.end() ? nullptr : found->second;
}

std::shared_ptr<Reader> PromisedBlobs::reader_of(const Digest& blob) {
  const std::scoped_lock lock(mutex_);
  const auto found = promises_.find(blob);
  return found == promises_.end() ? nullptr : found->second->from;
}

void PromisedBlobs::fetch(const oci::Descriptor& blob, LayoutStore& store) {
  const std::shared_ptr<Promise> promise = find(blob.digest);
  if (!promise) return;
  const std::scoped_lock lock(promise->fetching);
  if (store.contains(blob)) return;
  try {
    const auto source = reader_of(blob.digest)->open(blob);
    const auto writer = store.start_blob({.expected = blob, .verified_by_source = true});
    pump(*source, *writer);
    writer->commit(blob.media_type);
  } catch (const Error& e) {
    break_promise(blob.digest);
    throw e.in(cat("fetch blob ", blob.digest.brief()));
  }
}

void PromisedBlobs::break_promise(const Digest& blob) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = promises_.find(blob); found != promises_.end())
    found->second->broken = true;
}

bool PromisedBlobs::is_broken(const Digest& blob) {
  const std::scoped_lock lock(mutex_);
  const auto found = promises_.find(blob);
  return found != promises_.end() && found->second->broken;
}

std::optional<oci::Descriptor> StoreContents::resolve(const TagOrDigest& reference) {
  return images_.resolve(reference);
}

std::optional<std::vector<oci::Descriptor>> StoreContents::referrers(const Digest& subject) {
  return images_.referrers(subject);
}

std::optional<std::uint64_t> StoreContents::size_of(const Digest& digest) {
  return images_.size_of(digest);
}

Reader* StoreContents::promiser_of(const oci::Descriptor& blob) {
  return images_.contains(blob) ? nullptr : promised_.reader_of(blob.digest).get();
}

std::shared_ptr<const UniqueFd> StoreContents::file_of(const oci::Descriptor& blob) {
  Reader* const other = promiser_of(blob);
  return other != nullptr ? other->file_of(blob) : images_.file_of(blob);
}

std::unique_ptr<Source> StoreContents::do_open(const oci::Descriptor& blob) {
  return do_open_at(blob, 0);
}

std::unique_ptr<Source> StoreContents::do_open_at(const oci::Descriptor& blob,
                                                  std::uint64_t offset) {
  Reader* const other = promiser_of(blob);
  return other != nullptr ? other->open_at(blob, offset) : images_.open_at(blob, offset);
}

}  // namespace lade
