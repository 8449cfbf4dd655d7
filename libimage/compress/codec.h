/// Codecs: identity, gzip, zstd to write and read; bzip2 and xz to read.
///
/// Same input, same options, same bytes: whatever the CPU, the number of threads or the time of day
/// (only the level "fastest" of gzip may depend on the CPU family, and says so). gzip is written as
/// independent members of 1 MiB of input, zstd as independent frames of 4 MiB (16 MiB from level 17
/// on), compressed in parallel.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/io/stream.h"

namespace lade {

struct CompressOptions {
  /// gzip 1 (our own encoder) to 9 (libdeflate from 2 on), 0 = the codec's default (gzip 1, zstd
  /// 3); zstd 1 to 22.
  int level = 0;
  /// gzip only (else Error{invalid_argument}): ISA-L's level 1, faster by half, some 4 % larger;
  /// its bytes depend on the CPU family. `level` is ignored.
  bool fastest = false;
  /// Threads that compress one stream; at least 1. The bytes do not depend on it.
  unsigned threads = 2;
};

struct DecompressOptions {
  /// Largest window (zstd) or dictionary (xz) a stream may ask for, 10 to 30 for 2^10 to 2^30
  /// bytes; larger is Error{limit_exceeded}.
  int max_window_log = 27;
  /// Most bytes that may come out; 0 = no limit.
  std::uint64_t max_output = 0;
  /// Most output bytes for one input byte, judged after the first 64 MiB of output (decompression
  /// bombs); 0 = no limit.
  std::uint64_t max_ratio = 2000;
};

struct Codec {
  std::string_view name;               ///< "identity", "gzip", "zstd", "bzip2", "xz"
  std::string_view media_type_suffix;  ///< "", "+gzip", "+zstd"
  /// Another number whenever our code makes other bytes of the same content: a part of what names
  /// cached layers.
  int revision;
  /// Compresses what is written and passes it to `out` (not owned); null if this codec is only
  /// read. `out` may be called from threads of the sink, one at a time; a level that the codec does
  /// not have is Error{invalid_argument}.
  std::unique_ptr<Sink> (*compress_to)(Sink& out, const CompressOptions&);
  /// The decompressed content of `in` (not owned). Several gzip members or zstd frames in a row are
  /// one stream; garbage behind them, truncation and checksums that fail are
  /// Error{invalid_content}; a limit of `options` is Error{limit_exceeded}. Always consumes `in` to
  /// its end before it reports the end.
  std::unique_ptr<Source> (*decompress_from)(Source& in, const DecompressOptions&);
};

/// The table of codecs, in the order of help texts.
const std::vector<Codec>& codecs();

/// The codec of that name; Error{unsupported} naming the known ones.
const Codec& codec_named(std::string_view name);

/// The codec whose magic `head` (the first bytes, at least 6 unless the stream is shorter) has;
/// identity if none.
const Codec& codec_of(ByteView head);

/// Reads `source` (owned) from its start again after a look at its first bytes.
class PeekableSource final : public Source {
 public:
  explicit PeekableSource(std::unique_ptr<Source> source) : source_(std::move(source)) {}
  /// The first `count` bytes, fewer if the stream is shorter; only before the first read().
  ByteView peek(std::size_t count);
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::unique_ptr<Source> source_;
  std::vector<std::byte> head_;
  std::size_t at_ = 0;
};

/// The content of `source` (owned) decompressed by whatever codec its first bytes show.
std::unique_ptr<Source> decompressed(std::unique_ptr<Source> source,
                                     const DecompressOptions& options = {});
/// The same by a codec that is known.
std::unique_ptr<Source> decompressed(std::unique_ptr<Source> source, const Codec& codec,
                                     const DecompressOptions& options = {});

}  // namespace lade
