#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "libimage/compress/codec.h"

struct inflate_state;

namespace lade {

/// Places in a compressed stream where decompression can begin again, noted while it is read once:
/// random access to what it holds, without a decompressed copy.
///
/// A gzip stream can be entered anywhere (a place in the middle of a member keeps the decoder's
/// state, 80 KiB), a zstd stream at its frames. However long the stream, there are at most
/// kMaxPlaces.
class SeekTable {
 public:
  static constexpr std::size_t kMaxPlaces = 256;

  /// True if the stream that begins with `head` (kHeadBytes, unless it is shorter) can be entered
  /// often enough: gzip, and zstd of frames of at most 64 MiB, judged by the first.
  static bool suits(ByteView head);
  static constexpr std::size_t kHeadBytes = 32;

  /// The content of `in` (owned), a stream that suits(), from its start. Reading it notes the
  /// places in this table, which must outlive it. Errors as Codec::decompress_from.
  std::unique_ptr<Source> scan(std::unique_ptr<Source> in, const Codec& codec);

  /// Gives the compressed bytes from an offset on.
  using OpenAt = std::function<std::unique_ptr<Source>(std::uint64_t offset)>;

  /// The content from `offset` on, after a scan. Thread-safe.
  [[nodiscard]] std::unique_ptr<Source> open(const OpenAt& open_at, std::uint64_t offset) const;

  [[nodiscard]] std::size_t places() const noexcept { return places_.size(); }

 private:
  friend class ScanningSource;

  struct Place {
    std::uint64_t compressed = 0;
    std::uint64_t content = 0;
    std::shared_ptr<const inflate_state> middle = {};  // null: a member or frame begins here
  };

  void add(Place place);

  bool zstd_ = false;
  std::uint64_t step_ = std::uint64_t{4} << 20U;  // of content between two places
  std::vector<Place> places_;
};

}  // namespace lade
