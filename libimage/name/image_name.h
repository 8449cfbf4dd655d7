#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// A name as users type it: `transport:rest`, e.g. "oci:dir:tag", "docker://host/repo:tag".
struct ImageName {
  std::string
      transport;     ///< without the colon: "oci", "docker", "dir", "oci-archive", "docker-archive"
  std::string rest;  ///< what follows; for docker without the leading "//"
  bool operator==(const ImageName&) const = default;

  /// Throws Error{invalid_argument}: unknown transports are answered with the nearest of `known`,
  /// and a name without any transport with a hint.
  static ImageName parse(std::string_view text, const std::vector<std::string>& known);

  [[nodiscard]] std::string str() const;
};

/// The rest of an oci:, oci-archive: or docker-archive: name: the path ends at the first colon,
/// what follows is the reference. "PATH@sha256:HEX" names a digest, "PATH:@N" the N-th image.
/// Throws Error{invalid_argument} if the path is empty or N no number.
struct PathAndReference {
  std::string path;
  std::string reference;               ///< "" if absent; a name or a digest
  std::optional<std::size_t> at = {};  ///< for "@N": the N-th image
};
PathAndReference split_path_reference(std::string_view rest);

}  // namespace lade
