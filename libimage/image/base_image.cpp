#include "libimage/image/base_image.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/image/select.h"

namespace lade::image {
namespace {

std::string text_of(const oci::Annotations& annotations, const char* key) {
  const auto found = annotations.find(key);
  return found == annotations.end() ? std::string() : found->second;
}

bool lists(Reader& reader, const oci::Descriptor& root, const Digest& digest) {
  if (root.digest == digest) return true;
  if (!oci::is_index(root.media_type)) return false;
  const oci::Document document = reader.document(root);
  const auto* index = std::get_if<oci::Index>(&document.parsed);
  return index != nullptr &&
         std::any_of(index->manifests.begin(), index->manifests.end(),
                     [&](const oci::Descriptor& entry) { return entry.digest == digest; });
}

bool begins_with(const std::vector<oci::Descriptor>& layers,
                 const std::vector<oci::Descriptor>& base) {
  return base.size() <= layers.size() &&
         std::equal(base.begin(), base.end(), layers.begin(),
                    [](const auto& a, const auto& b) { return a.digest == b.digest; });
}

}  // namespace

std::string_view name_of(BaseImage::Source source) noexcept {
  return source == BaseImage::Source::annotation ? "annotation" : "provenance";
}

std::string_view name_of(BaseImage::State state) noexcept {
  switch (state) {
    case BaseImage::State::current:
      return "current";
    case BaseImage::State::moved:
      return "moved";
    case BaseImage::State::unknown:
      return "unknown";
    case BaseImage::State::unchecked:
      break;
  }
  return "unchecked";
}

std::optional<BaseImage> base_of(const oci::Annotations& annotations) {
  BaseImage base{
      .name = text_of(annotations, "org.opencontainers.image.base.name"),
      .digest = Digest::try_parse(text_of(annotations, "org.opencontainers.image.base.digest"))};
  if (base.name.empty() && !base.digest) return std::nullopt;
  return base;
}

void check_base(BaseImage& base, const OpenedBase& now, const oci::Platform& platform,
                const std::vector<oci::Descriptor>& layers) {
  base.now = now.root.digest;
  bool same = false;
  if (base.digest) {
    same = lists(*now.reader, now.root, *base.digest);
  } else {
    const oci::Document document = select(*now.reader, now.root, platform);
    same = begins_with(layers, std::get<oci::Manifest>(document.parsed).layers);
  }
  base.state = same ? BaseImage::State::current : BaseImage::State::moved;
}

}  // namespace lade::image
