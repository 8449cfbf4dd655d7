/// The files of layers as compact rows: some 100 bytes a file, so that a million fit in 100 MB.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/layer/entry.h"

namespace lade::files {

/// A path of a PathTable.
using PathId = std::uint32_t;
inline constexpr PathId kRoot = 0;
inline constexpr PathId kNoPath = 0xFFFFFFFFU;

/// Paths as a tree of names, each kept once. Never shrinks.
class PathTable {
 public:
  PathTable();
  /// The path `name` (one component) below `parent`, added if it is new. Error{limit_exceeded}
  /// beyond 4 GiB of names or 65,535 bytes in one.
  PathId child(PathId parent, std::string_view name);
  [[nodiscard]] PathId find_child(PathId parent, std::string_view name) const noexcept;
  /// The clean path `path` ("" is the root), added with those above it.
  PathId add(std::string_view path);
  [[nodiscard]] PathId find(std::string_view path) const noexcept;

  [[nodiscard]] PathId parent(PathId id) const noexcept { return nodes_[id].parent; }
  [[nodiscard]] PathId first_child(PathId id) const noexcept { return nodes_[id].first_child; }
  [[nodiscard]] PathId next_sibling(PathId id) const noexcept { return nodes_[id].next; }
  [[nodiscard]] std::string_view name(PathId id) const noexcept {
    return {names_.data() + nodes_[id].at, nodes_[id].length};
  }
  /// Clean, without leading slash; "" for the root.
  [[nodiscard]] std::string path(PathId id) const;
  [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }

 private:
  struct Node {
    PathId parent = kNoPath;
    PathId next = kNoPath;
    PathId first_child = kNoPath;
    std::uint32_t at = 0;  // in names_
    std::uint16_t length = 0;
  };
  [[nodiscard]] std::size_t slot_of(PathId parent, std::string_view name) const noexcept;
  void grow();

  std::vector<Node> nodes_;
  std::string names_;
  std::vector<PathId> slots_;  // open addressing, a power of two
};

enum class FileKind : std::uint8_t {
  regular,
  directory,
  symlink,
  fifo,
  character,
  block,
  hardlink,  ///< another name of `link`, a path
  whiteout,  ///< `path` of lower layers is gone
  opaque,    ///< nothing of lower layers shows in the directory `path`
};

/// One entry of one layer. Numbers that point elsewhere belong to the FilePool of the row.
struct FileRow {
  PathId path = kRoot;
  FileKind kind = FileKind::regular;
  bool sparse = false;  ///< the tar does not hold the content in one piece
  std::uint16_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< of devices: major << 32 | minor
  std::int64_t mtime = 0;
  std::uint64_t place = 0;  ///< of content: its offset in the tar, or its number in the table
  std::uint32_t mtime_nanoseconds = 0;
  std::uint32_t link = 0;    ///< symlinks: FilePool::text(); hard links: the path
  std::uint32_t xattrs = 0;  ///< FilePool::xattrs()
  std::uint32_t digest = 0;  ///< FilePool::digest(); 0: not known
};

/// What rows point at.
class FilePool {
 public:
  PathTable paths = {};

  std::uint32_t add_text(std::string_view text);
  [[nodiscard]] std::string_view text(std::uint32_t at) const noexcept;
  /// 0 for none. Equal sets are kept once.
  std::uint32_t add_xattrs(const std::map<std::string, std::string>& xattrs);
  [[nodiscard]] std::map<std::string, std::string> xattrs(std::uint32_t at) const;
  using Sha256 = std::array<std::uint8_t, 32>;
  std::uint32_t add_digest(const Sha256& digest);
  [[nodiscard]] const Sha256& digest(std::uint32_t at) const noexcept { return digests_[at - 1]; }

 private:
  std::string texts_;  // each behind its length
  std::vector<std::string> xattrs_;
  std::unordered_map<std::string, std::uint32_t> xattrs_seen_;
  std::vector<Sha256> digests_;
};

/// The sha256 that `digest` names; nullopt for another algorithm.
std::optional<FilePool::Sha256> sha256_bytes(std::string_view algorithm, std::string_view hex);
std::string hex_of(const FilePool::Sha256& digest);

/// `row` of anything but hard links and whiteouts with the words of the layer module.
Attributes attributes_of(const FileRow& row, const FilePool& pool);
/// The row of such attributes, without path and place.
FileRow row_of(const Attributes& attributes, FilePool& pool);

}  // namespace lade::files
