#include "tools/common/compression.h"

#include <algorithm>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/atomic_file.h"
#include "libimage/io/path.h"

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
  const bool zstd = compression.codec == "zstd";
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

namespace {

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void check_writable(const std::string& path) {
  struct stat found {};
  const bool exists = ::stat(path.c_str(), &found) == 0;
  if (exists && S_ISDIR(found.st_mode)) throw_errno(cat("write ", quoted(path)), EISDIR);
  const bool in_place = exists && !S_ISREG(found.st_mode);
  const std::string asked = in_place ? path : directory_of(path);
  if (::access(asked.c_str(), in_place ? W_OK : W_OK | X_OK) != 0) {
    throw_errno(cat("open ", quoted(asked)));
  }
}

void write_text_file(const std::string& path, std::string_view text) {
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
    // A pipe or /dev/stdout is written to: a new file in its place would take it away from all.
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
    if (!fd) throw_errno(cat("open ", quoted(path)));
    FdSink(fd.get(), path).write(bytes_of(text));
    return;
  }
  const std::size_t slash = path.rfind('/');
  const DirFd dir = open_dir(directory_of(path));
  AtomicFile file(dir, slash == std::string::npos ? path : path.substr(slash + 1));
  file.write(bytes_of(text));
  file.commit();
}

}  // namespace lade::tools
