#include "libimage/sandbox/home.h"

#include <algorithm>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/io/stream.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxPasswdBytes = 1U << 20U;

/// A file of the image's: regular, of bounded size, never waited for (CVE-2024-9676).
std::string read_passwd() {
  try {
    const DirFd root = open_dir("/");
    UniqueFd file = try_open_in_root(root, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct stat found {};
    if (!file || ::fstat(file.get(), &found) != 0 || !S_ISREG(found.st_mode)) return {};
    FdSource source(std::move(file), "/etc/passwd");
    return read_all(source, kMaxPasswdBytes, "/etc/passwd");
  } catch (const Error&) {
    return {};
  }
}

std::string home_of(std::uint32_t uid) {
  const std::string text = read_passwd();
  for (const std::string_view line : split(text, '\n')) {
    const std::vector<std::string_view> fields = split(line, ':');
    if (fields.size() < 6 || parse_decimal(fields[2]) != std::optional<std::uint64_t>(uid))
      continue;
    return fields[5].empty() ? "/" : std::string(fields[5]);
  }
  return "/";
}

}  // namespace

void add_home(Process& process) {
  const auto is_home = [](const std::string& variable) { return variable.rfind("HOME=", 0) == 0; };
  if (std::any_of(process.env.begin(), process.env.end(), is_home)) return;
  process.env.push_back(cat("HOME=", home_of(process.user.uid)));
}

}  // namespace lade::sandbox
