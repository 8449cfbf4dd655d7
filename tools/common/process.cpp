#include "tools/common/process.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libimage/base/text.h"
#include "libimage/sandbox/user_namespace.h"

namespace lade::tools {

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

void reserve_standard_streams() noexcept {
  for (int fd = 0; fd <= 2; ++fd) {
    // The lowest free number is `fd` itself.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDONLY) != fd) ::_exit(1);
  }
}

void return_large_buffers() {
  // Above the 256 KiB chunks of the streams, which come and go too often to be mapped each time.
  constexpr int kThreshold = 512 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kThreshold);
}

void allow_many_files() noexcept {
  constexpr rlim_t kWanted = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min(kWanted, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // without, only very deep stacks fail
}

int execute(const std::string& path, std::vector<std::string> words,
            std::vector<std::string> variables) noexcept {
  const auto pointers = [](std::vector<std::string>& list) {
    std::vector<char*> out;
    for (std::string& text : list) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
  };
  ::execve(path.c_str(), pointers(words).data(), pointers(variables).data());
  return errno;
}

bool is_open_descriptor(int number) noexcept { return ::fcntl(number, F_GETFD) >= 0; }

unsigned process_uid() {
  static const unsigned uid = [] {
    const unsigned own = ::geteuid();
    const char* outer = std::getenv("_CONTAINERS_ROOTLESS_UID");
    if (own != 0 || outer == nullptr) return own;
    const auto number = parse_decimal(outer);
    const bool given = number && *number < 0xffffffffU && sandbox::in_user_namespace();
    return given ? static_cast<unsigned>(*number) : own;
  }();
  return uid;
}

}  // namespace lade::tools
