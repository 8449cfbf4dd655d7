/// The lower layers of an overlay in its own form (whiteouts are devices 0:0), seen as one tree.
/// Internal to the layer module.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/layer/file_attributes.h"

namespace lade {

/// One directory of the merged tree: the directories of the layers that make it up.
class LowerDirectory {
 public:
  struct Found {
    FoundFile file = {};
    std::shared_ptr<const DirFd> parent = {};  ///< where the name was found
    /// Set for directories: the merged subdirectory.
    std::shared_ptr<const LowerDirectory> directory = {};
  };

  /// Nothing: an absent directory.
  LowerDirectory() = default;
  /// The root of `layers`, topmost first.
  explicit LowerDirectory(const std::vector<const DirFd*>& layers);

  /// What the merged tree shows as `name`, nullopt if nothing.
  [[nodiscard]] std::optional<Found> find(const std::string& name) const;
  /// The names that the layers have here, hidden ones among them, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool exists() const noexcept { return !dirs_.empty(); }

 private:
  std::vector<std::shared_ptr<const DirFd>> dirs_;  // topmost first
};

}  // namespace lade
