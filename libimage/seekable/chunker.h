/// Where large files are cut. Internal to the seekable module.
#pragma once
#include <cstddef>
#include <cstdint>

#include "libimage/base/bytes.h"

namespace lade::seekable {

/// Cuts a file at places that its content chooses, so that an insertion moves no chunk behind it:
/// a rolling hash of the last 64 bytes (a "gear" hash) decides. Chunks have 512 KiB to 4 MiB, 1.5
/// MiB on average; what is smaller stays whole. Part of the output format.
class Chunker {
 public:
  static constexpr std::size_t kSmallest = std::size_t{512} * 1024;
  static constexpr std::size_t kLargest = std::size_t{4} * 1024 * 1024;

  /// How many bytes at the front of `data`, which follows what the calls before took, belong to the
  /// current chunk; at_end() then tells whether it ends there.
  std::size_t take(ByteView data) noexcept;
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }

 private:
  std::uint64_t hash_ = 0;
  std::size_t size_ = 0;  // of the current chunk so far
  bool at_end_ = false;
};

}  // namespace lade::seekable
