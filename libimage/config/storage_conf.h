/// storage.conf: where podman, buildah and skopeo keep images (containers-storage.conf(5)).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// What a file says, or all the files and the environment together.
struct StorageConf {
  std::string driver = {};  ///< "" if nothing names one
  std::string graph_root = {};
  std::string run_root = {};
  std::string rootless_graph_root = {};          ///< rootless_storage_path: of users but root
  std::vector<std::string> image_stores = {};    ///< additionalimagestores
  std::vector<std::string> driver_options = {};  ///< "overlay.ignore_chown_errors=true"
  bool operator==(const StorageConf&) const = default;
};

/// Where to look. Files that are not there are passed over, but for `explicit_file`; only the first
/// that is there counts.
struct StorageConfSources {
  std::string explicit_file = {};              ///< $CONTAINERS_STORAGE_CONF
  std::string user_file = {};                  ///< the user's own
  std::vector<std::string> system_files = {};  ///< root's: for others they name no directories
  std::uint32_t user = 0;                      ///< whose store is wanted; 0: root's
  std::string user_graph_root = {};            ///< where users but root have it by default
  std::string user_run_root = {};
  std::string driver = {};          ///< $STORAGE_DRIVER, instead of the file's
  std::string driver_options = {};  ///< $STORAGE_OPTS ("KEY=VALUE,..."), after the file's
  /// The value of a variable in a path ("" if it is not set). Must be set.
  std::function<std::string(const std::string&)> variable = {};
};

/// The store of `sources.user`, with defaults, variables in paths replaced. Throws Error:
/// invalid_content with the file and the line or member, not_found if `explicit_file` is missing,
/// unsupported as parse_storage_conf().
StorageConf find_storage(const StorageConfSources& sources);

/// What the text of one file says, as it is there; `file` is for messages. The options are those of
/// `driver`, if it is not empty, instead of the driver that the file names. Only what concerns
/// stored images is taken. Error{unsupported} for settings that would put images elsewhere or
/// change their files: imagestore, remap-*, a driver_priority that begins with another driver than
/// overlay.
StorageConf parse_storage_conf(std::string_view text, const std::string& file,
                               const std::string& driver = {});

/// `path` with $NAME and ${NAME} replaced, NAME being letters, digits and '_'.
std::string expanded_path(std::string_view path,
                          const std::function<std::string(const std::string&)>& variable);

}  // namespace lade
