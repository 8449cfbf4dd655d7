#pragma once
#include <memory>

#include "libimage/compress/decoder.h"

struct ZSTD_DCtx_s;

namespace lade {

struct FreeZstdContext {
  void operator()(ZSTD_DCtx_s* context) const noexcept;
};

/// Decompresses frames one after another; skippable ones are skipped.
class ZstdSource final : public DecoderSource {
 public:
  ZstdSource(Source& in, const DecompressOptions& options);

  /// True between two frames, where another source may begin.
  [[nodiscard]] bool between_frames() const noexcept { return !in_frame_; }
  [[nodiscard]] std::uint64_t consumed() const noexcept override { return input_.consumed(); }

 private:
  std::size_t decode(std::span<std::byte> out) override;
  bool next_frame();

  std::unique_ptr<ZSTD_DCtx_s, FreeZstdContext> context_;
  bool in_frame_ = false;
  bool any_frame_ = false;
};

}  // namespace lade
