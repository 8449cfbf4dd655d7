#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/digest/hasher.h"
#include "libimage/io/stream.h"
#include "libimage/layer/entry.h"
#include "libimage/layer/xattrs.h"

namespace lade {

/// Bounds on what a layer may hold; each exceeded one is Error{limit_exceeded} that names it.
struct ApplyLimits {
  std::uint64_t max_entries = 5'000'000;
  std::uint64_t max_bytes = std::uint64_t{256} << 30U;    ///< logical file sizes together
  std::uint64_t max_pax_bytes = std::uint64_t{1} << 20U;  ///< one PAX or GNU long-name header
  std::uint64_t max_pax_records = 10'000;
  std::size_t max_path_bytes = std::size_t{64} * 1024;
  std::size_t max_depth = 1000;
};

struct ApplyOptions {
  ApplyLimits limits = {};
  /// True: whiteouts hide lower layers that are not here: they are stored as overlayfs whiteouts
  /// (character device 0:0, trusted.overlay.opaque) in the tree. False: they delete what an earlier
  /// layer left in the tree.
  bool overlay_whiteouts = false;
  Rights rights = Rights::all;  ///< own: no owners are set, device nodes become empty files
  /// Archives that users ADD are no layers: ".wh." names are then ordinary files.
  bool whiteouts = true;
  std::optional<std::uint32_t> force_uid = {};  ///< ADD --chown
  std::optional<std::uint32_t> force_gid = {};
  /// With overlay_whiteouts: the trees of all layers below in the same form, topmost first. They
  /// give the attributes of directories that the layer leaves out, the links on the way to its
  /// entries, the targets of hard links into lower layers, and what an opaque root hides; without
  /// them such directories are made with mode 0755 and such hard links are refused.
  std::vector<const DirFd*> lower = {};
};

struct ApplyResult {
  DiffId diff_id;           ///< digest of every byte of the tar stream, to its very end
  std::uint64_t bytes = 0;  ///< length of the tar stream
  std::uint64_t entries = 0;
};

/// Applies the tar stream `tar` (uncompressed) to the tree at `root`, by the rules of image-spec
/// v1.1.1, layer.md, and those of the table in docs/design/0004-apply.md: nothing outside `root`
/// can be touched, whatever the entries are and whatever another process does to the tree
/// meanwhile. Reads and hashes `tar` to its end, even where the archive ends early. On an error the
/// tree is left half applied; the caller discards it.
ApplyResult apply_layer(const DirFd& root, Source& tar, const ApplyOptions& options = {});

/// True if `head` (the first 512 bytes of a stream) is a tar header.
bool is_tar_start(ByteView head) noexcept;

/// One header of a tar stream, as the layer reader understood it.
struct TarEntry {
  std::string path;  ///< as spelled in the archive
  LayerEntry::Kind kind = LayerEntry::Kind::file;
  Attributes attributes = {};
  std::string link_to = {};  ///< hard links: as spelled
};

/// What the archive says of an entry beyond what a layer records, as it spells it: for formats that
/// describe the archive itself.
struct TarHeaderFacts {
  char type_flag = '0';
  std::uint64_t mode = 0;  ///< the whole field
  std::uint64_t size = 0;  ///< the field or PAX, also where no content follows
  std::string link = {};
  std::string user = {};
  std::string group = {};
  std::uint64_t device_major = 0;  ///< also of what is no device
  std::uint64_t device_minor = 0;
  std::optional<Timestamp> atime = {};
  std::optional<Timestamp> ctime = {};
  bool sparse = false;
  bool global = false;  ///< a global PAX header came before it
};

/// Reads a tar stream strictly (PAX, GNU long names and sparse files, base-256 numbers; checksums
/// verified, malformed records refused): the one reader for layers, ADD and inspection.
class TarReader {
 public:
  explicit TarReader(Source& source, const ApplyLimits& limits = {});
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;
  /// The next entry, nullopt at the end (two zero blocks, or the stream's end at a header). Skips
  /// unread content.
  std::optional<TarEntry> next();
  /// The content of the current entry; reads of 0 mark its end. Holes of sparse files read as
  /// zeros.
  std::size_t read(std::span<std::byte> out);
  /// Skips a hole of a sparse file, if the next byte lies in one, and returns its length.
  std::uint64_t skip_hole();
  /// More of the current entry.
  [[nodiscard]] TarHeaderFacts facts() const;
  /// Bytes of the stream that belong to what was returned so far: after next() the offset of the
  /// entry's content.
  [[nodiscard]] std::uint64_t position() const;
  /// The archive is over: reads the rest of the stream, so that the stages before see its end.
  void drain_rest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lade
