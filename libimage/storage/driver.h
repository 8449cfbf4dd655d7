/// Where layers' trees are: the directories of containers/storage's graph drivers.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/unique_fd.h"
#include "libimage/layer/entry.h"

namespace lade {

class GraphDriver;

/// A layer with the driver that holds it (of its own store, which may be another one than the
/// layer's above).
struct PlacedLayer {
  const GraphDriver* driver = nullptr;
  std::string id = {};
};

/// A layer's tree in the making: a directory where nobody looks, that gets its place by rename.
struct StagedTree {
  std::string name = {};  ///< in the staging directory
  DirFd root = {};        ///< where the layer is unpacked
  bool has_root = false;  ///< the layer says what its root directory is like
};

/// One graph driver in one graph root. IDs are storage IDs.
class GraphDriver {
 public:
  virtual ~GraphDriver() = default;

  /// The directory of the driver, open to make files in it.
  [[nodiscard]] virtual const DirFd& home() const noexcept = 0;

  /// The tree of layer `id`: what it changes (overlay), or all of it (vfs). Error{not_found}.
  [[nodiscard]] virtual DirFd tree(const std::string& id) const = 0;

  /// What layer `id` changes against `below` (nearest first), seen from the trees alone.
  [[nodiscard]] virtual std::vector<LayerEntry> changes(
      const std::string& id, const std::vector<PlacedLayer>& below) const = 0;

  /// True if a layer holds its changes only, so that it can be unpacked before it is known what
  /// lies below it; false if it starts as a copy of what lies below.
  [[nodiscard]] virtual bool stores_changes() const noexcept = 0;

  /// Makes what belongs into `staging`/`name` before a layer is unpacked.
  [[nodiscard]] virtual StagedTree prepare(const DirFd& staging, const std::string& name) const = 0;

  /// Gives `tree` its place as layer `id` over `below` (nearest first). The caller holds the
  /// layers' lock and has recorded the layer as incomplete; a leftover of that ID is removed.
  virtual void place(const DirFd& staging, const StagedTree& tree, const std::string& id,
                     const std::vector<PlacedLayer>& below) = 0;

  /// Removes layer `id`'s directory; absent is no error.
  virtual void remove(const std::string& id) = 0;
};

enum class StoreAccess { read, write };

/// The driver `name` ("overlay", "vfs") in `graph_root`; Error{unsupported} for others. For
/// writing, its directories are made.
std::unique_ptr<GraphDriver> open_driver(std::string_view name, const DirFd& graph_root,
                                         StoreAccess access);
std::unique_ptr<GraphDriver> open_overlay(const DirFd& graph_root, StoreAccess access);
std::unique_ptr<GraphDriver> open_vfs(const DirFd& graph_root, StoreAccess access);

/// Opens the directory `name` of `parent`, made with `mode` where missing if writing. Error{...}
/// naming it.
DirFd open_store_dir(const DirFd& parent, const std::string& name, StoreAccess access,
                     mode_t mode = 0700);

}  // namespace lade
