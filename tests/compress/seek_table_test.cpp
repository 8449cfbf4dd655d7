// Reading from the middle of compressed streams.
#include "libimage/compress/seek_table.h"

#include <gtest/gtest.h>

#include "libimage/io/stream.h"

#include "tests/compress/samples.h"
#include "tests/compress/tool.h"

namespace lade::testing {
namespace {

class OwnedText final : public Source {
 public:
  explicit OwnedText(std::string text) : text_(std::move(text)), rest_(text_) {}
  std::size_t read(std::span<std::byte> out) override { return rest_.read(out); }

 private:
  std::string text_;
  StringSource rest_;
};

class Packed {
 public:
  explicit Packed(std::string bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] ByteView head() const {
    return bytes_of(bytes_).first(std::min(bytes_.size(), SeekTable::kHeadBytes));
  }
  /// All of the content, read once.
  std::string scan() {
    const auto source = table_.scan(std::make_unique<OwnedText>(bytes_), codec_of(head()));
    return read_all(*source, 1U << 30U, "content");
  }
  [[nodiscard]] std::string read_at(std::uint64_t offset, std::size_t size) const {
    const auto source = table_.open(
        [this](std::uint64_t at) {
          return std::make_unique<OwnedText>(bytes_.substr(static_cast<std::size_t>(at)));
        },
        offset);
    std::string text(size, '\0');
    text.resize(read_full(*source, std::as_writable_bytes(std::span(text.data(), text.size()))));
    return text;
  }
  [[nodiscard]] std::size_t places() const { return table_.places(); }

 private:
  std::string bytes_;
  SeekTable table_;
};

void expect_random_access(const std::string& content, const std::string& bytes) {
  Packed packed(bytes);
  ASSERT_TRUE(SeekTable::suits(packed.head()));
  EXPECT_EQ(packed.scan(), content);
  EXPECT_GE(packed.places(), content.size() / (8 * kMiB));
  const std::size_t size = content.size();
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, 4 * kMiB - 1, 4 * kMiB,
                                   4 * kMiB + 70'001, 9 * kMiB, size - 100'000, size - 1, size}) {
    EXPECT_EQ(packed.read_at(offset, 300'000), content.substr(offset, 300'000)) << offset;
  }
}

TEST(SeekTable, EntersOurGzipAndZstd) {
  const std::string content = sample(20 * kMiB);
  for (const char* codec : {"gzip", "zstd"})
    expect_random_access(content, compress(codec, content));
}

TEST(SeekTable, EntersOneLongGzipMemberOfOthers) {
  const std::string content = sample(20 * kMiB);
  expect_random_access(content, through_tool("gzip -6 -c", content));
}

TEST(SeekTable, KeepsFewPlacesHoweverLongTheStream) {
  // 1.25 GiB of nothing is quickly read.
  const std::string piece = compress("gzip", std::string(8 * kMiB, '\0'));
  std::string bytes;
  for (int i = 0; i < 160; ++i) bytes += piece;
  SeekTable table;
  const auto source = table.scan(std::make_unique<OwnedText>(bytes), codec_named("gzip"));
  EXPECT_EQ(drain(*source), std::uint64_t{5} << 28U);
  EXPECT_LT(table.places(), SeekTable::kMaxPlaces);
  EXPECT_GE(table.places(), SeekTable::kMaxMiddles / 4);
}

TEST(SeekTable, DoesNotSuitWhatCannotBeEntered) {
  const std::string content = sample(kMiB);
  EXPECT_FALSE(SeekTable::suits(bytes_of(content)));
  for (const char* command : {"xz -c", "bzip2 -c", "zstd -c"}) {  // a pipe: zstd knows no size
    EXPECT_FALSE(SeekTable::suits(bytes_of(through_tool(command, content)))) << command;
  }
  EXPECT_FALSE(SeekTable::suits({}));
}

TEST(SeekTable, ReportsDamageWhileItScans) {
  const std::string content = sample(6 * kMiB);
  std::string bytes = compress("gzip", content);
  bytes.resize(bytes.size() - 10);
  try {
    (void)Packed(bytes).scan();
    FAIL() << "nothing was thrown";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::invalid_content);
  }
}

}  // namespace
}  // namespace lade::testing
