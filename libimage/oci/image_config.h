#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/digest/digest.h"
#include "libimage/oci/descriptor.h"

namespace lade::oci {

/// One line of the history (image-spec v1.1.1, config.md, "history").
struct HistoryEntry {
  std::string created = {};  ///< RFC 3339 as spelled; "" if absent
  std::string author = {};
  std::string created_by = {};
  std::string comment = {};
  bool empty_layer = false;  ///< true: the step made no layer
  UnknownMembers unknown = {};
  bool operator==(const HistoryEntry&) const = default;
};

/// Docker's HEALTHCHECK; reserved by the specification, widely used. Durations in nanoseconds, 0 =
/// inherit.
struct Healthcheck {
  std::vector<std::string> test = {};  ///< {"NONE"}, {"CMD", ...} or {"CMD-SHELL", text}
  std::int64_t interval = 0;
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;
  std::int64_t start_interval = 0;
  std::int64_t retries = 0;
  UnknownMembers unknown = {};
  bool operator==(const Healthcheck&) const = default;
};

/// The execution parameters (`config` member).
struct ExecutionConfig {
  std::string user = {};
  std::set<std::string> exposed_ports = {};
  std::vector<std::string> env = {};  ///< NAME=VALUE
  std::optional<std::vector<std::string>> entrypoint = {};
  std::optional<std::vector<std::string>> cmd = {};
  std::set<std::string> volumes = {};
  std::string working_dir = {};
  std::map<std::string, std::string> labels = {};
  std::string stop_signal = {};
  std::optional<bool> args_escaped = {};                  ///< deprecated, kept
  std::optional<Healthcheck> healthcheck = {};            ///< Docker's
  std::optional<std::vector<std::string>> shell = {};     ///< Docker's
  std::optional<std::vector<std::string>> on_build = {};  ///< Docker's
  UnknownMembers unknown = {};
  bool operator==(const ExecutionConfig&) const = default;
};

/// The config blob of an image (image-spec v1.1.1, config.md); Docker's has the same shape and more
/// members, kept.
struct ImageConfig {
  std::string created = {};
  std::string author = {};
  std::string architecture = {};
  std::string os = {};
  std::string os_version = {};
  std::vector<std::string> os_features = {};
  std::string variant = {};
  std::optional<ExecutionConfig> config = {};
  std::vector<DiffId> diff_ids = {};
  std::vector<HistoryEntry> history = {};
  UnknownMembers rootfs_unknown = {};  ///< of the `rootfs` member
  UnknownMembers unknown = {};
  bool operator==(const ImageConfig&) const = default;

  [[nodiscard]] Platform platform() const;
};

inline constexpr std::size_t kMaxHistory = 10'000;

/// Throws Error{invalid_content} with the member's path: rootfs.type other than "layers", bad diff
/// IDs, wrong types, duplicate names. Optional members may be null. "architecture" and "os" may be
/// missing (some producers leave them out): they are then "".
ImageConfig parse_image_config(std::string_view json);

/// Compact JSON, fixed member order, unknown members last by name: same value, same bytes.
std::string serialise(const ImageConfig& config);

}  // namespace lade::oci
