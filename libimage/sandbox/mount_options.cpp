#include "libimage/sandbox/mount_options.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <sys/mount.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kNoSymFollow = 0x00200000;  // MOUNT_ATTR_NOSYMFOLLOW, not in glibc 2.36

struct Word {
  std::string_view name;
  std::uint64_t set;
  std::uint64_t clear;
};
constexpr std::array<Word, 17> kWords = {{
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", kNoSymFollow, 0},
    {"symfollow", 0, kNoSymFollow},
    {"private", 0, 0},  // every mount of a step is private
    {"rprivate", 0, 0},
}};

struct DataWords {
  std::string_view type;
  std::array<std::string_view, 6> words;
};
constexpr std::array<DataWords, 3> kDataWords = {{
    {"tmpfs", {"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks"}},
    {"content", {"mode", "uid", "gid", "", "", ""}},
    {"devpts", {"ptmxmode", "mode", "uid", "gid", "max", ""}},
}};

bool takes_data(std::string_view type, std::string_view word) {
  for (const DataWords& known : kDataWords) {
    if (known.type != type) continue;
    return std::find(known.words.begin(), known.words.end(), word) != known.words.end();
  }
  return false;
}

}  // namespace

MountOptions parse_mount_options(const Mount& mount) {
  MountOptions parsed;
  for (const std::string& option : mount.options) {
    const auto* const word =
        std::find_if(kWords.begin(), kWords.end(), [&](const Word& w) { return w.name == option; });
    const std::size_t equals = option.find('=');
    if (word != kWords.end()) {
      parsed.clear = (parsed.clear & ~word->set) | word->clear;
      parsed.set = (parsed.set & ~word->clear) | word->set;
    } else if (mount.type == "bind" && (option == "bind" || option == "rbind")) {
      parsed.recursive = option == "rbind";
    } else if (mount.type == "devpts" && option == "newinstance") {
      continue;  // what every devpts mount is
    } else if (equals != std::string::npos && equals > 0 &&
               takes_data(mount.type, std::string_view(option).substr(0, equals))) {
      parsed.data.emplace_back(option.substr(0, equals), option.substr(equals + 1));
    } else {
      throw Error(Errc::invalid_argument,
                  cat("mount ", quoted(mount.destination), ": option ", quoted(option),
                      " is not one that ", quoted(mount.type), " takes"));
    }
  }
  return parsed;
}

}  // namespace lade::sandbox
