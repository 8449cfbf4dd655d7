/// tar-split's JSON: what a tar stream holds beside the contents of its files, one entry a line
/// (github.com/vbatts/tar-split, "tar/storage").
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lade {

/// One line.
struct TarSplitEntry {
  enum class Type { file, segment };
  Type type = Type::segment;
  std::string name = {};                  ///< file: as spelled in the archive, exact bytes
  std::uint64_t size = 0;                 ///< file: bytes of content, to be read from the tree
  std::string bytes = {};                 ///< segment: raw bytes of the archive
  std::optional<std::uint64_t> crc = {};  ///< file: CRC-64 of the content
  bool operator==(const TarSplitEntry&) const = default;
};

/// The longest line that is read: segments are written in pieces of at most 1 MiB.
inline constexpr std::size_t kMaxTarSplitLine = std::size_t{8} << 20U;

/// Reads a line (without its end). Error{invalid_content} for anything but an object of the known
/// members, each once, with sound values.
TarSplitEntry parse_tar_split_entry(std::string_view line);

/// Appends the line of `entry`, its end included; `position` counts lines from 0.
void append_tar_split_entry(std::string& out, const TarSplitEntry& entry, std::uint64_t position);

}  // namespace lade
