#include "libimage/files/waste.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/files/write_tree.h"
#include "libimage/layer/apply_layer.h"
#include "libimage/store/memory_store.h"

#include "tests/support/tar_builder.h"

namespace lade::files {
namespace {

using testing::TarBuilder;

/// An image in memory whose layers are plain tars.
class Image {
 public:
  Image& add(const TarBuilder& tar) {
    const std::string bytes = tar.finish();
    auto writer = store_.start_blob({});
    writer->write(bytes_of(bytes));
    manifest_.layers.push_back(writer->commit(oci::MediaType(oci::kImageLayer)));
    return *this;
  }
  ImageFiles& open() {
    files_ = std::make_unique<ImageFiles>(store_, manifest_, ImageFilesOptions{});
    return *files_;
  }

 private:
  MemoryStore store_;
  oci::Manifest manifest_{.config = {.digest = sha256_of("")}};
  std::unique_ptr<ImageFiles> files_;
};

TEST(Waste, IsWhatNoNameShowsAnyMore) {
  Image image;
  image.add(TarBuilder()
                .file("a", "12345")
                .hardlink("b", "a")
                .file("c", "123")
                .dir("d/")
                .file("d/e", "1234567"));
  image.add(TarBuilder().file("a", "xx").file("c", "yyyy").file(".wh.d"));
  image.add(TarBuilder().file(".wh.b").file("twice", "1").file("twice", "22"));
  const Waste waste = find_waste(image.open(), {});
  ASSERT_EQ(waste.layers.size(), 3U);
  EXPECT_EQ(waste.layers[0].content, 15U);
  EXPECT_EQ(waste.layers[0].wasted, 15U);
  EXPECT_EQ(waste.layers[1].hides, 10U);  // c and d/e; b still shows the content of a
  EXPECT_EQ(waste.layers[2].hides, 6U);   // b, and its own first "twice"
  EXPECT_EQ(waste.content, 24U);
  EXPECT_EQ(waste.wasted, 16U);
  ASSERT_EQ(waste.files.size(), 4U);
  EXPECT_EQ(waste.files[0].path, "d/e");
  EXPECT_FALSE(waste.files[0].remains);
}

TEST(Waste, CountsAsDiveDoes) {
  Image image;
  image.add(TarBuilder().file("a", "1234567890").file("b", "1234").dir("d/").file("d/x", "123456"));
  image.add(TarBuilder().file("a", "12345").file(".wh.b").file(".wh.d"));
  const Waste::Dive dive = find_waste(image.open(), {}).dive;
  // Paths: a 10 and 5, b 4 and 0, d/x 6, d (removed) 6.
  EXPECT_DOUBLE_EQ(dive.score, (5.0 + 0 + 6 + 6) / (15 + 4 + 6 + 6));
  EXPECT_EQ(dive.wasted_bytes, 19U);
  EXPECT_DOUBLE_EQ(dive.user_wasted_percent, 19.0 / 5);
}

TEST(Waste, ListsContentThatSeveralLayersHold) {
  Image image;
  image.add(TarBuilder().file("a", "same content").file("a2", "same content").file("x", "one"));
  image.add(TarBuilder().file("b", "same content").file("y", "two").file("z", "two"));
  const Waste waste = find_waste(image.open(), {});
  ASSERT_EQ(waste.duplicates.size(), 1U);
  EXPECT_EQ(waste.duplicated, 24U);
  EXPECT_EQ(waste.duplicates[0].paths, (std::vector<std::string>{"a", "a2", "b"}));
}

TEST(Waste, ReadsSizesFractionsAndRules) {
  EXPECT_EQ(parse_size("20MB"), 20'000'000U);
  EXPECT_EQ(parse_size("1.5 GiB"), 1'610'612'736U);
  EXPECT_EQ(parse_size("7"), 7U);
  EXPECT_FALSE(parse_size("MB"));
  EXPECT_FALSE(parse_size("1XB"));
  EXPECT_FALSE(parse_size("-1"));
  EXPECT_EQ(parse_fraction("95%"), 0.95);
  EXPECT_FALSE(parse_fraction("1.1"));
  const DiveRules rules = parse_dive_rules(
      "# comment\nrules:\n  lowestEfficiency: 0.95 # why\n  highestWastedBytes: \"20MB\"\n"
      "  highestUserWastedPercent: disabled\n");
  EXPECT_EQ(rules.lowest_efficiency, 0.95);
  EXPECT_EQ(rules.highest_wasted_bytes, 20'000'000U);
  EXPECT_FALSE(rules.highest_user_wasted_percent);
  EXPECT_THROW((void)parse_dive_rules("rules:\n  other: 1\n"), Error);
  EXPECT_THROW((void)parse_dive_rules("lowestEfficiency: much\n"), Error);
}

TEST(WriteTree, GivesWhatTheLayersShow) {
  Image image;
  image.add(TarBuilder().dir("d/").file("d/a", "1").hardlink("d/b", "d/a").symlink("l", "d"));
  image.add(TarBuilder().file("d/c", "").file("e", "22").file(".wh.l"));
  ImageFiles& files = image.open();
  StringSink out;
  const WrittenTree written = write_tree(files, files.merged(), kRoot, out);
  StringSource source(out.text());
  TarReader reader(source);
  std::string names;
  while (const auto entry = reader.next()) {
    names += cat(entry->path, entry->link_to.empty() ? "" : "=", entry->link_to, " ");
  }
  EXPECT_EQ(names, "./ d/ d/a d/b=d/a d/c e ");
  EXPECT_EQ(written.entries, 6U);
}

}  // namespace
}  // namespace lade::files
