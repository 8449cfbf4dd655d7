#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/oci/media_type.h"

namespace lade::oci {

using Annotations = std::map<std::string, std::string>;

/// Members that this program does not know, by name, each as JSON text: kept when a document is
/// edited.
using UnknownMembers = std::map<std::string, std::string>;

/// image-spec v1.1.1, image-index.md, "platform".
struct Platform {
  std::string architecture = {};
  std::string os = {};
  std::string os_version = {};
  std::vector<std::string> os_features = {};
  std::string variant = {};
  std::vector<std::string> features = {};  ///< reserved by the specification, kept
  UnknownMembers unknown = {};
  bool operator==(const Platform&) const = default;
};

/// "os/architecture[/variant]", with ":os.version" after it where there is one.
std::string to_string(const Platform& platform);

/// True for a scheme, a colon and characters that RFC 3986 allows.
bool is_uri(std::string_view text);

/// The only way one object points at another (image-spec v1.1.1, descriptor.md).
struct Descriptor {
  MediaType media_type = {};
  Digest digest;
  std::uint64_t size = 0;  ///< bytes of the content as stored
  std::vector<std::string> urls = {};
  std::optional<Annotations> annotations =
      {};                                ///< absent and {} are different bytes, so both are kept
  std::optional<std::string> data = {};  ///< decoded; equals the content
  std::string artifact_type = {};
  std::optional<Platform> platform = {};
  UnknownMembers unknown = {};
  bool operator==(const Descriptor&) const = default;

  /// The annotation `key`, or "" if absent.
  [[nodiscard]] std::string annotation(const std::string& key) const;
};

}  // namespace lade::oci
