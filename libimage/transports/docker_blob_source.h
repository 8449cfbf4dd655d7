#pragma once
#include <memory>

#include "libimage/transports/docker_registry.h"

namespace lade::docker {

/// The content of a blob as one stream: where a download breaks off it is taken up again by Range
/// (RFC 9110, section 14), or from the start with what was seen skipped. Unverified.
class BlobSource final : public Source {
 public:
  /// The content from `offset` (less than the blob's size, unless both are 0) on. Sends the first
  /// request; throws error_of() its answer. `continued`, if given, becomes true when the stream is
  /// put together of several answers.
  BlobSource(std::shared_ptr<Registry> registry, std::string repository,
             const oci::Descriptor& blob, std::uint64_t offset = 0,
             std::shared_ptr<bool> continued = nullptr);
  /// The bytes of the blob from `offset` to `end` (behind it, at most the blob's size), asked for
  /// by Range also where `offset` is 0.
  BlobSource(std::shared_ptr<Registry> registry, std::string repository,
             const oci::Descriptor& blob, std::uint64_t offset, std::uint64_t end);

  std::size_t read(std::span<std::byte> out) override;

 private:
  void request();
  void continue_at_range(const Response& response);
  void start_over(Response& response);
  void recover(const Error& failure);

  std::shared_ptr<Registry> registry_;
  Scopes scopes_;
  Url url_;
  std::uint64_t size_;
  std::uint64_t end_;  // size_, or where the wanted range ends
  std::uint64_t seen_ = 0;
  std::uint64_t seen_at_failure_ = 0;
  unsigned failures_ = 0;            // in a row, without progress worth the name
  std::shared_ptr<bool> continued_;  // may be null
  std::unique_ptr<Source> body_;
};

}  // namespace lade::docker
