#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/digest/digest.h"
#include "libimage/io/stream.h"

namespace lade {

/// Computes a digest of bytes given piece by piece. `algorithm` is "sha256" or "sha512"; another
/// throws Error{unsupported}.
class Hasher {
 public:
  explicit Hasher(std::string_view algorithm = "sha256");
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(ByteView data);
  void update(std::string_view text) { update(bytes_of(text)); }
  /// The digest of everything so far; the hasher may go on.
  [[nodiscard]] Digest digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SHA-256 of `bytes`.
Digest sha256_of(std::string_view bytes);

/// Passes on to `next` (not owned), hashing and counting.
class HashingSink final : public Sink {
 public:
  explicit HashingSink(Sink& next, std::string_view algorithm = "sha256")
      : next_(next), hasher_(algorithm) {}
  void write(ByteView data) override {
    hasher_.update(data);
    bytes_ += data.size();
    next_.write(data);
  }
  void finish() override { next_.finish(); }
  [[nodiscard]] Digest digest() const { return hasher_.digest(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Sink& next_;
  Hasher hasher_;
  std::uint64_t bytes_ = 0;
};

/// Reads `source` (not owned), hashing and counting.
class HashingSource final : public Source {
 public:
  explicit HashingSource(Source& source, std::string_view algorithm = "sha256")
      : source_(source), hasher_(algorithm) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t got = source_.read(out);
    hasher_.update(out.first(got));
    bytes_ += got;
    return got;
  }
  [[nodiscard]] Digest digest() const { return hasher_.digest(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Source& source_;
  Hasher hasher_;
  std::uint64_t bytes_ = 0;
};

/// Reads `source` (owned) and lets nobody see its end unless size and digest are as expected: a
/// byte beyond the size throws Error{size_mismatch} at once, a shorter stream at its end, and other
/// content Error{digest_mismatch}. A digest of an algorithm that cannot be verified throws
/// Error{unsupported} at construction.
class VerifyingSource final : public Source {
 public:
  VerifyingSource(std::unique_ptr<Source> source, Digest expected, std::uint64_t size);
  std::size_t read(std::span<std::byte> out) override;

 private:
  std::unique_ptr<Source> source_;
  Digest expected_;
  std::uint64_t size_;
  std::uint64_t seen_ = 0;
  Hasher hasher_;
  bool verified_ = false;
};

}  // namespace lade
