/// The codecs that codecs.cpp lists; each is defined in the file of its name.
#pragma once
#include "libimage/compress/codec.h"
#include "libimage/compress/member_sink.h"

namespace lade {

Codec identity_codec();
Codec gzip_codec();
Codec zstd_codec();
Codec bzip2_codec();
Codec xz_codec();

/// How members of up to `input` bytes are compressed; 0 = as many as the codec cuts a stream into.
/// A level that the codec does not have is Error{invalid_argument}.
MemberFormat gzip_members(const CompressOptions& options, std::size_t input = 0);
MemberFormat zstd_members(const CompressOptions& options, std::size_t input = 0);

}  // namespace lade
