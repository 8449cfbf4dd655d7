#include "libimage/io/stream.h"

#include <algorithm>
#include <array>
#include <thread>

#include <sys/socket.h>

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;

/// Gives one byte for each read.
class DrippingSource final : public Source {
 public:
  explicit DrippingSource(std::string_view text) : source_(text) {}
  std::size_t read(std::span<std::byte> out) override { return source_.read(out.first(1)); }

 private:
  StringSource source_;
};

/// Notes the size of each write and whether it was finished.
class NotingSink final : public Sink {
 public:
  void write(ByteView data) override {
    sizes.push_back(data.size());
    text += chars_of(data);
  }
  void finish() override { ++finishes; }
  std::vector<std::size_t> sizes = {};
  std::string text = {};
  int finishes = 0;
};

TEST(Stream, PumpMovesEverythingAndDoesNotFinish) {
  const std::string content(kChunkBytes * 2 + 5, 'x');
  StringSource source(content);
  NotingSink sink;
  EXPECT_EQ(pump(source, sink), content.size());
  EXPECT_EQ(sink.text, content);
  EXPECT_EQ(sink.finishes, 0);
}

TEST(Stream, PumpOfNothingWritesNothing) {
  StringSource source("");
  NotingSink sink;
  EXPECT_EQ(pump(source, sink), 0U);
  EXPECT_TRUE(sink.sizes.empty());
}

TEST(Stream, DrainReadsToTheEnd) {
  DrippingSource source("hello");
  EXPECT_EQ(drain(source), 5U);
  EXPECT_EQ(drain(source), 0U);
}

TEST(Stream, ReadAllObeysItsLimit) {
  StringSource fits("12345");
  EXPECT_EQ(read_all(fits, 5, "the manifest"), "12345");
  StringSource too_long("123456");
  try {
    (void)read_all(too_long, 5, "the manifest");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::limit_exceeded);
    EXPECT_STREQ(e.what(), "the manifest is larger than 5 bytes");
  }
}

TEST(Stream, ReadFullGathersSmallReads) {
  DrippingSource source("abcdef");
  std::array<std::byte, 4> out = {};
  EXPECT_EQ(read_full(source, out), 4U);
  EXPECT_EQ(chars_of(out), "abcd");
  EXPECT_EQ(read_full(source, out), 2U);
  EXPECT_EQ(read_full(source, out), 0U);
}

TEST(Stream, CountingSinkCountsPassesOnAndFinishes) {
  NotingSink next;
  CountingSink sink(next);
  sink.write(bytes_of("abc"));
  sink.write(bytes_of("de"));
  sink.finish();
  EXPECT_EQ(sink.bytes(), 5U);
  EXPECT_EQ(next.text, "abcde");
  EXPECT_EQ(next.finishes, 1);
}

TEST(BufferedSink, GathersSmallWrites) {
  NotingSink next;
  BufferedSink sink(next);
  std::string expected;
  for (int i = 0; i < 100'000; ++i) {
    sink.write(bytes_of("1234567"));
    expected += "1234567";
  }
  sink.finish();
  EXPECT_EQ(next.text, expected);
  EXPECT_EQ(next.sizes.size(), expected.size() / kChunkBytes + 1);
  EXPECT_EQ(next.finishes, 1);
}

TEST(BufferedSink, KeepsTheOrderOfSmallAndLargeWrites) {
  NotingSink next;
  BufferedSink sink(next);
  const std::string large(kChunkBytes + 1, 'L');
  sink.write(bytes_of(large));
  sink.write(bytes_of("small"));
  sink.write(bytes_of(large));
  sink.finish();
  EXPECT_EQ(next.text, large + "small" + large);
}

TEST(BufferedSink, WritesNothingWhenFinishedEmpty) {
  NotingSink next;
  BufferedSink sink(next);
  sink.finish();
  EXPECT_TRUE(next.sizes.empty());
  EXPECT_EQ(next.finishes, 1);
}

class FileStreams : public InTempDir {};

TEST_F(FileStreams, FdSourceReadsFromTheCurrentPosition) {
  write("file", "0123456789");
  UniqueFd fd(::open(at("file").c_str(), O_RDONLY | O_CLOEXEC));
  ::lseek(fd.get(), 4, SEEK_SET);
  FdSource source(std::move(fd), "file");
  EXPECT_EQ(read_all(source, 100, "file"), "456789");
}

TEST_F(FileStreams, FdSourceNamesWhatItCannotRead) {
  FdSource source(UniqueFd(::open(temp_.path().c_str(), O_RDONLY | O_CLOEXEC)), "the layer");
  try {
    (void)drain(source);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "read the layer: is a directory");
  }
}

TEST_F(FileStreams, RangesShareOneDescriptor) {
  write("file", "0123456789");
  const auto fd =
      std::make_shared<const UniqueFd>(::open(at("file").c_str(), O_RDONLY | O_CLOEXEC));
  FileRangeSource a(fd, 2, 3, "file");
  FileRangeSource b(fd, 0, 2, "file");
  FileRangeSource past_the_end(fd, 8, 100, "file");
  EXPECT_EQ(read_all(a, 100, "file"), "234");
  EXPECT_EQ(read_all(b, 100, "file"), "01");
  EXPECT_EQ(read_all(past_the_end, 100, "file"), "89");
  EXPECT_EQ(read_all(past_the_end, 100, "file"), "");
}

TEST_F(FileStreams, FdSinkWritesWholeThroughASmallSocket) {
  std::array<int, 2> ends = {};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  UniqueFd writer(ends[0]);
  FdSource reader(UniqueFd(ends[1]), "socket");
  const std::string content(3'000'000, 's');
  std::jthread thread([&] {
    FdSink(writer.get(), "socket").write(bytes_of(content));
    writer.reset();
  });
  EXPECT_TRUE(read_all(reader, 4'000'000, "socket") == content);
}

TEST_F(FileStreams, FdSinkReportsAFullDevice) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  FdSink sink(full.get(), "blob");
  try {
    sink.write(bytes_of("x"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::io);
    EXPECT_STREQ(e.what(), "write blob: no space left on device");
  }
}

}  // namespace
}  // namespace lade
