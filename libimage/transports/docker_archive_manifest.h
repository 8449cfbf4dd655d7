/// manifest.json of a docker-archive (docker save): which members make which image.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lade {

struct DockerArchiveImage {
  std::string config;                  ///< member name of the config
  std::vector<std::string> tags = {};  ///< full references as stored
  std::vector<std::string> layers;     ///< member names, base layer first
  bool operator==(const DockerArchiveImage&) const = default;
};

/// As skopeo's limit; a hundred layers of an image take 10 kB.
inline constexpr std::uint64_t kMaxDockerArchiveManifestBytes = std::uint64_t{1024} * 1024;

/// Throws Error{invalid_content} with the member's path. Members of other names are ignored.
std::vector<DockerArchiveImage> parse_docker_archive_manifest(std::string_view json);

/// Compact JSON: same images, same bytes.
std::string serialise(const std::vector<DockerArchiveImage>& images);

}  // namespace lade
