#include "libimage/compress/deflate_block.h"

#include <algorithm>

#include "libimage/compress/huffman_code.h"

namespace lade::deflate {
namespace {

// Four literals, or a match, and the bits that flush() leaves must fit 64 bits.
constexpr unsigned kLiteralLimit = 14;
constexpr unsigned kDistanceLimit = 15;
constexpr unsigned kPrecodeLimit = 7;
static_assert(4 * kLiteralLimit + 7 <= 64 && kLiteralLimit + 5 + kDistanceLimit + 13 + 7 <= 64);

constexpr unsigned kStored = 0;
constexpr unsigned kStatic = 1;
constexpr unsigned kDynamic = 2;

/// The order in which lengths of the code for code lengths are written.
constexpr std::array<std::uint8_t, kPrecodeSymbols> kPrecodeOrder = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
constexpr unsigned kRepeatLast = 16;
constexpr unsigned kFewZeros = 17;
constexpr unsigned kManyZeros = 18;
constexpr unsigned precode_extra_bits(unsigned symbol) {
  return symbol == kRepeatLast ? 2 : symbol == kFewZeros ? 3 : symbol == kManyZeros ? 7 : 0;
}

using LiteralLengths = std::array<std::uint8_t, 288>;  // two more symbols than are used
using DistanceLengths = std::array<std::uint8_t, 32>;

/// Section 3.2.6.
LiteralLengths static_literal_lengths() {
  LiteralLengths lengths;
  std::fill(lengths.begin(), lengths.begin() + 144, std::uint8_t{8});
  std::fill(lengths.begin() + 144, lengths.begin() + 256, std::uint8_t{9});
  std::fill(lengths.begin() + 256, lengths.begin() + 280, std::uint8_t{7});
  std::fill(lengths.begin() + 280, lengths.end(), std::uint8_t{8});
  return lengths;
}

/// The lengths of both codes as one sequence with runs, and the code for it (section 3.2.7).
class Header {
 public:
  Header(const LiteralLengths& literals, const DistanceLengths& distances) {
    literal_count_ = kLiteralSymbols;
    while (literal_count_ > kFirstLength && literals[literal_count_ - 1] == 0) --literal_count_;
    distance_count_ = kDistanceSlots;
    while (distance_count_ > 1 && distances[distance_count_ - 1] == 0) --distance_count_;
    std::array<std::uint8_t, kLiteralSymbols + kDistanceSlots> all;
    std::copy_n(literals.begin(), literal_count_, all.begin());
    std::copy_n(distances.begin(), distance_count_,
                all.begin() + static_cast<std::ptrdiff_t>(literal_count_));
    find_runs(std::span(all).first(literal_count_ + distance_count_));
    code_lengths(counts_, kPrecodeLimit, lengths_);
    used_ = kPrecodeSymbols;
    while (used_ > 4 && lengths_[kPrecodeOrder[used_ - 1]] == 0) --used_;
  }

  [[nodiscard]] std::uint64_t bits() const {
    std::uint64_t sum = 14 + 3 * used_;
    for (unsigned i = 0; i < kPrecodeSymbols; ++i) {
      sum += std::uint64_t{counts_[i]} * (lengths_[i] + precode_extra_bits(i));
    }
    return sum;
  }

  void write(BitWriter& out) const {
    out.add(literal_count_ - kFirstLength, 5);
    out.add(distance_count_ - 1, 5);
    out.add(used_ - 4, 4);
    for (std::size_t i = 0; i < used_; ++i) {
      out.add(lengths_[kPrecodeOrder[i]], 3);
      out.flush();
    }
    std::array<std::uint16_t, kPrecodeSymbols> codes;
    canonical_codes(lengths_, codes);
    for (std::size_t i = 0; i < item_count_; ++i) {
      const Item item = items_[i];
      out.add(codes[item.symbol], lengths_[item.symbol]);
      out.add(item.extra, precode_extra_bits(item.symbol));
      out.flush();
    }
  }

 private:
  struct Item {
    std::uint8_t symbol = 0;
    std::uint8_t extra = 0;
  };

  void add(unsigned symbol, std::size_t extra = 0) {
    items_[item_count_++] = {static_cast<std::uint8_t>(symbol), static_cast<std::uint8_t>(extra)};
    ++counts_[symbol];
  }

  void find_runs(std::span<const std::uint8_t> all) {
    for (std::size_t i = 0; i < all.size();) {
      const std::uint8_t value = all[i];
      std::size_t run = 1;
      while (i + run < all.size() && all[i + run] == value) ++run;
      i += run;
      for (; value == 0 && run >= 11; run -= std::min<std::size_t>(run, 138)) {
        add(kManyZeros, std::min<std::size_t>(run, 138) - 11);
      }
      if (value == 0 && run >= 3) {
        add(kFewZeros, run - 3);
        run = 0;
      }
      if (value != 0 && run >= 4) {
        add(value);
        for (--run; run >= 3; run -= std::min<std::size_t>(run, 6)) {
          add(kRepeatLast, std::min<std::size_t>(run, 6) - 3);
        }
      }
      for (; run > 0; --run) add(value);
    }
  }

  std::size_t literal_count_ = 0;
  std::size_t distance_count_ = 0;
  std::array<Item, kLiteralSymbols + kDistanceSlots> items_;
  std::size_t item_count_ = 0;
  std::array<std::uint32_t, kPrecodeSymbols> counts_{};
  std::array<std::uint8_t, kPrecodeSymbols> lengths_{};
  std::size_t used_ = 0;
};

/// Section 3.2.4, as many blocks as it takes.
void write_stored(BitWriter& out, ByteView content, bool last) {
  do {
    const ByteView part = content.first(std::min(content.size(), kLargestStored));
    content = content.subspan(part.size());
    out.add(static_cast<unsigned>(last && content.empty()) | kStored << 1U, 3);
    out.align();
    const auto size = static_cast<std::uint32_t>(part.size());
    out.add(size | (~size & 0xFFFFU) << 16U, 32);
    out.flush();
    if (!part.empty()) out.write(part.data(), part.size());
  } while (!content.empty());
}

std::uint64_t stored_bits(std::size_t size) {
  const std::size_t parts = std::max<std::size_t>(1, (size + kLargestStored - 1) / kLargestStored);
  return 8 * (std::uint64_t{size} + 5 * parts);
}

}  // namespace

/// A symbol's bits, ready for one addition: the code with the extra bits above, and how many.
struct Block::Codes {
  Codes(const LiteralLengths& literal_lengths, const DistanceLengths& distance_lengths) {
    std::array<std::uint16_t, 288> codes;
    canonical_codes(literal_lengths, codes);
    for (std::size_t i = 0; i < kLiterals; ++i) {
      literals[i] = static_cast<std::uint32_t>(codes[i]) << 8U | literal_lengths[i];
    }
    for (unsigned i = 0; i < lengths.size(); ++i) {
      const unsigned slot = kSlotOfLength.values[i];
      const unsigned bits = literal_lengths[kFirstLength + slot];
      const std::uint32_t code =
          codes[kFirstLength + slot] | (i + kShortestMatch - kLengths[slot].base) << bits;
      lengths[i] = code << 8U | (bits + kLengths[slot].extra_bits);
    }
    end = static_cast<std::uint32_t>(codes[kEndOfBlock]) << 8U | literal_lengths[kEndOfBlock];
    std::array<std::uint16_t, 32> distance_codes;
    canonical_codes(distance_lengths, distance_codes);
    for (unsigned i = 0; i < kDistanceSlots; ++i) {
      const unsigned bits = distance_lengths[i];
      distances[i] = (bits + kDistances[i].extra_bits) << 24U | bits << 16U | distance_codes[i];
    }
  }

  std::array<std::uint32_t, kLiterals> literals;
  std::array<std::uint32_t, kLiterals> lengths;
  /// The code in 16 bits, its length in 8, and in 8 its length with the extra bits.
  std::array<std::uint32_t, 32> distances{};
  std::uint32_t end;
};

void Block::clear() {
  match_count_ = 0;
  literal_count_ = 0;
  std::fill_n(length_counts_, kLiterals, 0U);
  std::fill_n(distance_counts_, kDistanceSlots, 0U);
}

/// In four tables, so that equal neighbours do not wait for each other.
void Block::count_literals() {
  std::array<std::array<std::uint32_t, kLiterals>, 4> counts{};
  std::size_t i = 0;
  for (; i + 4 <= literal_count_; i += 4) {
    const std::uint32_t four = load32(literals_ + i);
    ++counts[0][four & 0xFFU];
    ++counts[1][four >> 8U & 0xFFU];
    ++counts[2][four >> 16U & 0xFFU];
    ++counts[3][four >> 24U];
  }
  for (; i < literal_count_; ++i) ++counts[0][static_cast<std::size_t>(literals_[i])];
  for (std::size_t value = 0; value < kLiterals; ++value) {
    symbol_counts_[value] =
        counts[0][value] + counts[1][value] + counts[2][value] + counts[3][value];
  }
}

/// All that is in here is done for every four bytes of a layer.
void Block::write_symbols(BitWriter& writer, const Codes& codes) const {
  BitWriter out = writer;  // a copy of our own stays in registers
  const std::byte* literal = literals_;
  const auto put = [&](std::uint32_t code) { out.add(code >> 8U, code & 0xFFU); };
  for (std::size_t i = 0; i < match_count_; ++i) {
    const std::uint64_t match = matches_[i];
    auto run = static_cast<std::uint32_t>(match >> 32U);
    for (; run >= 4; run -= 4) {
      const std::uint32_t four = load32(literal);
      literal += 4;
      put(codes.literals[four & 0xFFU]);
      put(codes.literals[four >> 8U & 0xFFU]);
      put(codes.literals[four >> 16U & 0xFFU]);
      put(codes.literals[four >> 24U]);
      out.flush();
    }
    // Three more, or bits of length 0: nobody can predict how many.
    const std::uint32_t three = load32(literal);
    literal += run;
    put(codes.literals[three & 0xFFU] & (0U - static_cast<std::uint32_t>(run > 0)));
    put(codes.literals[three >> 8U & 0xFFU] & (0U - static_cast<std::uint32_t>(run > 1)));
    put(codes.literals[three >> 16U & 0xFFU] & (0U - static_cast<std::uint32_t>(run > 2)));
    out.flush();
    put(codes.lengths[match & 0xFFU]);
    const std::uint32_t distance = codes.distances[match >> 8U & 0x1FU];
    const std::uint64_t extra = match >> 16U & 0xFFFFU;
    out.add((distance & 0xFFFFU) | extra << (distance >> 16U & 0xFFU), distance >> 24U);
    out.flush();
  }
  for (; literal < literals_ + literal_count_; ++literal) {
    put(codes.literals[static_cast<std::size_t>(*literal)]);
    out.flush();
  }
  put(codes.end);
  out.flush();
  writer = out;
}

void Block::write(BitWriter& out, ByteView content, bool last) {
  count_literals();
  std::fill(symbol_counts_.begin() + kEndOfBlock, symbol_counts_.end(), 0U);
  symbol_counts_[kEndOfBlock] = 1;
  for (std::size_t i = 0; i < kLiterals; ++i) {
    symbol_counts_[kFirstLength + kSlotOfLength.values[i]] += length_counts_[i];
  }
  LiteralLengths literals{};
  code_lengths(symbol_counts_, kLiteralLimit, literals);
  DistanceLengths distances{};
  code_lengths(distance_counts_, kDistanceLimit, distances);
  // A code of one symbol or of none is not complete: some decoders refuse it.
  if (std::count(distances.begin(), distances.end(), 0) >= 31) {
    distances[distances[0] == 0 ? 0 : 1] = 1;
    if (std::count(distances.begin(), distances.end(), 0) == 31) distances[1] = 1;
  }
  const LiteralLengths static_literals = static_literal_lengths();
  const Header header(literals, distances);
  std::uint64_t dynamic_bits = header.bits();
  std::uint64_t static_bits = 0;
  for (std::size_t i = 0; i < kLiteralSymbols; ++i) {
    dynamic_bits += std::uint64_t{symbol_counts_[i]} * literals[i];
    static_bits += std::uint64_t{symbol_counts_[i]} * static_literals[i];
  }
  std::uint64_t extra_bits = 3;
  for (std::size_t i = 0; i < kLengthSlots; ++i) {
    extra_bits += std::uint64_t{symbol_counts_[kFirstLength + i]} * kLengths[i].extra_bits;
  }
  for (std::size_t i = 0; i < kDistanceSlots; ++i) {
    dynamic_bits += std::uint64_t{distance_counts_[i]} * distances[i];
    static_bits += std::uint64_t{distance_counts_[i]} * 5;
    extra_bits += std::uint64_t{distance_counts_[i]} * kDistances[i].extra_bits;
  }
  if (stored_bits(content.size()) <= std::min(dynamic_bits, static_bits) + extra_bits) {
    write_stored(out, content, last);
    return;
  }
  const bool fixed = static_bits <= dynamic_bits;
  out.add(static_cast<unsigned>(last) | (fixed ? kStatic : kDynamic) << 1U, 3);
  if (fixed) {
    DistanceLengths five;
    five.fill(5);
    write_symbols(out, Codes(static_literals, five));
  } else {
    header.write(out);
    write_symbols(out, Codes(literals, distances));
  }
}

}  // namespace lade::deflate
