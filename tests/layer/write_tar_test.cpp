#include <fcntl.h>

#include "tests/layer/trees.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::entries_of;
using testing::kOneOfEach;
using testing::shell;
using testing::tar_of;
using testing::temp_root;
using testing::write_whole;

class WriteTar : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string source_ = temp_.path() + "/source";
  std::string copy_ = temp_.path() + "/copy";
  void SetUp() override {
    shell(temp_.path(), "mkdir source copy");
    shell(source_, kOneOfEach);
  }
};

TEST_F(WriteTar, IsReadBackAsTheSameTree) {
  const std::string tar = tar_of(entries_of(source_));
  const ApplyResult result = apply_to(copy_, tar);
  EXPECT_EQ(result.diff_id.value, sha256_of(tar));
  EXPECT_EQ(result.bytes, tar.size());
  EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_)));
}

TEST_F(WriteTar, IsReadByGnuTarAsTheSameTree) {
  write_whole(temp_.path() + "/t.tar", tar_of(entries_of(source_)));
  shell(copy_, "tar --xattrs --xattrs-include='*' --numeric-owner -xpf ../t.tar");
  EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_)));
}

}  // namespace
}  // namespace lade
