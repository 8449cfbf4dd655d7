#pragma once
#include <string>

#include "libimage/compress/codec.h"

#include "tools/common/options.h"
#include "tools/common/output_file.h"

namespace lade::tools {

struct Compression {
  std::string codec = {};  ///< "" if not asked for
  CompressOptions options = {};
};

/// Reads a format option (gzip, zstd, uncompressed) and its level option ("fastest" or a number in
/// the codec's range).
Compression read_compression(const Arguments& arguments, std::string_view format_option,
                             std::string_view level_option);

}  // namespace lade::tools
