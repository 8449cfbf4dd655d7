#include <set>

#include <gtest/gtest.h>

#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

TEST(Transports, HaveNamesAndSyntaxOfTheirOwn) {
  std::set<std::string_view> names;
  for (const Transport& transport : transports()) {
    EXPECT_TRUE(names.insert(transport.name).second);
    EXPECT_TRUE(transport.syntax.starts_with(cat(transport.name, ":"))) << transport.syntax;
    EXPECT_NE(transport.reader, nullptr);
    EXPECT_NE(transport.reference, nullptr);
  }
  for (const char* name :
       {"oci", "oci-archive", "docker-archive", "dir", "docker", "docker-daemon", "tarball"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(Transports, AnUnknownOneIsAnsweredWithTheNearest) {
  try {
    (void)parse_image_name("oci-archiv:x");
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::invalid_argument);
    EXPECT_NE(std::string_view(e.what()).find("'oci-archive'"), std::string_view::npos);
  }
  EXPECT_EQ(code_thrown([] {
              (void)transport_of(ImageName{"nonesuch", "x"});
            }),
            Errc::invalid_argument);
}

TEST(Transports, APathNameSaysWhichImageIsMeant) {
  const auto reference = [](std::string_view text) {
    const ImageName name = parse_image_name(text);
    return transport_of(name).reference(name);
  };
  const std::string digest = sha256_of("x").str();
  EXPECT_EQ(reference("oci:dir"), TagOrDigest(Tag{}));
  EXPECT_EQ(reference("oci:dir:tag"), TagOrDigest(Tag{"tag"}));
  EXPECT_EQ(reference("oci:dir:host:5000/a:tag"), TagOrDigest(Tag{"host:5000/a:tag"}));
  EXPECT_EQ(reference("oci:dir:@3"), TagOrDigest(Tag{}));
  EXPECT_EQ(reference("oci-archive:f.tar@" + digest), TagOrDigest(Digest::parse(digest)));
  EXPECT_EQ(reference("docker-archive:f.tar:busybox:1"), TagOrDigest(Tag{"busybox:1"}));
  EXPECT_EQ(reference("dir:a:b"), TagOrDigest(Tag{}));
  EXPECT_EQ(code_thrown([&] { (void)reference("oci::tag"); }), Errc::invalid_argument);
}

TEST(Transports, ALayoutsNamePicksItsImage) {
  const TempDir room("/tmp");
  Session session({});
  const auto name = [&](std::string_view reference) {
    return parse_image_name(cat("oci:", room.path(), "/layout", reference));
  };
  const auto resolved = [&](std::string_view reference) {
    const OpenedReader opened = open_reader(name(reference), session);
    return opened.reader->resolve(opened.reference);
  };
  std::vector<SampleImage> images;
  for (const char* seed : {"a", "b"}) {
    images.push_back(sample_image(seed, oci::Family::oci));
    const OpenedWriter opened = open_writer(name(cat(":", seed)), session);
    write_image(*opened.writer, images.back());
    opened.writer->tag(Tag{}, images.back().descriptor);  // the name's own
  }
  EXPECT_EQ(resolved(":b")->digest, images[1].descriptor.digest);
  EXPECT_EQ(resolved(":@0")->digest, images[0].descriptor.digest);
  EXPECT_EQ(resolved(cat("@", images[1].descriptor.digest.str()))->digest,
            images[1].descriptor.digest);
  EXPECT_FALSE(resolved(":c"));
  EXPECT_FALSE(resolved(":@2"));
  EXPECT_EQ(code_thrown([&] { (void)resolved(""); }), Errc::invalid_argument);
  EXPECT_EQ(code_thrown([&] { (void)open_writer(name(":@0"), session); }), Errc::invalid_argument);
}

}  // namespace
}  // namespace lade::testing
