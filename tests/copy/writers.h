// Destinations with other needs and habits than a store in memory.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/copy/copy.h"
#include "libimage/store/memory_store.h"

namespace lade::testing_support {

/// Passes everything on to a store in memory, but says what it is told to accept, counts what it is
/// asked, and fails where it is told to.
class PickyWriter final : public Writer {
 public:
  explicit PickyWriter(Accepts accepts) : accepts_(std::move(accepts)) {}

  bool contains(const oci::Descriptor& blob) override {
    ++asked;
    return store.contains(blob);
  }
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override {
    ++started;
    if (fail_blobs) fail_blobs();
    return store.start_blob(hint);
  }
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override {
    if (fail_manifests) fail_manifests();
    store.put_manifest(descriptor, raw);
  }
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override {
    store.tag(tag, descriptor);
  }
  void list_referrer(const oci::Descriptor& referrer) override { listed.push_back(referrer); }
  bool may_mount(const Origin& /*from*/) const override { return mounts; }
  Accepts accepts() const override { return accepts_; }

  MemoryStore store;
  std::atomic<int> asked = 0, started = 0;
  std::function<void()> fail_blobs, fail_manifests;
  std::vector<oci::Descriptor> listed;
  bool mounts = false;

 private:
  Accepts accepts_;
};

/// Reads a store in memory, counts what is opened, and has a registry's origin.
class CountingReader final : public Reader {
 public:
  explicit CountingReader(MemoryStore& store) : store_(store) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    return store_.resolve(reference);
  }
  std::optional<Origin> origin() const override { return Origin{"registry.example", "from"}; }
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override {
    return lists ? lists(subject) : store_.referrers(subject);
  }
  std::optional<std::vector<std::string>> tags() override { return store_.tags(); }
  std::vector<std::string> signatures(const oci::Descriptor& document) override {
    const auto found = kept_signatures.find(document.digest);
    return found == kept_signatures.end() ? std::vector<std::string>() : found->second;
  }
  std::optional<std::uint64_t> size_of(const Digest& digest) override {
    return store_.size_of(digest);
  }

  std::atomic<int> opened = 0;
  std::function<std::optional<std::vector<oci::Descriptor>>(const Digest&)> lists;
  std::map<Digest, std::vector<std::string>> kept_signatures;

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    ++opened;
    return store_.open(blob);
  }

 private:
  MemoryStore& store_;
};

/// Options that wait for nothing.
inline CopyOptions quick_options(CopyOptions::What what = CopyOptions::What::all) {
  CopyOptions options{.what = what};
  options.retry.sleep = [](std::chrono::milliseconds, const std::stop_token&) { return true; };
  return options;
}

/// A small artifact in `store` that refers to `subject`.
inline oci::Descriptor make_referrer(MemoryStore& store, const oci::Descriptor& subject,
                                     const std::string& content) {
  oci::Manifest manifest{
      .artifact_type = "application/vnd.example.sbom",
      .config = store.put(std::string(oci::kEmptyJson), "{}"),
      .layers = {store.put("text/plain", content)},
      .subject = oci::Descriptor{
          .media_type = subject.media_type, .digest = subject.digest, .size = subject.size}};
  return store.put(std::string(oci::kImageManifest), oci::serialise(manifest));
}

}  // namespace lade::testing_support
