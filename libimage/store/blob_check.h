#pragma once
#include <optional>
#include <string_view>

#include "libimage/digest/hasher.h"
#include "libimage/store/store.h"

namespace lade {

/// Judges the bytes of one blob in the making against its hint: what every BlobWriter does beside
/// storing them.
class BlobCheck {
 public:
  /// Throws Error{unsupported} if the expected digest's algorithm cannot be computed.
  explicit BlobCheck(BlobHint hint);

  /// Throws Error{size_mismatch} at the first byte beyond the expected size.
  void add(ByteView data);

  /// Counts bytes that somebody else has and will verify with the rest; only before the first
  /// add(), and where the source verifies what is added.
  void skip(std::uint64_t bytes);

  /// The descriptor of what was added; throws Error{size_mismatch or digest_mismatch} unless it is
  /// what was expected.
  [[nodiscard]] oci::Descriptor result(oci::MediaType media_type) const;

  [[nodiscard]] bool verified_by_source() const noexcept { return hint_.verified_by_source; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] const std::optional<oci::Descriptor>& expected() const noexcept {
    return hint_.expected;
  }

 private:
  BlobHint hint_;
  std::optional<Hasher> hasher_;  // absent where the source has verified the bytes already
  std::uint64_t bytes_ = 0;
};

/// Throws Error{size_mismatch or digest_mismatch} unless `descriptor` is that of `raw`.
void check_document(const oci::Descriptor& descriptor, std::string_view raw);

}  // namespace lade
