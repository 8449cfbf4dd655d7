/// Annotations of layers that hold a table of contents. Internal to the seekable module.
#pragma once
#include <string_view>

namespace lade::seekable {

// containers/storage
inline constexpr std::string_view kChunkedChecksum =
    "io.github.containers.zstd-chunked.manifest-checksum";  // of the compressed table
inline constexpr std::string_view kChunkedPosition =
    "io.github.containers.zstd-chunked.manifest-position";  // offset:length:uncompressed:type
inline constexpr std::string_view kTarSplitPosition =
    "io.github.containers.zstd-chunked.tarsplit-position";  // offset:length:uncompressed
inline constexpr std::string_view kTarSplitChecksum =
    "io.github.containers.zstd-chunked.tarsplit-checksum";  // read by older programs

// The zstd:chunked of stargz-snapshotter
inline constexpr std::string_view kSnapshotterChecksum =
    "io.containers.zstd-chunked.manifest-checksum";
inline constexpr std::string_view kSnapshotterPosition =
    "io.containers.zstd-chunked.manifest-position";

// eStargz
inline constexpr std::string_view kStargzDigest =
    "containerd.io/snapshot/stargz/toc.digest";  // of the table as text
inline constexpr std::string_view kStargzUncompressedSize =
    "io.containers.estargz.uncompressed-size";  // of the tar

/// Entries of an eStargz tar that belong to the format.
inline constexpr std::string_view kStargzTable = "stargz.index.json";
inline constexpr std::string_view kPrefetchLandmark = ".prefetch.landmark";
inline constexpr std::string_view kNoPrefetchLandmark = ".no.prefetch.landmark";

}  // namespace lade::seekable
