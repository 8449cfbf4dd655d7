#include "libimage/compress/member_sink.h"

#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

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
