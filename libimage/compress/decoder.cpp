#include "libimage/compress/decoder.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

/// Reads smaller than this go through a buffer: decoders are slow in small steps.
constexpr std::size_t kDirectBytes = std::size_t{32} * 1024;

/// Output that is never called a bomb: a short file of zeros compresses beyond any honest ratio.
constexpr std::uint64_t kRatioFreeBytes = std::uint64_t{64} * 1024 * 1024;

}  // namespace

bool InputWindow::ensure(std::size_t count) {
  assert(count <= kChunkBytes);
  if (end_ - begin_ >= count) return true;
  buffer_.resize(kChunkBytes);
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  while (end_ < count) {
    const std::size_t got = in_.read(std::span(buffer_).subspan(end_));
    if (got == 0) return false;
    end_ += got;
  }
  return true;
}

DecoderSource::DecoderSource(std::string_view codec, Source& in, const DecompressOptions& options)
    : input_(in), codec_(codec), options_(options) {
  if (options.max_window_log < 10 || options.max_window_log > 30) {
    throw Error(Errc::invalid_argument, cat("decompress ", codec, ": the largest window, 2^",
                                            options.max_window_log, ", is not 2^10 to 2^30"));
  }
}

std::size_t DecoderSource::read(std::span<std::byte> out) {
  if (small_at_ == small_end_) {
    if (ended_) return 0;
    if (out.size() >= kDirectBytes) return decode_checked(out);
    small_.resize(kDirectBytes * 2);
    small_at_ = 0;
    small_end_ = 0;  // until the call has succeeded
    small_end_ = decode_checked(small_);
  }
  const std::size_t count = std::min(out.size(), small_end_ - small_at_);
  std::memcpy(out.data(), small_.data() + small_at_, count);
  small_at_ += count;
  return count;
}

std::size_t DecoderSource::decode_checked(std::span<std::byte> out) {
  if (failed_) throw_invalid("read again after a failure");
  failed_ = true;
  const std::size_t count = decode(out);
  produced_ += count;
  if (options_.max_output != 0 && produced_ > options_.max_output) {
    throw Error(Errc::limit_exceeded, cat("decompress ", codec_, ": content is larger than ",
                                          options_.max_output, " bytes"));
  }
  if (options_.max_ratio != 0 && produced_ > kRatioFreeBytes &&
      produced_ / options_.max_ratio > consumed()) {
    throw Error(Errc::limit_exceeded, cat("decompress ", codec_, ": content is more than ",
                                          options_.max_ratio, " times as large as the stream"));
  }
  failed_ = false;
  ended_ = count == 0;
  return count;
}

void DecoderSource::throw_invalid(std::string_view reason) const {
  throw Error(Errc::invalid_content, cat("decompress ", codec_, ": ", reason));
}

}  // namespace lade
