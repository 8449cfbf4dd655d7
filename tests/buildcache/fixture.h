/// What the tests of build caches share: small sets, layers in stores, the fixture in BuildKit's
/// format (testdata/cache).
#pragma once
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/buildcache/cache_exchange.h"
#include "libimage/buildcache/cache_set.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/store/memory_store.h"

#include "tests/support/sample_image.h"

namespace lade::buildcache {

inline std::string fixture(const std::string& name) {
  return read_file(cat(LADE_SOURCE_DIR, "/testdata/cache/", name), std::uint64_t{1} << 20U);
}

inline std::string temp_root() {
  const char* given = std::getenv("TMPDIR");
  return given != nullptr ? given : "/tmp";
}

/// The layers of the fixture, as they would be in a store.
inline const std::vector<std::string>& fixture_blobs() {
  static const std::vector<std::string> kBlobs = {"base layer\n", "tools layer\n", "object layer\n",
                                                  "app layer\n"};
  return kBlobs;
}

/// The fixture's cache in `store` under "latest"; returns its root.
inline oci::Descriptor put_fixture(MemoryStore& store, const std::string& document) {
  for (const std::string& blob : fixture_blobs()) store.put("", blob);
  store.put("", fixture("cacheconfig.json"));
  const std::string raw = fixture(document);
  oci::Descriptor root = oci::describe(oci::sniff_media_type(raw), raw);
  store.put_manifest(root, raw);
  store.tag(Tag{"latest"}, root);
  return root;
}

/// Remembers warnings.
class Warnings final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (event.kind == ProgressEvent::Kind::warning) text_ += event.note + "\n";
  }
  [[nodiscard]] std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

/// A key as build steps have them.
inline std::string key_of(std::string_view step) { return std::string(sha256_of(step).encoded()); }

/// A layer with one file, and how a tree lists it.
struct MadeLayer {
  std::string tar;
  RootFsLayer layer;
};
inline MadeLayer made_layer(const std::string& name) {
  std::string tar = testing::small_tar(name, cat("content of ", name));
  const Digest digest = sha256_of(tar);
  RootFsLayer layer{
      .blob = {.media_type = std::string(oci::kImageLayer), .digest = digest, .size = tar.size()},
      .diff_id = DiffId{digest}};
  return {.tar = std::move(tar), .layer = std::move(layer)};
}

/// The tree of these layers, whose blobs nobody opens.
inline RootFs tree_of(LocalStore& store, const std::vector<RootFsLayer>& layers) {
  RootFs root(store);
  for (const RootFsLayer& layer : layers) root.push(layer);
  return root;
}

inline StepDone done(const std::string& step, const RootFs& root) {
  return {.key = key_of(step), .root = &root};
}

}  // namespace lade::buildcache
