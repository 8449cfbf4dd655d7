#include "libimage/sandbox/user_namespace.h"

#include <gtest/gtest.h>

#include "libimage/io/kept_owner.h"

namespace lade::sandbox {
namespace {

TEST(SubordinateRanges, AreThoseOfTheNameOrTheNumberInOrder) {
  EXPECT_EQ(subordinate_ranges("a:10:2\nuser:100000:65536\n1000:5:1\nuser2:1:1\n", "user", 1000),
            (std::vector<IdRange>{{100000, 65536}, {5, 1}}));
  EXPECT_TRUE(subordinate_ranges("", "user", 1000).empty());
}

TEST(SubordinateRanges, LeavesOutWhatIsNone) {
  const char* const text =
      "user\nuser:1\nuser:x:1\nuser:1:x\nuser:1:0\nuser:4294967295:1\nuser:1:4294967295\n"
      "user:-1:5\nuser:1:1:1\n";
  EXPECT_TRUE(subordinate_ranges(text, "user", 1000).empty());
  EXPECT_TRUE(subordinate_ranges(":1:1\n", "", 1000).empty());
}

TEST(SubordinateRanges, StopsWhereNoMoreIdsFit) {
  EXPECT_EQ(subordinate_ranges("u:1:4000000000\nu:1:4000000000\n", "u", 1).size(), 1U);
}

TEST(KeptOwner, IsReadAsItIsWritten) {
  EXPECT_EQ(kept_owner_text({1000, 5}), "1000:5");
  EXPECT_EQ(parse_kept_owner("1000:5"), (KeptOwner{1000, 5}));
  for (const char* text : {"", "1", "1:", ":1", "1:2:3", "x:1", "4294967295:1", "-1:1", "1:1 "})
    EXPECT_EQ(parse_kept_owner(text), std::nullopt) << text;
}

}  // namespace
}  // namespace lade::sandbox
