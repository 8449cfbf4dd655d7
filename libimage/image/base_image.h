/// The image that another one was made from.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade::image {

struct BaseImage {
  std::string name = {};  ///< "docker.io/library/debian:12"; "" if only a digest is known
  std::optional<Digest> digest = {};  ///< what it was when the image was made
  enum class Source {
    annotation,  ///< org.opencontainers.image.base.* (image-spec v1.1.1, annotations.md)
    provenance,  ///< the only image among the materials
  };
  Source source = Source::annotation;
  enum class State {
    unchecked,
    current,  ///< the name still means that image
    moved,    ///< it means another one: a rebuild would change the image
    unknown,  ///< see `problem`
  };
  State state = State::unchecked;
  std::optional<Digest> now = {};  ///< what the name means now
  std::string problem = {};
};

std::string_view name_of(BaseImage::Source source) noexcept;
std::string_view name_of(BaseImage::State state) noexcept;

/// What annotations say; nullopt if nothing. A digest that is none is left out.
std::optional<BaseImage> base_of(const oci::Annotations& annotations);

/// What an image name (of a base image) points to now.
struct OpenedBase {
  std::shared_ptr<Reader> reader;
  oci::Descriptor root;
};
using OpenBase = std::function<OpenedBase(const std::string& name)>;

/// Sets state, now and problem of `base`, the base of an image for `platform` with these `layers`.
/// Where the digest of then is not known, the layers tell whether the image is made from what the
/// name means now.
void check_base(BaseImage& base, const OpenedBase& now, const oci::Platform& platform,
                const std::vector<oci::Descriptor>& layers);

}  // namespace lade::image
