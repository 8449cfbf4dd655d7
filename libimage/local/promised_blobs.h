#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "libimage/store/layout_store.h"

namespace lade {

/// Blobs that are not in the store, and where each can be had: fetched when somebody needs one.
/// Thread-safe.
class PromisedBlobs {
 public:
  /// `from` gives `blob`. The first promise of a blob holds, unless it is broken. Readers are kept
  /// for as long as this object lives.
  void add(const oci::Descriptor& blob, std::shared_ptr<Reader> from);
  /// The reader that was promised to give `blob`; nullptr if none was.
  std::shared_ptr<Reader> reader_of(const Digest& blob);
  /// Fetches `blob` into `store` if it is promised and not there: once, however many ask.
  void fetch(const oci::Descriptor& blob, LayoutStore& store);
  /// Notes that `blob` could not be had, or is not what was promised, if it was promised.
  void break_promise(const Digest& blob);
  [[nodiscard]] bool is_broken(const Digest& blob);

 private:
  struct Promise {
    std::mutex fetching;
    std::shared_ptr<Reader> from;  // guarded by mutex_
    bool broken = false;           // guarded by mutex_
  };
  std::shared_ptr<Promise> find(const Digest& blob);

  std::mutex mutex_;
  std::map<Digest, std::shared_ptr<Promise>> promises_;  // guarded by mutex_
  std::set<std::shared_ptr<Reader>> readers_;            // guarded by mutex_
};

/// A layout with the blobs that are promised to it. Borrows both.
class StoreContents final : public Reader {
 public:
  StoreContents(LayoutStore& images, PromisedBlobs& promised)
      : images_(images), promised_(promised) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  std::optional<std::vector<std::string>> tags() override { return images_.tags(); }
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override;
  std::optional<std::uint64_t> size_of(const Digest& digest) override;
  std::shared_ptr<const UniqueFd> file_of(const oci::Descriptor& blob) override;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;
  std::unique_ptr<Source> do_open_at(const oci::Descriptor& blob, std::uint64_t offset) override;

 private:
  /// Who gives it; nullptr: `images_`. Promises are never taken back, so that it stays valid.
  Reader* promiser_of(const oci::Descriptor& blob);
  LayoutStore& images_;
  PromisedBlobs& promised_;
};

}  // namespace lade
