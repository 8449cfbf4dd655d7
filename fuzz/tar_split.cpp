// tar-split's lines: what is read can be written and read again; a layer put together by them opens
// nothing outside of its tree.
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/storage/assembled_source.h"
#include "libimage/store/text_source.h"

#include "fuzz/property.h"

namespace {

constexpr std::uint64_t kLimit = std::uint64_t{16} << 20U;
constexpr std::string_view kSecret = "outside-of-the-tree";

/// A tree beside a file that nothing may read.
class Ground {
 public:
  Ground() : temp_("/tmp", "lade-fuzz-") {
    (void)::mkdirat(temp_.dir().get(), "tree", 0755);
    write("secret", kSecret);
    write("tree/a", "inside");
    (void)::symlinkat("../secret", temp_.dir().get(), "tree/up");
    (void)::symlinkat((temp_.path() + "/secret").c_str(), temp_.dir().get(), "tree/out");
  }
  [[nodiscard]] lade::DirFd tree() const {
    return lade::DirFd(lade::open_in_root(temp_.dir(), "tree", O_RDONLY | O_DIRECTORY));
  }

 private:
  void write(const char* name, std::string_view text) {
    const lade::UniqueFd fd(
        ::openat(temp_.dir().get(), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    lade::FdSink(fd.get(), name).write(lade::bytes_of(text));
  }
  lade::TempDir temp_;
};

void check_lines(std::string_view text) {
  try {
    const lade::TarSplitEntry entry = lade::parse_tar_split_entry(text);
    std::string line;
    lade::append_tar_split_entry(line, entry, 0);
    lade::fuzz::require(
        lade::parse_tar_split_entry(std::string_view(line).substr(0, line.size() - 1)) == entry);
  } catch (const lade::Error&) {
    // What breaks the rules is refused.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Ground ground;
  const std::string text(lade::fuzz::text_of(data, size));
  check_lines(text.substr(0, text.find('\n')));
  const bool names_secret = text.find(kSecret) != std::string::npos;
  try {
    lade::AssembledSource source(std::make_unique<lade::TextSource>(text),
                                 lade::TreeFiles(ground.tree()));
    const std::string tar = lade::read_all(source, kLimit, "layer");
    lade::fuzz::require(names_secret || tar.find(kSecret) == std::string::npos);
  } catch (const lade::Error&) {
    // As above.
  }
  return 0;
}
