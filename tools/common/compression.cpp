#include "tools/common/compression.h"

#include <algorithm>
#include <thread>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::tools {

Compression read_compression(const Arguments& arguments, std::string_view format_option,
                             std::string_view level_option) {
  Compression compression;
  compression.options.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
  compression.codec = arguments.value_or(format_option, "");
  if (compression.codec == "uncompressed") compression.codec = "identity";
  const std::string level = arguments.value_or(level_option, "");
  if (level.empty()) return compression;
  if (compression.codec == "identity")
    throw UsageError(cat("option --", level_option, " makes no sense without compression"));
  const bool zstd = compression.codec == "zstd" || compression.codec == "zstd:chunked";
  if (level == "fastest" && !zstd) {
    compression.options.fastest = true;
    return compression;
  }
  const int highest = zstd ? 22 : 9;
  const auto number = parse_decimal(level);
  if (!number || *number < 1 || *number > static_cast<std::uint64_t>(highest)) {
    throw UsageError(cat("option --", level_option, " takes a level from 1 to ", highest,
                         zstd ? "" : " or 'fastest'", ", not ", quoted(level)));
  }
  compression.options.level = static_cast<int>(*number);
  return compression;
}

}  // namespace lade::tools
