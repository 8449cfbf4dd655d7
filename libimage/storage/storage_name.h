#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/name/reference.h"
#include "libimage/storage/container_store.h"

namespace lade {

/// What follows "containers-storage:" (containers-transports(5)):
/// [STORE]{NAME[:TAG][@DIGEST][@ID]|@ID|ID}, STORE being [DRIVER@]GRAPHROOT[+RUNROOT][:OPTION,...]
struct StorageName {
  /// The store that the name says; unset members are the configuration's.
  std::string driver = {};
  std::string graph_root = {};
  std::string run_root = {};
  std::vector<std::string> options = {};
  std::string image = {};  ///< what names the image, as typed; "" for the store alone

  /// Error{invalid_argument} naming the rule that `rest` breaks.
  static StorageName parse(std::string_view rest);

  /// `configured`, changed by what the name says; Error{unsupported} for options that change how
  /// files are stored.
  [[nodiscard]] StoreLocation location(StoreLocation configured) const;
};

/// Applies options of the storage driver ("overlay.imagestore=PATH", ...) to `location`:
/// additional stores and ignored owners count here, what only matters to running containers does
/// not. Error{unsupported} for what would have to be done to each file.
void apply_driver_options(StoreLocation& location, const std::vector<std::string>& options);

/// An image's name taken apart. At least one of the two is set.
struct ImageSpec {
  std::optional<Reference> name = {};  ///< with tag or digest, "latest" where it has neither
  std::string id = {};                 ///< an ID, perhaps its beginning

  /// Error{invalid_argument}.
  static ImageSpec parse(std::string_view text);
};

/// The image that `text` names: by ID or its beginning (at least 3 digits), by name, by name and
/// digest. nullptr if there is none.
const KnownImage* find_image(const StoreView& view, std::string_view text);

}  // namespace lade
