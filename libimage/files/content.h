/// Streams of single files out of layers. Internal to the files module.
#pragma once
#include <cstdint>
#include <memory>

#include "libimage/files/layer_files.h"
#include "libimage/io/stream.h"
#include "libimage/oci/descriptor.h"
#include "libimage/store/store.h"

namespace lade::files {

/// Opens what a layer's rows say, wherever the layer is.
class LayerContent {
 public:
  /// `served`: what the reader has of the layer. Both outlive the object.
  LayerContent(Reader& reader, const oci::Descriptor& served);

  /// The whole layer decompressed, verified at its end. Notes places of entry in `seek` where the
  /// codec has them, which must outlive the source.
  std::unique_ptr<Source> open_tar(SeekTable* seek, bool& plain) const;

  /// The content of a regular row, verified where a digest is known.
  std::unique_ptr<Source> open(const LayerFiles& layer, const FileRow& row,
                               const FilePool& pool) const;

  /// True if the content of one file can be had without what lies before it.
  static bool can_enter(const LayerFiles& layer) noexcept {
    return layer.table || layer.seek || layer.plain;
  }
  [[nodiscard]] const ReadRange& ranges() const noexcept { return read_; }

 private:
  [[nodiscard]] std::unique_ptr<Source> open_unverified(const LayerFiles& layer,
                                                        const FileRow& row) const;
  Reader& reader_;
  const oci::Descriptor& served_;
  ReadRange read_;
};

/// `content` of `row`, verified where its digest is known.
std::unique_ptr<Source> verified(std::unique_ptr<Source> content, const FileRow& row,
                                 const FilePool& pool);

}  // namespace lade::files
