#include "libimage/compress/huffman_code.h"

#include <algorithm>
#include <array>

#include "libimage/compress/deflate_format.h"

namespace lade::deflate {
namespace {

constexpr std::size_t kMaxSymbols = 288;
constexpr unsigned kSymbolBits = 9;
constexpr unsigned kMaxLength = 15;

/// Deeper than any code of frequencies below 2^22 in sum: a leaf at depth d needs the Fibonacci
/// number d as that sum.
constexpr unsigned kMaxDepth = 40;

/// How many codes of each length.
using LengthCounts = std::array<std::uint32_t, kMaxDepth + 1>;

/// `nodes` are at least two frequencies, ascending; they become the depths of the inner nodes of
/// the Huffman tree, the root last but one. In place, after Moffat and Katajainen.
void inner_depths(std::span<std::uint32_t> nodes) {
  const std::size_t count = nodes.size();
  nodes[0] += nodes[1];
  std::size_t root = 0;
  std::size_t leaf = 2;
  const auto lighter = [&](std::size_t next) {
    if (leaf >= count || (root < next && nodes[root] < nodes[leaf])) {
      const std::uint32_t weight = nodes[root];
      nodes[root++] = static_cast<std::uint32_t>(next);
      return weight;
    }
    return nodes[leaf++];
  };
  for (std::size_t next = 1; next + 1 < count; ++next) {
    const std::uint32_t one = lighter(next);
    nodes[next] = one + lighter(next);
  }
  nodes[count - 2] = 0;
  for (std::size_t i = count - 2; i-- > 0;) nodes[i] = nodes[nodes[i]] + 1;
}

/// What is no inner node at a depth is a leaf: from the depths of the inner nodes, the root's last.
LengthCounts count_leaves(std::span<const std::uint32_t> depths) {
  LengthCounts counts{};
  std::size_t inner = depths.size();
  std::uint32_t places = 1;
  for (unsigned depth = 0; places > 0; ++depth) {
    std::uint32_t used = 0;
    while (inner > 0 && depths[inner - 1] == depth) {
      ++used;
      --inner;
    }
    counts[std::min(depth, kMaxDepth)] += places - used;
    places = 2 * used;
  }
  return counts;
}

/// Makes the codes longer than `limit` as long as it, then shorter ones longer until all fit.
void apply_limit(LengthCounts& counts, unsigned limit) {
  for (unsigned length = limit + 1; length <= kMaxDepth; ++length) {
    counts[limit] += counts[length];
    counts[length] = 0;
  }
  std::uint32_t used = 0;  // of 2^limit places for the longest codes
  for (unsigned length = 1; length <= limit; ++length) used += counts[length] << (limit - length);
  for (; used > 1U << limit; --used) {
    unsigned length = limit - 1;
    while (counts[length] == 0) --length;
    --counts[length];  // moves one down, beside it one of the longest: a place of those is free
    counts[length + 1] += 2;
    --counts[limit];
  }
}

std::uint32_t reversed(std::uint32_t code, unsigned length) {
  code = (code & 0x5555U) << 1U | (code >> 1U & 0x5555U);
  code = (code & 0x3333U) << 2U | (code >> 2U & 0x3333U);
  code = (code & 0x0F0FU) << 4U | (code >> 4U & 0x0F0FU);
  code = (code & 0x00FFU) << 8U | code >> 8U;
  return code >> (16 - length);
}

}  // namespace

void code_lengths(std::span<const std::uint32_t> frequencies, unsigned limit,
                  std::span<std::uint8_t> lengths) {
  std::array<std::uint32_t, kMaxSymbols> ranked;  // frequency, then symbol
  std::size_t used = 0;
  for (std::size_t symbol = 0; symbol < frequencies.size(); ++symbol) {
    lengths[symbol] = 0;
    if (frequencies[symbol] == 0) continue;
    ranked[used++] = frequencies[symbol] << kSymbolBits | static_cast<std::uint32_t>(symbol);
  }
  constexpr std::uint32_t symbol_mask = (1U << kSymbolBits) - 1;
  if (used == 1) lengths[ranked[0] & symbol_mask] = 1;
  if (used < 2) return;
  std::sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(used));
  std::array<std::uint32_t, kMaxSymbols> nodes;
  for (std::size_t i = 0; i < used; ++i) nodes[i] = ranked[i] >> kSymbolBits;
  inner_depths(std::span(nodes).first(used));
  LengthCounts counts = count_leaves(std::span(nodes).first(used - 1));
  apply_limit(counts, limit);
  std::size_t next = 0;  // the rarest first
  for (unsigned length = limit; length >= 1; --length) {
    for (std::uint32_t i = 0; i < counts[length]; ++i) {
      lengths[ranked[next++] & symbol_mask] = static_cast<std::uint8_t>(length);
    }
  }
}

void canonical_codes(std::span<const std::uint8_t> lengths, std::span<std::uint16_t> codes) {
  std::array<std::uint32_t, kMaxLength + 1> counts{};
  for (const std::uint8_t length : lengths) ++counts[length];
  counts[0] = 0;
  std::array<std::uint32_t, kMaxLength + 1> next{};
  for (unsigned length = 1; length <= kMaxLength; ++length) {
    next[length] = (next[length - 1] + counts[length - 1]) << 1U;
  }
  for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
    const unsigned length = lengths[symbol];
    codes[symbol] = length == 0 ? std::uint16_t{0}
                                : static_cast<std::uint16_t>(reversed(next[length]++, length));
  }
}

}  // namespace lade::deflate
