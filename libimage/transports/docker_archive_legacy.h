/// Archives as docker save wrote them before Docker 1.10: `repositories` names the top layer of
/// each image, and each layer is a directory with its own `json` (image specification v1.0) and
/// layer.tar.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/transports/archive_file.h"
#include "libimage/transports/docker_archive_manifest.h"

namespace lade {

inline constexpr std::string_view kRepositoriesMember = "repositories";

/// An image of `repositories`: its top layer and its names.
struct LegacyImage {
  std::string id;
  std::vector<std::string> tags = {};
  bool operator==(const LegacyImage&) const = default;
};

/// {"NAME": {"TAG": "ID"}}; throws Error{invalid_content}.
std::vector<LegacyImage> parse_docker_repositories(std::string_view json);

/// The parent that a layer's `json` names, "" for none; throws Error{invalid_content}.
std::string parent_of_legacy_layer(std::string_view json);

/// The images with their layers, base first; `config` is empty, because there is none.
std::vector<DockerArchiveImage> legacy_images(const ArchiveFile& archive);

/// The config of an image whose layers have these `json` documents, base first, and diff IDs: the
/// top one's, with the history of all. Throws Error{invalid_content}.
std::string legacy_config(const std::vector<std::string>& layers,
                          const std::vector<DiffId>& diff_ids);

}  // namespace lade
