/// What skopeo's flags ask of the engine that copies.
#pragma once
#include <string_view>

#include "libimage/copy/copy.h"
#include "libimage/name/image_name.h"

#include "tools/compat/go_flags.h"

namespace lade::tools::compat {

/// Of `skopeo copy` to `to`. Throws Fatal.
CopyOptions copy_options_of(const Flags& flags, const ImageName& to);

/// --format: oci, v2s2; v2s1 is refused. Throws Fatal.
std::optional<oci::Family> format_of(const Flags& flags);

/// What --remove-signatures and --remove-list-signatures say.
CopyOptions::Signatures signatures_of(const Flags& flags);

/// --tls-verify of commands that have one for each side still works, with a warning.
void warn_of_deprecated_tls(const Flags& flags, std::string_view instead);

}  // namespace lade::tools::compat
