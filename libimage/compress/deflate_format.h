/// The numbers of the deflate format (RFC 1951, section 3.2).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace lade::deflate {

inline constexpr std::size_t kWindow = 32768;  ///< farthest distance
inline constexpr unsigned kShortestMatch = 3;  ///< of the format; the encoder begins at 4
inline constexpr unsigned kLongestMatch = 258;
inline constexpr std::size_t kLiterals = 256;
inline constexpr unsigned kEndOfBlock = 256;
inline constexpr unsigned kFirstLength = 257;  ///< the symbol of the first length slot
inline constexpr std::size_t kLengthSlots = 29;
inline constexpr std::size_t kDistanceSlots = 30;
inline constexpr std::size_t kLiteralSymbols = kFirstLength + kLengthSlots;
inline constexpr std::size_t kPrecodeSymbols = 19;
inline constexpr std::size_t kLargestStored = 65535;

/// Slot of lengths or distances: its first value, and how many bits choose a value in it.
struct Slot {
  std::uint16_t base = 0;
  std::uint8_t extra_bits = 0;
};

constexpr std::array<Slot, kLengthSlots> length_slots() {
  std::array<Slot, kLengthSlots> slots{};
  unsigned base = kShortestMatch;
  for (unsigned i = 0; i < kLengthSlots - 1; ++i) {
    const unsigned extra = i < 8 ? 0 : i / 4 - 1;
    slots[i] = {static_cast<std::uint16_t>(base), static_cast<std::uint8_t>(extra)};
    base += 1U << extra;
  }
  slots[kLengthSlots - 1] = {kLongestMatch, 0};  // which slot 27 could say as well
  return slots;
}

constexpr std::array<Slot, kDistanceSlots> distance_slots() {
  std::array<Slot, kDistanceSlots> slots{};
  unsigned base = 1;
  for (unsigned i = 0; i < kDistanceSlots; ++i) {
    const unsigned extra = i < 4 ? 0 : i / 2 - 1;
    slots[i] = {static_cast<std::uint16_t>(base), static_cast<std::uint8_t>(extra)};
    base += 1U << extra;
  }
  return slots;
}

inline constexpr std::array<Slot, kLengthSlots> kLengths = length_slots();
inline constexpr std::array<Slot, kDistanceSlots> kDistances = distance_slots();

/// A table whose index is not checked: std::array checks each, also in releases.
template <typename Value, std::size_t kSize>
struct Table {
  Value values[kSize] = {};
};

/// The slot of each length, by length - kShortestMatch.
constexpr Table<std::uint8_t, kLiterals> slots_of_lengths() {
  Table<std::uint8_t, kLiterals> slots;
  for (unsigned slot = 0; slot < kLengthSlots; ++slot) {
    const unsigned first = kLengths[slot].base - kShortestMatch;
    for (unsigned i = 0; i < 1U << kLengths[slot].extra_bits && first + i < kLiterals; ++i) {
      slots.values[first + i] = static_cast<std::uint8_t>(slot);
    }
  }
  return slots;
}

/// The slot of each distance: by distance - 1 up to 256, behind these by its bits from the 7th on.
constexpr Table<std::uint8_t, 512> slots_of_distances() {
  Table<std::uint8_t, 512> slots;
  for (unsigned slot = 0; slot < kDistanceSlots; ++slot) {
    const unsigned first = kDistances[slot].base - 1U;
    const unsigned end = first + (1U << kDistances[slot].extra_bits);
    for (unsigned i = first; i < end && i < 256; ++i) {
      slots.values[i] = static_cast<std::uint8_t>(slot);
    }
    for (unsigned i = first >> 7U; end > 256 && i < end >> 7U; ++i) {
      slots.values[256 + i] = static_cast<std::uint8_t>(slot);
    }
  }
  return slots;
}

constexpr Table<std::uint16_t, kDistanceSlots> distance_bases() {
  Table<std::uint16_t, kDistanceSlots> bases;
  for (std::size_t i = 0; i < kDistanceSlots; ++i) bases.values[i] = kDistances[i].base;
  return bases;
}

inline constexpr Table<std::uint8_t, kLiterals> kSlotOfLength = slots_of_lengths();
inline constexpr Table<std::uint8_t, 512> kSlotOfDistance = slots_of_distances();
inline constexpr Table<std::uint16_t, kDistanceSlots> kDistanceBase = distance_bases();

constexpr unsigned slot_of_distance(unsigned distance) {
  const unsigned near = distance - 1;
  const unsigned far = 256 + (near >> 7U);
  // Without a branch: which of the two it is cannot be predicted.
  const unsigned is_far = 0U - static_cast<unsigned>(near >= 256);
  return kSlotOfDistance.values[near ^ ((near ^ far) & is_far)];
}

}  // namespace lade::deflate
