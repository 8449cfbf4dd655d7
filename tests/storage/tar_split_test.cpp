#include <fcntl.h>
#include <sys/stat.h>

#include "libimage/base/text.h"
#include "libimage/compress/members.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/storage/assembled_source.h"
#include "libimage/storage/tar_split_source.h"
#include "libimage/store/text_source.h"

#include "tests/support/tar_builder.h"
#include "tests/support/thrown.h"

namespace lade {
namespace {

using testing::code_thrown;
using testing::TarBuilder;

constexpr std::uint64_t kLimit = std::uint64_t{64} << 20U;

class TarSplit : public ::testing::Test {
 protected:
  TempDir temp_{"/tmp"};

  /// Unpacks `tar` and returns the lines that describe it.
  std::string unpacked(const std::string& tar) {
    StringSource bytes(tar);
    StringSink lines;
    TarSplitSource source(bytes, lines);
    ApplyOptions options;
    options.overlay_whiteouts = true;
    const ApplyResult result = apply_layer(temp_.dir(), source, options);
    EXPECT_EQ(result.diff_id.value, sha256_of(tar));
    summary_ = source.summary();
    return lines.text();
  }

  std::string assembled(const std::string& lines) {
    AssembledSource source(std::make_unique<TextSource>(lines), TreeFiles(duplicate(temp_.dir())));
    return read_all(source, kLimit, "layer");
  }

  void expect_same(const std::string& tar) { EXPECT_TRUE(assembled(unpacked(tar)) == tar); }

  TarSplitSummary summary_;
};

TEST_F(TarSplit, GivesBackTheSameBytes) {
  expect_same(TarBuilder()
                  .dir("./")
                  .dir("d/")
                  .file("d/small", "content")
                  .file("large", std::string(3 << 20U, 'z'))
                  .file("empty")
                  .symlink("link", "large")
                  .hardlink("other", "d/small")
                  .file("d/.wh.gone")
                  .file(".wh..wh..opq")
                  .finish());
  EXPECT_TRUE(summary_.has_root);
  EXPECT_EQ(summary_.uids, std::set<std::uint32_t>{0});
}

TEST_F(TarSplit, KeepsWhateverFollowsTheArchive) {
  expect_same(TarBuilder().file("a", "x").finish() + std::string(10240, '\0') + "garbage" +
              std::string(2 << 20U, 'y'));
}

TEST_F(TarSplit, KeepsStreamsThatEndWithoutTheirMark) {
  expect_same(TarBuilder().file("a", "x").unfinished());
}

TEST_F(TarSplit, KeepsDirectoriesThatComeTwice) {
  expect_same(TarBuilder().dir("d/").file("d/a", "1").dir("d/").dir("./d").finish());
}

TEST_F(TarSplit, KeepsASecondFileBehindAnEmptyOneOfItsName) {
  expect_same(TarBuilder().file("a").file("a", "now with content").finish());
}

TEST_F(TarSplit, RefusesContentThatALaterEntryReplaces) {
  const std::string tar = TarBuilder().file("a", "first").file("./a", "second").finish();
  EXPECT_EQ(code_thrown([&] { unpacked(tar); }), Errc::unsupported);
}

TEST_F(TarSplit, NoticesFilesThatHaveChanged) {
  const std::string lines = unpacked(TarBuilder().file("a", "first").finish());
  const UniqueFd fd = open_entry(temp_.dir(), "a", O_WRONLY);
  FdSink(fd.get(), "a").write(bytes_of("FIRST"));
  EXPECT_EQ(code_thrown([&] { assembled(lines); }), Errc::invalid_content);
}

TEST_F(TarSplit, NoticesFilesThatAreGone) {
  const std::string lines = unpacked(TarBuilder().file("a", "first").finish());
  remove_tree(temp_.dir(), "a");
  EXPECT_EQ(code_thrown([&] { assembled(lines); }), Errc::invalid_content);
}

TEST_F(TarSplit, OpensNothingOutsideOfTheTree) {
  const TempDir outside("/tmp");
  const UniqueFd fd = open_entry(outside.dir(), "secret", O_WRONLY | O_CREAT);
  FdSink(fd.get(), "secret").write(bytes_of("secret"));
  const std::uint64_t crc = crc64_iso(0, bytes_of("secret"));
  for (const std::string& name :
       {cat("../", outside.path().substr(5), "/secret"), cat(outside.path(), "/secret")}) {
    std::string lines;
    append_tar_split_entry(
        lines, {.type = TarSplitEntry::Type::file, .name = name, .size = 6, .crc = crc}, 0);
    EXPECT_EQ(code_thrown([&] { assembled(lines); }), Errc::invalid_content) << name;
  }
}

TEST_F(TarSplit, OpensNothingThatIsNoFile) {
  ASSERT_EQ(::mkfifoat(temp_.dir().get(), "fifo", 0600), 0);
  std::string lines;
  append_tar_split_entry(
      lines, {.type = TarSplitEntry::Type::file, .name = "fifo", .size = 6, .crc = 1}, 0);
  EXPECT_EQ(code_thrown([&] { assembled(lines); }), Errc::invalid_content);
}

TEST(TarSplitEntry, IsReadAsItIsWritten) {
  const std::vector<TarSplitEntry> entries = {
      {.type = TarSplitEntry::Type::segment, .bytes = std::string("\0\xff header", 9)},
      {.type = TarSplitEntry::Type::file, .name = "a<b>\"\n", .size = 5, .crc = 0x0123456789ABCDEF},
      {.type = TarSplitEntry::Type::file, .name = "not utf-8 \xff"},
  };
  for (const TarSplitEntry& entry : entries) {
    std::string line;
    append_tar_split_entry(line, entry, 7);
    ASSERT_EQ(line.back(), '\n');
    EXPECT_EQ(parse_tar_split_entry(std::string_view(line).substr(0, line.size() - 1)), entry);
  }
}

TEST(TarSplitEntry, RefusesWhatIsNone) {
  for (const char* line :
       {"", "[]", "{}", R"({"type":3,"payload":""})", R"({"type":2,"payload":"?"})",
        R"({"type":1,"payload":null})", R"({"type":1,"name":"a","size":1,"payload":null})",
        R"({"type":1,"name":"a","size":-1,"payload":null})",
        R"({"type":1,"name":"a","size":99999999999999999999,"payload":"AAAAAAAAAAA="})",
        R"({"type":1,"name":"a","size":1,"payload":"AAAA"})",
        R"({"type":1,"name":"a\u0000b","payload":null})", R"({"type":2,"payload":"","type":1})",
        R"({"type":2,"payload":"","extra":1})"}) {
    EXPECT_EQ(code_thrown([&] { (void)parse_tar_split_entry(line); }), Errc::invalid_content)
        << line;
  }
}

}  // namespace
}  // namespace lade
