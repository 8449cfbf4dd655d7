// Our deflate encoder, read by decoders that know nothing of it.
#include "libimage/compress/deflate_encoder.h"

#include <memory>

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zlib.h>

#include "libimage/digest/hasher.h"

#include "samples.h"
#include "tool.h"

namespace lade {
namespace {

using namespace lade::testing;
using namespace std::string_literals;

std::string deflate(DeflateEncoder& encoder, std::string_view content) {
  std::string out(DeflateEncoder::bound(content.size()), '\x55');
  out.resize(encoder.compress(bytes_of(content), std::as_writable_bytes(std::span(out))));
  return out;
}

std::string deflate(std::string_view content) {
  return deflate(*std::make_unique<DeflateEncoder>(), content);
}

/// What zlib makes of `stream`, which must end where its last block does.
std::string inflate_by_zlib(std::string_view stream, std::size_t size) {
  z_stream state{};
  EXPECT_EQ(inflateInit2(&state, -15), Z_OK);
  std::string input(stream);
  std::string out(size + 1, '\0');
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&state, Z_FINISH), Z_STREAM_END) << (state.msg != nullptr ? state.msg : "");
  EXPECT_EQ(state.avail_in, 0U);
  out.resize(out.size() - state.avail_out);
  inflateEnd(&state);
  return out;
}

std::string inflate_by_libdeflate(std::string_view stream, std::size_t size) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decoder(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::string out(size, '\0');
  EXPECT_EQ(libdeflate_deflate_decompress(decoder.get(), stream.data(), stream.size(), out.data(),
                                          out.size(), nullptr),
            LIBDEFLATE_SUCCESS);
  return out;
}

/// Compresses, and compares what three decoders make of it; the size of the stream.
std::size_t sound_size(std::string_view content) {
  const std::string stream = deflate(content);
  EXPECT_TRUE(inflate_by_zlib(stream, content.size()) == content);
  EXPECT_TRUE(inflate_by_libdeflate(stream, content.size()) == content);
  EXPECT_TRUE(decompress("gzip", compress("gzip", content)) == content);  // ISA-L
  return stream.size();
}

TEST(DeflateEncoder, SmallContentsOfEverySizeComeBack) {
  const std::string text = sample(4096, 9);
  const std::string zeros(600, '\0');
  for (std::size_t size = 0; size < 600; size += size < 40 ? 1 : 13) {
    ASSERT_LE(sound_size(std::string_view(text).substr(0, size)), size + 5) << size;
    ASSERT_LE(sound_size(std::string_view(zeros).substr(0, size)), 30U) << size;
    ASSERT_LE(sound_size(noise(size, static_cast<unsigned>(size))), size + 5) << size;
  }
}

TEST(DeflateEncoder, NothingTakesTwoBytes) { EXPECT_EQ(deflate(""), "\x03\x00"s); }

TEST(DeflateEncoder, OneByteRepeatedTakesAThousandth) {
  for (const char byte : {'\0', 'a', '\xFF'}) {
    EXPECT_LT(sound_size(std::string(kMiB, byte)), kMiB / 900);
  }
}

TEST(DeflateEncoder, ContentThatDoesNotCompressHardlyGrows) {
  for (const std::size_t size : {kMiB, kMiB + 1, std::size_t{65535}, std::size_t{65536},
                                 std::size_t{131'070}, std::size_t{131'095}, 4 * kMiB}) {
    EXPECT_LE(sound_size(noise(size)), size + size / 10'000 + 16) << size;
  }
}

// A period of every length around those that matter: matches of the longest length, at the
// farthest distance, and just beyond it.
TEST(DeflateEncoder, PeriodsUpToTheWindowAreFoundAndNoneBeyond) {
  for (const std::size_t period : {1U, 2U, 3U, 4U, 7U, 8U, 9U, 255U, 256U, 257U, 258U, 259U, 300U,
                                   4095U, 16'384U, 24'577U, 32'767U, 32'768U}) {
    std::string content = noise(period, static_cast<unsigned>(period));
    while (content.size() < 9 * period + 3000) content += content.substr(content.size() - period);
    EXPECT_LT(sound_size(content), period + period / 2 + (period > 16'000 ? period : 400))
        << period;
  }
  const std::string far = noise(32'769);
  EXPECT_GT(sound_size(far + far + far), 3 * far.size());
}

// Positions are kept modulo 65,536: what stands in the tables from so long ago leads nowhere wrong.
TEST(DeflateEncoder, RepetitionsFartherThanTheWindowAreNotTaken) {
  for (const std::size_t gap : {32'768U, 32'769U, 65'535U, 65'536U, 65'537U, 98'304U, 131'072U}) {
    const std::string piece = noise(300, 5);
    std::string content;
    for (unsigned i = 0; i < 4; ++i) content += piece + noise(gap - piece.size(), i + 10);
    (void)sound_size(content);
  }
}

TEST(DeflateEncoder, EveryNumberOfDifferentBytesIsCoded) {
  std::mt19937 random(3);
  for (unsigned alphabet = 1; alphabet <= 256; alphabet += alphabet < 20 ? 1 : 9) {
    std::string content(3000, '\0');
    for (char& c : content) c = static_cast<char>(random() % alphabet);
    (void)sound_size(content);
  }
}

// Frequencies that grow like Fibonacci numbers make the deepest trees: the limits on lengths hold.
TEST(DeflateEncoder, DeepTreesAreLimited) {
  std::string content;
  std::uint64_t count = 1;
  std::uint64_t before = 1;
  for (unsigned value = 0; value < 24; ++value) {
    content.append(count, static_cast<char>(value));
    count += std::exchange(before, count);
  }
  std::shuffle(content.begin(), content.end(), std::mt19937(8));
  (void)sound_size(content);
}

TEST(DeflateEncoder, RandomMixturesComeBack) {
  for (unsigned seed = 1; seed <= 12; ++seed) (void)sound_size(sample(seed * 77'777, seed));
}

// One distance in a block: a code of one symbol is written as one of two.
TEST(DeflateEncoder, BlocksOfOneDistanceOrNoneAreComplete) {
  std::string content;
  for (unsigned i = 0; i < 900; ++i) content += noise(40, i) + std::string(100, 'x');
  (void)sound_size(content);
  std::string letters = noise(30'000);
  for (char& c : letters) c = static_cast<char>(c & 0x3F);
  (void)sound_size(letters);
}

TEST(DeflateEncoder, BytesDependOnNothingButTheContent) {
  const auto used = std::make_unique<DeflateEncoder>();
  (void)deflate(*used, noise(kMiB));
  (void)deflate(*used, sample(kMiB, 4));
  const std::string content = sample(kMiB + 17, 5);
  const std::string fresh = deflate(content);
  EXPECT_TRUE(deflate(*used, content) == fresh);
  // At any alignment in memory.
  for (const std::size_t shift : {1U, 3U, 8U}) {
    const std::string shifted = std::string(shift, '!') + content;
    EXPECT_TRUE(deflate(std::string_view(shifted).substr(shift)) == fresh);
  }
}

// Whoever changes what is written changes DeflateEncoder::kRevision.
TEST(DeflateEncoder, BytesOfThisRevisionAreFixed) {
  EXPECT_EQ(DeflateEncoder::kRevision, 1);
  EXPECT_EQ(sha256_of(deflate(sample(3 * kMiB, 6))).brief(), "sha256:9e4f5c6cf530");
}

TEST(DeflateEncoder, OutputThatIsTooSmallIsAnError) {
  const auto encoder = std::make_unique<DeflateEncoder>();
  const std::string content = sample(5000);
  std::string out(DeflateEncoder::bound(content.size()) - 1, '\0');
  EXPECT_EQ(failure_of([&] {
              (void)encoder->compress(bytes_of(content), std::as_writable_bytes(std::span(out)));
            }),
            Errc::internal);
}

TEST(DeflateEncoder, PythonAndGzipReadItsMembers) {
  const std::string content = sample(2 * kMiB + 99, 7) + noise(200'000);
  const std::string stream = compress("gzip", content);
  EXPECT_TRUE(through_tool("{ gzip -t && echo good; }", stream) == "good\n");
  EXPECT_TRUE(through_tool("python3 -c 'import gzip,sys;"
                           "sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))'",
                           stream) == content);
}

}  // namespace
}  // namespace lade
