#include <new>

#include <lzma.h>

#include "libimage/base/error.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/decoder.h"

namespace lade {
namespace {

/// What the decoder needs beside the dictionary, with a margin.
constexpr std::uint64_t kStateBytes = std::uint64_t{16} * 1024 * 1024;

class XzSource final : public DecoderSource {
 public:
  XzSource(Source& in, const DecompressOptions& options) : DecoderSource("xz", in, options) {
    const std::uint64_t memory = (std::uint64_t{1} << options.max_window_log) + kStateBytes;
    if (lzma_stream_decoder(&stream_, memory, LZMA_CONCATENATED) != LZMA_OK) throw std::bad_alloc();
  }
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

 private:
  std::size_t decode(std::span<std::byte> out) override;
  void check(lzma_ret result) const;

  lzma_stream stream_ = {};
  bool done_ = false;
};

void XzSource::check(lzma_ret result) const {
  switch (result) {
    case LZMA_OK:
    case LZMA_STREAM_END:
      return;
    case LZMA_MEM_ERROR:
      throw std::bad_alloc();
    case LZMA_MEMLIMIT_ERROR:
      throw Error(Errc::limit_exceeded, "decompress xz: a block asks for too large a dictionary");
    case LZMA_BUF_ERROR:
      throw_truncated();
    case LZMA_FORMAT_ERROR:
      throw_invalid("a stream's header is invalid, or garbage follows the last stream");
    case LZMA_OPTIONS_ERROR:
      throw_invalid("a block's filter or a check is not supported");
    default:
      throw_invalid("the compressed data or its checksum is wrong");
  }
}

std::size_t XzSource::decode(std::span<std::byte> out) {
  stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream_.avail_out = out.size();
  while (!done_ && stream_.avail_out == out.size()) {
    const bool more = input_.ensure(1);
    const ByteView available = input_.available();
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(available.data());
    stream_.avail_in = available.size();
    // Only the end of the input ends the content: another stream may follow.
    const lzma_ret result = lzma_code(&stream_, more ? LZMA_RUN : LZMA_FINISH);
    input_.consume(available.size() - stream_.avail_in);
    check(result);
    done_ = result == LZMA_STREAM_END;
  }
  return out.size() - stream_.avail_out;
}

}  // namespace

Codec xz_codec() {
  return {.name = "xz",
          .media_type_suffix = "+xz",
          .revision = 0,
          .compress_to = nullptr,
          .decompress_from = [](Source& in, const DecompressOptions& options)
              -> std::unique_ptr<Source> { return std::make_unique<XzSource>(in, options); }};
}

}  // namespace lade
