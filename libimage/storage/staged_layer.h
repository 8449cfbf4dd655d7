#pragma once
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "libimage/digest/digest.h"
#include "libimage/io/stream.h"
#include "libimage/storage/container_store.h"
#include "libimage/storage/staging_dir.h"
#include "libimage/storage/tar_split_source.h"

namespace lade {

/// A layer unpacked in a staging directory, with its tar-split file, ready to get its place.
struct StagedLayer {
  StagedTree tree = {};
  std::string split_name = {};  ///< of the compressed tar-split lines, in the staging directory
  DiffId diff_id;
  std::uint64_t diff_size = 0;
  std::int64_t compression = 0;  ///< as in LayerRecord
  TarSplitSummary summary = {};
};

/// Unpacks the layer `blob` (compressed by whatever its first bytes show) into `staging`, all in
/// one pass: decompress > SHA-256 > tar-split > files. With `below`, its tree starts as a copy of
/// that one (vfs), and the layer's whiteouts remove what is in it.
StagedLayer stage_layer(std::unique_ptr<Source> blob, const GraphDriver& driver,
                        const StoreLocation& location, StagingDir& staging, const DirFd* below);

/// The record of `staged` as layer `id` over `parent` ("" for none); `digest` and `size` of the
/// blob as it came.
LayerRecord record_of(const StagedLayer& staged, const std::string& id, const std::string& parent,
                      const Digest& digest, std::uint64_t size);

/// The ID that containers/image gives a layer over the layer of ID `parent`.
std::string layer_id(const std::string& parent, const DiffId& diff_id);

}  // namespace lade
