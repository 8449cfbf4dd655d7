/// The YAML files that say what to mirror (skopeo-sync(1), "YAML file content").
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/config/auth_file.h"

namespace lade {

/// What to take from one registry.
struct SyncRegistry {
  std::string name;  ///< "host[:port]"
  /// Repository to tags and digests; none: every tag.
  std::map<std::string, std::vector<std::string>> images = {};
  std::map<std::string, std::string> images_by_tag_regex = {};  ///< matches anywhere in the tag
  std::map<std::string, std::string> images_by_semver = {};
  std::optional<AuthEntry> credentials = {};
  std::optional<bool> tls_verify = {};
  std::string cert_dir = {};
};

struct SyncConfig {
  std::vector<SyncRegistry> registries = {};  ///< in the file's order
  std::vector<std::string> unknown = {};      ///< members that mean nothing: "HOST: KEY (line N)"

  /// Throws Error{invalid_content} with the line for what is no YAML or of another shape.
  static SyncConfig parse(std::string_view yaml);
};

}  // namespace lade
