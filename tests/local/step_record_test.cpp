#include "libimage/local/step_record.h"

#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade {
namespace {

const std::string kKey(64, 'a');

StepResult example() {
  const Digest blob = sha256_of("blob");
  return {.key = kKey,
          .layer =
              oci::Descriptor{
                  .media_type = std::string(oci::kImageLayerGzip), .digest = blob, .size = 17},
          .diff_id = DiffId{sha256_of("tar")},
          .uncompressed_bytes = 10240,
          .note = "line one\nline two\n"};
}

TEST(StepRecord, KeepsEveryMember) {
  const auto read = parse_step(kKey, write_step(example()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, kKey);
  EXPECT_EQ(read->layer, example().layer);
  EXPECT_EQ(read->diff_id, example().diff_id);
  EXPECT_EQ(read->uncompressed_bytes, 10240U);
  EXPECT_EQ(read->note, example().note);
}

TEST(StepRecord, KeepsAStepWithoutALayer) {
  const auto read = parse_step(kKey, write_step({.key = kKey, .note = "x"}));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->layer);
  EXPECT_FALSE(read->diff_id);
  EXPECT_EQ(read->note, "x");
}

TEST(StepRecord, TakesEveryTruncationForDamage) {
  const std::string text = write_step(example());
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(parse_step(kKey, text.substr(0, length))) << length;
  }
  EXPECT_FALSE(parse_step(kKey, text + "x"));
}

TEST(StepRecord, RefusesWhatItDoesNotWrite) {
  const std::string hex(64, '0');
  const auto record = [](std::string_view layer, std::string_view diff_id, std::string_view rest) {
    return cat("lade step 1\nlayer ", layer, "\ndiff-id ", diff_id, "\n", rest);
  };
  const std::string end = "uncompressed 1\nnote 0\n";
  const std::string id = cat("sha256:", hex);
  EXPECT_TRUE(parse_step(kKey, record("-", "-", end)));
  EXPECT_FALSE(parse_step(kKey, record("-", id, end)));
  EXPECT_FALSE(parse_step(kKey, record(cat(id, " 1 a/b"), "-", end)));
  EXPECT_FALSE(parse_step(kKey, record(cat(id, " -1 a/b"), id, end)));
  EXPECT_FALSE(parse_step(kKey, record(cat(id, " 1 nonsense"), id, end)));
  EXPECT_FALSE(parse_step(kKey, record(cat(id, " 1 a/b more"), id, end)));
  EXPECT_FALSE(parse_step(kKey, record("-", "-", "uncompressed x\nnote 0\n")));
  EXPECT_FALSE(parse_step(kKey, record("-", "-", "uncompressed 1\nnote 5\nabc")));
  EXPECT_FALSE(parse_step(kKey, std::string(100, '\0')));
}

TEST(StepRecord, AcceptsOnlyHexKeys) {
  EXPECT_TRUE(is_step_key(kKey));
  EXPECT_FALSE(is_step_key("abc"));
  EXPECT_FALSE(is_step_key("../../../../etc/passwd"));
  EXPECT_FALSE(is_step_key(std::string(64, 'A')));
  EXPECT_FALSE(is_step_key(std::string(129, 'a')));
}

TEST(SnapshotRecord, KeepsParentAndLayer) {
  const SnapshotRecord base{.boot = "b-1", .diff_id = DiffId{sha256_of("1")}};
  const SnapshotRecord upper{
      .boot = "b-1", .diff_id = DiffId{sha256_of("2")}, .parent = ChainId{sha256_of("1")}};
  for (const SnapshotRecord& record : {base, upper}) {
    const std::string text = write_snapshot_record(record);
    const auto read = parse_snapshot_record(text);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->boot, record.boot);
    EXPECT_EQ(read->diff_id, record.diff_id);
    EXPECT_EQ(read->parent, record.parent);
    for (std::size_t length = 0; length < text.size(); ++length) {
      EXPECT_FALSE(parse_snapshot_record(text.substr(0, length)));
    }
  }
}

}  // namespace
}  // namespace lade
