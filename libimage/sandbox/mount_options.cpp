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
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", 0, 0},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", kNoSymFollow, 0},
    {"symfollow", 0, kNoSymFollow},
}};

const Word* find_word(std::string_view name) {
  const auto* const word =
      std::find_if(kWords.begin(), kWords.end(), [&](const Word& w) { return w.name == name; });
  return word == kWords.end() ? nullptr : word;
}

void apply(const Word& word, std::uint64_t& set, std::uint64_t& clear) {
  clear = (clear & ~word.set) | word.clear;
  set = (set & ~word.clear) | word.set;
}

/// Words that say something of the mount itself, whatever its file system.
bool take_generic(const Mount& mount, std::string_view option, MountOptions& parsed) {
  if (const Word* word = find_word(option)) {
    apply(*word, parsed.set, parsed.clear);
    return true;
  }
  if (option.size() > 1 && option.front() == 'r') {
    if (const Word* word = find_word(option.substr(1))) {
      apply(*word, parsed.below.set, parsed.below.clear);
      return true;
    }
  }
  if (const unsigned propagation = propagation_of(option); propagation != 0) {
    parsed.propagation = propagation;
    parsed.propagates_below = option.front() == 'r';
    return true;
  }
  if (option == "bind" || option == "rbind") {
    parsed.recursive = option == "rbind";
    return true;
  }
  if (option == "idmap" || option == "ridmap") {
    parsed.id_mapped = true;
    parsed.id_mapped_below = option == "ridmap";
    return true;
  }
  if (option == "tmpcopyup" && mount.type == "tmpfs") return parsed.copies_up = true;
  return option == "defaults" || (mount.type == "devpts" && option == "newinstance");
}

}  // namespace

std::vector<std::string> mount_option_words() {
  std::vector<std::string> words = {"bind",      "rbind",    "idmap",      "ridmap",     "defaults",
                                    "tmpcopyup", "shared",   "rshared",    "slave",      "rslave",
                                    "private",   "rprivate", "unbindable", "runbindable"};
  for (const Word& word : kWords) {
    words.emplace_back(word.name);
    words.push_back(cat("r", word.name));
  }
  std::sort(words.begin(), words.end());
  return words;
}

unsigned propagation_of(std::string_view word) noexcept {
  if (word == "shared" || word == "rshared") return MS_SHARED;
  if (word == "slave" || word == "rslave") return MS_SLAVE;
  if (word == "private" || word == "rprivate") return MS_PRIVATE;
  if (word == "unbindable" || word == "runbindable") return MS_UNBINDABLE;
  return 0;
}

MountOptions parse_mount_options(const Mount& mount) {
  MountOptions parsed;
  for (const std::string& option : mount.options) {
    if (take_generic(mount, option, parsed)) continue;
    const std::size_t equals = option.find('=');
    if (is_bind(mount) || option.empty() || equals == 0) {
      throw Error(Errc::invalid_argument,
                  cat("mounts: ", quoted(mount.destination), ": option ", quoted(option),
                      " is not one that ", quoted(mount.type), " takes"));
    }
    parsed.data.emplace_back(option.substr(0, equals), equals == std::string::npos
                                                           ? std::string(1, kNoValue)
                                                           : option.substr(equals + 1));
  }
  if (!mount.uid_mappings.empty() || !mount.gid_mappings.empty()) parsed.id_mapped = true;
  return parsed;
}

}  // namespace lade::sandbox
