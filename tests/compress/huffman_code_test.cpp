#include "libimage/compress/huffman_code.h"

#include <array>
#include <cmath>
#include <queue>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lade::deflate {
namespace {

std::vector<std::uint8_t> lengths_of(const std::vector<std::uint32_t>& frequencies,
                                     unsigned limit = 15) {
  std::vector<std::uint8_t> lengths(frequencies.size(), 99);
  code_lengths(frequencies, limit, lengths);
  return lengths;
}

/// The share of all codes that these lengths use: 1 if the code is complete.
double share(const std::vector<std::uint8_t>& lengths) {
  double sum = 0;
  for (const unsigned length : lengths) {
    if (length != 0) sum += std::ldexp(1.0, -static_cast<int>(length));
  }
  return sum;
}

std::uint64_t cost(const std::vector<std::uint32_t>& frequencies,
                   const std::vector<std::uint8_t>& lengths) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    sum += std::uint64_t{frequencies[i]} * lengths[i];
  }
  return sum;
}

/// What the best code costs, by the textbook: the sum of all inner nodes.
std::uint64_t best_cost(const std::vector<std::uint32_t>& frequencies) {
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> nodes;
  for (const std::uint32_t frequency : frequencies) {
    if (frequency != 0) nodes.push(frequency);
  }
  std::uint64_t sum = 0;
  while (nodes.size() > 1) {
    std::uint64_t node = nodes.top();
    nodes.pop();
    node += nodes.top();
    nodes.pop();
    sum += node;
    nodes.push(node);
  }
  return sum;
}

TEST(HuffmanCode, NoSymbolAndOneSymbolHaveCodesToo) {
  EXPECT_EQ(lengths_of({0, 0, 0}), (std::vector<std::uint8_t>{0, 0, 0}));
  EXPECT_EQ(lengths_of({0, 7, 0}), (std::vector<std::uint8_t>{0, 1, 0}));
  EXPECT_EQ(lengths_of({3, 0, 9}), (std::vector<std::uint8_t>{1, 0, 1}));
}

TEST(HuffmanCode, RandomCodesAreCompleteAndTheBest) {
  std::mt19937 engine(1);
  const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::uint32_t> frequencies(2 + random() % 285U);
    const unsigned spread = 1 + random() % 6;  // too few for a length above 15
    for (std::uint32_t& frequency : frequencies) frequency = random() % (1U << spread);
    frequencies[0] = frequencies[1] = 1;
    const std::vector<std::uint8_t> lengths = lengths_of(frequencies);
    ASSERT_EQ(share(lengths), 1.0);
    ASSERT_EQ(cost(frequencies, lengths), best_cost(frequencies));
  }
}

TEST(HuffmanCode, LimitsHoldAndTheCodeStaysComplete) {
  for (const unsigned limit : {7U, 14U, 15U}) {
    for (std::size_t symbols = 2; symbols <= 30; ++symbols) {
      if (limit == 7 && symbols > 19) break;
      std::vector<std::uint32_t> fibonacci = {1, 1};
      while (fibonacci.size() < symbols) {
        fibonacci.push_back(fibonacci.back() + fibonacci[fibonacci.size() - 2]);
      }
      const std::vector<std::uint8_t> lengths = lengths_of(fibonacci, limit);
      EXPECT_EQ(share(lengths), 1.0) << symbols;
      for (const unsigned length : lengths) EXPECT_LE(length, limit);
    }
  }
}

TEST(HuffmanCode, CodesAreThoseOfTheFormat) {
  // RFC 1951, section 3.2.2: lengths (3, 3, 3, 3, 3, 2, 4, 4); the codes there, their bits
  // reversed.
  const std::array<std::uint8_t, 8> lengths = {3, 3, 3, 3, 3, 2, 4, 4};
  std::array<std::uint16_t, 8> codes{};
  canonical_codes(lengths, codes);
  EXPECT_EQ(codes, (std::array<std::uint16_t, 8>{0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111,
                                                 0b1111}));
}

}  // namespace
}  // namespace lade::deflate
