#include "libimage/image/history.h"

#include <gtest/gtest.h>

#include "libimage/digest/hasher.h"

namespace lade::image {
namespace {

std::vector<oci::Descriptor> layers(std::size_t count) {
  std::vector<oci::Descriptor> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(oci::describe(oci::MediaType(oci::kImageLayer), std::string(i + 1, 'x')));
  }
  return out;
}

TEST(History, GivesEachStepItsLayer) {
  const auto lines = history_of(
      {{.created_by = "a"}, {.created_by = "b", .empty_layer = true}, {.created_by = "c"}},
      layers(2));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].layer->size, 1U);
  EXPECT_FALSE(lines[1].layer);
  EXPECT_EQ(lines[2].layer->size, 2U);
}

TEST(History, GuessesNothingWhereTheNumbersDiffer) {
  const auto lines = history_of({{.created_by = "a"}}, layers(2));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_FALSE(lines[0].layer);
  EXPECT_EQ(lines[1].entry.created_by, "");
  EXPECT_EQ(lines[2].layer->size, 2U);
}

TEST(History, ShowsInstructionsAsTheirAuthorsWroteThem) {
  EXPECT_EQ(instruction_of("/bin/sh -c #(nop)  CMD [\"x\"]"), "CMD [\"x\"]");
  EXPECT_EQ(instruction_of("RUN |1 V=1 /bin/sh -c make   it # buildkit"), "RUN make it");
  EXPECT_EQ(instruction_of("COPY a b # buildkit"), "COPY a b");
}

}  // namespace
}  // namespace lade::image
