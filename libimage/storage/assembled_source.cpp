#include "libimage/storage/assembled_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/members.h"

namespace lade {

AssembledSource::AssembledSource(std::unique_ptr<Source> split, TreeFiles files)
    : split_(std::move(split)), files_(std::move(files)) {}

std::size_t AssembledSource::read(std::span<std::byte> out) {
  // Headers and small files are much smaller than `out`: fill it, or each stage behind would work
  // in tiny pieces.
  std::size_t filled = 0;
  while (filled < out.size()) {
    std::size_t got = file_ ? read_file(out.subspan(filled)) : read_segment(out.subspan(filled));
    if (got == 0 && !next_entry()) break;
    filled += got;
  }
  return filled;
}

std::size_t AssembledSource::read_segment(std::span<std::byte> out) {
  const std::size_t count = std::min(out.size(), entry_.bytes.size() - segment_at_);
  std::memcpy(out.data(), entry_.bytes.data() + segment_at_, count);
  segment_at_ += count;
  return count;
}

std::size_t AssembledSource::read_file(std::span<std::byte> out) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), file_left_));
  ssize_t got = 0;
  if (want != 0) {
    do {
      got = ::read(file_.get(), out.data(), want);
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw_errno(cat("read ", quoted(entry_.name), " of the layer"));
  }
  const auto count = static_cast<std::size_t>(got);
  crc_ = crc64_iso(crc_, out.first(count));
  file_left_ -= count;
  if (file_left_ == 0 || count == 0) {
    if (file_left_ != 0 || crc_ != entry_.crc) {
      throw Error(Errc::invalid_content, cat("file ", quoted(entry_.name),
                                             " of the layer has changed since it was stored"));
    }
    file_.reset();
  }
  return count;
}

/// Makes the next line the current entry; false at the end.
bool AssembledSource::next_entry() {
  if (!read_line()) return false;
  const std::string_view line = std::string_view(buffer_).substr(at_, line_end_ - at_);
  at_ = std::min(line_end_ + 1, buffer_.size());
  segment_at_ = 0;
  entry_ = {};
  if (trimmed(line).empty()) return true;
  entry_ = parse_tar_split_entry(line);
  if (entry_.type == TarSplitEntry::Type::file && entry_.size != 0) {
    file_ = files_.open(entry_.name, entry_.size);
    file_left_ = entry_.size;
    crc_ = 0;
  }
  return true;
}

/// Finds the end of the next line, reading on as needed; false where there is none.
bool AssembledSource::read_line() {
  for (std::size_t searched = at_;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      line_end_ = end;
      return true;
    }
    if (split_ended_) {
      line_end_ = buffer_.size();
      return at_ < buffer_.size();
    }
    if (at_ != 0) {
      buffer_.erase(0, at_);
      at_ = 0;
    }
    searched = buffer_.size();
    if (searched > kMaxTarSplitLine) {
      throw Error(Errc::limit_exceeded,
                  cat("tar-split: a line longer than ", kMaxTarSplitLine, " bytes"));
    }
    buffer_.resize(searched + kChunkBytes);
    const std::size_t got =
        split_->read(std::as_writable_bytes(std::span(buffer_)).subspan(searched));
    buffer_.resize(searched + got);
    split_ended_ = got == 0;
  }
}

}  // namespace lade
