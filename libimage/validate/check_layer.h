/// The rules of layer.md on the content of one layer.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/io/stream.h"
#include "libimage/validate/finding.h"

namespace lade::validate {

/// Findings of one layer beyond so many are counted, not kept.
inline constexpr std::size_t kMaxLayerFindings = 100;

/// Paths of a layer by a hash of 64 bits each: enough to tell that something is not there.
struct LayerPaths {
  std::vector<std::uint64_t> entries = {};  ///< sorted; directories on the way among them
  struct Hidden {
    std::string path;  ///< what the whiteout hides; of an opaque one the directory
    bool opaque = false;
  };
  std::vector<Hidden> whiteouts = {};
  [[nodiscard]] bool holds(std::string_view path) const;
};

struct CheckedLayer {
  std::vector<Finding> findings = {};
  std::uint64_t left_out = 0;  ///< findings that are not kept
  DiffId diff_id;
  std::uint64_t unpacked = 0;  ///< bytes of the tar
  std::uint64_t entries = 0;
  LayerPaths paths = {};
};

/// Reads the stored bytes `source` (verified by its own reader) to their end, decompressed as they
/// go. `codec` is what the media type promises ("" if it promises nothing). What is no tar, or is
/// damaged, is a finding; failures of `source` itself are thrown.
CheckedLayer check_layer(std::unique_ptr<Source> source, std::string_view codec,
                         const std::string& place);

}  // namespace lade::validate
