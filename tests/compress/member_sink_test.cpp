#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

#include "libimage/compress/members.h"
#include "libimage/io/pipe.h"

#include "samples.h"

namespace lade {
namespace {

using namespace lade::testing;

class Copier final : public MemberCompressor {
 public:
  explicit Copier(int level) : level_(level) {}
  std::size_t compress(ByteView in, std::span<std::byte> out) override {
    if (level_ == 1) throw Error(Errc::internal, "compressor broke");
    if (level_ == 2) {  // later members are done first
      const auto first = static_cast<unsigned>(in.empty() ? std::byte{} : in[0]);
      std::this_thread::sleep_for(std::chrono::milliseconds(first % 3));
    }
    std::ranges::copy(in, out.begin());
    return in.size();
  }

 private:
  int level_;
};

MemberFormat copying(std::size_t input, int level = 0) {
  return {.input = input, .bound = input, .level = level, .make_compressor = [](int l) {
            return std::unique_ptr<MemberCompressor>(std::make_unique<Copier>(l));
          }};
}

/// Fails at its n-th write, or when finished for n = 0.
class FailingSink final : public Sink {
 public:
  explicit FailingSink(int at) : at_(at) {}
  void write(ByteView /*data*/) override {
    if (++writes_ == at_) throw Error(Errc::io, "disk full");
  }
  void finish() override {
    finished_ = true;
    if (at_ == 0) throw Error(Errc::io, "disk full at the end");
  }
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  int at_;
  std::atomic<int> writes_ = 0;
  std::atomic<bool> finished_ = false;
};

TEST(MemberSink, KeepsTheOrderWhateverMemberIsDoneFirst) {
  const std::string content = sample(100'000);
  for (const unsigned threads : {1U, 2U, 7U}) {
    StringSink out;
    MemberSink sink(out, copying(1000, 2), threads);
    sink.write(bytes_of(content));
    sink.finish();
    EXPECT_TRUE(out.text() == content) << threads;
  }
}

TEST(MemberSink, FailureOfOutLeavesWriteOrFinish) {
  const std::string content = sample(50'000);
  for (const int at : {1, 2, 20, 49, 0}) {
    FailingSink out(at);
    MemberSink sink(out, copying(1000), 3);
    EXPECT_EQ(failure_of([&] {
                sink.write(bytes_of(content));
                sink.finish();
              }),
              Errc::io)
        << at;
    EXPECT_EQ(out.finished(), at == 0);
  }
}

TEST(MemberSink, FailureIsReportedAgainByEveryLaterWrite) {
  FailingSink out(1);
  MemberSink sink(out, copying(10), 2);
  const std::string content = sample(1000);
  EXPECT_EQ(failure_of([&] { sink.write(bytes_of(content)); }), Errc::io);
  EXPECT_EQ(failure_of([&] { sink.write(bytes_of(content)); }), Errc::io);
  EXPECT_EQ(failure_of([&] { sink.finish(); }), Errc::io);
  EXPECT_FALSE(out.finished());
}

TEST(MemberSink, FailureOfOutLeavesFinishWhenThereIsOneMember) {
  FailingSink out(1);
  MemberSink sink(out, copying(1000), 2);
  sink.write(bytes_of("abc"));
  EXPECT_EQ(failure_of([&] { sink.finish(); }), Errc::io);
}

TEST(MemberSink, FailureOfACompressorLeavesFinish) {
  for (const std::size_t size : {std::size_t{5}, std::size_t{5000}}) {
    StringSink out;
    MemberSink sink(out, copying(100, 1), 2);
    const std::string content = sample(size);
    EXPECT_EQ(failure_of([&] {
                sink.write(bytes_of(content));
                sink.finish();
              }),
              Errc::internal);
  }
}

class CancellingSink final : public Sink {
 public:
  void write(ByteView /*data*/) override { throw Cancelled(); }
};

TEST(MemberSink, CancellationOfOutIsPassedOn) {
  CancellingSink out;
  MemberSink sink(out, copying(100), 2);
  const std::string content = sample(5000);
  EXPECT_THROW(
      {
        sink.write(bytes_of(content));
        sink.finish();
      },
      Cancelled);
}

TEST(MemberSink, DestroyedUnfinishedNeverFinishesOut) {
  const std::string content = sample(40'500);
  for (const std::size_t size : {std::size_t{0}, std::size_t{50}, content.size()}) {
    FailingSink out(-1);
    {
      MemberSink sink(out, copying(1000, 2), 3);
      sink.write(bytes_of(std::string_view(content).substr(0, size)));
    }
    EXPECT_FALSE(out.finished());
  }
}

/// Counts the members between the caller and the output.
class CountingGate final : public Sink {
 public:
  void write(ByteView data) override {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    written_ += data.size();
  }
  [[nodiscard]] std::size_t written() const { return written_; }

 private:
  std::atomic<std::size_t> written_ = 0;
};

TEST(MemberSink, HoldsABoundedNumberOfMembers) {
  constexpr std::size_t kInput = 100;
  constexpr unsigned kThreads = 2;
  CountingGate out;
  MemberSink sink(out, copying(kInput), kThreads);
  const std::string content = sample(kInput);
  for (std::size_t i = 0; i < 200; ++i) {
    sink.write(bytes_of(content));
    const std::size_t held = (i + 1) * kInput - out.written();
    // In flight, and the one that the caller fills.
    ASSERT_LE(held, (kThreads + 2 + 1) * kInput);
  }
  sink.finish();
  EXPECT_EQ(out.written(), 200 * kInput);
}

/// The members of `content` cut after every `step` bytes, as compressed sizes in order.
std::vector<std::uint64_t> cut_every(const std::string& content, std::size_t step, Sink& out,
                                     unsigned threads, std::size_t largest) {
  std::vector<std::uint64_t> sizes;
  const auto sink = member_sink(
      "zstd", out, {.threads = threads}, [&](std::uint64_t size) { sizes.push_back(size); },
      largest);
  for (std::size_t at = 0; at < content.size(); at += step) {
    sink->cut();
    sink->write(bytes_of(std::string_view(content).substr(at, step)));
    sink->cut();
    sink->cut();
  }
  const std::uint64_t members = sink->members();
  sink->finish();
  EXPECT_EQ(std::max<std::uint64_t>(members, 1), sizes.size());
  return sizes;
}

TEST(MemberSink, MembersEndWhereTheCallerSaysWhateverTheThreads) {
  const std::string content = sample(300'000);
  for (const std::size_t step : {std::size_t{50}, std::size_t{777}, std::size_t{70'000}}) {
    StringSink one;
    const std::vector<std::uint64_t> sizes = cut_every(content, step, one, 1, 100'000);
    StringSink many;
    EXPECT_EQ(cut_every(content, step, many, 4, 100'000), sizes);
    EXPECT_EQ(many.text(), one.text());
    ASSERT_EQ(sizes.size(), (content.size() + step - 1) / step);
    std::size_t at = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {  // each member is a stream of its own
      const std::string member = one.text().substr(at, sizes[i]);
      ASSERT_TRUE(decompress("zstd", member) == content.substr(i * step, step));
      at += sizes[i];
    }
    EXPECT_EQ(at, one.text().size());
  }
}

TEST(MemberSink, MembersThatAreFullEndThemselves) {
  const std::string content = sample(100'000);
  StringSink out;
  const std::vector<std::uint64_t> sizes = cut_every(content, 25'000, out, 2, 10'000);
  EXPECT_EQ(sizes.size(), 12U);  // 10,000 + 10,000 + 5,000 four times
  EXPECT_TRUE(decompress("zstd", out.text()) == content);
}

TEST(MemberSink, NothingIsOneMemberOfNothing) {
  StringSink out;
  EXPECT_EQ(cut_every("", 1, out, 2, 10'000).size(), 1U);
  EXPECT_EQ(decompress("zstd", out.text()), "");
}

TEST(Members, OneMemberHoldsContentOfAnySize) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 5 * kMiB + 3}) {
    const std::string content = sample(size);
    for (const char* codec : {"gzip", "zstd"}) {
      EXPECT_TRUE(decompress(codec, one_member(codec, content, {})) == content);
    }
  }
  EXPECT_THROW((void)one_member("xz", "", {}), Error);
}

TEST(Members, CrcIsTheOneOfIso3309) {
  // The check value of CRC-64/GO-ISO in the catalogue of parametrised CRC algorithms.
  EXPECT_EQ(crc64_iso(0, bytes_of("123456789")), 0xB909'56C7'75A4'1001U);
  EXPECT_EQ(crc64_iso(crc64_iso(0, bytes_of("1234")), bytes_of("56789")), 0xB909'56C7'75A4'1001U);
}

TEST(MemberSink, WorksInFrontOfAnAsyncSink) {
  const std::string content = sample(3 * kMiB);
  StringSink out;
  AsyncSink async(out);
  const auto sink = codec_named("gzip").compress_to(async, {});
  sink->write(bytes_of(content));
  sink->finish();
  EXPECT_TRUE(decompress("gzip", out.text()) == content);
}

TEST(MemberSink, ManyStreamsAtOnceDoNotDisturbEachOther) {
  const std::string content = sample(2 * kMiB + 77);
  const std::string expected = compress("gzip", content);
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        if (compress("gzip", content) == expected) ++good;
      });
    }
  }
  EXPECT_EQ(good, 6);
}

}  // namespace
}  // namespace lade
