#include "libimage/storage/records.h"

#include "libimage/digest/hasher.h"

#include "tests/support/thrown.h"

namespace lade {
namespace {

using testing::code_thrown;

const std::string kId(64, 'a');

TEST(Records, KeepWhatTheyDoNotKnow) {
  const std::string text =
      R"([{"id":")" + kId +
      R"(","names":["n"],"parent":"p","created":"2026-01-01T00:00:00Z",)"
      R"("compressed-diff-digest":"sha256:x","compressed-size":5,"diff-digest":"sha256:y",)"
      R"("diff-size":6,"compression":2,"uidset":[0,4294967295],"gidset":[1],)"
      R"("flags":{"incomplete":true,"other":{"a":1}},"metadata":"m","toc-digest":"t"}])";
  const std::vector<LayerRecord> records = parse_layer_records(text);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_TRUE(records.front().incomplete());
  EXPECT_EQ(records.front().uids.back(), 0xFFFFFFFFU);
  EXPECT_EQ(serialise(records), text);
}

TEST(Records, ImagesAreWrittenAsTheyWereRead) {
  const std::string text =
      R"([{"id":")" + kId +
      R"(","digest":"sha256:d","names":["a:b"],"names-history":["a:b","c:d"],"layer":"l",)"
      R"("mapped-layers":["m"],"metadata":"{}","big-data-names":["manifest"],)"
      R"("big-data-sizes":{"manifest":3},"big-data-digests":{"manifest":"sha256:d"},)"
      R"("created":"2026-01-01T00:00:00Z","flags":{"x":null}}])";
  EXPECT_EQ(serialise(parse_image_records(text)), text);
}

TEST(Records, MarksComeAndGo) {
  LayerRecord record{.id = kId};
  record.mark_incomplete();
  EXPECT_TRUE(record.incomplete());
  EXPECT_EQ(serialise(std::vector<LayerRecord>{record}),
            R"([{"id":")" + kId + R"(","flags":{"incomplete":true}}])");
  record.mark_complete();
  EXPECT_FALSE(record.incomplete());
}

TEST(Records, NamesAreNewestFirstInTheHistory) {
  ImageRecord record;
  record.add_name("a");
  record.add_name("b");
  record.add_name("a");
  EXPECT_EQ(record.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(record.names_history, (std::vector<std::string>{"a", "b"}));
}

TEST(Records, AnEmptyFileHasNone) {
  EXPECT_TRUE(parse_layer_records("").empty());
  EXPECT_TRUE(parse_image_records("null").empty());
  EXPECT_TRUE(parse_container_records("[]").empty());
}

TEST(Records, RefuseOtherTypesAndHugeNumbers) {
  for (const char* text :
       {"{}", "[1]", R"([{"id":1}])", R"([{"id":"a","id":"b"}])", R"([{"diff-size":1e400}])",
        R"([{"diff-size":99999999999999999999}])", R"([{"uidset":[-1]}])",
        R"([{"uidset":[4294967296]}])", R"([{"ID":"a","id":"b"}])", "[", "\xff"}) {
    EXPECT_EQ(code_thrown([&] { (void)parse_layer_records(text); }), Errc::invalid_content) << text;
  }
  EXPECT_EQ(code_thrown([&] { (void)parse_image_records(R"([{"big-data-sizes":{"a":-1}}])"); }),
            Errc::invalid_content);
}

TEST(Records, DataItemsHaveSafeFileNames) {
  EXPECT_EQ(data_file_name("manifest"), "manifest");
  EXPECT_EQ(data_file_name("sha256:00"), "=c2hhMjU2OjAw");
  EXPECT_EQ(data_file_name("../x").front(), '=');
  EXPECT_EQ(data_file_name("..").front(), '=');
  EXPECT_EQ(data_file_name("."), "=Lg==");
}

TEST(Records, OnlyIdsAreIds) {
  EXPECT_TRUE(is_storage_id(kId));
  EXPECT_FALSE(is_storage_id(kId + "a"));
  EXPECT_FALSE(is_storage_id(std::string(64, 'A')));
  EXPECT_FALSE(is_storage_id("../../etc"));
}

}  // namespace
}  // namespace lade
