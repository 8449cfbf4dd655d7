#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/digest/hasher.h"

#include "samples.h"

namespace lade {
namespace {

using namespace lade::testing;

struct Way {
  std::string_view codec;
  CompressOptions options = {};
};

std::ostream& operator<<(std::ostream& out, const Way& way) {
  return out << way.codec << way.options.level << (way.options.fastest ? "fastest" : "");
}

class RoundTrip : public ::testing::TestWithParam<Way> {
 protected:
  [[nodiscard]] std::string pack(std::string_view content, unsigned threads = 2,
                                 std::size_t piece = kMiB / 3) const {
    CompressOptions options = GetParam().options;
    options.threads = threads;
    return compress(GetParam().codec, content, options, piece);
  }
};

TEST_P(RoundTrip, GivesBackEverySize) {
  const std::string content = sample(9 * kMiB + 12345);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{511}, kMiB - 1, kMiB,
                                 kMiB + 1, 3 * kMiB, 4 * kMiB, 4 * kMiB + 1, content.size()}) {
    const std::string_view part = std::string_view(content).substr(0, size);
    ASSERT_TRUE(decompress(GetParam().codec, pack(part)) == part) << size;
  }
}

TEST_P(RoundTrip, GivesBackWhatDoesNotCompress) {
  const std::string content = noise(5 * kMiB + 7);
  const std::string stream = pack(content);
  EXPECT_TRUE(decompress(GetParam().codec, stream) == content);
  EXPECT_LT(stream.size(), content.size() + content.size() / 100);
}

TEST_P(RoundTrip, GivesBackZeros) {
  const std::string content(6 * kMiB, '\0');
  EXPECT_TRUE(decompress(GetParam().codec, pack(content)) == content);
}

TEST_P(RoundTrip, BytesDoNotDependOnTheThreads) {
  const std::string content = sample(11 * kMiB + 1);
  const std::string one = pack(content, 1);
  EXPECT_TRUE(one == pack(content, 2));
  EXPECT_TRUE(one == pack(content, 7));
  EXPECT_TRUE(one == pack(content, 0)) << "0 threads are taken as 1";
}

TEST_P(RoundTrip, BytesDoNotDependOnTheSizeOfWrites) {
  const std::string content = sample(5 * kMiB + 99);
  const std::string whole = pack(content, 2, content.size());
  EXPECT_TRUE(whole == pack(content, 2, 997));
  EXPECT_TRUE(whole == pack(content, 2, kMiB));
}

TEST_P(RoundTrip, BytesDoNotDependOnWhatWasCompressedBefore) {
  const std::string tail = sample(4 * kMiB, 7);
  const std::string after_noise = pack(noise(4 * kMiB) + tail, 1);
  const std::string after_zeros = pack(std::string(4 * kMiB, '\0') + tail, 1);
  const std::string alone = pack(tail, 1);
  EXPECT_TRUE(after_noise.ends_with(alone));
  EXPECT_TRUE(after_zeros.ends_with(alone));
}

TEST_P(RoundTrip, StreamCutAnywhereIsRead) {
  const std::string content = sample(kMiB) + sample(20'000);
  const std::string stream = pack(content);
  const std::string short_stream = pack(sample(20'000)) + pack(sample(10'000));
  for (const std::size_t piece : {1U, 3U, 4096U}) {
    const bool tiny = piece < 100;
    SlowSource in(tiny ? short_stream : stream, piece);
    const auto source = codec_named(GetParam().codec).decompress_from(in, {});
    EXPECT_TRUE(read_in_pieces(*source, 100'000) ==
                (tiny ? sample(20'000) + sample(10'000) : content))
        << piece;
  }
}

TEST_P(RoundTrip, ContentIsReadInPiecesOfAnySize) {
  const std::string content = sample(200'000);
  const std::string stream = pack(content);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{512}, std::size_t{65'537}}) {
    StringSource in(stream);
    const auto source = codec_named(GetParam().codec).decompress_from(in, {});
    EXPECT_TRUE(read_in_pieces(*source, piece) == content) << piece;
  }
}

TEST_P(RoundTrip, EndStaysTheEnd) {
  StringSink out;
  const std::string stream = pack("abc");
  StringSource in(stream);
  const auto source = codec_named(GetParam().codec).decompress_from(in, {});
  std::vector<std::byte> buffer(100'000);
  EXPECT_EQ(source->read(buffer), 3U);
  EXPECT_EQ(source->read(buffer), 0U);
  EXPECT_EQ(source->read(buffer), 0U);
  EXPECT_EQ(source->read(std::span(buffer).first(1)), 0U);
}

TEST_P(RoundTrip, SeveralStreamsInARowAreOne) {
  const std::string a = sample(100'000);
  const std::string b = sample(2 * kMiB, 2);
  const std::string stream = pack(a) + pack("") + pack(b) + pack("");
  EXPECT_TRUE(decompress(GetParam().codec, stream) == a + b);
}

INSTANTIATE_TEST_SUITE_P(Codecs, RoundTrip,
                         ::testing::Values(Way{"identity"}, Way{"gzip"}, Way{"gzip", {.level = 6}},
                                           Way{"gzip", {.fastest = true}}, Way{"zstd"},
                                           Way{"zstd", {.level = 1}}),
                         ::testing::PrintToStringParamName());

TEST(Compress, EveryLevelRoundTrips) {
  const std::string content = sample(200'000);
  for (int level = 1; level <= 9; ++level) {
    EXPECT_TRUE(decompress("gzip", compress("gzip", content, {.level = level})) == content);
  }
  for (int level = 1; level <= 22; ++level) {
    EXPECT_TRUE(decompress("zstd", compress("zstd", content, {.level = level})) == content);
  }
}

TEST(Compress, DefaultLevelsAreGzip1AndZstd3) {
  const std::string content = sample(2 * kMiB);
  EXPECT_TRUE(compress("gzip", content) == compress("gzip", content, {.level = 1}));
  EXPECT_TRUE(compress("zstd", content) == compress("zstd", content, {.level = 3}));
}

// The time of day is in no header: bytes 4 to 7 of a gzip member are its time.
TEST(Compress, BytesDoNotDependOnTheTime) {
  const std::string content = sample(100'000);
  const std::string gzip = compress("gzip", content);
  const std::string fastest = compress("gzip", content, {.fastest = true});
  const std::string zstd = compress("zstd", content);
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  EXPECT_TRUE(gzip == compress("gzip", content));
  EXPECT_TRUE(fastest == compress("gzip", content, {.fastest = true}));
  EXPECT_TRUE(zstd == compress("zstd", content));
  for (const std::string& stream : {gzip, fastest}) {
    EXPECT_EQ(stream.substr(4, 4), std::string(4, '\0'));
    EXPECT_EQ(stream[9], '\xFF') << "no operating system";
  }
}

// Digests of layers rest on these bytes: whoever changes them makes every image new.
TEST(Compress, BytesOfSmallContentAreFixed) {
  using namespace std::string_view_literals;
  EXPECT_EQ(compress("gzip", ""),
            "\x1F\x8B\x08\x00\x00\x00\x00\x00\x04\xFF\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"sv);
  EXPECT_EQ(compress("zstd", ""), "\x28\xB5\x2F\xFD\x24\x00\x01\x00\x00\x99\xE9\xD8\x51"sv);
}

// With Debian 12's libdeflate 1.14 and zstd 1.5.4; other versions may compress otherwise.
TEST(Compress, BytesOfLargerContentAreFixed) {
  const std::string content = sample(5 * kMiB);
  EXPECT_EQ(sha256_of(content).brief(), "sha256:ec22b99128a5");
  EXPECT_EQ(sha256_of(compress("gzip", content)).brief(), "sha256:a2fe285d91ca");
  EXPECT_EQ(sha256_of(compress("gzip", content, {.level = 6})).brief(), "sha256:23dd600a228a");
  EXPECT_EQ(sha256_of(compress("zstd", content)).brief(), "sha256:ab71e414ed1b");
}

TEST(Compress, GzipMembersHoldOneMebibyteEach) {
  const std::string content = sample(2 * kMiB + 1);
  const std::string stream = compress("gzip", content);
  const std::string first = compress("gzip", std::string_view(content).substr(0, kMiB));
  const std::string second = compress("gzip", std::string_view(content).substr(kMiB, kMiB));
  const std::string third = compress("gzip", std::string_view(content).substr(2 * kMiB));
  EXPECT_TRUE(stream == first + second + third);
}

TEST(Compress, ContentOfWholeMembersEndsWithoutAnEmptyOne) {
  const std::string content = sample(2 * kMiB);
  EXPECT_TRUE(compress("gzip", content) ==
              compress("gzip", std::string_view(content).substr(0, kMiB)) +
                  compress("gzip", std::string_view(content).substr(kMiB)));
}

}  // namespace
}  // namespace lade
