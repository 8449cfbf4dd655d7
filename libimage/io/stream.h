/// Byte streams. A pipeline is always source > [hash] > [codec] > [hash] > sink, built on the stack
/// by one owner; nothing holds a whole blob.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/bytes.h"
#include "libimage/base/unique_fd.h"

namespace lade {

/// Bytes one after another. Used by one thread at a time.
class Source {
 public:
  virtual ~Source() = default;
  /// Fills the front of `out` (not empty) and returns how many bytes; 0 is the end, and stays the
  /// end.
  virtual std::size_t read(std::span<std::byte> out) = 0;
};

/// Takes bytes one after another. Used by one thread at a time.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(ByteView data) = 0;
  /// Ends the stream: flushes this stage, then every later one. Without it the content is
  /// incomplete.
  virtual void finish() {}
};

/// Size of the buffers between stages.
inline constexpr std::size_t kChunkBytes = std::size_t{256} * 1024;

/// Writes all of `source` to `sink` and returns the number of bytes; does not call finish().
std::uint64_t pump(Source& source, Sink& sink);

/// Reads `source` to its end and returns the number of bytes, so that verifying stages see the end.
std::uint64_t drain(Source& source);

/// All of `source`, which is `what` in messages; Error{limit_exceeded} beyond `limit` bytes.
std::string read_all(Source& source, std::uint64_t limit, std::string_view what);

/// Fills `out` whole unless the end comes first; returns the bytes read.
std::size_t read_full(Source& source, std::span<std::byte> out);

/// Reads a text that the caller keeps alive.
class StringSource final : public Source {
 public:
  explicit StringSource(std::string_view text) : rest_(text) {}
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::string_view rest_;
};

/// `size` bytes of `source` (owned) behind the first `skipped`; what follows them is not looked at.
/// Error{invalid_content} that is `shortage` if it ends before.
class PartSource final : public Source {
 public:
  PartSource(std::unique_ptr<Source> source, std::uint64_t skipped, std::uint64_t size,
             std::string_view shortage)
      : source_(std::move(source)), skip_(skipped), left_(size), shortage_(shortage) {}
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::size_t some(std::span<std::byte> out, std::uint64_t most);

  std::unique_ptr<Source> source_;
  std::uint64_t skip_;
  std::uint64_t left_;
  std::string_view shortage_;
};

/// Collects into a string.
class StringSink final : public Sink {
 public:
  void write(ByteView data) override { text_ += chars_of(data); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The text, which is then empty.
  std::string take() noexcept { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

/// Counts and forgets.
class NullSink final : public Sink {
 public:
  void write(ByteView data) override { bytes_ += data.size(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
};

/// Passes on and counts.
class CountingSink final : public Sink {
 public:
  explicit CountingSink(Sink& next) : next_(next) {}
  void write(ByteView data) override {
    bytes_ += data.size();
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Sink& next_;
  std::uint64_t bytes_ = 0;
};

/// Reads a file descriptor from its current position; owns it.
class FdSource final : public Source {
 public:
  FdSource(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  std::size_t read(std::span<std::byte> out) override;
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::string name_;  // for messages
};

/// Reads `size` bytes of a file from `offset` by pread, so that several may share one descriptor;
/// owns a share.
class FileRangeSource final : public Source {
 public:
  FileRangeSource(std::shared_ptr<const UniqueFd> fd, std::uint64_t offset, std::uint64_t size,
                  std::string name)
      : fd_(std::move(fd)), at_(offset), left_(size), name_(std::move(name)) {}
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::shared_ptr<const UniqueFd> fd_;
  std::uint64_t at_;
  std::uint64_t left_;
  std::string name_;
};

/// Writes a descriptor that the caller keeps open.
class FdSink final : public Sink {
 public:
  FdSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  void write(ByteView data) override;

 private:
  int fd_;
  std::string name_;
};

/// Gathers small writes into chunks of kChunkBytes for the next stage.
class BufferedSink final : public Sink {
 public:
  explicit BufferedSink(Sink& next);
  void write(ByteView data) override;
  void finish() override;

 private:
  Sink& next_;
  std::vector<std::byte> buffer_;
};

}  // namespace lade
