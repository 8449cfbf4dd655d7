// Seekable layers are ordinary ones to the ecosystem's tools.
#include <gtest/gtest.h>

#include "tests/compress/tool.h"
#include "tests/seekable/samples.h"

namespace lade {
namespace {

using namespace lade::testing;

TEST(SeekableInterop, ZstdAndGzipReadTheLayersWhole) {
  const std::string tar = every_kind_of_entry();
  const WrittenLayer chunked = write_layer_of(SeekableFormat::zstd_chunked, tar);
  EXPECT_TRUE(through_tool("zstd -dc", chunked.blob) == tar);
  const WrittenLayer estargz = write_layer_of(SeekableFormat::estargz, tar);
  const std::string inside = through_tool("gzip -dc", estargz.blob);
  EXPECT_EQ(sha256_of(inside), estargz.layer.diff_id->value);
  EXPECT_TRUE(through_tool("pigz -dc", estargz.blob) == inside);
}

TEST(SeekableInterop, TarReadsTheTarThatHoldsTheTable) {
  const WrittenLayer estargz = write_layer_of(SeekableFormat::estargz, every_kind_of_entry());
  const std::string names = through_tool("tar -tz", estargz.blob);
  EXPECT_TRUE(names.starts_with("./\nusr/\n")) << names;
  EXPECT_TRUE(names.ends_with(".no.prefetch.landmark\nstargz.index.json\n")) << names;
}

}  // namespace
}  // namespace lade
