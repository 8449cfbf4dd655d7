// Applying a layer: nothing beside the root is made, changed or removed. The first byte chooses
// how.
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/layer/snapshot.h"

#include "fuzz/property.h"
#include "fuzz/sound_tar.h"

namespace {

/// A directory with `root` to apply to, `lower` below it and `outside`, which stays as it is.
class Ground {
 public:
  Ground()
      : temp_(std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp", "lade-fuzz-") {
    make("outside");
    make("outside/sub");
    make("lower");
    make("lower/d");
    make("root");
    const lade::UniqueFd canary(
        ::openat(temp_.dir().get(), "outside/canary", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    (void)!::symlinkat("../outside", temp_.dir().get(), "lower/link");
    lower_ = lade::DirFd(::openat(temp_.dir().get(), "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    before_ = outside();
  }
  lade::DirFd fresh_root() {
    lade::remove_tree(temp_.dir(), "root");
    make("root");
    (void)!::symlinkat("../outside", temp_.dir().get(), "root/up");
    (void)!::symlinkat((temp_.path() + "/outside").c_str(), temp_.dir().get(), "root/out");
    return lade::DirFd(::openat(temp_.dir().get(), "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  [[nodiscard]] const lade::DirFd& lower() const noexcept { return lower_; }
  void check() { lade::fuzz::require(outside() == before_); }

 private:
  void make(const char* name) { (void)::mkdirat(temp_.dir().get(), name, 0755); }
  /// Everything beside the root: one entry more or less, or one bit, shows.
  [[nodiscard]] std::string outside() const {
    std::string text;
    for (const char* const tree : {"outside", "lower"}) {
      const lade::DirFd dir(::openat(temp_.dir().get(), tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      for (const auto& [path, file] : lade::capture(dir)) {
        text += path + ' ' + std::to_string(file.attributes.mode) + ' ' +
                std::to_string(file.attributes.uid) + ' ' + std::to_string(file.attributes.size) +
                ' ' + std::to_string(file.inode.links) + ' ' +
                std::to_string(file.inode.changed.seconds) + '.' +
                std::to_string(file.inode.changed.nanoseconds) + '\n';
      }
    }
    struct stat st {};
    lade::fuzz::require(::fstat(temp_.dir().get(), &st) == 0);
    return text + std::to_string(st.st_nlink);
  }

  lade::TempDir temp_;
  lade::DirFd lower_;
  std::string before_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Ground ground;
  if (size == 0) return 0;
  std::string tar(lade::fuzz::text_of(data + 1, size - 1));
  if ((data[0] & 1U) == 0) tar = lade::fuzz::with_checksums(std::move(tar));
  lade::ApplyOptions options;
  options.limits = {.max_entries = 200, .max_bytes = std::uint64_t{1} << 20U};
  options.overlay_whiteouts = (data[0] & 2U) != 0;
  if (::geteuid() != 0 || (data[0] & 4U) != 0) options.rights = lade::Rights::own;
  options.whiteouts = (data[0] & 8U) == 0;
  if ((data[0] & 16U) != 0) options.lower = {&ground.lower()};
  const lade::DirFd root = ground.fresh_root();
  lade::StringSource source(tar);
  try {
    (void)lade::apply_layer(root, source, options);
  } catch (const lade::Error&) {
    // What breaks the rules is refused.
  }
  ground.check();
  return 0;
}
