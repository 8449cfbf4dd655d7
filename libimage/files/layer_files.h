/// What one layer holds, from its tar, its table of contents, or an index of it that was kept.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/compress/seek_table.h"
#include "libimage/files/file_pool.h"
#include "libimage/io/stream.h"
#include "libimage/seekable/table_of_contents.h"

namespace lade::files {

struct LayerFiles {
  enum class From {
    tar,    ///< the whole layer was read and its digest verified
    table,  ///< its table of contents
    index,  ///< an earlier reading of the tar
  };
  From from = From::tar;
  std::vector<FileRow> rows = {};   ///< in the order of the archive
  std::uint64_t content_bytes = 0;  ///< of regular files together
  std::shared_ptr<const TableOfContents> table = {};
  std::shared_ptr<const SeekTable> seek = {};  ///< null: only a plain tar can be entered
  bool plain = false;                          ///< the layer is a tar, not compressed
};

/// Reads the tar stream `tar` to its end and adds what it holds to `pool`: content by sha256. What
/// apply_layer() refuses in a single entry (whiteouts that name nothing, devices 0:0) is refused
/// here; what depends on lower layers is MergedFiles' business. Errors as TarReader.
void scan_layer(Source& tar, FilePool& pool, LayerFiles& out);

/// The same of a table of contents. eStargz' own entries are left out.
LayerFiles files_of_table(std::shared_ptr<const TableOfContents> table, FilePool& pool);

/// The rows of `layer` and its places of entry as bytes, for read_index().
std::string write_index(const LayerFiles& layer, const FilePool& pool);

/// Reads write_index() bytes; nullopt if they are damaged or of another version.
std::optional<LayerFiles> read_index(std::string_view bytes, FilePool& pool);

}  // namespace lade::files
