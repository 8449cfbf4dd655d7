#include "libimage/base/timestamp.h"

#include <gtest/gtest.h>

namespace lade {
namespace {

TEST(Timestamp, IsWrittenAsRfc3339) {
  EXPECT_EQ(to_rfc3339({0, 0}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339({1'000'000'000, 0}), "2001-09-09T01:46:40Z");
  EXPECT_EQ(to_rfc3339({951'782'400, 500'000'000}), "2000-02-29T00:00:00.5Z");
  EXPECT_EQ(to_rfc3339({0, 1}), "1970-01-01T00:00:00.000000001Z");
  EXPECT_EQ(to_rfc3339({-1, 0}), "1969-12-31T23:59:59Z");
  EXPECT_EQ(to_rfc3339({-62'135'596'800, 0}), "0001-01-01T00:00:00Z");
  EXPECT_EQ(to_rfc3339({253'402'300'799, 0}), "9999-12-31T23:59:59Z");
}

TEST(Timestamp, ReadsWhatItWrites) {
  for (const std::int64_t seconds :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{951'782'399}, std::int64_t{4'102'444'800},
        std::int64_t{-62'135'596'800}, std::int64_t{253'402'300'799}}) {
    for (const std::uint32_t nanoseconds : {0U, 1U, 999'999'999U, 120'000'000U}) {
      const Timestamp time{seconds, nanoseconds};
      EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time) << seconds;
    }
  }
}

TEST(Timestamp, ReadsOffsetsAndFractions) {
  EXPECT_EQ(parse_rfc3339("2015-10-31T22:22:56.015925234Z"),
            (Timestamp{1'446'330'176, 15'925'234}));
  EXPECT_EQ(parse_rfc3339("1970-01-01T02:00:00+02:00"), (Timestamp{0, 0}));
  EXPECT_EQ(parse_rfc3339("1969-12-31T18:30:00-05:30"), (Timestamp{0, 0}));
  EXPECT_EQ(parse_rfc3339("1970-01-01t00:00:00z"), (Timestamp{0, 0}));
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.1234567899Z"), (Timestamp{0, 123'456'789}));
  EXPECT_EQ(parse_rfc3339("2016-12-31T23:59:60Z"), (Timestamp{1'483'228'800, 0}));
}

TEST(Timestamp, RefusesEverythingElse) {
  for (const char* bad : {"",
                          "1970",
                          "1970-01-01",
                          "1970-01-01T00:00:00",
                          "1970-01-01 00:00:00Z",
                          "1970-01-01T00:00Z",
                          "1970-13-01T00:00:00Z",
                          "1970-00-01T00:00:00Z",
                          "1970-01-00T00:00:00Z",
                          "1970-01-32T00:00:00Z",
                          "1970-02-29T00:00:00Z",
                          "1970-04-31T00:00:00Z",
                          "1970-01-01T24:00:00Z",
                          "1970-01-01T00:60:00Z",
                          "1970-01-01T00:00:61Z",
                          "1970-01-01T00:00:00.Z",
                          "1970-01-01T00:00:00+0200",
                          "1970-01-01T00:00:00+24:00",
                          "1970-01-01T00:00:00+02:60",
                          "1970-01-01T00:00:00Zx",
                          "x970-01-01T00:00:00Z",
                          "+970-01-01T00:00:00Z",
                          "1970/01/01T00:00:00Z",
                          "1970-01-01T00:00:00ZZ",
                          " 1970-01-01T00:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339(bad), std::nullopt) << bad;
  }
  EXPECT_TRUE(parse_rfc3339("2000-02-29T00:00:00Z"));
  EXPECT_FALSE(parse_rfc3339("1900-02-29T00:00:00Z"));
}

TEST(Timestamp, TellsTheMachinesTime) {
  EXPECT_GT(system_now().seconds, 1'600'000'000);
  EXPECT_LT(system_now().nanoseconds, 1'000'000'000U);
}

}  // namespace
}  // namespace lade
