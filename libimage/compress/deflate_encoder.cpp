#include "libimage/compress/deflate_encoder.h"

#include <algorithm>
#include <bit>

#include "libimage/base/error.h"

namespace lade {
namespace {

using deflate::Block;
using deflate::kLongestMatch;
using deflate::kWindow;
using deflate::load32;
using deflate::load64;

/// Matches begin so many bytes before the end at the latest: the search looks ahead without asking
/// where the end is.
constexpr std::ptrdiff_t kTail = 24;

/// After so many positions without a match, every second one is tried, after twice as many every
/// third: what does not compress is passed over quickly.
constexpr unsigned kPatienceBits = 8;

std::size_t hash_of_eight(std::uint64_t bytes, unsigned bits) {
  return static_cast<std::size_t>(bytes * 0xCF1BBCDCB7A56463U >> (64 - bits));
}

std::size_t hash_of_four(std::uint64_t bytes, unsigned bits) {
  return static_cast<std::uint32_t>(bytes) * 2654435761U >> (32 - bits);
}

/// How many bytes from `at` on are those from `earlier` on, of which `known` are known to be; at
/// most a match, nothing behind `end`.
unsigned common_length(const std::byte* at, const std::byte* earlier, unsigned known,
                       const std::byte* end) {
  const auto most = static_cast<unsigned>(std::min<std::ptrdiff_t>(kLongestMatch, end - at));
  unsigned length = known;
  for (; length + 8 <= most; length += 8) {
    const std::uint64_t different = load64(at + length) ^ load64(earlier + length);
    if (different != 0) return length + static_cast<unsigned>(std::countr_zero(different)) / 8;
  }
  while (length < most && at[length] == earlier[length]) ++length;
  return length;
}

}  // namespace

struct DeflateEncoder::Match {
  const std::byte* at = nullptr;
  unsigned distance = 0;
  unsigned length = 0;
};

inline void DeflateEncoder::insert(const std::byte* at) {
  const std::uint64_t bytes = load64(at);
  const auto position = static_cast<std::uint16_t>(at - begin_);
  after_eight_[hash_of_eight(bytes, kHashBits)] = position;
  after_four_[hash_of_four(bytes, kHashBits)] = position;
}

/// The match at `at`, or one byte later if that is longer; false if there is none.
///
/// The tables hold positions modulo 2^16, and zero where nothing was: whatever stands there, the
/// distance that it gives never leads before the content, and the bytes decide.
inline bool DeflateEncoder::find(const std::byte* at, Match& match) {
  const auto recall = [](Positions& table, std::size_t hash, std::ptrdiff_t position) {
    const auto now = static_cast<std::uint16_t>(position);
    const auto distance = static_cast<std::uint16_t>(now - table[hash]);
    table[hash] = now;
    return distance;
  };
  const auto in_window = [](std::uint16_t distance) {
    return static_cast<std::uint16_t>(distance - 1U) < kWindow;
  };
  const std::uint64_t bytes = load64(at);
  const std::uint16_t far = recall(after_eight_, hash_of_eight(bytes, kHashBits), at - begin_);
  const std::uint16_t near = recall(after_four_, hash_of_four(bytes, kHashBits), at - begin_);
  if (load64(at - far) == bytes && in_window(far)) {
    match = {at, far, common_length(at, at - far, 8, end_)};
    return true;
  }
  if (load32(at - near) != static_cast<std::uint32_t>(bytes) || !in_window(near)) return false;
  match = {at, near, common_length(at, at - near, 4, end_)};
  const std::uint64_t next = load64(at + 1);
  const std::uint16_t later = recall(after_eight_, hash_of_eight(next, kHashBits), at + 1 - begin_);
  if (load64(at + 1 - later) == next && in_window(later)) {
    const unsigned length = common_length(at + 1, at + 1 - later, 8, end_);
    if (length > match.length) match = {at + 1, later, length};
  }
  return true;
}

/// Fills the block with what begins at `from`; stops in front of `limit`, or where the block is
/// full, and returns where what follows begins.
const std::byte* DeflateEncoder::search_block(const std::byte* from, const std::byte* limit) {
  const std::byte* anchor = from;  // all before it is in the block
  const std::byte* at = from;
  if (at == begin_) ++at;  // there is nothing before it
  while (at < limit && !block_.full()) {
    Match match;
    if (!find(at, match)) {
      at += std::min(1 + ((at - anchor) >> kPatienceBits), limit - at);
      continue;
    }
    const std::byte* const seen = at;
    while (match.at > anchor && match.at - match.distance > begin_ &&
           match.length < kLongestMatch &&
           match.at[-1] == match.at[-1 - std::ptrdiff_t{match.distance}]) {
      --match.at;
      ++match.length;
    }
    block_.add_match(anchor, static_cast<std::size_t>(match.at - anchor), match.length,
                     match.distance);
    at = match.at + match.length;
    anchor = at;
    if (at < limit) {  // a few positions inside the match: all of them would take longer
      insert(seen + 2);
      insert(at - 2);  // last: the nearer, the fewer bits
    }
  }
  block_.add_literals(anchor, static_cast<std::size_t>(at - anchor));
  return at;
}

std::size_t DeflateEncoder::compress(ByteView in, std::span<std::byte> out) {
  if (out.size() < bound(in.size())) {
    throw Error(Errc::internal, "compress deflate: the output is smaller than its bound");
  }
  begin_ = in.data();
  end_ = begin_ + in.size();
  after_eight_.fill(0);
  after_four_.fill(0);
  deflate::BitWriter writer(out.data());
  const std::byte* at = begin_;
  bool last = false;
  while (!last) {
    block_.clear();
    const std::byte* const start = at;
    const std::ptrdiff_t room = std::max<std::ptrdiff_t>(end_ - at - kTail, 0);
    const auto most = static_cast<std::ptrdiff_t>(Block::kMaxContent);
    if (room > 0) at = search_block(at, at + std::min(room, most));
    last = end_ - at <= kTail;
    if (last) {
      block_.add_literals(at, static_cast<std::size_t>(end_ - at));
      at = end_;
    }
    block_.write(writer, {start, static_cast<std::size_t>(at - start)}, last);
  }
  return static_cast<std::size_t>(writer.align() - out.data());
}

}  // namespace lade
