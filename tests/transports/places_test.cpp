// Every transport that keeps images in files runs the suite that all stores run.
#include <optional>

#include "libimage/transports/transports.h"

#include "tests/support/store_conformance.h"

namespace lade::testing {
namespace {

/// A store that the tests name as users do.
class NamedPlace {
 public:
  explicit NamedPlace(const std::string& transport)
      : name_(parse_image_name(cat(transport, ":", room_.path(), "/image"))) {}
  Writer& writer() {
    if (!writer_) writer_ = open_writer(name_, session_).writer;
    return *writer_;
  }
  Reader& reader() {
    if (writer_ && !finished_) writer_->finish();
    finished_ = true;
    readers_.push_back(open_reader(name_, session_).reader);
    return *readers_.back();
  }
  [[nodiscard]] std::size_t files() const { return count_files(room_.path()); }

 private:
  TempDir room_{"/tmp"};
  ImageName name_;
  Session session_{{}};
  std::unique_ptr<Writer> writer_;
  bool finished_ = false;
  std::vector<std::unique_ptr<Reader>> readers_;
};

struct OciPlace : NamedPlace {
  static constexpr oci::Family kFamily = oci::Family::oci;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 2;
  OciPlace() : NamedPlace("oci") {}
  static Tag name(int n) { return Tag{cat("name", n)}; }
};

struct OciArchivePlace : NamedPlace {
  static constexpr oci::Family kFamily = oci::Family::oci;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 2;
  OciArchivePlace() : NamedPlace("oci-archive") {}
  static Tag name(int n) { return Tag{cat("name", n)}; }
};

/// Holds plain layers and Docker's documents only; an image is read as a manifest made up anew.
struct DockerArchivePlace : NamedPlace {
  static constexpr oci::Family kFamily = oci::Family::docker;
  static constexpr bool kAnyContent = false;
  static constexpr int kNames = 2;
  DockerArchivePlace() : NamedPlace("docker-archive") {}
  static Tag name(int n) { return Tag{cat("docker.io/library/name:", n)}; }
};

struct DirPlace : NamedPlace {
  static constexpr oci::Family kFamily = oci::Family::docker;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 0;
  DirPlace() : NamedPlace("dir") {}
  static Tag name(int /*n*/) { return Tag{}; }
};

using Places = ::testing::Types<OciPlace, OciArchivePlace, DockerArchivePlace, DirPlace>;
INSTANTIATE_TYPED_TEST_SUITE_P(Transports, StoreConformance, Places);

}  // namespace
}  // namespace lade::testing
