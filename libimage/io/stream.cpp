#include "libimage/io/stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {

std::uint64_t pump(Source& source, Sink& sink) {
  std::vector<std::byte> buffer(kChunkBytes);
  std::uint64_t total = 0;
  while (const std::size_t got = source.read(buffer)) {
    sink.write(std::span(buffer).first(got));
    total += got;
  }
  return total;
}

std::uint64_t drain(Source& source) {
  NullSink nowhere;
  return pump(source, nowhere);
}

std::string read_all(Source& source, std::uint64_t limit, std::string_view what) {
  std::string text;
  std::vector<std::byte> buffer(std::size_t{64} * 1024);
  while (const std::size_t got = source.read(buffer)) {
    if (text.size() + got > limit) {
      throw Error(Errc::limit_exceeded, cat(what, " is larger than ", limit, " bytes"));
    }
    text += chars_of(std::span(buffer).first(got));
  }
  return text;
}

std::size_t read_full(Source& source, std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::size_t got = source.read(out.subspan(filled));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

std::size_t StringSource::read(std::span<std::byte> out) {
  const std::size_t count = std::min(out.size(), rest_.size());
  std::memcpy(out.data(), rest_.data(), count);
  rest_.remove_prefix(count);
  return count;
}

std::size_t PartSource::read(std::span<std::byte> out) {
  if (skip_ != 0) {
    std::vector<std::byte> buffer(kChunkBytes);
    while (skip_ != 0) skip_ -= some(buffer, skip_);
  }
  if (left_ == 0) return 0;
  const std::size_t got = some(out, left_);
  left_ -= got;
  return got;
}

std::size_t PartSource::some(std::span<std::byte> out, std::uint64_t most) {
  const std::size_t got =
      source_->read(out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), most))));
  if (got == 0) throw Error(Errc::invalid_content, std::string(shortage_));
  return got;
}

std::size_t FdSource::read(std::span<std::byte> out) {
  for (;;) {
    const ssize_t got = ::read(fd_.get(), out.data(), out.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_errno(cat("read ", name_));
  }
}

std::size_t FileRangeSource::read(std::span<std::byte> out) {
  if (left_ == 0) return 0;
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left_));
  for (;;) {
    const ssize_t got = ::pread(fd_->get(), out.data(), want, static_cast<off_t>(at_));
    if (got >= 0) {
      at_ += static_cast<std::uint64_t>(got);
      left_ = got == 0 ? 0 : left_ - static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR) throw_errno(cat("read ", name_));
  }
}

void FdSink::write(ByteView data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd_, data.data(), data.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      throw_errno(cat("write ", name_));
    }
    data = data.subspan(static_cast<std::size_t>(put));
  }
}

BufferedSink::BufferedSink(Sink& next) : next_(next) { buffer_.reserve(kChunkBytes); }

void BufferedSink::write(ByteView data) {
  if (buffer_.empty() && data.size() >= kChunkBytes) {
    next_.write(data);
    return;
  }
  while (!data.empty()) {
    const std::size_t count = std::min(data.size(), kChunkBytes - buffer_.size());
    buffer_.insert(buffer_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
    data = data.subspan(count);
    if (buffer_.size() == kChunkBytes) {
      next_.write(buffer_);
      buffer_.clear();
    }
  }
}

void BufferedSink::finish() {
  if (!buffer_.empty()) {
    next_.write(buffer_);
    buffer_.clear();
  }
  next_.finish();
}

}  // namespace lade
