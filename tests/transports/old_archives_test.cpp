// docker-archive: of all ages, and what engines answer.
#include <fstream>

#include <gtest/gtest.h>

#include "libimage/io/path.h"
#include "libimage/oci/layout.h"
#include "libimage/transports/docker_archive_legacy.h"
#include "libimage/transports/engine_json.h"
#include "libimage/transports/transports.h"

#include "tests/support/sample_image.h"
#include "tests/support/tar_maker.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class OldArchive : public ::testing::Test {
 protected:
  OpenedReader open(std::string_view transport, const TarMaker& tar, std::string_view name = "") {
    const std::string path = cat(room.path(), "/old.tar");
    std::ofstream(path, std::ios::binary) << tar.finished();
    return open_reader(parse_image_name(cat(transport, ":", path, name)), session);
  }

  TempDir room{"/tmp"};
  Session session{{.temp_root = "/tmp"}};
  const SampleImage image = sample_image("a", oci::Family::docker);
};

constexpr std::string_view kBase =
    R"({"id":"aa","created":"2014-01-01T00:00:00Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD"]}})";
constexpr std::string_view kTop =
    R"({"id":"bb","parent":"aa","created":"2014-02-01T00:00:00Z","author":"me","architecture":"amd64",
       "os":"linux","config":{"Env":["A=b"],"Cmd":["sh"]},"container_config":{"Cmd":["/bin/sh"]},"Size":1})";

TEST_F(OldArchive, WithoutAManifestIsPutTogetherFromItsLayers) {
  TarMaker tar;
  tar.add("aa/VERSION", "1.0")
      .add("aa/json", kBase)
      .add("aa/layer.tar", image.layers[0])
      .add("bb/VERSION", "1.0")
      .add("bb/json", kTop)
      .add("bb/layer.tar", image.layers[1])
      .add("repositories", R"({"busybox":{"latest":"bb","1":"bb"},"base":{"x":"aa"}})");
  const OpenedReader from = open("docker-archive", tar, ":busybox:1");
  const auto root = from.reader->resolve(from.reference);
  ASSERT_TRUE(root);
  const auto manifest = std::get<oci::Manifest>(from.reader->document(*root).parsed);
  ASSERT_EQ(manifest.layers.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read_blob(*from.reader, manifest.layers[i]), image.layers[i]);
  }
  const oci::ImageConfig config = oci::parse_image_config(read_blob(*from.reader, manifest.config));
  EXPECT_EQ(config.architecture, "amd64");
  EXPECT_EQ(config.config->env, std::vector<std::string>{"A=b"});
  EXPECT_EQ(config.diff_ids[1].value, sha256_of(image.layers[1]));
  ASSERT_EQ(config.history.size(), 2U);
  EXPECT_EQ(config.history[0].created_by, "/bin/sh -c #(nop) ADD");
  EXPECT_EQ(config.history[1].author, "me");
  EXPECT_EQ(*from.reader->tags(),
            (std::vector<std::string>{"docker.io/library/busybox:latest",
                                      "docker.io/library/busybox:1", "docker.io/library/base:x"}));
  EXPECT_EQ(code_thrown([&] { (void)open("docker-archive", tar).reader->resolve(Tag{}); }),
            Errc::invalid_argument);
}

TEST_F(OldArchive, ThatLiesIsRefused) {
  const auto opened = [&](std::string_view repositories, std::string_view json) {
    TarMaker tar;
    tar.add("aa/json", json).add("aa/layer.tar", image.layers[0]).add("repositories", repositories);
    const OpenedReader from = open("docker-archive", tar);
    (void)from.reader->resolve(from.reference);
  };
  constexpr std::string_view kGood = R"({"a":{"b":"aa"}})";
  EXPECT_NO_THROW(opened(kGood, kBase));
  EXPECT_EQ(code_thrown([&] { opened(kGood, R"({"id":"aa","parent":"aa"})"); }),
            Errc::invalid_content);
  EXPECT_EQ(code_thrown([&] { opened(kGood, R"({"id":"aa","parent":"../aa"})"); }),
            Errc::invalid_content);
  EXPECT_EQ(code_thrown([&] { opened(kGood, R"({"id":"aa","parent":"cc"})"); }), Errc::not_found);
  EXPECT_EQ(code_thrown([&] { opened(R"({"a":{"b":"dd"}})", kBase); }), Errc::not_found);
  EXPECT_EQ(code_thrown([&] { opened(R"({"a":{"b":"/etc"}})", kBase); }), Errc::invalid_content);
  EXPECT_EQ(code_thrown([&] { opened("[]", kBase); }), Errc::invalid_content);
}

/// Docker from 25 on: a layout with manifest.json beside it.
TEST_F(OldArchive, OfTodayIsALayoutAsWell) {
  const oci::Manifest docker = oci::parse_manifest(image.manifest);
  const auto blob = [](const Digest& digest) { return cat("blobs/sha256/", digest.encoded()); };
  const oci::Manifest oci_manifest = oci::converted(docker, oci::Family::oci);
  const std::string raw = oci::serialise(oci_manifest);
  const oci::Descriptor root = oci::describe(std::string(oci::kImageManifest), raw);
  TarMaker tar;
  tar.add(blob(docker.config.digest), image.config)
      .add(blob(docker.layers[0].digest), image.layers[0])
      .add(blob(docker.layers[1].digest), image.layers[1])
      .add(blob(root.digest), raw)
      .add("index.json", oci::serialise(oci::Index{.manifests = {root}}))
      .add("manifest.json",
           cat(R"([{"Config":")", blob(docker.config.digest), R"(","RepoTags":["a:b"],"Layers":[")",
               blob(docker.layers[0].digest), R"(",")", blob(docker.layers[1].digest),
               R"("],"LayerSources":{}}])"))
      .add("oci-layout", oci::layout_marker())
      .add("repositories", "{}");
  for (const char* transport : {"docker-archive", "oci-archive"}) {
    const OpenedReader from = open(transport, tar);
    const auto found = from.reader->resolve(from.reference);
    ASSERT_TRUE(found) << transport;
    const auto manifest = std::get<oci::Manifest>(from.reader->document(*found).parsed);
    EXPECT_EQ(read_blob(*from.reader, manifest.layers[1]), image.layers[1]);
    EXPECT_EQ(manifest.config.digest, docker.config.digest);
  }
}

TEST_F(OldArchive, MayHoldHardLinksAndALayerTwice) {
  oci::ImageConfig config = oci::parse_image_config(image.config);
  config.diff_ids = {config.diff_ids[0], config.diff_ids[1], config.diff_ids[0]};
  TarMaker tar;
  tar.add("1.tar", image.layers[0])
      .hard_link("dir/again.tar", "1.tar")
      .add("2.tar", image.layers[1])
      .add("c.json", oci::serialise(config))
      .add("manifest.json", R"([{"Config":"c.json","Layers":["1.tar","2.tar","dir/again.tar"]}])");
  const OpenedReader from = open("docker-archive", tar);
  const auto root = from.reader->resolve(Tag{});
  ASSERT_TRUE(root);
  const auto manifest = std::get<oci::Manifest>(from.reader->document(*root).parsed);
  ASSERT_EQ(manifest.layers.size(), 3U);
  EXPECT_EQ(manifest.layers[2], manifest.layers[0]);
  EXPECT_EQ(read_blob(*from.reader, manifest.layers[2]), image.layers[0]);
}

TEST(EngineJson, FindsTheFailureInASuccessfulAnswer) {
  using engine::parse_load_failure;
  EXPECT_EQ(parse_load_failure(""), "");
  EXPECT_EQ(parse_load_failure("{\"stream\":\"Loaded\"}\r\n"), "");
  EXPECT_EQ(parse_load_failure("{\"status\":\"x\"}\n{\"error\":\"bad\"}\n"), "bad");
  EXPECT_EQ(parse_load_failure(R"({"errorDetail":{"code":1,"message":"worse"},"error":"bad"})"),
            "worse");
  EXPECT_EQ(parse_load_failure(R"({"errorDetail":{}})"), "unknown error");
  EXPECT_EQ(parse_load_failure(R"({"error":7})"), "unknown error");
  EXPECT_EQ(parse_load_failure("{\"error\":\"\\u001b[2J\"}"), "\\x1b[2J");
  for (const char* bad : {"<html>", "[]", "{\"a\":1", "7"}) {
    EXPECT_EQ(code_thrown([&] { (void)parse_load_failure(bad); }), Errc::invalid_content) << bad;
  }
}

TEST(EngineJson, TellsWhatAnErrorAnswerSays) {
  EXPECT_EQ(engine::parse_message(R"({"message":"no such image"})"), "no such image");
  EXPECT_EQ(engine::parse_message("  gateway\ttimeout\n"), "gateway\\x09timeout");
  EXPECT_EQ(engine::parse_message(std::string(1000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace lade::testing
