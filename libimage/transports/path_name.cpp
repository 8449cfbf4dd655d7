#include "libimage/transports/path_name.h"

#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {

PathAndReference parse_path_name(const ImageName& name) {
  return with_context([&] { return cat("image name ", quoted(name.str())); },
                      [&] { return split_path_reference(name.rest); });
}

PathAndReference parse_path_name_to_write(const ImageName& name) {
  PathAndReference parts = parse_path_name(name);
  if (parts.at) {
    throw Error(Errc::invalid_argument, cat("image name ", quoted(name.str()), ": '@", *parts.at,
                                            "' cannot name what is written"));
  }
  return parts;
}

TagOrDigest path_name_reference(const ImageName& name) {
  const PathAndReference parts = parse_path_name(name);
  if (parts.at) return Tag{};
  if (std::optional<Digest> digest = Digest::try_parse(parts.reference);
      digest && digest->verifiable()) {
    return *std::move(digest);
  }
  return Tag{parts.reference};
}

}  // namespace lade
