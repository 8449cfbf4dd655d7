/// From a tar stream to tar-split's description of it, while the stream passes.
#pragma once
#include <cstdint>
#include <memory>
#include <set>

#include "libimage/io/stream.h"

namespace lade {

/// What a tar stream told on the way.
struct TarSplitSummary {
  std::set<std::uint32_t> uids = {};  ///< owners of its entries, whiteouts left out
  std::set<std::uint32_t> gids = {};
  bool has_root = false;  ///< there was an entry for the root directory
};

/// Passes on the tar stream `tar` and writes its tar-split lines to `split` (neither owned): all
/// headers and padding as segments, and of each file whose content will be found in the tree under
/// its name the size and checksum. What will not be found there (sparse files, whiteouts with
/// content, a second entry of one name) goes into segments with its content. A file with content
/// that a later entry of the layer replaces is Error{unsupported}: the format cannot hold it. What
/// is no sound tar is left to whoever reads the stream. Limits are those of ApplyLimits.
class TarSplitSource final : public Source {
 public:
  TarSplitSource(Source& tar, Sink& split);
  ~TarSplitSource() override;
  TarSplitSource(const TarSplitSource&) = delete;
  TarSplitSource& operator=(const TarSplitSource&) = delete;

  /// At the end of the stream the last lines are written; `split` is not finished.
  std::size_t read(std::span<std::byte> out) override;

  /// Complete when the end was read.
  [[nodiscard]] const TarSplitSummary& summary() const noexcept;

 private:
  class Scanner;
  Source& tar_;
  std::unique_ptr<Scanner> scanner_;
};

}  // namespace lade
