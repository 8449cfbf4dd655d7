#pragma once
#include <memory>
#include <vector>

#include <isa-l/igzip_lib.h>

#include "libimage/compress/decoder.h"

namespace lade {

/// Inflates members one after another. The header is parsed here (ISA-L takes a correct header
/// checksum for a wrong one); ISA-L checks each member's CRC-32 and length.
class GzipSource final : public DecoderSource {
 public:
  GzipSource(Source& in, const DecompressOptions& options);
  /// Goes on where another left off in the middle of a member: `in` continues behind what that one
  /// had consumed().
  GzipSource(Source& in, const DecompressOptions& options, const inflate_state& middle);

  /// What it takes to go on from here; null between two members. Meaningful only where every read()
  /// had room for 32 KiB at least, so that nothing waits in buffers.
  [[nodiscard]] std::shared_ptr<const inflate_state> middle() const;
  [[nodiscard]] bool in_member() const noexcept { return in_member_; }
  [[nodiscard]] std::uint64_t consumed() const noexcept override { return input_.consumed(); }

 private:
  std::size_t decode(std::span<std::byte> out) override;
  void start_member();
  unsigned next_header_byte();
  void skip_header_text();

  std::unique_ptr<inflate_state> state_;  // 80 KiB
  std::vector<std::byte> header_ = {};    // of the current member, while it is read
  bool in_member_ = false;
  bool any_member_ = false;
};

}  // namespace lade
