#include "libimage/image/index_edit.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"

namespace lade::image {
namespace {

constexpr const char* kReferenceDigest = "vnd.docker.reference.digest";

bool is_docker(const oci::Index& index) { return index.media_type == oci::kDockerManifestList; }

bool same_platform(const oci::Descriptor& a, const oci::Descriptor& b) {
  if (!a.platform || !b.platform || a.platform->os == "unknown") return false;
  return normalised(*a.platform) == normalised(*b.platform);
}

void erase_with_attestations(oci::Index& index, const Digest& digest) {
  std::erase_if(index.manifests, [&](const oci::Descriptor& entry) {
    return entry.digest == digest || entry.annotation(kReferenceDigest) == digest.str();
  });
}

void apply(std::optional<oci::Annotations>& annotations, const AnnotationEdit& edit) {
  if (edit.set.empty() && edit.remove.empty()) return;
  if (!annotations) annotations.emplace();
  for (const std::string& key : edit.remove) annotations->erase(key);
  for (const auto& [key, value] : edit.set) annotations->insert_or_assign(key, value);
  if (annotations->empty()) annotations.reset();
}

void apply(oci::Descriptor& entry, const EntryEdit& edit) {
  apply(entry.annotations, edit.annotations);
  if (!edit.os && !edit.architecture && !edit.variant && !edit.os_version && !edit.os_features &&
      !edit.features) {
    return;
  }
  oci::Platform platform = entry.platform.value_or(oci::Platform());
  const auto change = [](auto& member, const auto& value) {
    if (value) member = *value;
  };
  change(platform.os, edit.os);
  change(platform.architecture, edit.architecture);
  change(platform.variant, edit.variant);
  change(platform.os_version, edit.os_version);
  change(platform.os_features, edit.os_features);
  change(platform.features, edit.features);
  if (platform == oci::Platform()) {
    entry.platform.reset();
    return;
  }
  if (platform.os.empty() || platform.architecture.empty()) {
    throw Error(Errc::invalid_argument,
                cat("edit entry ", entry.digest.brief(),
                    ": a platform needs both an operating system and an architecture"));
  }
  entry.platform = std::move(platform);
}

[[noreturn]] void throw_not_listed(const Digest& digest) {
  throw Error(Errc::not_found, cat("the index lists no ", digest.str()));
}

}  // namespace

std::optional<oci::Platform> platform_of(Reader& reader, const oci::Manifest& image) {
  if (!oci::is_image_config(image.config.media_type)) return std::nullopt;
  oci::Platform platform = read_config(reader, image).platform();
  if (platform.os.empty() || platform.architecture.empty()) return std::nullopt;
  return normalised(std::move(platform));
}

oci::Descriptor entry_for(Reader& reader, const oci::Descriptor& document) {
  const oci::Document read = reader.document(document);
  oci::Descriptor entry{
      .media_type = read.descriptor.media_type, .digest = document.digest, .size = document.size};
  if (const auto* manifest = std::get_if<oci::Manifest>(&read.parsed)) {
    entry.artifact_type = manifest->artifact_type;
    entry.platform = platform_of(reader, *manifest);
    return entry;
  }
  if (const auto* index = std::get_if<oci::Index>(&read.parsed)) {
    entry.artifact_type = index->artifact_type;
    return entry;
  }
  throw Error(Errc::unsupported, cat("add ", document.digest.brief(), " to an index: type ",
                                     quoted(entry.media_type), " is neither manifest nor index"));
}

oci::Index make_index(const std::vector<oci::Descriptor>& entries, oci::Family family) {
  oci::Index index;
  index.media_type =
      oci::MediaType(family == oci::Family::docker ? oci::kDockerManifestList : oci::kImageIndex);
  for (const oci::Descriptor& entry : entries) index = with_entry(std::move(index), entry);
  return index;
}

oci::Index with_entry(oci::Index index, oci::Descriptor entry, SamePlatform same) {
  if (is_docker(index) && entry.media_type != oci::kDockerManifest &&
      entry.media_type != oci::kDockerManifestList) {
    throw Error(Errc::unsupported, cat("add ", entry.digest.brief(), " of type ",
                                       quoted(entry.media_type), " to a Docker manifest list"));
  }
  const auto listed =
      std::find_if(index.manifests.begin(), index.manifests.end(),
                   [&](const oci::Descriptor& old) { return old.digest == entry.digest; });
  if (listed != index.manifests.end()) {
    *listed = std::move(entry);
    return index;
  }
  const auto rival = [&] {
    return std::find_if(index.manifests.begin(), index.manifests.end(),
                        [&](const oci::Descriptor& old) { return same_platform(old, entry); });
  };
  if (same == SamePlatform::refuse && rival() != index.manifests.end()) {
    throw Error(Errc::already_exists,
                cat("the index has an image for ", printable(oci::to_string(*entry.platform)),
                    " already: ", rival()->digest.str()));
  }
  if (same == SamePlatform::replace) {
    for (auto old = rival(); old != index.manifests.end(); old = rival()) {
      const Digest digest = old->digest;  // a copy: erasing moves the entries
      erase_with_attestations(index, digest);
    }
  }
  if (index.manifests.size() >= oci::kMaxDescriptors) {
    throw Error(Errc::limit_exceeded,
                cat("an index lists at most ", oci::kMaxDescriptors, " manifests"));
  }
  index.manifests.push_back(std::move(entry));
  return index;
}

oci::Index without_entry(oci::Index index, const Digest& digest) {
  const bool listed =
      std::any_of(index.manifests.begin(), index.manifests.end(),
                  [&](const oci::Descriptor& entry) { return entry.digest == digest; });
  if (!listed) throw_not_listed(digest);
  erase_with_attestations(index, digest);
  return index;
}

oci::Index with_edited_entry(oci::Index index, const Digest& digest, const EntryEdit& edit) {
  bool listed = false;
  for (oci::Descriptor& entry : index.manifests) {
    if (entry.digest != digest) continue;
    apply(entry, edit);
    listed = true;
  }
  if (!listed) throw_not_listed(digest);
  return index;
}

oci::Index with_annotations(oci::Index index, const AnnotationEdit& edit) {
  if (is_docker(index) && !edit.set.empty()) {
    throw Error(Errc::unsupported, "annotate a Docker manifest list: it has no annotations");
  }
  apply(index.annotations, edit);
  return index;
}

}  // namespace lade::image
