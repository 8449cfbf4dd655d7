/// What the transports that name a file or directory have in common: "PATH[:REF|:@N]".
#pragma once
#include "libimage/name/image_name.h"
#include "libimage/name/reference.h"

namespace lade {

/// The name split; throws Error{invalid_argument} without a path.
PathAndReference parse_path_name(const ImageName& name);

/// As parse_path_name(), and refuses "@N", which names only what is there already.
PathAndReference parse_path_name_to_write(const ImageName& name);

/// The digest or the reference name after the path; an empty Tag for none and for "@N".
TagOrDigest path_name_reference(const ImageName& name);

}  // namespace lade
