/// Bytes that an image carries and nobody sees: what later layers replace or delete.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/files/image_files.h"
#include "libimage/oci/image_config.h"

namespace lade::files {

/// All sizes are bytes of file content, unpacked; hard links count once.
struct Waste {
  struct Layer {
    std::uint64_t content = 0;  ///< in the layer
    std::uint64_t wasted = 0;   ///< of it, hidden by this layer or later ones
    std::uint64_t hides = 0;    ///< what this layer hides, of lower ones and of itself
    std::uint64_t stored = 0;   ///< size of the blob
    /// The share of the blob that is wasted: exact where a table of contents says what each file
    /// takes, else in proportion to the content.
    std::uint64_t wasted_stored = 0;
    std::string digest = {};
    std::string created_by = {};  ///< the history line that made it; "" if none matches
  };
  struct File {
    std::string path;
    std::uint64_t wasted = 0;
    std::uint32_t copies = 0;  ///< that are hidden
    bool remains = false;      ///< something still shows at the path
  };
  struct Duplicate {
    std::uint64_t size = 0;
    std::string digest = {};  ///< of the content
    std::vector<std::string> paths = {};
    /// Bytes that one copy alone would save.
    [[nodiscard]] std::uint64_t excess() const noexcept {
      return paths.empty() ? 0 : size * (paths.size() - 1);
    }
  };
  /// The figures of dive (dive/filetree/efficiency.go): each path with its sizes in all layers.
  struct Dive {
    double score = 1;                ///< sum of each path's smallest size by the sum of all sizes
    std::uint64_t wasted_bytes = 0;  ///< all sizes of paths that more than one layer has
    double user_wasted_percent = 0;  ///< of the bytes above the base layer, as a fraction
  };
  std::vector<Layer> layers = {};
  std::uint64_t content = 0;
  std::uint64_t wasted = 0;
  std::uint64_t stored = 0;
  std::uint64_t wasted_stored = 0;
  std::vector<File> files = {};            ///< the worst, most bytes first
  std::vector<Duplicate> duplicates = {};  ///< of shown files in several layers, most excess first
  std::uint64_t duplicated = 0;            ///< excess of all duplicates
  Dive dive = {};
  /// The part of the content that shows; 1 for an image without content.
  [[nodiscard]] double efficiency() const noexcept {
    return content == 0 ? 1 : static_cast<double>(content - wasted) / static_cast<double>(content);
  }
};

struct WasteOptions {
  std::size_t max_files = 20;
  std::size_t max_duplicates = 20;
};

/// Reads all layers of `image`. Memory: some 150 bytes a file.
Waste find_waste(ImageFiles& image, const oci::ImageConfig& config,
                 const WasteOptions& options = {});

/// Rules of a .dive-ci file; what a file does not mention has dive's default.
struct DiveRules {
  std::optional<double> lowest_efficiency = 0.9;
  std::optional<std::uint64_t> highest_wasted_bytes = {};
  std::optional<double> highest_user_wasted_percent = 0.1;
};

/// Reads a .dive-ci file (YAML of the form `rules:` and one `name: value` a line, "disabled" for
/// none). Error{invalid_content} with the line for anything else.
DiveRules parse_dive_rules(std::string_view text);

/// "20MB", "1.5 GiB", "4096": bytes; powers of 1000, with an i of 1024. nullopt for other text.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// A number from 0 to 1, or a percentage up to "100%"; nullopt for other text.
std::optional<double> parse_fraction(std::string_view text);

/// The history lines that made the layers of an image, "" where none matches.
std::vector<std::string> layer_history(const oci::ImageConfig& config, std::size_t layers);

}  // namespace lade::files
