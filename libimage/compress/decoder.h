/// What every decoder shares: a window on its input, the limits on its output.
#pragma once
#include <string_view>
#include <vector>

#include "libimage/compress/codec.h"

namespace lade {

/// The bytes of a source that are read but not yet consumed.
class InputWindow {
 public:
  explicit InputWindow(Source& in) : in_(in) {}

  [[nodiscard]] ByteView available() const noexcept {
    return ByteView(buffer_).subspan(begin_, end_ - begin_);
  }
  /// Reads until `count` bytes are available or the source has ended; true if they are.
  bool ensure(std::size_t count);
  void consume(std::size_t count) noexcept {
    begin_ += count;
    consumed_ += count;
  }
  [[nodiscard]] std::uint64_t consumed() const noexcept { return consumed_; }

 private:
  Source& in_;
  std::vector<std::byte> buffer_ = {};  // allocated at the first read
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t consumed_ = 0;
};

/// A source that decodes `in`: buffers small reads, counts the output against the limits, and stays
/// failed after a failure.
class DecoderSource : public Source {
 public:
  std::size_t read(std::span<std::byte> out) final;

 protected:
  /// Error{invalid_argument} if `options` make no sense.
  DecoderSource(std::string_view codec, Source& in, const DecompressOptions& options);

  /// At least one byte into the front of `out` and how many, or 0 at the end, where the input must
  /// have ended too.
  virtual std::size_t decode(std::span<std::byte> out) = 0;
  /// Bytes of the input used so far.
  [[nodiscard]] virtual std::uint64_t consumed() const noexcept { return input_.consumed(); }

  [[noreturn]] void throw_invalid(std::string_view reason) const;
  [[noreturn]] void throw_truncated() const { throw_invalid("the stream is truncated"); }

  InputWindow input_;

 private:
  std::size_t decode_checked(std::span<std::byte> out);

  std::string_view codec_;
  DecompressOptions options_;
  std::vector<std::byte> small_ = {};  // output for callers that read little at a time
  std::size_t small_at_ = 0;
  std::size_t small_end_ = 0;
  std::uint64_t produced_ = 0;
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace lade
