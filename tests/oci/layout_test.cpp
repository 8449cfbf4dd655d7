#include "libimage/oci/layout.h"

#include "tests/oci/expect.h"

namespace lade::oci {
namespace {

TEST(LayoutMarker, IsAcceptedByItsOwnCheck) {
  EXPECT_NO_THROW(check_layout_marker(layout_marker()));
}

TEST(LayoutMarker, MayHoldMore) {
  EXPECT_NO_THROW(check_layout_marker(R"( {"x":[1],"imageLayoutVersion":"1.0.0"} )"));
  EXPECT_NO_THROW(check_layout_marker(R"({"imageLayoutVersion":"1.1.0"})"));
}

TEST(LayoutMarker, RefusesOtherVersionsAndNonsense) {
  constexpr Bad kBad[] = {
      {"", "oci-layout: not valid JSON"},
      {"{}", "oci-layout: imageLayoutVersion: is missing"},
      {"[]", "is an array"},
      {R"({"imageLayoutVersion":1.0.0})", "not valid JSON"},
      {R"({"imageLayoutVersion":1})", "imageLayoutVersion: is a number, not a string"},
      {R"({"imageLayoutVersion":null})", "is null"},
      {R"({"imageLayoutVersion":"2.0.0"})", "'2.0.0' is not a version 1 layout"},
      {R"({"imageLayoutVersion":"1"})", "is not a version 1"},
      {R"({"imageLayoutVersion":"1.0"})", "is not a version 1"},
      {R"({"imageLayoutVersion":"1.0.x"})", "is not a version 1"},
      {R"({"imageLayoutVersion":"1.0.0","imageLayoutVersion":"1.0.0"})", "occurs twice"},
  };
  for (const Bad& bad : kBad) {
    expect_refused(bad, [](std::string_view json) { check_layout_marker(json); });
  }
  expect_refused({std::string(70'000, ' '), "bytes, more than", Errc::limit_exceeded},
                 [](std::string_view json) { check_layout_marker(json); });
}

}  // namespace
}  // namespace lade::oci
