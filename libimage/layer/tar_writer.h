/// Writes tar headers and content, the same bytes for the same entries. Internal to the modules
/// layer and files.
#pragma once
#include <cstdint>

#include "libimage/io/stream.h"
#include "libimage/layer/entry.h"
#include "libimage/layer/write_layer.h"

namespace lade::tar {

/// ustar; a PAX header in front of an entry only where a value does not fit the ustar header.
class TarWriter {
 public:
  /// Both outlive the writer; of `options` the times count (recorded_mtime).
  TarWriter(Sink& out, const LayerOptions& options) : out_(out), options_(options) {}

  /// Writes the entry's header; its content, if it has size, follows by content(). What tar cannot
  /// hold (a name that would be a whiteout, an xattr name with '=') is Error{unsupported}.
  void header(const LayerEntry& entry);
  void content(ByteView data) { out_.write(data); }
  /// Fills the last block of content of `size` bytes.
  void end_content(std::uint64_t size);
  /// Two zero blocks and no more.
  void finish();

 private:
  Sink& out_;
  const LayerOptions& options_;
};

}  // namespace lade::tar
