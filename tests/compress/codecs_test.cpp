#include <gtest/gtest.h>

#include "samples.h"

namespace lade {
namespace {

using namespace lade::testing;
using namespace std::string_view_literals;

TEST(Codecs, AreListedInTheOrderOfHelpTexts) {
  std::string names;
  for (const Codec& codec : codecs()) {
    names += std::string(codec.name) + codec.media_type_suffix.data() + " ";
    EXPECT_NE(codec.decompress_from, nullptr);
  }
  EXPECT_EQ(names, "identity gzip+gzip zstd+zstd bzip2+bzip2 xz+xz ");
}

TEST(Codecs, UnknownNameIsRefusedWithTheKnownOnes) {
  try {
    (void)codec_named("lz4");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unsupported);
    EXPECT_STREQ(e.what(), "compression 'lz4': known are identity, gzip, zstd, bzip2, xz");
  }
}

TEST(Codecs, OddFormatsAreOnlyRead) {
  EXPECT_EQ(codec_named("bzip2").compress_to, nullptr);
  EXPECT_EQ(codec_named("xz").compress_to, nullptr);
}

TEST(Codecs, LevelsThatDoNotExistAreRefused) {
  StringSink out;
  for (const auto& [codec, level] :
       {std::pair{"gzip", 10}, {"gzip", -1}, {"zstd", 23}, {"zstd", -5}}) {
    EXPECT_EQ(failure_of([&, name = codec, options = CompressOptions{.level = level}] {
                (void)codec_named(name).compress_to(out, options);
              }),
              Errc::invalid_argument)
        << codec << level;
  }
  EXPECT_EQ(failure_of([&] { (void)codec_named("zstd").compress_to(out, {.fastest = true}); }),
            Errc::invalid_argument);
}

TEST(CodecOf, TellsByTheFirstBytes) {
  const auto name = [](std::string_view head) { return codec_of(bytes_of(head)).name; };
  EXPECT_EQ(name("\x1F\x8B\x08\x00\x00\x00"sv), "gzip");
  EXPECT_EQ(name("\x1F\x8B"sv), "gzip");
  EXPECT_EQ(name("\x28\xB5\x2F\xFD\x04\x00"sv), "zstd");
  EXPECT_EQ(name("\x5E\x2A\x4D\x18\x04\x00"sv), "zstd");
  EXPECT_EQ(name("BZh91A"sv), "bzip2");
  EXPECT_EQ(name("BZh1\x17\x72"sv), "bzip2");
  EXPECT_EQ(name("\xFD\x37zXZ\x00"sv), "xz");
  EXPECT_EQ(name("\xFD\x37zXZ"sv), "identity");
  EXPECT_EQ(name("BZh9.txt"sv), "identity");
  EXPECT_EQ(name("BZh0\x31\x41"sv), "identity");
  EXPECT_EQ(name("usr/bin/true"sv), "identity");
  EXPECT_EQ(name("\x1F"sv), "identity");
  EXPECT_EQ(name(""sv), "identity");
}

TEST(PeekableSource, ReadsFromTheStartAfterALook) {
  const std::string content = sample(100'000);
  PeekableSource source(std::make_unique<SlowSource>(content, 7));
  EXPECT_EQ(chars_of(source.peek(2)), content.substr(0, 2));
  EXPECT_EQ(chars_of(source.peek(600)), content.substr(0, 600));
  EXPECT_EQ(chars_of(source.peek(6)), content.substr(0, 6));
  EXPECT_EQ(read_in_pieces(source, 17), content);
}

TEST(PeekableSource, ShowsLessOfAShortStream) {
  PeekableSource source(std::make_unique<StringSource>("abc"));
  EXPECT_EQ(chars_of(source.peek(6)), "abc");
  EXPECT_EQ(chars_of(source.peek(6)), "abc");
  EXPECT_EQ(read_in_pieces(source, 1), "abc");
}

TEST(Decompressed, FindsTheCodecByItself) {
  const std::string content = sample(2 * kMiB);
  for (const std::string_view codec : {"identity", "gzip", "zstd"}) {
    const std::string stream = compress(codec, content);
    const auto source = decompressed(std::make_unique<SlowSource>(stream, 1000));
    EXPECT_EQ(read_in_pieces(*source, 5000), content) << codec;
  }
}

TEST(Decompressed, EmptyStreamIsEmptyContent) {
  const auto source = decompressed(std::make_unique<StringSource>(""));
  EXPECT_EQ(read_in_pieces(*source, 10), "");
}

TEST(Decompressed, IdentityObeysTheLimitOfOutput) {
  const std::string content = sample(5000);
  EXPECT_EQ(failure_of([&] {
              const auto source =
                  decompressed(std::make_unique<StringSource>(content), {.max_output = 4999});
              (void)drain(*source);
            }),
            Errc::limit_exceeded);
  const auto source = decompressed(std::make_unique<StringSource>(content), {.max_output = 5000});
  EXPECT_EQ(drain(*source), 5000U);
}

}  // namespace
}  // namespace lade
