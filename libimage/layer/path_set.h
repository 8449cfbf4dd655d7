/// Which paths a layer has made, at 8 to 16 bytes each. Internal to the layer module.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace lade {

/// A path below a root as a 64-bit number, made component by component. Two paths may share one
/// (2^-64 each): a layer that provokes it keeps a file of its own that it meant to hide.
class PathKey {
 public:
  [[nodiscard]] PathKey child(std::string_view name) const noexcept {
    PathKey key = *this;  // FNV-1a
    key.mix('/');
    for (const char c : name) key.mix(c);
    return key;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  void mix(char c) noexcept { value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001B3U; }
  std::uint64_t value_ = 0xCBF29CE484222325U;
};

/// A set of keys in one flat table (open addressing), for millions of them.
class PathSet {
 public:
  void insert(PathKey key) {
    if ((count_ + 1) * 4 > slots_.size() * 3) grow();
    if (place(slots_, stored(key))) ++count_;
  }
  [[nodiscard]] bool contains(PathKey key) const noexcept {
    if (slots_.empty()) return false;
    const std::uint64_t value = stored(key);
    for (std::size_t at = first_slot(slots_, value);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at] == value) return true;
      if (slots_[at] == 0) return false;
    }
  }

 private:
  static std::uint64_t stored(PathKey key) noexcept {
    return key.value() == 0 ? 1 : key.value();  // 0 marks an empty slot
  }
  static std::size_t first_slot(const std::vector<std::uint64_t>& slots,
                                std::uint64_t value) noexcept {
    return static_cast<std::size_t>((value * 0x9E3779B97F4A7C15U) >> 20U) & (slots.size() - 1);
  }
  static bool place(std::vector<std::uint64_t>& slots, std::uint64_t value) noexcept {
    std::size_t at = first_slot(slots, value);
    while (slots[at] != 0) {
      if (slots[at] == value) return false;
      at = (at + 1) & (slots.size() - 1);
    }
    slots[at] = value;
    return true;
  }
  void grow() {
    std::vector<std::uint64_t> larger(slots_.empty() ? 1024 : slots_.size() * 2);
    for (const std::uint64_t value : slots_) {
      if (value != 0) place(larger, value);
    }
    slots_.swap(larger);
  }

  std::vector<std::uint64_t> slots_;  // a power of two of them
  std::size_t count_ = 0;
};

}  // namespace lade
