// What a stream from outside may do: end early, go on with garbage, lie, explode.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "libimage/io/path.h"

#include "samples.h"
#include "tool.h"

namespace lade {
namespace {

using namespace lade::testing;
using namespace std::string_literals;
using namespace std::string_view_literals;

/// `content` compressed by this program, or by the tool for what it only reads.
std::string packed(std::string_view codec, std::string_view content) {
  if (codec == "bzip2") return through_tool("bzip2 -1", content);
  if (codec == "xz") return through_tool("xz -1", content);
  return compress(codec, content);
}

class Hostile : public ::testing::TestWithParam<std::string_view> {
 protected:
  [[nodiscard]] std::optional<Errc> reading(std::string_view stream,
                                            const DecompressOptions& options = {}) const {
    return failure_of([&] {
      StringSource in(stream);
      (void)drain(*codec_named(GetParam()).decompress_from(in, options));
    });
  }
};

TEST_P(Hostile, TruncationIsAnErrorAtEveryByte) {
  const std::string stream = packed(GetParam(), sample(3000));
  const std::size_t step = GetParam() == "gzip" || GetParam() == "zstd" ? 1 : 37;
  for (std::size_t size = 0; size < stream.size(); size += step) {
    ASSERT_EQ(reading(stream.substr(0, size)), Errc::invalid_content) << size;
  }
  for (std::size_t cut = 1; cut < 20; ++cut) {
    ASSERT_EQ(reading(stream.substr(0, stream.size() - cut)), Errc::invalid_content) << cut;
  }
}

TEST_P(Hostile, TruncationOfALaterMemberIsAnError) {
  const std::string first = packed(GetParam(), sample(3000));
  const std::string second = packed(GetParam(), sample(2000, 3));
  EXPECT_EQ(reading(first + second), std::nullopt);
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{3}, std::size_t{11}, second.size() - 1}) {
    EXPECT_EQ(reading(first + second.substr(0, size)), Errc::invalid_content) << size;
  }
}

TEST_P(Hostile, GarbageBehindTheStreamIsAnError) {
  const std::string stream = packed(GetParam(), sample(3000));
  for (const std::string_view garbage : {"\0"sv, "x"sv, "garbage"sv, "\0\0\0\0\0\0\0\0\0\0"sv}) {
    EXPECT_EQ(reading(stream + std::string(garbage)), Errc::invalid_content) << garbage;
  }
  EXPECT_EQ(reading(stream + noise(500'000)), Errc::invalid_content);
}

TEST_P(Hostile, ChangedByteIsNoticedOrHarmless) {
  const std::string content = sample(3000);
  const std::string stream = packed(GetParam(), content);
  for (std::size_t at = 0; at < stream.size(); at += 5) {
    std::string changed = stream;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    try {
      // A header's time, system or flags may change without harm.
      EXPECT_TRUE(decompress(GetParam(), changed) == content) << at;
    } catch (const Error& e) {
      EXPECT_TRUE(e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded)
          << e.what();
    }
  }
}

TEST_P(Hostile, EmptyOrForeignStreamIsAnError) {
  EXPECT_EQ(reading(""), Errc::invalid_content);
  EXPECT_EQ(reading("x"), Errc::invalid_content);
  EXPECT_EQ(reading(noise(100'000)), Errc::invalid_content);
  EXPECT_EQ(reading(std::string(100'000, '\0')), Errc::invalid_content);
}

TEST_P(Hostile, EmptyContentIsRead) {
  EXPECT_EQ(decompress(GetParam(), packed(GetParam(), "")), "");
}

TEST_P(Hostile, OutputIsLimited) {
  const std::string content = sample(kMiB);
  const std::string stream = packed(GetParam(), content);
  EXPECT_EQ(reading(stream, {.max_output = content.size() - 1}), Errc::limit_exceeded);
  EXPECT_EQ(reading(stream, {.max_output = content.size()}), std::nullopt);
}

TEST_P(Hostile, BombIsStoppedAfterWhatIsAllowed) {
  const std::string bomb = packed(GetParam(), std::string(65 * kMiB, '\0'));
  EXPECT_EQ(reading(bomb, {.max_ratio = 50}), Errc::limit_exceeded);
  EXPECT_EQ(reading(bomb, {.max_ratio = 0}), std::nullopt);
  const std::string small = packed(GetParam(), std::string(60 * kMiB, '\0'));
  EXPECT_EQ(reading(small, {.max_ratio = 1}), std::nullopt);
}

class FailingSource final : public Source {
 public:
  explicit FailingSource(std::string_view text) : source_(text) {}
  std::size_t read(std::span<std::byte> out) override {
    if (const std::size_t got = source_.read(out.first(std::min<std::size_t>(out.size(), 100)))) {
      return got;
    }
    throw Error(Errc::unavailable, "connection reset");
  }

 private:
  StringSource source_;
};

TEST_P(Hostile, FailureOfTheInputIsPassedOn) {
  const std::string stream = packed(GetParam(), sample(30'000));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{50}, stream.size() / 2, stream.size()}) {
    FailingSource in(std::string_view(stream).substr(0, size));
    const auto source = codec_named(GetParam()).decompress_from(in, {});
    EXPECT_EQ(failure_of([&] { (void)drain(*source); }), Errc::unavailable) << size;
  }
}

TEST_P(Hostile, FailureIsNotForgottenByTheNextRead) {
  const std::string stream = packed(GetParam(), sample(3000));
  StringSource in(std::string_view(stream).substr(0, stream.size() - 3));
  const auto source = codec_named(GetParam()).decompress_from(in, {});
  EXPECT_EQ(failure_of([&] { (void)drain(*source); }), Errc::invalid_content);
  EXPECT_EQ(failure_of([&] { (void)drain(*source); }), Errc::invalid_content);
}

TEST_P(Hostile, WindowOutOfRangeIsRefused) {
  StringSource in("");
  for (const int log : {-1, 0, 9, 31, 99}) {
    EXPECT_EQ(failure_of([&] {
                (void)codec_named(GetParam()).decompress_from(in, {.max_window_log = log});
              }),
              Errc::invalid_argument);
  }
}

TEST_P(Hostile, InputIsConsumedToItsEnd) {
  const std::string stream = packed(GetParam(), sample(100'000));
  SlowSource in(stream, 1000);
  const auto source = codec_named(GetParam()).decompress_from(in, {});
  EXPECT_EQ(drain(*source), 100'000U);
  std::vector<std::byte> one(1);
  EXPECT_EQ(in.read(one), 0U);
}

INSTANTIATE_TEST_SUITE_P(Codecs, Hostile, ::testing::Values("gzip", "zstd", "bzip2", "xz"),
                         [](const auto& parameter) { return std::string(parameter.param); });

std::string with_changed_byte(std::string stream, std::size_t from_end) {
  char& byte = stream[stream.size() - from_end];
  byte = static_cast<char>(byte ^ 1);
  return stream;
}

TEST(HostileGzip, WrongChecksumIsAnError) {
  const std::string stream = compress("gzip", sample(3000));
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", with_changed_byte(stream, 8)); }),
            Errc::invalid_content);
}

TEST(HostileGzip, WrongLengthIsAnError) {
  const std::string stream = compress("gzip", sample(3000));
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", with_changed_byte(stream, 4)); }),
            Errc::invalid_content);
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", with_changed_byte(stream, 1)); }),
            Errc::invalid_content);
}

TEST(HostileGzip, WrongChecksumOfAnEarlierMemberIsAnError) {
  const std::string first = compress("gzip", sample(3000));
  const std::string second = compress("gzip", sample(3000));
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", with_changed_byte(first, 8) + second); }),
            Errc::invalid_content);
}

TEST(HostileGzip, OtherMethodThanDeflateIsAnError) {
  EXPECT_EQ(failure_of([] {
              (void)decompress("gzip", "\x1F\x8B\x07\x00\x00\x00\x00\x00\x00\xFF\x03\x00"sv);
            }),
            Errc::invalid_content);
}

TEST(HostileGzip, WrongChecksumOfAHeaderIsAnError) {
  const std::string body = compress("gzip", "content").substr(10);
  EXPECT_EQ(failure_of([&] {
              (void)decompress("gzip", "\x1F\x8B\x08\x02\0\0\0\0\0\xFF\x12\x34"s + body);
            }),
            Errc::invalid_content);
}

TEST(HostileGzip, ReservedFlagsAreAnError) {
  std::string stream = compress("gzip", "content");
  stream[3] = '\x20';
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", stream); }), Errc::invalid_content);
}

TEST(HostileGzip, EndlessHeaderIsAnError) {
  const std::string stream = "\x1F\x8B\x08\x08\0\0\0\0\0\xFF"s + std::string(kMiB, 'n');
  EXPECT_EQ(failure_of([&] { (void)decompress("gzip", stream); }), Errc::invalid_content);
}

TEST(HostileGzip, EveryOptionalHeaderFieldIsSkipped) {
  const std::string body = compress("gzip", "content").substr(10);
  std::string header = "\x1F\x8B\x08\x1E\x00\x00\x00\x00\x00\xFF"s.append(
      "\x05\x00"
      "extra"
      "name\0"
      "comment\0"sv);
  const auto crc = static_cast<std::uint32_t>(
      ::crc32(0, reinterpret_cast<const Bytef*>(header.data()), static_cast<uInt>(header.size())));
  header += static_cast<char>(crc & 0xFFU);
  header += static_cast<char>(crc >> 8U & 0xFFU);
  EXPECT_EQ(decompress("gzip", header + body), "content");
  for (const std::size_t piece : {1U, 2U, 5U}) {
    const std::string stream = header + body + header + body;
    SlowSource in(stream, piece);
    const auto source = codec_named("gzip").decompress_from(in, {});
    EXPECT_EQ(read_in_pieces(*source, 3), "contentcontent") << piece;
  }
}

TEST(HostileGzip, ManyTinyMembersAreOneStream) {
  std::string stream;
  std::string content;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
    stream += compress("gzip", piece);
    content += piece;
  }
  EXPECT_EQ(decompress("gzip", stream), content);
  SlowSource in(stream, 13);
  const auto source = codec_named("gzip").decompress_from(in, {});
  EXPECT_EQ(read_in_pieces(*source, 100'000), content);
}

TEST(HostileZstd, SkippableFramesAreSkipped) {
  const std::string skippable = "\x50\x2A\x4D\x18\x03\x00\x00\x00skp"s;
  const std::string frame = compress("zstd", "content");
  EXPECT_EQ(decompress("zstd", skippable + frame + skippable + frame + skippable),
            "contentcontent");
  EXPECT_EQ(failure_of([&] {
              (void)decompress("zstd", frame + skippable.substr(0, skippable.size() - 1));
            }),
            Errc::invalid_content);
}

TEST(HostileZstd, WindowIsLimited) {
  const std::string content = sample(9 * kMiB);
  std::string stream(ZSTD_compressBound(content.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 23);
  stream.resize(
      ZSTD_compress2(context, stream.data(), stream.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  EXPECT_EQ(failure_of([&] { (void)decompress("zstd", stream, {.max_window_log = 22}); }),
            Errc::limit_exceeded);
  EXPECT_TRUE(decompress("zstd", stream, {.max_window_log = 23}) == content);
}

TEST(HostileXz, DictionaryIsLimited) {
  const std::string stream = through_tool("xz --lzma2=preset=0,dict=64MiB", sample(3000));
  EXPECT_EQ(failure_of([&] { (void)decompress("xz", stream, {.max_window_log = 25}); }),
            Errc::limit_exceeded);
  EXPECT_EQ(decompress("xz", stream, {.max_window_log = 26}), sample(3000));
}

TEST(HostileXz, StreamPaddingOfTheStandardIsSkipped) {
  const std::string stream = through_tool("xz -0", "content");
  EXPECT_EQ(decompress("xz", stream + std::string(8, '\0') + stream + std::string(4, '\0')),
            "contentcontent");
}

TEST(HostileBzip2AndXz, ContentThatIsCompressedItselfIsDecompressedOnce) {
  for (const auto& [codec, command] : {std::pair{"bzip2", "bzip2 -1"}, {"xz", "xz -0"}}) {
    const std::string once = through_tool(command, "content");
    EXPECT_TRUE(decompress(codec, through_tool(command, once)) == once) << codec;
  }
}

TEST(HostileZstd, FormatsBeforeTheStandardAreRefused) {
  EXPECT_EQ(
      failure_of([] { (void)decompress("zstd", "\x27\xB5\x2F\xFD\x04\x00\x00\x00\x00\x00"sv); }),
      Errc::invalid_content);
}

TEST(HostileZstd, WrongChecksumIsAnError) {
  const std::string stream = compress("zstd", sample(3000));
  EXPECT_EQ(failure_of([&] { (void)decompress("zstd", with_changed_byte(stream, 1)); }),
            Errc::invalid_content);
}

}  // namespace
}  // namespace lade
