#include "libimage/store/made_dirs.h"

#include <sys/stat.h>
#include <unistd.h>

namespace lade {

MadeDirs::MadeDirs(const std::string& path) {
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    std::string prefix = path.substr(0, at);
    struct stat st {};
    if (!prefix.empty() && ::lstat(prefix.c_str(), &st) != 0) missing_.push_back(std::move(prefix));
    if (at == std::string::npos) break;
  }
}

void MadeDirs::remove() const noexcept {
  for (auto it = missing_.rbegin(); it != missing_.rend(); ++it) ::rmdir(it->c_str());
}

}  // namespace lade
