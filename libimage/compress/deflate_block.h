/// A block of deflate: what the search found, and how it is written.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>

#include "libimage/base/bytes.h"
#include "libimage/compress/deflate_bits.h"
#include "libimage/compress/deflate_format.h"

namespace lade::deflate {

/// Matches and literals of a block, with the frequencies of their symbols.
class Block {
 public:
  /// Matches in a block at most: tables that adapt more often cost more than they save.
  static constexpr std::size_t kMaxMatches = 12288;
  /// Content of a block at most, but for the last match: what fills two stored blocks.
  static constexpr std::size_t kMaxContent = 2 * kLargestStored;
  /// Most that write() makes of `size` bytes of content in blocks that are as long as they may be:
  /// stored blocks.
  static constexpr std::size_t bound(std::size_t size) { return size + size / 4096 + 64; }

  /// Empties the block.
  void clear();
  [[nodiscard]] bool full() const { return match_count_ == kMaxMatches; }
  /// Adds `literals` bytes from `from` on (32 bytes may be read, whatever the number), then a match
  /// of `length` (4 to 258) at `distance`. Only if not full().
  void add_match(const std::byte* from, std::size_t literals, unsigned length, unsigned distance) {
    std::byte* const to = literals_ + literal_count_;
    std::memcpy(to, from, 16);  // a constant size: most runs are short
    if (literals > 16) {
      std::memcpy(to + 16, from + 16, 16);
      if (literals > 32) std::memcpy(to + 32, from + 32, literals - 32);
    }
    literal_count_ += literals;
    const unsigned slot = slot_of_distance(distance);
    ++length_counts_[length - kShortestMatch];
    ++distance_counts_[slot];
    matches_[match_count_++] = static_cast<std::uint64_t>(literals) << 32U |
                               (distance - kDistanceBase.values[slot]) << 16U | slot << 8U |
                               (length - kShortestMatch);
  }
  /// Adds literals behind the last match.
  void add_literals(const std::byte* from, std::size_t count) {
    if (count != 0) std::memcpy(literals_ + literal_count_, from, count);
    literal_count_ += count;
  }
  /// Writes the block, whose content is `content`, in the shortest of the three ways.
  void write(BitWriter& out, ByteView content, bool last);

 private:
  struct Codes;
  void count_literals();
  void write_symbols(BitWriter& out, const Codes& codes) const;

  // Plain arrays where the indexes are not constant: std::array would check each, also in releases.
  // A match: its length - 3 in the lowest 8 bits, the slot of its distance in the next 8, what is
  // added to the slot's base in 16, and the literals before it in 32.
  std::uint64_t matches_[kMaxMatches];
  std::byte literals_[kMaxContent + 1024];
  std::size_t match_count_ = 0;
  std::size_t literal_count_ = 0;
  std::uint32_t length_counts_[kLiterals];  // by length - 3
  std::array<std::uint32_t, kLiteralSymbols> symbol_counts_;
  std::uint32_t distance_counts_[kDistanceSlots];
};

}  // namespace lade::deflate
