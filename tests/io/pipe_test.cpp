#include "libimage/io/pipe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;
using namespace std::chrono_literals;

std::vector<std::byte> chunk(std::string_view text) {
  return {bytes_of(text).begin(), bytes_of(text).end()};
}

std::exception_ptr error(Errc code, std::string message) {
  return std::make_exception_ptr(Error(code, std::move(message)));
}

/// True while the call behind `future` has not returned; false after a long wait.
template <typename T>
bool is_blocked(const std::future<T>& future) {
  return future.wait_for(20ms) == std::future_status::timeout;
}

TEST(Pipe, GivesChunksInOrderThenTheEnd) {
  Pipe pipe;
  pipe.write(chunk("a"));
  pipe.write(chunk(""));
  pipe.write(chunk("bc"));
  pipe.close();
  EXPECT_EQ(chars_of(pipe.read()), "a");
  EXPECT_EQ(chars_of(pipe.read()), "bc");
  EXPECT_TRUE(pipe.read().empty());
  EXPECT_TRUE(pipe.read().empty());
}

TEST(Pipe, MovesMuchBetweenThreadsThroughASmallCapacity) {
  Pipe pipe(100);
  std::jthread writer([&] {
    for (int i = 0; i < 20'000; ++i) pipe.write(chunk(std::to_string(i) + ","));
    pipe.close();
  });
  std::string expected;
  for (int i = 0; i < 20'000; ++i) expected += std::to_string(i) + ",";
  std::string got;
  for (auto piece = pipe.read(); !piece.empty(); piece = pipe.read()) got += chars_of(piece);
  EXPECT_EQ(got, expected);
}

TEST(Pipe, WriterWaitsWhileFull) {
  Pipe pipe(4);
  pipe.write(chunk("12345"));
  auto writing = std::async(std::launch::async, [&] { pipe.write(chunk("6")); });
  EXPECT_TRUE(is_blocked(writing));
  EXPECT_EQ(chars_of(pipe.read()), "12345");
  writing.get();
  EXPECT_EQ(chars_of(pipe.read()), "6");
}

TEST(Pipe, FailureOfTheWriterComesAfterWhatIsQueued) {
  Pipe pipe;
  pipe.write(chunk("a"));
  pipe.fail(error(Errc::unavailable, "connection reset"));
  EXPECT_EQ(chars_of(pipe.read()), "a");
  EXPECT_EQ(failure_of([&] { (void)pipe.read(); }), Errc::unavailable);
  EXPECT_EQ(failure_of([&] { (void)pipe.read(); }), Errc::unavailable);
}

TEST(Pipe, FailureOfTheWriterWakesTheReader) {
  Pipe pipe;
  auto reading = std::async(std::launch::async, [&] { (void)pipe.read(); });
  EXPECT_TRUE(is_blocked(reading));
  pipe.fail(error(Errc::unavailable, "connection reset"));
  EXPECT_EQ(failure_of([&] { reading.get(); }), Errc::unavailable);
}

TEST(Pipe, ReaderThatGaveUpWakesAndStopsTheWriter) {
  Pipe pipe(1);
  pipe.write(chunk("full"));
  auto writing = std::async(std::launch::async, [&] { pipe.write(chunk("x")); });
  EXPECT_TRUE(is_blocked(writing));
  pipe.abandon(error(Errc::io, "disk full"));
  EXPECT_EQ(failure_of([&] { writing.get(); }), Errc::io);
  EXPECT_EQ(failure_of([&] { pipe.write(chunk("y")); }), Errc::io);
}

TEST(Pipe, StopEndsBothKindsOfWaiting) {
  Pipe pipe(1);
  std::stop_source stop;
  auto reading = std::async(std::launch::async, [&] { (void)pipe.read(stop.get_token()); });
  EXPECT_TRUE(is_blocked(reading));
  stop.request_stop();
  EXPECT_THROW(reading.get(), Cancelled);

  std::stop_source other;
  pipe.write(chunk("full"));
  auto writing = std::async(std::launch::async, [&] { pipe.write(chunk("x"), other.get_token()); });
  EXPECT_TRUE(is_blocked(writing));
  other.request_stop();
  EXPECT_THROW(writing.get(), Cancelled);
}

/// Fails at the n-th write, or in finish() for n = 0.
class FailingSink final : public Sink {
 public:
  explicit FailingSink(int at) : at_(at) {}
  void write(ByteView /*data*/) override {
    if (++writes_ == at_) throw Error(Errc::io, "disk full");
  }
  void finish() override {
    finished = true;
    if (at_ == 0) throw Error(Errc::io, "disk full at the end");
  }
  std::atomic<bool> finished = false;

 private:
  int at_;
  int writes_ = 0;
};

TEST(AsyncSink, DeliversEverythingBeforeFinishReturns) {
  StringSink out;
  AsyncSink sink(out, kChunkBytes);
  std::string expected;
  for (int i = 0; i < 300'000; ++i) {
    const std::string piece = std::to_string(i);
    sink.write(bytes_of(piece));
    expected += piece;
  }
  sink.finish();
  EXPECT_TRUE(out.text() == expected);
}

TEST(AsyncSink, FinishesAnEmptyStream) {
  FailingSink next(-1);
  AsyncSink sink(next);
  sink.finish();
  EXPECT_TRUE(next.finished);
}

TEST(AsyncSink, FailureOfTheNextStageReachesTheWriter) {
  const std::string data(kChunkBytes, 'x');
  for (const int at : {0, 1, 3}) {
    FailingSink next(at);
    AsyncSink sink(next, kChunkBytes);
    EXPECT_EQ(failure_of([&] {
                for (int i = 0; i < 10; ++i) sink.write(bytes_of(data));
                sink.finish();
              }),
              Errc::io)
        << at;
    EXPECT_EQ(next.finished, at == 0);
  }
}

TEST(AsyncSink, DestroyedUnfinishedNeverFinishesTheNextStage) {
  const std::string data(kChunkBytes * 3, 'x');
  FailingSink next(-1);
  {
    AsyncSink sink(next);
    sink.write(bytes_of(data));
  }
  EXPECT_FALSE(next.finished);
}

/// Endless, or failing after some reads.
class CountedSource final : public Source {
 public:
  explicit CountedSource(int reads) : left_(reads) {}
  std::size_t read(std::span<std::byte> out) override {
    if (left_-- == 0) throw Error(Errc::unavailable, "connection reset");
    std::ranges::fill(out, std::byte{'x'});
    return out.size();
  }

 private:
  int left_;
};

TEST(ReadAheadSource, GivesTheWholeContent) {
  std::string content;
  for (int i = 0; i < 200'000; ++i) content += std::to_string(i);
  ReadAheadSource source(std::make_unique<StringSource>(content), kChunkBytes);
  EXPECT_TRUE(read_all(source, 10'000'000, "content") == content);
  EXPECT_EQ(drain(source), 0U);
}

TEST(ReadAheadSource, PassesAFailureOnAfterWhatCameBefore) {
  ReadAheadSource source(std::make_unique<CountedSource>(2));
  std::vector<std::byte> buffer(kChunkBytes);
  EXPECT_EQ(read_full(source, buffer), kChunkBytes);
  EXPECT_EQ(read_full(source, buffer), kChunkBytes);
  EXPECT_EQ(failure_of([&] { (void)source.read(buffer); }), Errc::unavailable);
}

TEST(ReadAheadSource, MayBeDestroyedBeforeTheEnd) {
  ReadAheadSource source(std::make_unique<CountedSource>(-1), kChunkBytes);
  std::vector<std::byte> buffer(10);
  EXPECT_EQ(source.read(buffer), 10U);
}

}  // namespace
}  // namespace lade
