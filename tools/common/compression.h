#pragma once
#include <string>

#include "libimage/compress/codec.h"

#include "tools/common/options.h"

namespace lade::tools {

struct Compression {
  std::string codec = {};  ///< "" if not asked for
  CompressOptions options = {};
};

/// Reads a format option (gzip, zstd, uncompressed) and its level option ("fastest" or a number in
/// the codec's range).
Compression read_compression(const Arguments& arguments, std::string_view format_option,
                             std::string_view level_option);

/// Throws Error unless write_text_file() can be expected to work: asked before long work.
void check_writable(const std::string& path);

/// Writes `text` to the file that the user named: a regular one whole or not at all, into anything
/// else (a pipe, /dev/stdout) as it is.
void write_text_file(const std::string& path, std::string_view text);

}  // namespace lade::tools
