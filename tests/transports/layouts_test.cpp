// Layouts as they are found: names used twice, further members, indexes in indexes, blobs
// elsewhere.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class LayoutsFound : public ::testing::Test {
 protected:
  [[nodiscard]] ImageName name(std::string_view reference = "") const {
    return parse_image_name(cat("oci:", room.path(), "/layout", reference));
  }
  std::optional<oci::Descriptor> resolved(std::string_view reference) {
    const OpenedReader opened = open_reader(name(reference), session);
    return opened.reader->resolve(opened.reference);
  }
  SampleImage stored(std::string_view seed, std::string_view reference) {
    SampleImage image = sample_image(seed, oci::Family::oci);
    const OpenedWriter to = open_writer(name(reference), session);
    write_image(*to.writer, image);
    to.writer->tag(Tag{}, image.descriptor);
    return image;
  }
  void write_index(const std::string& json) const {
    std::ofstream(cat(room.path(), "/layout/index.json")) << json;
  }
  [[nodiscard]] std::string index() const {
    return read_file(cat(room.path(), "/layout/index.json"), 1U << 20U);
  }
  static std::string named(const SampleImage& image, std::string_view text) {
    oci::Descriptor entry = image.descriptor;
    entry.annotations = oci::Annotations{{"org.opencontainers.image.ref.name", std::string(text)}};
    return oci::serialise(entry);
  }

  TempDir room{"/tmp"};
  Session session{{}};
};

TEST_F(LayoutsFound, TheFirstOfANameUsedTwiceIsMeant) {
  const SampleImage first = stored("a", ":x");
  const SampleImage second = stored("b", ":y");
  write_index(
      cat(R"({"schemaVersion":2,"manifests":[)", named(first, "x"), ",", named(second, "x"), "]}"));
  EXPECT_EQ(resolved(":x")->digest, first.descriptor.digest);
  EXPECT_EQ(resolved(":@1")->digest, second.descriptor.digest);
  // Giving the name anew leaves one of it.
  const SampleImage third = stored("c", ":x");
  EXPECT_EQ(resolved(":x")->digest, third.descriptor.digest);
  const std::string text = index();
  const std::size_t at = text.find(R"(ref.name":"x")");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(text.find(R"(ref.name":"x")", at + 1), std::string::npos);
}

TEST_F(LayoutsFound, MembersThatOthersAddedStay) {
  const SampleImage first = stored("a", ":x");
  write_index(
      cat(R"({"schemaVersion":2,"x-theirs":{"a":[1.50]},"annotations":{"k":"v"},"manifests":[)",
          named(first, "x"), "]}"));
  (void)stored("b", ":y");
  EXPECT_NE(index().find(R"("x-theirs":{"a":[1.50]})"), std::string::npos);
  EXPECT_NE(index().find(R"("annotations":{"k":"v"})"), std::string::npos);
}

TEST_F(LayoutsFound, AnUnnamedEntryOfTheImageTakesTheName) {
  const SampleImage image = stored("a", "");
  (void)stored("a", ":x");
  const OpenedReader from = open_reader(name(), session);
  EXPECT_EQ(*from.reader->tags(), std::vector<std::string>{"x"});
  EXPECT_EQ(resolved(":@0")->digest, image.descriptor.digest);
  EXPECT_FALSE(resolved(":@1"));
}

TEST_F(LayoutsFound, AnIndexInAnIndexIsReached) {
  const SampleImage image = stored("a", ":x");
  const OpenedWriter to = open_writer(name(":nested"), session);
  oci::Descriptor document = image.descriptor;
  for (int depth = 0; depth < 2; ++depth) {
    const std::string raw = oci::serialise(oci::Index{.manifests = {document}});
    document = oci::describe(std::string(oci::kImageIndex), raw);
    to.writer->put_manifest(document, raw);
  }
  to.writer->tag(Tag{}, document);
  EXPECT_EQ(resolved(":nested")->digest, document.digest);
  EXPECT_EQ(resolved(cat("@", image.descriptor.digest.str()))->digest, image.descriptor.digest);
}

TEST_F(LayoutsFound, SharedBlobsAreKeptOutsideOfTheLayout) {
  const std::string shared = cat(room.path(), "/shared");
  Session sharing({.shared_blob_dir = shared});
  const SampleImage image = sample_image("a", oci::Family::oci);
  {
    const OpenedWriter to = open_writer(name(":x"), sharing);
    write_image(*to.writer, image);
    to.writer->tag(Tag{}, image.descriptor);
  }
  EXPECT_FALSE(std::filesystem::exists(cat(room.path(), "/layout/blobs")));
  EXPECT_TRUE(std::filesystem::exists(cat(shared, "/sha256/", image.descriptor.digest.encoded())));
  const OpenedReader from = open_reader(name(":x"), sharing);
  EXPECT_EQ(from.reader->document(*from.reader->resolve(from.reference)).raw, image.manifest);
  const OpenedReader alone = open_reader(name(":x"), session);
  EXPECT_EQ(code_thrown([&] { (void)alone.reader->document(image.descriptor); }), Errc::not_found);
  Session elsewhere({.shared_blob_dir = cat(room.path(), "/none")});
  EXPECT_EQ(code_thrown([&] { (void)open_reader(name(":x"), elsewhere); }), Errc::not_found);
}

}  // namespace
}  // namespace lade::testing
