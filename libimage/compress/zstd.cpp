#include <new>

#include <zstd.h>
#include <zstd_errors.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/member_sink.h"
#include "libimage/compress/zstd_source.h"

namespace lade {
namespace {

constexpr int kDefaultLevel = 3;

/// log2 of the entries of the default level's table of long matches, which are 17 in the library:
/// with both tables in the cache of a core it is faster by a quarter, and the output 0.9 % larger.
constexpr int kDefaultHashLog = 15;
constexpr int kMaxLevel = 22;

/// Input bytes of a frame: twice the window of the default level, 0.7 % larger than one long frame.
constexpr std::size_t kFrameBytes = std::size_t{4} * 1024 * 1024;

/// The same for the levels whose windows are larger.
constexpr std::size_t kLargeFrameBytes = std::size_t{16} * 1024 * 1024;
constexpr int kFirstLargeLevel = 17;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

/// Independent frames rather than the library's own workers, whose bytes differ from its
/// single-threaded ones and which its static archive in Debian lacks.
class ZstdFrames final : public MemberCompressor {
 public:
  explicit ZstdFrames(int level) : context_(ZSTD_createCCtx()) {
    if (!context_) throw std::bad_alloc();
    set(ZSTD_c_compressionLevel, level);
    if (level == kDefaultLevel) set(ZSTD_c_hashLog, kDefaultHashLog);
    set(ZSTD_c_checksumFlag, 1);
  }
  std::size_t compress(ByteView in, std::span<std::byte> out) override {
    return checked(ZSTD_compress2(context_.get(), out.data(), out.size(), in.data(), in.size()));
  }

 private:
  void set(ZSTD_cParameter parameter, int value) {
    (void)checked(ZSTD_CCtx_setParameter(context_.get(), parameter, value));
  }
  static std::size_t checked(std::size_t result) {
    if (ZSTD_isError(result) != 0) {
      throw Error(Errc::internal, cat("compress zstd: ", ZSTD_getErrorName(result)));
    }
    return result;
  }

  std::unique_ptr<ZSTD_CCtx, FreeContext> context_;
};

std::unique_ptr<Sink> compress_zstd(Sink& out, const CompressOptions& options) {
  return std::make_unique<MemberSink>(out, zstd_members(options), options.threads);
}

}  // namespace

void FreeZstdContext::operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }

ZstdSource::ZstdSource(Source& in, const DecompressOptions& options)
    : DecoderSource("zstd", in, options), context_(ZSTD_createDCtx()) {
  if (!context_ || ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax,
                                                       options.max_window_log)) != 0) {
    throw std::bad_alloc();
  }
}

/// True if a frame follows; false at the end of the input.
bool ZstdSource::next_frame() {
  if (!input_.ensure(4)) {
    if (!input_.available().empty() || !any_frame_) throw_truncated();
    return false;
  }
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(input_.available()[i]);
  };
  const std::uint32_t magic = byte(0) | byte(1) << 8U | byte(2) << 16U | byte(3) << 24U;
  // The library would also decode its formats before 0.8, which RFC 8878 does not know and whose
  // decoders ignore the limit on the window.
  if (magic != ZSTD_MAGICNUMBER &&
      (magic & ZSTD_MAGIC_SKIPPABLE_MASK) != ZSTD_MAGIC_SKIPPABLE_START) {
    throw_invalid(any_frame_ ? "garbage follows the last frame" : "not a zstd frame");
  }
  any_frame_ = true;
  in_frame_ = true;
  return true;
}

std::size_t ZstdSource::decode(std::span<std::byte> out) {
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  while (output.pos == 0) {
    if (!in_frame_ && !next_frame()) return 0;
    const bool more = input_.ensure(1);
    ZSTD_inBuffer input{input_.available().data(), input_.available().size(), 0};
    const std::size_t result = ZSTD_decompressStream(context_.get(), &output, &input);
    input_.consume(input.pos);
    if (ZSTD_isError(result) != 0) {
      if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge) {
        throw Error(Errc::limit_exceeded, "decompress zstd: a frame asks for too large a window");
      }
      throw_invalid(ZSTD_getErrorName(result));
    }
    in_frame_ = result != 0;
    if (in_frame_ && !more && output.pos == 0) throw_truncated();
  }
  return output.pos;
}

MemberFormat zstd_members(const CompressOptions& options, std::size_t input) {
  if (options.fastest) {
    throw Error(Errc::invalid_argument, "compress zstd: the level \"fastest\" is one of gzip only");
  }
  if (options.level < 0 || options.level > kMaxLevel) {
    throw Error(Errc::invalid_argument,
                cat("zstd level ", options.level, " is not between 1 and ", kMaxLevel));
  }
  MemberFormat format;
  format.level = options.level == 0 ? kDefaultLevel : options.level;
  format.input = input;
  if (input == 0) format.input = format.level < kFirstLargeLevel ? kFrameBytes : kLargeFrameBytes;
  format.bound = ZSTD_compressBound(format.input);
  format.make_compressor = [](int level) -> std::unique_ptr<MemberCompressor> {
    return std::make_unique<ZstdFrames>(level);
  };
  return format;
}

Codec zstd_codec() {
  return {.name = "zstd",
          .media_type_suffix = "+zstd",
          .revision = 1,  // the default level's tables
          .compress_to = compress_zstd,
          .decompress_from = [](Source& in, const DecompressOptions& options)
              -> std::unique_ptr<Source> { return std::make_unique<ZstdSource>(in, options); }};
}

}  // namespace lade
