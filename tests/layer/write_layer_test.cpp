#include "libimage/layer/write_layer.h"

#include "libimage/base/error.h"
#include "libimage/store/memory_store.h"

#include "tests/layer/trees.h"

namespace lade {
namespace {

using testing::describe;
using testing::entries_of;
using testing::kOneOfEach;
using testing::shell;
using testing::tar_of;
using testing::temp_root;

class LayerOfATree : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string source_ = temp_.path() + "/source";
  MemoryStore store_;
  void SetUp() override {
    shell(temp_.path(), "mkdir source copy");
    shell(source_, kOneOfEach);
  }
};

class WriteLayer : public LayerOfATree, public ::testing::WithParamInterface<std::string> {};

TEST_P(WriteLayer, StoresWhatApplyLayerReads) {
  const LayerResult written = write_layer(entries_of(source_), store_, {.codec = GetParam()});
  EXPECT_EQ(written.blob.media_type, oci::layer_media_type(oci::Family::oci, GetParam()));
  EXPECT_EQ(written.blob.size, store_.bytes_of_blob(written.blob.digest).size());
  const std::unique_ptr<Source> tar = decompressed(store_.open(written.blob));
  const ApplyResult applied = apply_layer(open_dir(temp_.path() + "/copy"), *tar);
  EXPECT_EQ(applied.diff_id, written.diff_id);
  EXPECT_EQ(applied.bytes, written.uncompressed_bytes);
  EXPECT_EQ(describe(open_dir(temp_.path() + "/copy")), describe(open_dir(source_)));
}

TEST_P(WriteLayer, WritesTheSameBytesEachTime) {
  const LayerResult first =
      write_layer(entries_of(source_), store_, {.codec = GetParam(), .readers = 0});
  const LayerResult second =
      write_layer(entries_of(source_), store_, {.codec = GetParam(), .readers = 3});
  EXPECT_EQ(first.blob, second.blob);
  EXPECT_EQ(first.diff_id, second.diff_id);
  EXPECT_EQ(store_.blob_count(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Codecs, WriteLayer, ::testing::Values("identity", "gzip", "zstd"),
                         [](const auto& codec) { return codec.param; });

TEST_F(LayerOfATree, AFailureLeavesNothingInTheStore) {
  std::vector<LayerEntry> entries = entries_of(source_);
  shell(source_, "echo more >> etc/motd");
  EXPECT_THROW(write_layer(entries, store_, {}), Error);
  EXPECT_EQ(store_.blob_count(), 0U);
}

TEST_F(LayerOfATree, RefusesCodecsItCannotWrite) {
  EXPECT_THROW(write_layer({}, store_, {.codec = "xz"}), Error);
  EXPECT_THROW(write_layer({}, store_, {.codec = "nonsense"}), Error);
  EXPECT_THROW(write_layer({}, store_, {.codec = "zstd", .family = oci::Family::docker}), Error);
}

TEST_F(LayerOfATree, DockersTypesAreTakenForDocker) {
  EXPECT_EQ(write_layer({}, store_, {.family = oci::Family::docker}).blob.media_type,
            oci::kDockerLayerGzip);
}

}  // namespace
}  // namespace lade
