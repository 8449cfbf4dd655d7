#include "libimage/seekable/chunker.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/seekable/samples.h"

namespace lade {
namespace {

using namespace lade::testing;
using seekable::Chunker;

/// The chunks of `content`, given in pieces of `step` bytes.
std::vector<std::string> chunks_of(std::string_view content, std::size_t step) {
  std::vector<std::string> chunks = {""};
  Chunker chunker;
  while (!content.empty()) {
    const std::size_t count = chunker.take(bytes_of(content.substr(0, step)));
    chunks.back() += content.substr(0, count);
    content.remove_prefix(count);
    if (chunker.at_end()) chunks.emplace_back();
  }
  if (chunks.back().empty()) chunks.pop_back();
  return chunks;
}

TEST(Chunker, CutsTheSameWhateverThePiecesThatArrive) {
  const std::string content = noise(20'000'000);
  const std::vector<std::string> chunks = chunks_of(content, content.size());
  EXPECT_GT(chunks.size(), 8U);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    EXPECT_LE(chunks[i].size(), Chunker::kLargest);
    const bool last = i + 1 == chunks.size();
    EXPECT_TRUE(last || chunks[i].size() >= Chunker::kSmallest);
  }
  EXPECT_TRUE(chunks_of(content, 4096) == chunks);
  EXPECT_TRUE(chunks_of(content, 99'991) == chunks);
}

TEST(Chunker, AnInsertionChangesFewChunks) {
  const std::string content = noise(20'000'000);
  const std::vector<std::string> before = chunks_of(content, 262'144);
  const std::vector<std::string> after = chunks_of("inserted" + content, 262'144);
  const std::set<std::string> known(before.begin(), before.end());
  std::size_t changed = 0;
  for (const std::string& chunk : after) changed += known.contains(chunk) ? 0 : 1;
  EXPECT_LE(changed, 2U);
}

TEST(Chunker, ContentWithoutPlacesIsCutAtTheLargestSize) {
  const std::vector<std::string> chunks = chunks_of(std::string(9 * 1024 * 1024, '\0'), 65'536);
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].size(), Chunker::kLargest);
  EXPECT_EQ(chunks[2].size(), std::size_t{1024} * 1024);
}

}  // namespace
}  // namespace lade
