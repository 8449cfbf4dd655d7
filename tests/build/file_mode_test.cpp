// The modes of --chmod, octal and symbolic.
#include "libimage/build/file_mode.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::build {
namespace {

std::uint32_t applied(std::string_view text, std::uint32_t mode,
                      FileType type = FileType::regular) {
  return FileMode::parse(text).apply(mode, type);
}

TEST(FileMode, OctalReplacesWhateverWasThere) {
  EXPECT_EQ(applied("0", 0777), 0U);
  EXPECT_EQ(applied("644", 0777), 0644U);
  EXPECT_EQ(applied("07755", 0), 07755U);
  EXPECT_EQ(applied("00000644", 0), 0644U);
}

TEST(FileMode, ClausesAddRemoveAndSetForWhomTheyName) {
  EXPECT_EQ(applied("u+x", 0644), 0744U);
  EXPECT_EQ(applied("go-rwx", 0755), 0700U);
  EXPECT_EQ(applied("a=r", 0777), 0444U);
  EXPECT_EQ(applied("+x", 0640), 0751U);
  EXPECT_EQ(applied("=", 0777), 0U);
  EXPECT_EQ(applied("u=rw,g=r,o=", 0777), 0640U);
  EXPECT_EQ(applied("u+x-w", 0644), 0544U);
  EXPECT_EQ(applied("g=u", 0740), 0770U);
  EXPECT_EQ(applied("o=g-w", 0671), 0675U);
}

TEST(FileMode, CapitalXIsForDirectoriesAndWhatIsExecutableAlready) {
  EXPECT_EQ(applied("u=rwX,go=rX", 0640), 0644U);
  EXPECT_EQ(applied("u=rwX,go=rX", 0700), 0755U);
  EXPECT_EQ(applied("u=rwX,go=rX", 0600, FileType::directory), 0755U);
}

TEST(FileMode, SpecialBitsFollowTheirClass) {
  EXPECT_EQ(applied("u+s", 0755), 04755U);
  EXPECT_EQ(applied("g+s", 0755), 02755U);
  EXPECT_EQ(applied("+t", 0777), 01777U);
  EXPECT_EQ(applied("u+t", 0777), 0777U);
  EXPECT_EQ(applied("ug-s", 06755), 0755U);
  EXPECT_EQ(applied("u=rwx", 04644), 0744U);
}

TEST(FileMode, OtherTextIsRefused) {
  for (const char* text : {"", "8", "10000", "77777777777", "u", "u+q", "z+x", "u+x,", ",u+x",
                           "u+xg", "u+gr", "rwx", "-1x", "u x"})
    EXPECT_THROW((void)FileMode::parse(text), Error) << text;
}

}  // namespace
}  // namespace lade::build
