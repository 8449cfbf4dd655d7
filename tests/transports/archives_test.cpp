// oci-archive: and docker-archive:, what they share and what each has of its own.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/oci/layout.h"
#include "libimage/transports/transports.h"

#include "tests/support/compressed.h"
#include "tests/support/sample_image.h"
#include "tests/support/tar_maker.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

class ArchiveTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(std::string_view name = "image.tar") const {
    return cat(room.path(), "/", name);
  }
  [[nodiscard]] std::unique_ptr<Reader> reader(const std::string& name) {
    return open_reader(parse_image_name(name), session).reader;
  }
  [[nodiscard]] std::unique_ptr<Writer> writer(const std::string& name) {
    return open_writer(parse_image_name(name), session).writer;
  }
  [[nodiscard]] std::optional<oci::Descriptor> resolve(const std::string& name) {
    const OpenedReader opened = open_reader(parse_image_name(name), session);
    return opened.reader->resolve(opened.reference);
  }
  void write(const std::string& path, std::string_view bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string read(const std::string& path) const { return read_file(path, 1 << 30); }

  void write_one(const std::string& name, const SampleImage& image) {
    const auto to = writer(name);
    write_image(*to, image);
    to->tag(Tag{}, image.descriptor);
    to->finish();
  }

  TempDir room{"/tmp"};
  Session session{{.temp_root = "/tmp"}};
  const SampleImage oci_image = sample_image("a", oci::Family::oci);
  const SampleImage docker_image = sample_image("a", oci::Family::docker);
};

TEST_F(ArchiveTest, NothingAppearsWithoutFinish) {
  for (const char* transport : {"oci-archive:", "docker-archive:"}) {
    const auto to = writer(transport + file());
    const bool docker = std::string_view(transport).starts_with("docker");
    write_image(*to, docker ? docker_image : oci_image);
    EXPECT_FALSE(std::filesystem::exists(file()));
  }
  EXPECT_EQ(count_files(room.path()), 0U);
}

TEST_F(ArchiveTest, TheOldArchiveStaysUntilTheNewOneIsComplete) {
  write_one("oci-archive:" + file() + ":a", oci_image);
  const std::string before = read(file());
  {
    const auto to = writer("oci-archive:" + file());
    write_image(*to, sample_image("b", oci::Family::oci));
  }
  EXPECT_EQ(read(file()), before);
  write_one("oci-archive:" + file() + ":b", sample_image("b", oci::Family::oci));
  EXPECT_FALSE(resolve("oci-archive:" + file() + ":a"));
  EXPECT_TRUE(resolve("oci-archive:" + file() + ":b"));
}

TEST_F(ArchiveTest, TheBytesDoNotDependOnTheOrderOfWriting) {
  const auto in_order = [&](const std::string& name, bool known, bool reversed, bool dropping) {
    const bool docker = name.starts_with("docker");
    const SampleImage& image = docker ? docker_image : oci_image;
    const oci::Manifest manifest = oci::parse_manifest(image.manifest);
    std::vector<std::pair<oci::Descriptor, std::string>> blobs{
        {manifest.config, image.config},
        {manifest.layers[0], image.layers[0]},
        {manifest.layers[1], image.layers[1]}};
    if (reversed) std::reverse(blobs.begin(), blobs.end());
    const auto to = writer(name);
    if (dropping) to->start_blob({.expected = oci::describe("a/b", "dropped")})->write({});
    for (const auto& [descriptor, bytes] : blobs) {
      const auto blob = to->start_blob(known ? BlobHint{.expected = descriptor} : BlobHint{});
      blob->write(bytes_of(bytes));
      (void)blob->commit(descriptor.media_type);
    }
    to->put_manifest(image.descriptor, image.manifest);
    to->tag(Tag{}, image.descriptor);
    to->finish();
  };
  for (const char* transport : {"oci-archive:", "docker-archive:"}) {
    in_order(transport + file("first.tar"), true, false, false);
    for (const bool known : {false, true}) {
      for (const bool dropping : {false, true}) {
        std::filesystem::remove(file("second.tar"));
        in_order(transport + file("second.tar"), known, true, dropping);
        EXPECT_EQ(read(file("first.tar")), read(file("second.tar"))) << transport;
      }
    }
    std::filesystem::remove(file("first.tar"));
  }
}

TEST_F(ArchiveTest, TheBytesDoNotDependOnWhatIsWrittenAtTheSameTime) {
  const oci::Manifest manifest = oci::parse_manifest(docker_image.manifest);
  const auto write_interleaved = [&](const std::string& name, std::vector<std::size_t> order) {
    const auto to = writer(name);
    std::vector<std::unique_ptr<BlobWriter>> blobs;
    for (const std::size_t layer : order) {
      blobs.push_back(to->start_blob({}));
      blobs.back()->write(bytes_of(docker_image.layers[layer]));
    }
    to->start_blob({})->write(bytes_of(docker_image.layers[0]));  // dropped
    const auto config = to->start_blob({.expected = manifest.config});
    config->write(bytes_of(docker_image.config));
    (void)config->commit(manifest.config.media_type);
    for (const auto& blob : blobs) (void)blob->commit(manifest.layers[0].media_type);
    to->put_manifest(docker_image.descriptor, docker_image.manifest);
    to->tag(Tag{}, docker_image.descriptor);
    to->finish();
    return read(name.substr(name.find(':') + 1));
  };
  const std::string first = write_interleaved("docker-archive:" + file("first.tar"), {0, 1});
  EXPECT_EQ(write_interleaved("docker-archive:" + file("second.tar"), {1, 0}), first);
}

TEST_F(ArchiveTest, ReadsArchivesCompressedByAnyCodec) {
  write_one("oci-archive:" + file() + ":a", oci_image);
  const std::string plain = read(file());
  for (const char* codec : {"gzip", "zstd"}) {
    write(file("packed"), compressed(codec, plain));
    const auto from = reader("oci-archive:" + file("packed"));
    EXPECT_EQ(read_blob(*from, oci::parse_manifest(oci_image.manifest).config), oci_image.config);
  }
  std::string cut = compressed("gzip", plain);
  cut.resize(cut.size() - 20);
  write(file("packed"), cut);
  EXPECT_EQ(code_thrown([&] { (void)reader("oci-archive:" + file("packed")); }),
            Errc::invalid_content);
}

TEST_F(ArchiveTest, RefusesWhatIsNoFile) {
  write(file("empty"), "");
  for (const char* transport : {"oci-archive:", "docker-archive:"}) {
    EXPECT_EQ(code_thrown([&] { (void)reader(transport + room.path()); }), Errc::unsupported);
    EXPECT_EQ(code_thrown([&] { (void)writer(transport + room.path()); }), Errc::unsupported);
    EXPECT_EQ(code_thrown([&] { (void)reader(std::string(transport) + "/dev/null"); }),
              Errc::unsupported);
    EXPECT_EQ(code_thrown([&] { (void)reader(transport + file("none")); }), Errc::not_found);
    EXPECT_EQ(code_thrown([&] { (void)reader(transport + file("empty")); }), Errc::invalid_content);
    EXPECT_EQ(code_thrown([&] { (void)writer(transport + file("none/x")); }), Errc::not_found);
    EXPECT_EQ(code_thrown([&] { (void)writer(transport + file() + ":@1"); }),
              Errc::invalid_argument);
  }
}

TEST_F(ArchiveTest, OneKindIsNotTakenForTheOther) {
  write(file(), TarMaker().add("etc/passwd", "root").finished());
  EXPECT_EQ(code_thrown([&] { (void)reader("oci-archive:" + file()); }), Errc::invalid_content);
  EXPECT_EQ(code_thrown([&] { (void)reader("docker-archive:" + file()); }), Errc::invalid_content);
}

TEST_F(ArchiveTest, PicksImagesOfAnOciArchiveByNameNumberAndDigest) {
  const SampleImage second = sample_image("b", oci::Family::oci);
  const auto to = writer("oci-archive:" + file());
  for (const SampleImage* image : {&oci_image, &second}) {
    write_image(*to, *image);
    to->tag(Tag{image == &second ? "b" : "a"}, image->descriptor);
  }
  to->finish();
  const std::string name = "oci-archive:" + file();
  EXPECT_EQ(resolve(name + ":b")->digest, second.descriptor.digest);
  EXPECT_EQ(resolve(name + ":@0")->digest, oci_image.descriptor.digest);
  EXPECT_FALSE(resolve(name + ":@2"));
  EXPECT_FALSE(resolve(name + ":c"));
  EXPECT_EQ(resolve(cat(name, "@", second.descriptor.digest.str()))->digest,
            second.descriptor.digest);
  EXPECT_EQ(code_thrown([&] { (void)resolve(name); }), Errc::invalid_argument);
}

TEST_F(ArchiveTest, AnOciArchiveThatLiesIsRefused) {
  const oci::Descriptor blob = oci::describe("a/b", "content");
  const auto archive_with = [&](std::string_view index, std::string_view content) {
    return TarMaker()
        .add("oci-layout", oci::layout_marker())
        .add("index.json", index)
        .add(cat("blobs/sha256/", blob.digest.encoded()), content)
        .finished();
  };
  constexpr std::string_view kNoEntries = R"({"schemaVersion":2,"manifests":[]})";
  const std::string name = "oci-archive:" + file();
  write(file(), archive_with(kNoEntries, "c0ntent"));
  EXPECT_EQ(code_thrown([&] { (void)read_blob(*reader(name), blob); }), Errc::digest_mismatch);
  write(file(), archive_with(kNoEntries, "content and more"));
  EXPECT_EQ(code_thrown([&] { (void)read_blob(*reader(name), blob); }), Errc::size_mismatch);
  write(file(), archive_with("[]", ""));
  EXPECT_EQ(code_thrown([&] { (void)reader(name); }), Errc::invalid_content);
  write(file(), archive_with(std::string(5'000'000, ' '), ""));
  EXPECT_EQ(code_thrown([&] { (void)reader(name); }), Errc::limit_exceeded);
  write(file(), TarMaker()
                    .add("oci-layout", oci::layout_marker())
                    .add("index.json", kNoEntries)
                    .symlink(cat("blobs/sha256/", blob.digest.encoded()), "/etc/passwd")
                    .finished());
  EXPECT_EQ(code_thrown([&] { (void)read_blob(*reader(name), blob); }), Errc::invalid_content);
}

TEST_F(ArchiveTest, ADockerArchiveIsNeverModified) {
  write_one("docker-archive:" + file() + ":a", docker_image);
  const std::string before = read(file());
  EXPECT_EQ(code_thrown([&] { (void)writer("docker-archive:" + file() + ":b"); }),
            Errc::already_exists);
  EXPECT_EQ(read(file()), before);
  write(file("empty"), "");  // as mktemp leaves it
  EXPECT_NO_THROW(write_one("docker-archive:" + file("empty") + ":a", docker_image));
}

TEST_F(ArchiveTest, ADockerArchiveKnowsEverySpellingOfAName) {
  write_one("docker-archive:" + file() + ":busybox", docker_image);
  for (const char* name : {"", ":busybox", ":busybox:latest", ":docker.io/library/busybox:latest",
                           ":docker.io/busybox", ":@0"}) {
    EXPECT_TRUE(resolve("docker-archive:" + file() + name)) << name;
  }
  EXPECT_FALSE(resolve("docker-archive:" + file() + ":busybox:other"));
  EXPECT_FALSE(resolve("docker-archive:" + file() + ":@1"));
  EXPECT_EQ(*reader("docker-archive:" + file())->tags(),
            std::vector<std::string>{"docker.io/library/busybox:latest"});
}

TEST_F(ArchiveTest, ADockerArchiveHoldsPlainImagesOnly) {
  const auto to = writer("docker-archive:" + file());
  EXPECT_FALSE(to->accepts().compressed_layers);
  EXPECT_FALSE(to->accepts().indexes);
  const std::string index = oci::serialise(oci::Index{});
  EXPECT_EQ(code_thrown([&] {
              to->put_manifest(oci::describe(std::string(oci::kImageIndex), index), index);
            }),
            Errc::unsupported);
  oci::Manifest manifest = oci::parse_manifest(docker_image.manifest);
  (void)put_blob(*to, manifest.config.media_type, docker_image.config);
  const std::string layer = compressed("gzip", docker_image.layers[0]);
  manifest.layers[0] = put_blob(*to, std::string(oci::kDockerLayerGzip), layer);
  const std::string raw = oci::serialise(manifest);
  EXPECT_EQ(code_thrown([&] {
              to->put_manifest(oci::describe(std::string(oci::kDockerManifest), raw), raw);
            }),
            Errc::unsupported);
}

/// An archive as docker save once wrote it: a directory a layer, shared ones as links.
TEST_F(ArchiveTest, ReadsDockersLegacyLayoutWithLinkedLayers) {
  const std::string manifest =
      R"([{"Config":"c.json","RepoTags":null,"Layers":["1/layer.tar","2/layer.tar"]}])";
  write(file(), TarMaker()
                    .add("1/VERSION", "1.0")
                    .symlink("1/layer.tar", "../base.tar")
                    .add("base.tar", docker_image.layers[0])
                    .add("2/layer.tar", docker_image.layers[1])
                    .add("c.json", docker_image.config)
                    .add("repositories", "{}")
                    .add("manifest.json", manifest)
                    .finished());
  const auto from = reader("docker-archive:" + file());
  const auto root = from->resolve(Tag{});
  ASSERT_TRUE(root);
  EXPECT_EQ(root->digest, docker_image.descriptor.digest);
  const auto parsed = std::get<oci::Manifest>(from->document(*root).parsed);
  EXPECT_EQ(read_blob(*from, parsed.layers[0]), docker_image.layers[0]);
  EXPECT_EQ(read_blob(*from, parsed.layers[1]), docker_image.layers[1]);
  EXPECT_EQ(*from->tags(), std::vector<std::string>{"@0"});
}

TEST_F(ArchiveTest, ReadsCompressedLayersOfADockerArchive) {
  const std::string gzip = compressed("gzip", docker_image.layers[0]);
  const std::string zstd = compressed("zstd", docker_image.layers[1]);
  write(file(), TarMaker()
                    .add("1.tar", gzip)
                    .add("2.tar", zstd)
                    .add("c.json", docker_image.config)
                    .add("manifest.json", R"([{"Config":"c.json","Layers":["1.tar","2.tar"]}])")
                    .finished());
  const auto from = reader("docker-archive:" + file());
  const auto manifest = std::get<oci::Manifest>(from->document(*from->resolve(Tag{})).parsed);
  EXPECT_EQ(manifest.layers[0], oci::describe(std::string(oci::kDockerLayerGzip), gzip));
  EXPECT_EQ(read_blob(*from, manifest.layers[0]), gzip);
  // Docker has no type for zstd: the layer is given as the plain tar.
  EXPECT_EQ(manifest.layers[1],
            oci::describe(std::string(oci::kDockerLayer), docker_image.layers[1]));
  EXPECT_EQ(read_blob(*from, manifest.layers[1]), docker_image.layers[1]);
}

TEST_F(ArchiveTest, ADockerArchiveThatLiesIsRefused) {
  const std::string name = "docker-archive:" + file();
  const auto archive_with = [&](std::string_view manifest, std::string_view first_layer) {
    write(file(), TarMaker()
                      .add("1.tar", first_layer)
                      .add("2.tar", docker_image.layers[1])
                      .add("c.json", docker_image.config)
                      .symlink("out.json", "../../etc/passwd")
                      .add("manifest.json", manifest)
                      .finished());
  };
  constexpr std::string_view kGood = R"([{"Config":"c.json","Layers":["1.tar","2.tar"]}])";
  std::string other = docker_image.layers[0];
  other[600] = 'X';
  archive_with(kGood, other);
  EXPECT_EQ(code_thrown([&] {
              const auto from = reader(name);
              const auto root = from->resolve(Tag{});
              const auto manifest = std::get<oci::Manifest>(from->document(*root).parsed);
              (void)read_blob(*from, manifest.layers[0]);
            }),
            Errc::digest_mismatch);
  struct Case {
    std::string_view manifest;
    Errc code;
  };
  for (const Case& c :
       {Case{"{}", Errc::invalid_content}, Case{"[{}]", Errc::invalid_content},
        Case{R"([{"Config":1}])", Errc::invalid_content},
        Case{R"([{"Config":"a","Config":"b"}])", Errc::invalid_content},
        Case{R"([{"Config":"c.json","Layers":["1.tar"]}])", Errc::invalid_content},
        Case{R"([{"Config":"none","Layers":[]}])", Errc::not_found},
        Case{R"([{"Config":"1.tar","Layers":[]}])", Errc::invalid_content},
        Case{R"([{"Config":"out.json","Layers":[]}])", Errc::invalid_content},
        Case{R"([{"Config":"../../etc/passwd","Layers":[]}])", Errc::not_found},
        Case{R"([{"Config":"/etc/passwd","Layers":[]}])", Errc::not_found},
        Case{R"([{"Config":"c.json","Layers":["1.tar","../2.tar"]}])", Errc::not_found}}) {
    archive_with(c.manifest, docker_image.layers[0]);
    EXPECT_EQ(code_thrown([&] { (void)reader(name)->resolve(Tag{}); }), c.code) << c.manifest;
  }
  archive_with(std::string(1'100'000, ' '), docker_image.layers[0]);
  EXPECT_EQ(code_thrown([&] { (void)reader(name); }), Errc::limit_exceeded);
}

}  // namespace
}  // namespace lade::testing
