#include "libimage/buildcache/cache_place.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/oci/layout.h"

namespace lade::buildcache {
namespace {

bool same(const std::optional<oci::Descriptor>& a, const std::optional<oci::Descriptor>& b) {
  return a.has_value() == b.has_value() && (!a || a->digest == b->digest);
}

const std::string& name_key() {
  static const std::string kKey(oci::kRefNameAnnotation);
  return kKey;
}

std::size_t entries_of(const std::vector<oci::Descriptor>& entries, const Digest& digest) {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(),
                    [&](const oci::Descriptor& entry) { return entry.digest == digest; }));
}

}  // namespace

TagPlace::TagPlace(std::unique_ptr<Reader> reader, std::unique_ptr<Writer> writer, Tag tag,
                   Wait wait)
    : reader_(std::move(reader)),
      writer_(std::move(writer)),
      tag_(std::move(tag)),
      wait_(std::move(wait)) {}

std::optional<oci::Descriptor> TagPlace::current() { return reader_->resolve(tag_); }

bool TagPlace::replace(const std::optional<oci::Descriptor>& expected,
                       const oci::Descriptor& next) {
  using Milliseconds = std::chrono::milliseconds;
  const auto start = std::chrono::steady_clock::now();
  if (!same(current(), expected)) return false;
  writer_->tag(tag_, next);
  const auto took =
      std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
  wait_(std::clamp(2 * took, Milliseconds(20), Milliseconds(2000)));
  return same(current(), next);
}

LayoutPlace::LayoutPlace(const std::string& directory, std::string name)
    : layout_(directory, LayoutOptions{.create = true}), name_(std::move(name)) {}

std::optional<oci::Descriptor> LayoutPlace::current() { return layout_.resolve(Tag{name_}); }

bool LayoutPlace::replace(const std::optional<oci::Descriptor>& expected,
                          const oci::Descriptor& next) {
  bool replaced = false;
  bool old_has_other_names = false;
  layout_.edit_index([&](oci::Index& index) {
    std::vector<oci::Descriptor>& entries = index.manifests;
    const auto is_named = [&](const oci::Descriptor& entry) {
      return entry.annotation(name_key()) == name_;
    };
    const auto old = std::find_if(entries.begin(), entries.end(), is_named);
    const bool present = old != entries.end();
    if (present != expected.has_value() || (present && old->digest != expected->digest)) return;
    replaced = true;
    if (present) old->annotations.reset();  // listed until its blobs are removed
    if (present) old_has_other_names = entries_of(entries, expected->digest) > 1;
    // An entry without a name is what put_manifest() made of the new document.
    std::erase_if(entries, [&](const oci::Descriptor& entry) {
      return entry.digest == next.digest && entry.annotation(name_key()).empty();
    });
    if (old_has_other_names) {
      std::erase_if(entries, [&](const oci::Descriptor& entry) {
        return entry.digest == expected->digest && entry.annotation(name_key()).empty();
      });
    }
    entries.push_back(next);
    entries.back().annotations = oci::Annotations{{name_key(), name_}};
  });
  if (replaced && expected && expected->digest != next.digest && !old_has_other_names) {
    try {
      layout_.remove(expected->digest);
    } catch (const Error&) {  // others are writing: it only takes room
    }
  }
  return replaced;
}

}  // namespace lade::buildcache
