// Our streams by the ecosystem's tools, and theirs by us.
#include <gtest/gtest.h>

#include "samples.h"
#include "tool.h"

namespace lade {
namespace {

using namespace lade::testing;

TEST(CompressInterop, ToolsReadWhatWeWrite) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMiB, 5 * kMiB + 321}) {
    const std::string content = sample(size);
    for (const CompressOptions& options :
         {CompressOptions{}, CompressOptions{.level = 9}, CompressOptions{.fastest = true}}) {
      const std::string stream = compress("gzip", content, options);
      EXPECT_TRUE(through_tool("gzip -dc", stream) == content) << size;
      EXPECT_TRUE(through_tool("pigz -dc", stream) == content) << size;
    }
    const std::string stream = compress("zstd", content);
    EXPECT_TRUE(through_tool("zstd -dc", stream) == content) << size;
  }
}

TEST(CompressInterop, WeReadWhatToolsWrite) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kMiB + 321}) {
    const std::string content = sample(size);
    for (const auto& [codec, command] : {std::pair{"gzip", "gzip -1"},
                                         {"gzip", "gzip -9"},
                                         {"gzip", "pigz -3"},
                                         {"gzip", "pigz -b 128 -i"},
                                         {"zstd", "zstd -1"},
                                         {"zstd", "zstd -19 -T2"},
                                         {"zstd", "zstd -3 --no-check"},
                                         {"zstd", "zstd --long=27"},
                                         {"bzip2", "bzip2 -9"},
                                         {"bzip2", "bzip2 -1"},
                                         {"xz", "xz -0"},
                                         {"xz", "xz -6"},
                                         {"xz", "xz -2 -T2 --block-size=100000"},
                                         {"xz", "xz -1 -C sha256"}}) {
      const std::string stream = through_tool(command, content);
      EXPECT_EQ(codec_of(bytes_of(stream)).name, codec) << command;
      EXPECT_TRUE(decompress(codec, stream) == content) << command << " of " << size;
    }
  }
}

TEST(CompressInterop, StreamsOfToolsInARowAreOne) {
  const std::string a = sample(100'000);
  const std::string b = sample(300'000, 2);
  for (const auto& [codec, command] : {std::pair{"gzip", "gzip -6"},
                                       {"zstd", "zstd -3"},
                                       {"bzip2", "bzip2 -1"},
                                       {"xz", "xz -1"}}) {
    const std::string stream = through_tool(command, a) + through_tool(command, b);
    EXPECT_TRUE(decompress(codec, stream) == a + b) << command;
  }
}

}  // namespace
}  // namespace lade
