/// tar-split data: all of a tar but the content of its files, so that the tar can be made again
/// from the files alone (github.com/vbatts/tar-split, JSON lines). Internal to the seekable module.
#pragma once
#include <cstdint>
#include <string_view>

#include "libimage/io/stream.h"

namespace lade::seekable {

class TarSplitWriter {
 public:
  /// Lines go to `out`, which outlives the writer; it is not finished.
  explicit TarSplitWriter(Sink& out) : out_(out) {}

  /// Bytes of the tar as they are. All headers of an entry, with the padding in front of them, are
  /// one segment: readers rely on it.
  void segment(ByteView bytes);
  /// The content of the entry whose headers came last; `crc` is its crc64_iso().
  void file(std::string_view path, std::uint64_t size, std::uint64_t crc);

 private:
  Sink& out_;
  std::uint64_t position_ = 0;
};

}  // namespace lade::seekable
