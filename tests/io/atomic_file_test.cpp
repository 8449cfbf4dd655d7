#include "libimage/io/atomic_file.h"

#include "fixtures.h"

namespace lade {
namespace {

using namespace lade::testing;

class AtomicFileTest : public InTempDir {};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommitted) {
  for (const auto durability : {AtomicFile::Durability::none, AtomicFile::Durability::fsync}) {
    const std::string name = durability == AtomicFile::Durability::none ? "a" : "b";
    AtomicFile file(dir_, name);
    file.write(bytes_of("one "));
    file.write(bytes_of("two"));
    EXPECT_FALSE(exists(name));
    file.commit(durability);
    EXPECT_EQ(content_of(name), "one two");
  }
  EXPECT_EQ(entries(), 2U);
}

TEST_F(AtomicFileTest, ReplacesWhatWasThere) {
  write("index.json", "old");
  AtomicFile file(dir_, "index.json");
  file.write(bytes_of("new"));
  EXPECT_EQ(content_of("index.json"), "old");
  file.commit();
  EXPECT_EQ(content_of("index.json"), "new");
}

TEST_F(AtomicFileTest, LeavesNoTraceWhenNotCommitted) {
  write("file", "old");
  {
    AtomicFile file(dir_, "file");
    file.write(bytes_of("new"));
    EXPECT_EQ(entries(), 2U);
  }
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(content_of("file"), "old");
}

TEST_F(AtomicFileTest, LeavesNoTraceWhenTheNameIsADirectory) {
  std::filesystem::create_directory(at("name"));
  {
    AtomicFile file(dir_, "name");
    EXPECT_NE(failure_of([&] { file.commit(); }), std::nullopt);
  }
  EXPECT_EQ(entries(), 1U);
}

TEST_F(AtomicFileTest, ReplacesALinkAndNotItsTarget) {
  write("target", "kept");
  std::filesystem::create_symlink("target", at("link"));
  AtomicFile file(dir_, "link");
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_EQ(content_of("target"), "kept");
  EXPECT_EQ(content_of("link"), "new");
  EXPECT_FALSE(std::filesystem::is_symlink(at("link")));
}

TEST_F(AtomicFileTest, TakesTheMode) {
  const mode_t before = ::umask(0);
  AtomicFile(dir_, "private", 0600).commit();
  ::umask(before);
  EXPECT_EQ(stat_entry(dir_, "private")->st_mode & 07777U, 0600U);
}

TEST_F(AtomicFileTest, TakesTheLongestName) {
  const std::string name(255, 'n');
  AtomicFile(dir_, name).commit();
  EXPECT_TRUE(exists(name));
}

TEST_F(AtomicFileTest, SaysWhichFileItCannotCreate) {
  const DirFd gone = create_dir(at("gone"));
  std::filesystem::remove(at("gone"));
  try {
    const AtomicFile file(gone, "index.json");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::not_found);
    EXPECT_STREQ(e.what(), "create 'index.json': no such file or directory");
  }
}

}  // namespace
}  // namespace lade
