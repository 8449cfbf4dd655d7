/// A deflate compressor for contents that are in memory: faster than libdeflate's fastest level,
/// at nearly its size (docs/design/0021-deflate.md).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libimage/base/bytes.h"
#include "libimage/compress/deflate_block.h"

namespace lade {

/// Compresses one content after another; used by one thread. What it writes depends on the content
/// alone: on no CPU, no compiler, nothing compressed before.
class DeflateEncoder {
 public:
  /// Changes with every change of what is written for the same content: a part of what names
  /// cached layers.
  static constexpr int kRevision = 1;
  /// Bytes that compress() needs to write to for `size` bytes of content: all but stored, and some
  /// to spare.
  static constexpr std::size_t bound(std::size_t size) { return deflate::Block::bound(size); }

  /// Writes `in` as a whole deflate stream (RFC 1951) to `out`, of at least bound(in.size()) bytes
  /// (else Error{internal}), and returns its size.
  std::size_t compress(ByteView in, std::span<std::byte> out);

 private:
  static constexpr unsigned kHashBits = 14;
  /// Where four or eight bytes with that hash were last seen: the lowest 16 bits of the position.
  using Positions = std::array<std::uint16_t, std::size_t{1} << kHashBits>;
  struct Match;

  void insert(const std::byte* at);
  bool find(const std::byte* at, Match& match);
  const std::byte* search_block(const std::byte* at, const std::byte* limit);

  const std::byte* begin_ = nullptr;
  const std::byte* end_ = nullptr;
  Positions after_eight_;
  Positions after_four_;
  deflate::Block block_;
};

}  // namespace lade
