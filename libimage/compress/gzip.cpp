#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include <libdeflate.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/deflate_encoder.h"
#include "libimage/compress/gzip_source.h"
#include "libimage/compress/member_sink.h"

namespace lade {
namespace {

constexpr int kOwnLevel = 1;  // the default: 2.5 % above the peers' size, at many times their speed
constexpr int kMaxLevel = 9;

/// Input bytes of a member: large enough to cost no more than 0.5 % in size, small enough to be
/// seekable and to keep memory low.
constexpr std::size_t kMemberBytes = std::size_t{1024} * 1024;

/// What a gzip member has around its deflate stream (RFC 1952, section 2.3).
constexpr std::array<unsigned char, 10> kMemberHeader = {
    0x1F, 0x8B, 8 /* deflate */, 0, 0, 0, 0, 0 /* no time */, 4 /* the fastest */,
    255 /* no system */};
constexpr std::size_t kTrailerBytes = 8;

/// Our own encoder: the same bytes on every CPU.
class OwnMembers final : public MemberCompressor {
 public:
  static constexpr std::size_t bound(std::size_t size) {
    return kMemberHeader.size() + DeflateEncoder::bound(size) + kTrailerBytes;
  }
  std::size_t compress(ByteView in, std::span<std::byte> out) override {
    std::memcpy(out.data(), kMemberHeader.data(), kMemberHeader.size());
    std::size_t size = kMemberHeader.size();
    size += encoder_.compress(in, out.subspan(size));
    put32(out.subspan(size, 4), libdeflate_crc32(0, in.data(), in.size()));
    put32(out.subspan(size + 4, 4), static_cast<std::uint32_t>(in.size()));
    return size + kTrailerBytes;
  }

 private:
  static void put32(std::span<std::byte> out, std::uint32_t value) {
    for (std::byte& byte : out) {
      byte = static_cast<std::byte>(value & 0xFFU);
      value >>= 8U;
    }
  }
  DeflateEncoder encoder_;
};

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

/// ISA-L level 1: half as fast again as our own; its bytes depend on the CPU family.
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
  return std::make_unique<MemberSink>(out, gzip_members(options), options.threads);
}

/// Longest header of a member, mostly its optional name and comment; nobody writes long ones.
constexpr std::size_t kMaxHeaderBytes = std::size_t{128} * 1024;

}  // namespace

GzipSource::GzipSource(Source& in, const DecompressOptions& options)
    : DecoderSource("gzip", in, options), state_(std::make_unique<inflate_state>()) {}

GzipSource::GzipSource(Source& in, const DecompressOptions& options, const inflate_state& middle)
    : DecoderSource("gzip", in, options),
      state_(std::make_unique<inflate_state>(middle)),
      in_member_(true),
      any_member_(true) {}

std::shared_ptr<const inflate_state> GzipSource::middle() const {
  return in_member_ ? std::make_shared<const inflate_state>(*state_) : nullptr;
}

unsigned GzipSource::next_header_byte() {
  if (!input_.ensure(1)) throw_truncated();
  if (header_.size() == kMaxHeaderBytes) throw_invalid("a member's header is too long");
  const std::byte byte = input_.available()[0];
  input_.consume(1);
  header_.push_back(byte);
  return static_cast<unsigned>(byte);
}

void GzipSource::skip_header_text() {
  while (next_header_byte() != 0) {
  }
}

/// RFC 1952, section 2.3.
void GzipSource::start_member() {
  constexpr unsigned kHeaderCrc = 2;
  constexpr unsigned kExtra = 4;
  constexpr unsigned kName = 8;
  constexpr unsigned kComment = 16;
  constexpr unsigned kReserved = 0xE0;
  header_.clear();
  if (next_header_byte() != 0x1F || next_header_byte() != 0x8B) {
    throw_invalid(any_member_ ? "garbage follows the last member" : "not a gzip member");
  }
  if (next_header_byte() != 8) throw_invalid("a member's compression method is not deflate");
  const unsigned flags = next_header_byte();
  if ((flags & kReserved) != 0) throw_invalid("a member's header has reserved flags");
  for (int i = 0; i < 6; ++i) (void)next_header_byte();  // time, level, system: of no use
  if ((flags & kExtra) != 0) {
    const unsigned low = next_header_byte();
    const unsigned length = low | next_header_byte() << 8U;
    for (unsigned i = 0; i < length; ++i) (void)next_header_byte();
  }
  if ((flags & kName) != 0) skip_header_text();
  if ((flags & kComment) != 0) skip_header_text();
  if ((flags & kHeaderCrc) != 0) {
    const unsigned expected = libdeflate_crc32(0, header_.data(), header_.size()) & 0xFFFFU;
    const unsigned low = next_header_byte();
    if ((low | next_header_byte() << 8U) != expected) {
      throw_invalid("the checksum of a member's header is wrong");
    }
  }
  isal_inflate_init(state_.get());
  state_->crc_flag = ISAL_GZIP_NO_HDR_VER;
  in_member_ = true;
  any_member_ = true;
}

std::size_t GzipSource::decode(std::span<std::byte> out) {
  const auto room = static_cast<std::uint32_t>(std::min<std::size_t>(out.size(), 1U << 30U));
  for (;;) {
    const bool more = input_.ensure(1);
    if (!in_member_) {
      if (!more && any_member_) return 0;
      start_member();
      continue;
    }
    const ByteView available = input_.available();
    state_->next_in =
        const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(available.data()));
    state_->avail_in = static_cast<std::uint32_t>(available.size());
    state_->next_out = reinterpret_cast<std::uint8_t*>(out.data());
    state_->avail_out = room;
    const int result = isal_inflate(state_.get());
    input_.consume(available.size() - state_->avail_in);
    if (result == ISAL_INCORRECT_CHECKSUM) {
      throw_invalid("the checksum or length of a member is wrong");
    }
    if (result != ISAL_DECOMP_OK) throw_invalid("the compressed data is wrong");
    const std::size_t produced = room - state_->avail_out;
    in_member_ = state_->block_state != ISAL_BLOCK_FINISH;
    if (in_member_ && !more && produced == 0) throw_truncated();
    if (produced != 0) return produced;
  }
}

MemberFormat gzip_members(const CompressOptions& options, std::size_t input) {
  if (options.level < 0 || options.level > kMaxLevel) {
    throw Error(Errc::invalid_argument,
                cat("gzip level ", options.level, " is not between 1 and ", kMaxLevel));
  }
  MemberFormat format;
  format.input = input == 0 ? kMemberBytes : input;
  if (options.fastest) {
    // Stored blocks are the worst case; the rest is room for headers, with a wide margin.
    format.bound = format.input + format.input / 64 + 1024;
    format.make_compressor = [](int /*level*/) -> std::unique_ptr<MemberCompressor> {
      return std::make_unique<IsalMembers>();
    };
  } else if (options.level <= kOwnLevel) {
    format.bound = OwnMembers::bound(format.input);
    format.make_compressor = [](int /*level*/) -> std::unique_ptr<MemberCompressor> {
      return std::make_unique<OwnMembers>();
    };
  } else {
    format.level = options.level;
    format.bound = libdeflate_gzip_compress_bound(nullptr, format.input);
    format.make_compressor = [](int level) -> std::unique_ptr<MemberCompressor> {
      return std::make_unique<DeflateMembers>(level);
    };
  }
  return format;
}

Codec gzip_codec() {
  return {.name = "gzip",
          .media_type_suffix = "+gzip",
          .revision = DeflateEncoder::kRevision,
          .compress_to = compress_gzip,
          .decompress_from = [](Source& in, const DecompressOptions& options)
              -> std::unique_ptr<Source> { return std::make_unique<GzipSource>(in, options); }};
}

}  // namespace lade
