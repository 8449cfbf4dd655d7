// Documents that a layout holds for the sake of others: listed without a name, found by subject.
#include <gtest/gtest.h>

#include "libimage/io/path.h"
#include "libimage/store/layout_store.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class LayoutReferrers : public ::testing::Test {
 protected:
  LayoutReferrers() {
    write_image(store, image);
    store.tag(Tag{"image"}, image.descriptor);
  }

  oci::Descriptor put_referrer(const std::string& content) {
    const oci::Manifest manifest{.artifact_type = "application/vnd.example.sbom",
                                 .config = put_blob(store, std::string(oci::kEmptyJson), "{}"),
                                 .layers = {put_blob(store, "text/plain", content)},
                                 .subject = image.descriptor};
    const std::string raw = oci::serialise(manifest);
    oci::Descriptor descriptor = oci::describe(std::string(oci::kImageManifest), raw);
    store.put_manifest(descriptor, raw);
    descriptor.artifact_type = manifest.artifact_type;
    return descriptor;
  }

  TempDir room{"/tmp"};
  LayoutStore store{room.path() + "/layout", {.create = true}};
  SampleImage image = sample_image("1", oci::Family::oci);
};

TEST_F(LayoutReferrers, AreFoundOnceTheyAreListed) {
  const oci::Descriptor first = put_referrer("one");
  EXPECT_TRUE(store.referrers(image.descriptor.digest)->empty());
  store.list_referrer(first);
  store.list_referrer(first);
  EXPECT_EQ(store.entries().size(), 2U);
  EXPECT_EQ(store.referrers(image.descriptor.digest)->size(), 1U);
  store.list_referrer(put_referrer("two"));
  EXPECT_EQ(store.referrers(image.descriptor.digest)->size(), 2U);
  EXPECT_TRUE(store.referrers(first.digest)->empty());
}

TEST_F(LayoutReferrers, LeaveTheImageTheOnlyOneToBeMeantByNoName) {
  store.list_referrer(put_referrer("one"));
  store.tag(Tag{"sha256-" + std::string(image.descriptor.digest.encoded()) + ".sig"},
            put_referrer("signature"));
  EXPECT_EQ(store.resolve(Tag{})->digest, image.descriptor.digest);
  const SampleImage other = sample_image("2", oci::Family::oci);
  write_image(store, other);
  store.tag(Tag{"other"}, other.descriptor);
  EXPECT_EQ(code_thrown([&] { (void)store.resolve(Tag{}); }), Errc::invalid_argument);
}

TEST_F(LayoutReferrers, AreImagesToo) {
  LayoutStore alone(room.path() + "/alone", {.create = true});
  const oci::Manifest manifest{.artifact_type = "application/vnd.example.sbom",
                               .config = put_blob(alone, std::string(oci::kEmptyJson), "{}")};
  const std::string raw = oci::serialise(manifest);
  oci::Descriptor descriptor = oci::describe(std::string(oci::kImageManifest), raw);
  alone.put_manifest(descriptor, raw);
  descriptor.artifact_type = manifest.artifact_type;
  alone.tag(Tag{}, descriptor);
  EXPECT_EQ(alone.resolve(Tag{})->digest, descriptor.digest);
}

}  // namespace
}  // namespace lade::testing
