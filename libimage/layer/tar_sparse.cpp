#include "libimage/layer/tar_sparse.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::tar {
namespace {

constexpr std::size_t kMaxSegments = std::size_t{1} << 20U;  // 16 MiB of memory
constexpr std::size_t kPairBytes = 24;

[[noreturn]] void throw_malformed(std::string_view what) {
  throw Error(Errc::invalid_content, cat("sparse map: ", what));
}

void add(std::vector<Segment>& map, const Segment& segment) {
  if (map.size() == kMaxSegments) {
    throw Error(Errc::limit_exceeded, cat("sparse map: more than ", kMaxSegments, " segments"));
  }
  map.push_back(segment);
}

/// Takes pairs until one is empty; false if one was.
bool take_pairs(const Block& block, std::size_t at, std::size_t count, std::vector<Segment>& map) {
  for (std::size_t i = 0; i < count; ++i, at += kPairBytes) {
    if (block[at] == '\0' && block[at + 12] == '\0') return false;
    add(map, {number_in(block, {at, 12}, "sparse offset"),
              number_in(block, {at + 12, 12}, "sparse size")});
  }
  return true;
}

/// Reads decimal lines out of blocks.
class LineReader {
 public:
  explicit LineReader(const ReadBlock& next) : next_(next) {}
  std::uint64_t number() {
    std::string digits;
    for (;;) {
      if (at_ == kBlockBytes) {
        next_(block_);
        ++blocks_;
        at_ = 0;
      }
      const char c = block_[at_++];
      if (c == '\n') break;
      digits += c;
      if (digits.size() > 20) throw_malformed("malformed number");
    }
    const std::optional<std::uint64_t> value = parse_decimal(digits);
    if (!value) throw_malformed(cat("malformed number ", quoted(digits)));
    return *value;
  }
  [[nodiscard]] std::uint64_t blocks() const noexcept { return blocks_; }

 private:
  const ReadBlock& next_;
  Block block_{};
  std::size_t at_ = kBlockBytes;
  std::uint64_t blocks_ = 0;
};

}  // namespace

std::vector<Segment> old_gnu_map(const Block& header, const ReadBlock& next) {
  std::vector<Segment> map;
  bool more = take_pairs(header, kGnuSparse, 4, map);
  bool extended = header[kGnuIsExtended] != '\0';
  while (extended) {
    Block block;
    next(block);
    extended = block[kExtensionIsExtended] != '\0';
    if (more) more = take_pairs(block, 0, 21, map);
    if (!more && extended) throw_malformed("goes on after its end");
  }
  return map;
}

std::vector<Segment> leading_map(const ReadBlock& next, std::uint64_t& blocks) {
  LineReader lines(next);
  const std::uint64_t count = lines.number();
  std::vector<Segment> map;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = lines.number();
    add(map, {offset, lines.number()});
  }
  blocks = lines.blocks();
  return map;
}

void check_map(const std::vector<Segment>& map, std::uint64_t size, std::uint64_t stored) {
  std::uint64_t end = 0;
  std::uint64_t sum = 0;
  for (const Segment& segment : map) {
    if (segment.offset < end || segment.offset > size || segment.size > size - segment.offset) {
      throw_malformed("segments overlap or leave the file");
    }
    end = segment.offset + segment.size;
    sum += segment.size;
  }
  if (sum != stored) {
    throw_malformed(cat("segments hold ", sum, " bytes but ", stored, " are stored"));
  }
}

}  // namespace lade::tar
