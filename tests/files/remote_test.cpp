// Files of layers on a registry: how much is asked for.
#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/files/image_files.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/store/range_reader.h"
#include "libimage/transports/transports.h"

#include "tests/seekable/samples.h"
#include "tests/support/fake_registry.h"

namespace lade::files {
namespace {

using testing::noise;
using testing::TarBuilder;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

/// A layer of some 25 MiB in which a file of 10 KB is looked for: what is asked for does not depend
/// on the size of the rest.
const std::string& large_tar() {
  static const std::string kTar = [] {
    TarBuilder tar;
    tar.dir("data/");
    for (unsigned i = 0; i < 5; ++i) {
      tar.file(cat("data/large", i), noise(std::size_t{4} << 20U, i + 5));
    }
    tar.file("data/small", noise(10'000, 99));
    tar.file("data/last", noise(5'000'000, 4));
    return tar.finish();
  }();
  return kTar;
}

class Remote : public ::testing::Test {
 protected:
  Remote() : session_(SessionOptions{}) {}

  void put(const std::string& bytes, const oci::Descriptor& layer) {
    registry_.put_blob("test/image", bytes);
    manifest_.layers.push_back(layer);
  }
  void put_gzip(const std::string& tar) {
    StringSink packed;
    const auto gzip = codec_named("gzip").compress_to(packed, {});
    gzip->write(bytes_of(tar));
    gzip->finish();
    put(packed.text(), {.media_type = std::string(oci::kImageLayerGzip),
                        .digest = sha256_of(packed.text()),
                        .size = packed.text().size()});
  }
  void put_seekable(SeekableFormat format, const std::string& tar) {
    const testing::WrittenLayer layer = testing::write_layer_of(format, tar);
    put(layer.blob, layer.descriptor);
  }

  /// The file, with a new view on the image.
  std::string read(const std::string& path) {
    const auto opened = open_reader(
        parse_image_name(cat("docker://", registry_.name(), "/test/image:latest")), session_);
    ImageFiles files(*opened.reader, manifest_, {.cache_dir = cache_.path()});
    const ImageFiles::Found found = files.find(path, MergedFiles::Last::follow);
    if (found.path == kNoPath) return "none";
    const RowRef ref = found.files->ref_at(found.path);
    verified_ = files.is_verified(ref);
    const auto content = files.open(ref);
    return read_all(*content, 64 * kMiB, "file");
  }

  struct Asked {
    std::size_t requests = 0;
    std::uint64_t bytes = 0;
  };
  /// What was asked for since the last call.
  Asked asked() {
    Asked out;
    const auto requests = registry_.requests();
    for (std::size_t i = seen_; i < requests.size(); ++i) {
      if (requests[i].path.find("/blobs/") == std::string::npos) continue;
      ++out.requests;
      const std::string range = requests[i].header("range");
      const std::size_t dash = range.find('-');
      const auto first = dash == std::string::npos
                             ? std::nullopt
                             : parse_decimal(std::string_view(range).substr(6, dash - 6));
      const auto last =
          first ? parse_decimal(std::string_view(range).substr(dash + 1)) : std::nullopt;
      const std::uint64_t size = manifest_.layers.back().size;
      out.bytes += last.value_or(size - 1) - first.value_or(0) + 1;
    }
    seen_ = requests.size();
    return out;
  }

  test::FakeRegistry registry_;
  Session session_;
  TempDir cache_{"/tmp", "lade-files-"};
  oci::Manifest manifest_{.config = {.digest = sha256_of("")}};
  std::size_t seen_ = 0;
  bool verified_ = false;
};

TEST_F(Remote, ASmallFileOfALargeSeekableLayerCostsLittle) {
  for (const SeekableFormat format : {SeekableFormat::zstd_chunked, SeekableFormat::estargz}) {
    manifest_.layers.clear();
    put_seekable(format, large_tar());
    EXPECT_EQ(read("/data/small"), noise(10'000, 99));
    EXPECT_TRUE(verified_);
    const Asked cost = asked();
    EXPECT_LE(cost.requests, 3U);
    EXPECT_LE(cost.bytes, kMiB);
  }
}

TEST_F(Remote, AnOrdinaryLayerIsReadOnceAndEnteredAfterwards) {
  put_gzip(large_tar());
  EXPECT_EQ(read("/data/small"), noise(10'000, 99));
  (void)asked();
  EXPECT_EQ(read("data/../data/small"), noise(10'000, 99));
  EXPECT_TRUE(verified_);
  const Asked cost = asked();
  EXPECT_EQ(cost.requests, 1U);
  EXPECT_LE(cost.bytes, 2 * kMiB);
  EXPECT_EQ(read("/data/last"), noise(5'000'000, 4));
}

TEST_F(Remote, LayersBelowTheAnswerAreNotRead) {
  put_gzip(TarBuilder().dir("etc/").file("etc/conf", "old").file("etc/gone", "x").finish());
  const Digest base = manifest_.layers[0].digest;
  put_gzip(TarBuilder().dir("etc/").file("etc/conf", "new").file("etc/.wh.gone").finish());
  EXPECT_EQ(read("/etc/conf"), "new");
  EXPECT_EQ(read("/etc/gone"), "none");
  EXPECT_EQ(registry_.count("GET", base.str()), 0U);
  EXPECT_EQ(read("/etc/other"), "none");
  EXPECT_EQ(registry_.count("GET", base.str()), 1U);
}

TEST_F(Remote, ATableThatLiesIsNotBelieved) {
  put_seekable(SeekableFormat::zstd_chunked, TarBuilder().file("a", "content").finish());
  for (auto& [key, text] : *manifest_.layers[0].annotations) {
    if (key.find("checksum") != std::string::npos) text = sha256_of("another table").str();
  }
  EXPECT_EQ(read("a"), "content");  // from the layer itself, whose digest is right
  EXPECT_TRUE(verified_);
}

}  // namespace
}  // namespace lade::files
