#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "libimage/compress/codec.h"
#include "libimage/layer/entry.h"
#include "libimage/store/store.h"

namespace lade {

struct LayerOptions {
  std::string codec = "gzip";
  CompressOptions compress = {};
  oci::Family family = oci::Family::oci;
  std::optional<Timestamp> clamp_mtime = {};  ///< later times become this one (SOURCE_DATE_EPOCH)
  std::optional<Timestamp> set_mtime = {};    ///< every time becomes this one
  unsigned readers = 2;  ///< threads that open and read files ahead of the tar writer
  /// Told for each regular file written from a ContentRef, pieces of files left out: its entry and
  /// the sha256 of its content.
  std::function<void(const LayerEntry&, const Digest&)> on_content = {};
};

/// The time that a layer written with `options` has for a file of time `mtime`.
Timestamp recorded_mtime(const Timestamp& mtime, const LayerOptions& options);

struct LayerResult {
  oci::Descriptor blob;  ///< as stored: digest and size of the compressed bytes
  DiffId diff_id;        ///< digest of the uncompressed tar
  std::uint64_t uncompressed_bytes = 0;
};

/// Writes `entries` (in the order given, sorted by path by whoever made them) as a tar to `out`,
/// uncompressed: ustar, PAX headers only where a value does not fit (long or non-ASCII names,
/// sizes, ids, sub-second mtimes, xattrs), no user or group names, two zero blocks at the end and
/// no further padding. Same entries, same bytes. A file that changes size while it is read is
/// Error{io}.
void write_tar(std::span<const LayerEntry> entries, Sink& out, const LayerOptions& options);

/// tar > SHA-256 (diff ID) > codec > SHA-256 (digest) > store, in one overlapped pass.
LayerResult write_layer(std::span<const LayerEntry> entries, Writer& store,
                        const LayerOptions& options);

}  // namespace lade
