// docker:// runs the suite that all stores run.
#include <gtest/gtest.h>

#include "tests/support/store_conformance.h"
#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

class DockerPlace {
 public:
  static constexpr oci::Family kFamily = oci::Family::oci;
  static constexpr bool kAnyContent = true;
  static constexpr int kNames = 2;
  Writer& writer() {
    if (!writer_) writer_ = room_.writer("test/image:name0");
    return *writer_;
  }
  Reader& reader() {
    if (writer_) writer_->finish();
    readers_.push_back(room_.reader("test/image:name0"));
    return *readers_.back();
  }
  static Tag name(int n) { return Tag{cat("name", n)}; }
  [[nodiscard]] static std::size_t files() { return 0; }

 private:
  DockerRoom room_;
  std::unique_ptr<Writer> writer_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Docker, StoreConformance, DockerPlace);

}  // namespace
}  // namespace lade::testing
