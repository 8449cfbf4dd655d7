/// The bytes of a tar beside what its reader makes of them. Internal to the seekable module.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/stream.h"

namespace lade::seekable {

/// Headers in front of one entry together; honest ones have a few kilobytes.
inline constexpr std::size_t kMaxHeaderBytes = std::size_t{16} * 1024 * 1024;

/// Keeps what the tar reader has read until the writer takes it: the bytes of the tar as they are.
class Tap final : public Source {
 public:
  explicit Tap(Source& source) : source_(source) {}

  std::size_t read(std::span<std::byte> out) override {
    if (kept_.size() - at_ > kMaxHeaderBytes) {
      throw Error(Errc::limit_exceeded, cat("tar stream: the headers of an entry have more than ",
                                            kMaxHeaderBytes, " bytes"));
    }
    failed_ = true;
    const std::size_t got = source_.read(out);
    failed_ = false;
    const ByteView bytes = out.first(got);
    kept_.insert(kept_.end(), bytes.begin(), bytes.end());
    return got;
  }

  /// The next `count` bytes, all of which were read; valid until the next call.
  ByteView take(std::uint64_t count) {
    if (at_ > kept_.size() / 2) {
      kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(at_));
      at_ = 0;
    }
    const ByteView bytes = ByteView(kept_).subspan(at_, static_cast<std::size_t>(count));
    at_ += bytes.size();
    taken_ += count;
    return bytes;
  }
  ByteView take_to(std::uint64_t position) { return take(position - taken_); }
  ByteView take_kept() { return take(kept_.size() - at_); }
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

  /// True if the source threw, not the reader of what it gave.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  Source& source_;
  std::vector<std::byte> kept_ = {};
  std::size_t at_ = 0;  // in kept_: what is taken already
  std::uint64_t taken_ = 0;
  bool failed_ = false;
};

}  // namespace lade::seekable
