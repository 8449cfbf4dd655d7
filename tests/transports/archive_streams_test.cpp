// Archives that come from a pipe or go into one, and compressed ones.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/compress/codec.h"
#include "libimage/io/path.h"
#include "libimage/transports/archive_file.h"
#include "libimage/transports/input_file.h"
#include "libimage/transports/stream_archive.h"
#include "libimage/transports/transports.h"

#include "tests/support/compressed.h"
#include "tests/support/sample_image.h"
#include "tests/support/tar_maker.h"
#include "tests/support/thrown.h"

namespace lade::testing {
namespace {

/// Keeps what is written outside of itself.
class SharedSink final : public Sink {
 public:
  explicit SharedSink(std::string& text) : text_(text) {}
  void write(ByteView data) override { text_ += chars_of(data); }

 private:
  std::string& text_;
};

std::string name_of(std::string_view /*media_type*/, const Digest& digest) {
  return std::string(digest.encoded());
}

class StreamTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(std::string_view name) const {
    return cat(room.path(), "/", name);
  }
  void write(const std::string& path, std::string_view bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  /// A docker-archive of `content` made by our own writer.
  std::string docker_archive(const SampleImage& content) {
    const std::string path = file("made.tar");
    std::filesystem::remove(path);
    const auto to = open_writer(parse_image_name("docker-archive:" + path + ":a:b"), session);
    write_image(*to.writer, content);
    to.writer->tag(Tag{}, content.descriptor);
    to.writer->finish();
    return read_file(path, 1U << 30U);
  }
  void expect_image(Reader& reader, const SampleImage& content) const {
    const auto root = reader.resolve(Tag{});
    ASSERT_TRUE(root);
    const auto manifest = std::get<oci::Manifest>(reader.document(*root).parsed);
    EXPECT_EQ(read_blob(reader, manifest.config), content.config);
    ASSERT_EQ(manifest.layers.size(), content.layers.size());
    for (std::size_t i = 0; i < content.layers.size(); ++i) {
      EXPECT_EQ(read_blob(reader, manifest.layers[i]), content.layers[i]);
    }
  }

  TempDir room{"/tmp"};
  Session session{{.temp_root = room.path()}};
  const SampleImage image = sample_image("a", oci::Family::docker);
};

TEST_F(StreamTest, AnArchiveIsReadFromAFifo) {
  const std::string bytes = docker_archive(image);
  for (const std::string& content : {bytes, compressed("gzip", bytes)}) {
    ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
    const std::jthread feeder([&] { write(file("fifo"), content); });
    const auto opened = open_reader(parse_image_name("docker-archive:" + file("fifo")), session);
    expect_image(*opened.reader, image);
    std::filesystem::remove(file("fifo"));
  }
  EXPECT_EQ(count_files(room.path()), 1U);  // what was kept has no name
}

TEST_F(StreamTest, AnArchiveIsWrittenIntoAFifo) {
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  std::string bytes;
  {
    const std::jthread taker([&] {
      std::ifstream in(file("fifo"), std::ios::binary);
      bytes.assign(std::istreambuf_iterator<char>(in), {});
    });
    const auto to =
        open_writer(parse_image_name("docker-archive:" + file("fifo") + ":x:y"), session);
    write_image(*to.writer, image);
    to.writer->tag(Tag{}, image.descriptor);
    to.writer->finish();
  }
  write(file("read.tar"), bytes);
  const auto from =
      open_reader(parse_image_name("docker-archive:" + file("read.tar") + ":x:y"), session);
  expect_image(*from.reader, image);
}

TEST_F(StreamTest, AStreamIsKeptOnlyUpToItsBound) {
  const std::string text(100'000, 'x');
  StringSource fits(text);
  const UniqueFd kept = keep_stream(fits, session.options(), text.size());
  EXPECT_EQ(file_size(kept.get()), text.size());
  StringSource longer(text);
  EXPECT_EQ(code_thrown([&] { (void)keep_stream(longer, session.options(), text.size() - 1); }),
            Errc::limit_exceeded);
  EXPECT_EQ(count_files(room.path()), 0U);
}

TEST_F(StreamTest, AWaitForAFifoCanBeCancelled) {
  ASSERT_EQ(::mkfifo(file("fifo").c_str(), 0600), 0);
  std::stop_source stop;
  Session stopping({.temp_root = room.path(), .stop = stop.get_token()});
  for (const char* transport : {"docker-archive:", "oci-archive:"}) {
    const std::jthread stopper([&] { stop.request_stop(); });
    EXPECT_THROW((void)open_reader(parse_image_name(transport + file("fifo")), stopping),
                 Cancelled);
    EXPECT_THROW((void)open_writer(parse_image_name(transport + file("fifo")), stopping),
                 Cancelled);
  }
}

TEST_F(StreamTest, BlobsOfKnownSizeGoStraightThroughOneAtATime) {
  std::string bytes;
  StreamArchive archive(std::make_unique<SharedSink>(bytes), {.name_of = name_of},
                        session.options());
  const std::string big(300'000, 'b');
  const std::string small = "small";
  const auto first = archive.start_blob({.expected = oci::describe("a/b", big)});
  const auto second = archive.start_blob({.expected = oci::describe("a/b", small)});
  const auto unknown = archive.start_blob({});
  first->write(bytes_of(big).first(1000));
  EXPECT_EQ(bytes.size(), 512U + 1000);
  second->write(bytes_of(small));
  unknown->write(bytes_of("unknown"));
  (void)second->commit("a/b");
  (void)unknown->commit("a/b");
  archive.add("document", "text");
  EXPECT_EQ(bytes.size(), 512U + 1000);  // they wait
  EXPECT_TRUE(archive.contains(oci::describe("a/b", small)));
  first->write(bytes_of(big).subspan(1000));
  (void)first->commit("a/b");
  archive.finish({}, "");
  StringSource source(bytes);
  const ArchiveFile read(source, "stream", session.options());
  EXPECT_EQ(read.text(name_of("", sha256_of(big)), big.size()), big);
  EXPECT_EQ(read.text(name_of("", sha256_of(small)), 100), small);
  EXPECT_EQ(read.text(name_of("", sha256_of("unknown")), 100), "unknown");
  EXPECT_EQ(read.text("document", 100), "text");
  EXPECT_EQ(read.index().members().size(), 4U);
}

TEST_F(StreamTest, WhatIsDroppedBeforeItsFirstByteHarmsNothing) {
  std::string bytes;
  StreamArchive archive(std::make_unique<SharedSink>(bytes), {.name_of = name_of},
                        session.options());
  (void)archive.start_blob({.expected = oci::describe("a/b", "dropped")});
  archive.start_blob({})->write(bytes_of("dropped too"));
  const auto empty = archive.start_blob({.expected = oci::describe("a/b", "")});
  (void)empty->commit("a/b");
  archive.finish({}, "");
  StringSource source(bytes);
  EXPECT_EQ(ArchiveFile(source, "stream", session.options()).index().members().size(), 1U);
}

TEST_F(StreamTest, ABlobBrokenOffInTheStreamEndsIt) {
  std::string bytes;
  StreamArchive archive(std::make_unique<SharedSink>(bytes), {.name_of = name_of},
                        session.options());
  archive.start_blob({.expected = oci::describe("a/b", "broken")})->write(bytes_of("bro"));
  EXPECT_EQ(code_thrown([&] { (void)archive.start_blob({}); }), Errc::io);
  EXPECT_EQ(code_thrown([&] { archive.add("a", "b"); }), Errc::io);
  EXPECT_EQ(code_thrown([&] { archive.finish({}, ""); }), Errc::io);
}

TEST_F(StreamTest, AWrongBlobIsNeverCalledComplete) {
  std::string bytes;
  StreamArchive archive(std::make_unique<SharedSink>(bytes), {.name_of = name_of},
                        session.options());
  {
    const auto blob = archive.start_blob({.expected = oci::describe("a/b", "right")});
    blob->write(bytes_of("wrong"));
    EXPECT_EQ(code_thrown([&] { (void)blob->commit("a/b"); }), Errc::digest_mismatch);
  }
  EXPECT_FALSE(archive.contains(oci::describe("a/b", "right")));
  EXPECT_EQ(code_thrown([&] { archive.finish({}, ""); }), Errc::io);
}

TEST_F(StreamTest, ManyThreadsShareOneStream) {
  std::string bytes;
  StreamArchive archive(std::make_unique<SharedSink>(bytes), {.name_of = name_of},
                        session.options());
  constexpr int kBlobs = 200;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = t; i < kBlobs; i += 4) {
          const std::string text = std::string(static_cast<std::size_t>(i) * 97, 'x') + cat(i);
          const auto known = BlobHint{.expected = oci::describe("a/b", text)};
          const auto blob = archive.start_blob(i % 3 == 0 ? BlobHint{} : known);
          blob->write(bytes_of(text));
          (void)blob->commit("a/b");
        }
      });
    }
  }
  archive.finish({}, "");
  StringSource source(bytes);
  const ArchiveFile read(source, "stream", session.options());
  EXPECT_EQ(read.index().members().size(), std::size_t{kBlobs});
  for (const ArchiveMember& member : read.index().members()) {
    const auto content = read.open(member);
    EXPECT_EQ(sha256_of(read_all(*content, 1U << 20U, "blob")).encoded(), member.path);
  }
}

TEST_F(StreamTest, ACompressedArchiveLeavesNothingInTheTemporaryDirectory) {
  const std::string bytes = docker_archive(image);
  std::filesystem::remove(file("made.tar"));
  for (const char* codec : {"gzip", "zstd"}) {
    write("/tmp/" + std::string("lade-test-") + codec, compressed(codec, bytes));
    const std::string path = cat("/tmp/lade-test-", codec);
    const auto from = open_reader(parse_image_name("docker-archive:" + path), session);
    expect_image(*from.reader, image);
    std::filesystem::remove(path);
  }
}

TEST_F(StreamTest, ACompressedArchiveThatIsCutIsRefused) {
  const std::string bytes = docker_archive(image);
  for (const char* codec : {"gzip", "zstd"}) {
    const std::string packed = compressed(codec, bytes);
    for (const std::size_t lost : {std::size_t{1}, std::size_t{9}, packed.size() / 2}) {
      write(file("cut"), packed.substr(0, packed.size() - lost));
      EXPECT_EQ(code_thrown([&] {
                  (void)open_reader(parse_image_name("docker-archive:" + file("cut")), session);
                }),
                Errc::invalid_content);
    }
  }
  // Whole as a stream, but the tar in it ends early.
  write(file("cut"), compressed("gzip", bytes.substr(0, 1500)));
  EXPECT_EQ(code_thrown([&] {
              (void)open_reader(parse_image_name("docker-archive:" + file("cut")), session);
            }),
            Errc::invalid_content);
}

TEST_F(StreamTest, FurtherImagesAreAddedWhereThatIsAskedFor) {
  Session appending({.temp_root = room.path(), .append_to_archives = true});
  for (const char* transport : {"docker-archive:", "oci-archive:"}) {
    const bool docker = std::string_view(transport).starts_with("docker");
    const auto family = docker ? oci::Family::docker : oci::Family::oci;
    const std::string path = file(docker ? "many.tar" : "many.oci.tar");
    for (const char* seed : {"a", "b", "c", "b"}) {
      const SampleImage added = sample_image(seed, family);
      const auto to =
          open_writer(parse_image_name(cat(transport, path, ":name:", seed)), appending);
      EXPECT_FALSE(to.writer->contains(oci::parse_manifest(added.manifest).layers[0]));
      write_image(*to.writer, added);
      to.writer->tag(Tag{}, added.descriptor);
      to.writer->finish();
    }
    for (const char* seed : {"a", "b", "c"}) {
      const auto from =
          open_reader(parse_image_name(cat(transport, path, ":name:", seed)), appending);
      const auto root = from.reader->resolve(from.reference);
      ASSERT_TRUE(root) << transport << seed;
      const auto manifest = std::get<oci::Manifest>(from.reader->document(*root).parsed);
      EXPECT_EQ(read_blob(*from.reader, manifest.layers[1]), sample_image(seed, family).layers[1]);
    }
  }
}

TEST_F(StreamTest, MembersOfOneNameMustHaveOneContent) {
  const std::string manifest = R"([{"Config":"c.json","Layers":["1.tar","2.tar"]}])";
  const auto archive = [&](std::string_view second) {
    write(file("twice.tar"), TarMaker()
                                 .add("1.tar", image.layers[0])
                                 .add("2.tar", image.layers[1])
                                 .add("1.tar", second)
                                 .add("c.json", image.config)
                                 .add("manifest.json", manifest)
                                 .finished());
    return open_reader(parse_image_name("docker-archive:" + file("twice.tar")), session);
  };
  expect_image(*archive(image.layers[0]).reader, image);
  std::string lie = image.layers[0];
  lie[700] = 'X';
  const auto lying = archive(lie);
  EXPECT_EQ(code_thrown([&] { (void)lying.reader->resolve(Tag{}); }), Errc::invalid_content);
}

}  // namespace
}  // namespace lade::testing
