/// Whether this machine can execute the programs of another platform (binfmt_misc, QEMU).
#pragma once
#include <string>
#include <string_view>

#include "libimage/oci/descriptor.h"

namespace lade::build {

/// Throws Error{unsupported}, naming what is missing, unless programs for `platform` can be
/// executed: it is the host's, one that the host's processors run too, or an interpreter is
/// registered in `binfmt_dir` (/proc/sys/fs/binfmt_misc) that containers reach.
void require_emulation(const oci::Platform& platform, const oci::Platform& host,
                       const std::string& binfmt_dir);

/// True if the registration `text` (a file of binfmt_misc) is for programs of `architecture` (as in
/// images: "arm64"), enabled or not.
bool registers_architecture(std::string_view text, std::string_view architecture);

}  // namespace lade::build
