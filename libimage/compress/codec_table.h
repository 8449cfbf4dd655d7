/// The codecs that codecs.cpp lists; each is defined in the file of its name.
#pragma once
#include "libimage/compress/codec.h"

namespace lade {

Codec identity_codec();
Codec gzip_codec();
Codec zstd_codec();
Codec bzip2_codec();
Codec xz_codec();

}  // namespace lade
