/// The files of an image, read as far as a question needs: tables of contents by Range, other
/// layers whole, from the top down, and kept as indexes for the next question.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/progress.h"
#include "libimage/files/merged_files.h"
#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade::files {

struct ImageFilesOptions {
  /// Where indexes of layers are kept; "": nowhere.
  std::string cache_dir = {};
  /// Whether tables of contents may be used where their annotations do not vouch for them.
  enum class Tables { any, verified, none };
  Tables tables = Tables::any;
  ProgressObserver* observer = nullptr;  ///< may be null
  std::stop_token stop = {};
};

/// Used by one thread.
class ImageFiles {
 public:
  /// `manifest` is an image manifest that `reader` has; the reader outlives the object.
  ImageFiles(Reader& reader, const oci::Manifest& manifest, ImageFilesOptions options);
  ~ImageFiles();
  ImageFiles(const ImageFiles&) = delete;
  ImageFiles& operator=(const ImageFiles&) = delete;

  /// Base layer first.
  [[nodiscard]] std::size_t layers() const noexcept;
  [[nodiscard]] const oci::Descriptor& descriptor(std::size_t layer) const;
  [[nodiscard]] FilePool& pool() noexcept;

  /// What the layer holds, read at the first call. Error{unsupported} where the layer is no tar in
  /// a codec that is known; errors of the reader; Error{invalid_content, ...} for what it holds.
  const LayerFiles& layer(std::size_t number);

  /// All layers, merged at the first call.
  MergedFiles& merged();

  /// One layer alone: whiteouts show as what overlayfs makes of them (character devices 0:0, in
  /// opaque directories one called ".wh..wh..opq"), hard links to lower layers as `hardlink`.
  const MergedFiles& alone(std::size_t number);

  /// The layers from `lowest` up, merged as if nothing were known of those below.
  std::unique_ptr<MergedFiles> merged_from(std::size_t lowest);
  /// True if layer() need not read the whole layer from elsewhere: it was read before, has a table
  /// of contents, or lies in a file of this machine.
  [[nodiscard]] bool is_near(std::size_t number) const;

  struct Found {
    const MergedFiles* files = nullptr;
    PathId path = kNoPath;  ///< kNoPath: there is none
  };
  /// Resolves `path` and reads no layer below the one that answers.
  Found find(std::string_view path, MergedFiles::Last last);

  /// The content of the regular file `ref`, verified where is_verified().
  std::unique_ptr<Source> open(RowRef ref);
  /// True if a digest that somebody vouches for stands behind the content.
  [[nodiscard]] bool is_verified(RowRef ref);

  /// Gives `visit` the content of each regular file in `wanted` (rows of the layer, ascending) in
  /// that order: one by one, or by reading the whole layer where that is cheaper.
  using Visit = std::function<void(std::uint32_t row, Source& content)>;
  void read_files(std::size_t layer, const std::vector<std::uint32_t>& wanted, const Visit& visit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lade::files
