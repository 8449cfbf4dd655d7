#include <new>

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/decoder.h"
#include "libimage/compress/member_sink.h"

namespace lade {
namespace {

constexpr int kDefaultLevel = 1;  // the peers' default size, at many times their speed
constexpr int kMaxLevel = 9;

/// Input bytes of a member: large enough to cost no more than 0.5 % in size, small enough to be
/// seekable and to keep memory low.
constexpr std::size_t kMemberBytes = std::size_t{1024} * 1024;

/// libdeflate: the same bytes on every CPU. Its header says no time and no system (RFC 1952: MTIME
/// 0, OS 255).
class DeflateMembers final : public MemberCompressor {
 public:
  explicit DeflateMembers(int level) : state_(libdeflate_alloc_compressor(level)) {
    if (!state_) throw std::bad_alloc();
  }
  std::size_t compress(ByteView in, std::span<std::byte> out) override {
    const std::size_t size =
        libdeflate_gzip_compress(state_.get(), in.data(), in.size(), out.data(), out.size());
    if (size == 0) throw Error(Errc::internal, "compress gzip: a member outgrew its bound");
    return size;
  }

 private:
  struct Free {
    void operator()(libdeflate_compressor* state) const noexcept {
      libdeflate_free_compressor(state);
    }
  };
  std::unique_ptr<libdeflate_compressor, Free> state_;
};

/// ISA-L level 1: twice as fast; its bytes depend on the CPU family.
class IsalMembers final : public MemberCompressor {
 public:
  IsalMembers() : level_buffer_(ISAL_DEF_LVL1_DEFAULT) {}
  std::size_t compress(ByteView in, std::span<std::byte> out) override {
    isal_deflate_stateless_init(&stream_);
    stream_.level = 1;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.gzip_flag = IGZIP_GZIP;
    stream_.end_of_stream = 1;
    stream_.flush = NO_FLUSH;
    // The interface is not const-correct; the input is only read.
    stream_.next_in = const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(in.data()));
    stream_.avail_in = static_cast<std::uint32_t>(in.size());
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = static_cast<std::uint32_t>(out.size());
    if (isal_deflate_stateless(&stream_) != COMP_OK) {
      throw Error(Errc::internal, "compress gzip: a member outgrew its bound");
    }
    return out.size() - stream_.avail_out;
  }

 private:
  isal_zstream stream_ = {};
  std::vector<std::uint8_t> level_buffer_;
};

std::unique_ptr<Sink> compress_gzip(Sink& out, const CompressOptions& options) {
  if (options.level < 0 || options.level > kMaxLevel) {
    throw Error(Errc::invalid_argument,
                cat("gzip level ", options.level, " is not between 1 and ", kMaxLevel));
  }
  MemberFormat format;
  format.input = kMemberBytes;
  if (options.fastest) {
    // Stored blocks are the worst case; the rest is room for headers, with a wide margin.
    format.bound = kMemberBytes + kMemberBytes / 64;
    format.make_compressor = [](int /*level*/) -> std::unique_ptr<MemberCompressor> {
      return std::make_unique<IsalMembers>();
    };
  } else {
    format.level = options.level == 0 ? kDefaultLevel : options.level;
    format.bound = libdeflate_gzip_compress_bound(nullptr, kMemberBytes);
    format.make_compressor = [](int level) -> std::unique_ptr<MemberCompressor> {
      return std::make_unique<DeflateMembers>(level);
    };
  }
  return std::make_unique<MemberSink>(out, format, options.threads);
}

/// Inflates members one after another; ISA-L checks each one's CRC-32 and length.
class GzipSource final : public DecoderSource {
 public:
  GzipSource(Source& in, const DecompressOptions& options)
      : DecoderSource("gzip", in, options), state_(std::make_unique<inflate_state>()) {
    start_member();
  }

 private:
  std::size_t decode(std::span<std::byte> out) override;
  void start_member();

  std::unique_ptr<inflate_state> state_;  // 80 KiB
  bool in_member_ = true;                 // the first member is required, later ones are not
};

void GzipSource::start_member() {
  isal_inflate_init(state_.get());
  state_->crc_flag = ISAL_GZIP;
}

std::string_view inflate_error(int code) {
  switch (code) {
    case ISAL_INCORRECT_CHECKSUM:
      return "the checksum or length of a member is wrong";
    case ISAL_INVALID_WRAPPER:
      return "a member's header is invalid, or garbage follows the last member";
    case ISAL_UNSUPPORTED_METHOD:
      return "a member's compression method is not deflate";
    default:
      return "the compressed data is invalid";
  }
}

std::size_t GzipSource::decode(std::span<std::byte> out) {
  state_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
  state_->avail_out = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1U << 30U));
  const std::uint32_t room = state_->avail_out;
  while (state_->avail_out == room) {
    const bool more = input_.ensure(1);
    if (!in_member_) {
      if (!more) return 0;
      start_member();
      state_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
      state_->avail_out = room;
      in_member_ = true;
    }
    const ByteView available = input_.available();
    state_->next_in =
        const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(available.data()));
    state_->avail_in = static_cast<std::uint32_t>(available.size());
    const int result = isal_inflate(state_.get());
    input_.consume(available.size() - state_->avail_in);
    if (result != ISAL_DECOMP_OK) throw_invalid(inflate_error(result));
    if (state_->block_state == ISAL_BLOCK_FINISH) {
      in_member_ = false;
    } else if (!more && state_->avail_out == room) {
      throw_truncated();
    }
  }
  return room - state_->avail_out;
}

}  // namespace

Codec gzip_codec() {
  return {.name = "gzip",
          .media_type_suffix = "+gzip",
          .compress_to = compress_gzip,
          .decompress_from = [](Source& in, const DecompressOptions& options)
              -> std::unique_ptr<Source> { return std::make_unique<GzipSource>(in, options); }};
}

}  // namespace lade
