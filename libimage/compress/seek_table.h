#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/compress/codec.h"

struct inflate_state;

namespace lade {

/// Places in a compressed stream where decompression can begin again, noted while it is read once:
/// random access to what it holds, without a decompressed copy.
///
/// A gzip stream can be entered anywhere (a place in the middle of a member keeps the decoder's
/// state, 80 KiB), and for nothing between two members; a zstd stream at its frames. However long
/// the stream, there are at most kMaxMiddles places in the middle of members and kMaxPlaces in all.
class SeekTable {
 public:
  static constexpr std::size_t kMaxMiddles = 256;
  static constexpr std::size_t kMaxPlaces = 16'384;

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

  /// How many compressed bytes hold the content up to `offset`, at the most; nullopt: perhaps all.
  [[nodiscard]] std::optional<std::uint64_t> compressed_end(std::uint64_t offset) const;

  /// The table as bytes, for load() of the same build on the same machine.
  [[nodiscard]] std::string saved() const;
  /// Reads saved() bytes; nullopt if another version wrote them or they are damaged. They must come
  /// from where only this user writes: the states of decoders in them cannot be checked.
  static std::optional<SeekTable> load(std::string_view bytes);

  [[nodiscard]] std::size_t places() const noexcept { return places_.size(); }

 private:
  friend class ScanningSource;

  struct Place {
    std::uint64_t compressed = 0;
    std::uint64_t content = 0;
    std::shared_ptr<const inflate_state> middle = {};  // null: a member or frame begins here
  };

  void add(Place place);
  void thin(bool (*which)(const Place&));

  bool zstd_ = false;
  std::uint64_t step_ = std::uint64_t{4} << 20U;         // of content between two places in members
  std::uint64_t member_step_ = std::uint64_t{1} << 20U;  // ... between members or frames
  std::size_t middles_ = 0;
  std::vector<Place> places_;
};

}  // namespace lade
