#include <algorithm>
#include <limits>
#include <new>

#include <bzlib.h>

#include "libimage/base/error.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/decoder.h"

namespace lade {
namespace {

unsigned int to_count(std::size_t size) {
  return static_cast<unsigned int>(
      std::min<std::size_t>(size, std::numeric_limits<unsigned int>::max()));
}

/// A state of 4 MB at most, whatever the stream says.
class Bzip2Source final : public DecoderSource {
 public:
  Bzip2Source(Source& in, const DecompressOptions& options) : DecoderSource("bzip2", in, options) {
    start_stream();
  }
  ~Bzip2Source() override { end_stream(); }
  Bzip2Source(const Bzip2Source&) = delete;
  Bzip2Source& operator=(const Bzip2Source&) = delete;

 private:
  std::size_t decode(std::span<std::byte> out) override;
  void start_stream();
  void end_stream() noexcept;

  bz_stream stream_ = {};
  bool in_stream_ = false;
};

void Bzip2Source::start_stream() {
  stream_ = {};
  if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  in_stream_ = true;
}

void Bzip2Source::end_stream() noexcept {
  if (in_stream_) BZ2_bzDecompressEnd(&stream_);
  in_stream_ = false;
}

std::size_t Bzip2Source::decode(std::span<std::byte> out) {
  const unsigned int room = to_count(out.size());
  for (;;) {
    const bool more = input_.ensure(1);
    if (!in_stream_) {
      if (!more) return 0;
      start_stream();
    }
    const ByteView available = input_.available();
    // The interface is not const-correct; the input is only read.
    stream_.next_in = const_cast<char*>(chars_of(available).data());
    stream_.avail_in = to_count(available.size());
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = room;
    const int result = BZ2_bzDecompress(&stream_);
    input_.consume(available.size() - stream_.avail_in);
    const std::size_t produced = room - stream_.avail_out;
    if (result == BZ_STREAM_END) {
      end_stream();
    } else if (result == BZ_MEM_ERROR) {
      throw std::bad_alloc();
    } else if (result == BZ_DATA_ERROR_MAGIC) {
      throw_invalid("a stream's header is invalid, or garbage follows the last stream");
    } else if (result != BZ_OK) {
      throw_invalid("the compressed data or its checksum is wrong");
    } else if (!more && produced == 0) {
      throw_truncated();
    }
    if (produced != 0) return produced;
  }
}

}  // namespace

Codec bzip2_codec() {
  return {.name = "bzip2",
          .media_type_suffix = "+bzip2",
          .revision = 0,
          .compress_to = nullptr,
          .decompress_from = [](Source& in, const DecompressOptions& options)
              -> std::unique_ptr<Source> { return std::make_unique<Bzip2Source>(in, options); }};
}

}  // namespace lade
