#include "libimage/image/sharing.h"

#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade::image {
namespace {

/// An image called `name`, a layer for each letter of `layers`.
ImageStack stack(const std::string& name, const std::string& layers) {
  ImageStack out{.name = name, .manifest = sha256_of(name)};
  for (const char c : layers) {
    out.layers.push_back({.diff_id = {sha256_of(std::string(1, c))}, .size = 1000});
  }
  return out;
}

TEST(SharedLayers, MakesATreeOfWhatIsBuiltOnWhat) {
  const SharedLayers root = shared_layers(
      {stack("app", "abcd"), stack("base", "ab"), stack("other", "abx"), stack("alone", "z")});
  EXPECT_EQ(to_text(root, {.ascii = true}),
            cat("  1.0 kB in 1 layer  ", sha256_of("z").brief(), "  alone\n",
                "  2.0 kB in 2 layers  base\n", "|-   2.0 kB in 2 layers  app\n",
                "`-   1.0 kB in 1 layer  ", sha256_of("x").brief(), "  other\n"));
}

TEST(SharedLayers, NamesNoImageWhereOnlyLayersAreShared) {
  const SharedLayers root = shared_layers({stack("one", "ab1"), stack("two", "ab2")});
  ASSERT_EQ(root.children.size(), 1U);
  EXPECT_TRUE(root.children[0].images.empty());
  EXPECT_EQ(root.children[0].layers.size(), 2U);
  EXPECT_EQ(root.children[0].children.size(), 2U);
}

TEST(SharedLayers, PutsEqualImagesOnOneLine) {
  const SharedLayers root = shared_layers({stack("b", "ab"), stack("a", "ab"), stack("none", "")});
  ASSERT_EQ(root.children.size(), 1U);
  ASSERT_EQ(root.children[0].images.size(), 2U);
  EXPECT_EQ(root.children[0].images[0].name, "a");
  EXPECT_EQ(root.images.size(), 1U);
}

TEST(SharedLayers, ShowsTheBranchOfAnImageWithWhatDependsOnIt) {
  const SharedLayers root = shared_layers(
      {stack("app", "abcd"), stack("base", "ab"), stack("root", "a"), stack("other", "ax")});
  const SharedLayers branch = branch_to(root, {sha256_of("base")});
  ASSERT_EQ(branch.children.size(), 1U);
  const SharedLayers& bottom = branch.children[0];
  EXPECT_EQ(bottom.children.size(), 1U);
  EXPECT_EQ(bottom.children[0].images[0].name, "base");
  EXPECT_EQ(bottom.children[0].children[0].images[0].name, "app");
  EXPECT_TRUE(branch_to(root, {sha256_of("nobody")}).children.empty());
}

TEST(SharedLayers, AreJson) {
  EXPECT_EQ(to_json(shared_layers({stack("a", "x")})),
            cat(R"({"layers":[],"bytes":0,"images":[],"children":[{"layers":[{"diffId":")",
                sha256_of("x").str(), R"(","size":1000}],"bytes":1000,"images":[{"name":"a",)",
                R"("digest":")", sha256_of("a").str(), R"("}],"children":[]}]})"));
}

TEST(SharedLayers, OfNothingAreNothing) { EXPECT_EQ(to_text(shared_layers({}), {}), ""); }

}  // namespace
}  // namespace lade::image
