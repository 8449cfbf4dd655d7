#include "libimage/digest/hasher.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

constexpr std::string_view kAbc =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Gives a text out at most `step` bytes at a time.
class SteppingSource final : public Source {
 public:
  SteppingSource(std::string text, std::size_t step) : text_(std::move(text)), step_(step) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = std::min({out.size(), step_, text_.size() - at_});
    const ByteView piece = bytes_of(std::string_view(text_).substr(at_, count));
    std::copy(piece.begin(), piece.end(), out.begin());
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  std::size_t step_;
  std::size_t at_ = 0;
};

template <typename Body>
Errc code_of(Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return Errc::internal;
}

TEST(Hasher, ComputesTheVectorsOfFips180) {
  EXPECT_EQ(sha256_of("abc").str(), kAbc);
  EXPECT_EQ(sha256_of("").str(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Hasher sha512("sha512");
  sha512.update("abc");
  EXPECT_EQ(sha512.digest().str(),
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Hasher, GoesOnAfterADigestWasAsked) {
  Hasher hasher;
  hasher.update("ab");
  EXPECT_EQ(hasher.digest(), sha256_of("ab"));
  hasher.update("c");
  EXPECT_EQ(hasher.digest().str(), kAbc);
  EXPECT_EQ(hasher.digest().str(), kAbc);
}

TEST(Hasher, RefusesOtherAlgorithms) {
  for (const char* name : {"md5", "sha1", "SHA256", "", "blake3"}) {
    EXPECT_EQ(code_of([&] { Hasher hasher(name); }), Errc::unsupported) << name;
  }
}

TEST(HashingSink, HashesCountsAndPassesOn) {
  StringSink end;
  HashingSink sink(end);
  sink.write(bytes_of("ab"));
  sink.write(bytes_of("c"));
  sink.finish();
  EXPECT_EQ(end.text(), "abc");
  EXPECT_EQ(sink.bytes(), 3U);
  EXPECT_EQ(sink.digest().str(), kAbc);
}

TEST(HashingSource, HashesAndCounts) {
  SteppingSource text("abc", 2);
  HashingSource source(text);
  EXPECT_EQ(drain(source), 3U);
  EXPECT_EQ(source.bytes(), 3U);
  EXPECT_EQ(source.digest().str(), kAbc);
}

std::uint64_t verify(std::string text, std::string_view digest, std::uint64_t size,
                     std::size_t step = 1) {
  VerifyingSource source(std::make_unique<SteppingSource>(std::move(text), step),
                         Digest::parse(digest), size);
  return drain(source);
}

TEST(VerifyingSource, LetsTheRightContentPass) {
  EXPECT_EQ(verify("abc", kAbc, 3), 3U);
  EXPECT_EQ(verify("abc", kAbc, 3, 100), 3U);
  EXPECT_EQ(verify("", sha256_of("").str(), 0), 0U);
}

TEST(VerifyingSource, StaysAtItsEnd) {
  VerifyingSource source(std::make_unique<SteppingSource>("abc", 3), Digest::parse(kAbc), 3);
  drain(source);
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(source.read(buffer), 0U);
}

TEST(VerifyingSource, RefusesTruncatedContent) {
  EXPECT_EQ(code_of([] { verify("ab", kAbc, 3); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([] { verify("", kAbc, 3); }), Errc::size_mismatch);
}

TEST(VerifyingSource, RefusesAByteTooManyBeforeTheEnd) {
  VerifyingSource source(std::make_unique<SteppingSource>("abcd" + std::string(100, 'x'), 4),
                         Digest::parse(kAbc), 3);
  std::array<std::byte, 4> buffer{};
  EXPECT_EQ(code_of([&] { source.read(buffer); }), Errc::size_mismatch);
}

TEST(VerifyingSource, RefusesOtherContentOfTheRightSize) {
  EXPECT_EQ(code_of([] { verify("abd", kAbc, 3); }), Errc::digest_mismatch);
}

TEST(VerifyingSource, RefusesAWrongSizeOfTheRightContent) {
  EXPECT_EQ(code_of([] { verify("abc", kAbc, 2); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([] { verify("abc", kAbc, 4); }), Errc::size_mismatch);
  EXPECT_EQ(code_of([] { verify("abc", kAbc, INT64_MAX); }), Errc::size_mismatch);
}

TEST(VerifyingSource, RefusesDigestsThatCannotBeVerifiedBeforeReading) {
  EXPECT_EQ(code_of([] { verify("abc", "blake3:00", 3); }), Errc::unsupported);
}

}  // namespace
}  // namespace lade
