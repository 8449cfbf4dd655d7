/// The root file systems of a result as plain files: what -o type=local and type=tar write.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "libimage/build/build.h"

namespace lade::build {

struct ExportOptions {
  /// Whether each image is in a directory of its own ("linux_amd64"): nullopt: if there are
  /// several.
  std::optional<bool> platform_split = {};
  std::string attestation_prefix = {};  ///< of the names of the files with what is attested
};

/// Writes the trees into the directory `path`, made where it is missing; what is there already
/// stays, unless a file takes its place. Whiteouts are applied; owners are set only by root.
/// Error{invalid_argument} if two images that are not split have the same file.
void export_directory(LocalStore& store, const BuildResult& result, const std::string& path,
                      const ExportOptions& options, const std::stop_token& stop);

/// The same as a tar, uncompressed, its entries sorted.
void export_tar(LocalStore& store, const BuildResult& result, Sink& out,
                const ExportOptions& options);

}  // namespace lade::build
