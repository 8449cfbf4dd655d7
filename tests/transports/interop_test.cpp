// Our layouts, archives and directories under the peers' eyes, and theirs under ours. A peer that
// is not installed fails the test.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

/// Runs a shell command; its output on success, a failure otherwise.
std::string run(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw_errno("popen");
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  const int status = ::pclose(pipe);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << output;
  return output;
}

class Interop : public ::testing::Test {
 protected:
  [[nodiscard]] std::string in_room(std::string_view name) const {
    return cat(room.path(), "/", name);
  }
  [[nodiscard]] std::string named(std::string_view transport, std::string_view name) const {
    const bool docker = transport == "docker-archive";
    const bool dir = transport == "dir";
    return cat(transport, ":", in_room(name), dir ? "" : docker ? ":example.com/image:1" : ":one");
  }

  void write(const std::string& name, const SampleImage& image) {
    const OpenedWriter opened = open_writer(parse_image_name(name), session);
    write_image(*opened.writer, image);
    opened.writer->tag(std::get<Tag>(opened.reference), image.descriptor);
    opened.writer->finish();
  }

  /// Config and plain layers as we read them.
  std::vector<std::string> contents(const std::string& name) {
    const OpenedReader opened = open_reader(parse_image_name(name), session);
    const auto root = opened.reader->resolve(opened.reference);
    if (!root) throw Error(Errc::not_found, name);
    const auto manifest = std::get<oci::Manifest>(opened.reader->document(*root).parsed);
    std::vector<std::string> all{read_blob(*opened.reader, manifest.config)};
    for (const auto& layer : manifest.layers) all.push_back(read_blob(*opened.reader, layer));
    return all;
  }

  static std::vector<std::string> contents(const SampleImage& image) {
    return {image.config, image.layers[0], image.layers[1]};
  }

  void skopeo_copy(const std::string& from, const std::string& to) const {
    run(cat("skopeo --insecure-policy copy -q --dest-oci-accept-uncompressed-layers '", from, "' '",
            to, "'"));
  }

  TempDir room{"/tmp"};
  Session session{{.temp_root = "/tmp"}};
};

constexpr std::array kTransports{"oci", "oci-archive", "docker-archive", "dir"};

oci::Family family_of(std::string_view transport) {
  return transport == "docker-archive" ? oci::Family::docker : oci::Family::oci;
}

TEST_F(Interop, SkopeoReadsWhatWeWrite) {
  for (const std::string transport : kTransports) {
    const SampleImage image = sample_image("interop", family_of(transport));
    const std::string ours = named(transport, "ours-" + transport);
    write(ours, image);
    const std::string copy = "dir:" + in_room("copy-" + transport);
    skopeo_copy(ours, copy);
    EXPECT_EQ(contents(copy), contents(image)) << transport;
  }
}

TEST_F(Interop, WeReadWhatSkopeoWrites) {
  const SampleImage image = sample_image("interop", oci::Family::oci);
  write("dir:" + in_room("source"), image);
  for (const std::string transport : kTransports) {
    const std::string theirs = named(transport, "theirs-" + transport);
    skopeo_copy("dir:" + in_room("source"), theirs);
    const std::vector<std::string> read = contents(theirs);
    ASSERT_EQ(read.size(), 3U) << transport;
    EXPECT_EQ(read[1], image.layers[0]) << transport;
    EXPECT_EQ(read[2], image.layers[1]) << transport;
    EXPECT_EQ(read[0], image.config) << transport;
  }
}

TEST_F(Interop, SkopeoNamesWhatWeNamed) {
  const SampleImage image = sample_image("interop", oci::Family::docker);
  const std::string ours = named("docker-archive", "ours.tar");
  write(ours, image);
  const std::string listed = run(cat("skopeo list-tags docker-archive:", in_room("ours.tar")));
  EXPECT_NE(listed.find("\"example.com/image:1\""), std::string::npos) << listed;
}

TEST_F(Interop, OurLayoutPassesTheValidator) {
  const SampleImage image = sample_image("interop", oci::Family::oci);
  write(named("oci", "layout"), image);
  run(cat("oci-image-tool validate --type image --ref name=one ", in_room("layout")));
  // Its reader of archives finds nothing in anyone's, so it gets the archive unpacked.
  write(named("oci-archive", "layout.tar"), image);
  std::filesystem::create_directory(in_room("unpacked"));
  run(cat("tar -C ", in_room("unpacked"), " -xf ", in_room("layout.tar")));
  run(cat("oci-image-tool validate --type image --ref name=one ", in_room("unpacked")));
}

TEST_F(Interop, UmociUnpacksOurLayout) {
  const SampleImage image = sample_image("interop", oci::Family::oci);
  write(named("oci", "layout"), image);
  run(cat("umoci unpack --image ", in_room("layout"), ":one ", in_room("bundle")));
  EXPECT_EQ(read_file(in_room("bundle/rootfs/base"), 1000), "base of interop");
  EXPECT_EQ(read_file(in_room("bundle/rootfs/top"), 1000), "top of interop");
}

TEST_F(Interop, WeAndUmociShareALayout) {
  const std::string layout = in_room("layout");
  run(cat("umoci init --layout ", layout, " && umoci new --image ", layout, ":theirs"));
  const SampleImage image = sample_image("interop", oci::Family::oci);
  write(cat("oci:", layout, ":ours"), image);
  const std::string listed = run(cat("umoci ls --layout ", layout));
  EXPECT_NE(listed.find("theirs"), std::string::npos) << listed;
  EXPECT_NE(listed.find("ours"), std::string::npos) << listed;
  EXPECT_EQ(contents(cat("oci:", layout, ":theirs")).size(), 1U);  // a config, no layers
  run(cat("umoci gc --layout ", layout));
  EXPECT_EQ(contents(cat("oci:", layout, ":ours")), contents(image));
}

TEST_F(Interop, TarListsOurArchives) {
  for (const std::string transport : {"oci-archive", "docker-archive"}) {
    write(named(transport, "a.tar"), sample_image("interop", family_of(transport)));
    run(cat("tar -tf ", in_room("a.tar")));
    std::filesystem::remove(in_room("a.tar"));
  }
}

}  // namespace
}  // namespace lade::testing
