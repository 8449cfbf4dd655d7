// The ecosystem's own compressors, to compare with.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <fcntl.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"

namespace lade::testing {

/// What the shell command prints when `input` is its standard input; fails if it does.
inline std::string through_tool(const std::string& command, std::string_view input) {
  const TempDir dir(std::filesystem::temp_directory_path());
  const std::string in = dir.path() + "/in";
  const std::string out = dir.path() + "/out";
  const UniqueFd fd = open_entry(dir.dir(), "in", O_WRONLY | O_CREAT, 0600);
  FdSink(fd.get(), in).write(bytes_of(input));
  const int status = std::system(cat(command, " <", in, " >", out).c_str());
  if (status != 0) throw Error(Errc::command_failed, cat(command, ": status ", status));
  return read_file(out, std::uint64_t{1} << 30U);
}

}  // namespace lade::testing
