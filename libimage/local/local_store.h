/// The local store: an OCI image layout with unpacked layers, step results and temporary room
/// beside it (docs/design/0005-local-store.md). Many processes use one store at once.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libimage/digest/digest.h"
#include "libimage/io/file_lock.h"
#include "libimage/io/path.h"
#include "libimage/layer/write_layer.h"
#include "libimage/store/layout_store.h"

namespace lade {

/// An unpacked layer: snapshots/<chain ID>/ holds `fs`, the layer's own tree in overlayfs form
/// (upper directory), and a record of its parent. Present only when complete.
struct UnpackedLayer {
  ChainId chain;
  std::string fs_path;  ///< absolute path of the tree
};

/// What a build step made, kept under its cache key.
struct StepResult {
  std::string key;                            ///< hex; the file's name in steps/
  std::optional<oci::Descriptor> layer = {};  ///< absent: the step made no layer
  std::optional<DiffId> diff_id = {};
  std::uint64_t uncompressed_bytes = 0;
  std::string note =
      {};  ///< free text of the builder, e.g. the shallow key's list of candidates; at most 1 MiB
};

struct PruneReport {
  std::uint64_t blobs = 0, snapshots = 0, steps = 0, bytes = 0;
};

class LocalStore {
 public:
  /// Opens `directory`, creating it (mode 0700) with all its parts where missing; sweeps the
  /// leftovers of dead processes.
  explicit LocalStore(const std::string& directory);
  ~LocalStore();

  /// Contents and names. Names are full references ("docker.io/library/debian:12",
  /// "localhost/app:latest").
  [[nodiscard]] LayoutStore& images();

  /// nullopt if that stack of layers is not unpacked here.
  std::optional<UnpackedLayer> unpacked(const ChainId& chain);
  /// A directory under tmp/ (same file system) to unpack or run into, held by this process's lock;
  /// publish() renames its `fs` to snapshots/<chain>, or drops it if another process was first.
  class Workspace;
  std::unique_ptr<Workspace> workspace();
  UnpackedLayer publish(std::unique_ptr<Workspace> workspace, const ChainId& chain,
                        const std::optional<ChainId>& parent);

  std::optional<StepResult> step(const std::string& key);
  /// Stores the result; the last writer of a key wins, and readers see one or the other whole.
  void put_step(const StepResult& result);

  /// Keeps what a name or a running process reaches; removes the rest of blobs, snapshots and
  /// steps.
  PruneReport prune(bool all_steps);

  [[nodiscard]] const std::string& path() const noexcept;
  [[nodiscard]] const DirFd& temp_dir() const noexcept;
  [[nodiscard]] std::string temp_path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Room for one tree in the making: `fs` and `work` directories on the store's file system. Removed
/// on destruction unless published.
class LocalStore::Workspace {
 public:
  virtual ~Workspace() = default;
  [[nodiscard]] virtual std::string path() const = 0;  ///< the workspace directory
  [[nodiscard]] std::string fs_path() const { return path() + "/fs"; }
  [[nodiscard]] std::string work_path() const { return path() + "/work"; }
};

/// $LADE_STORE is the tool's business; this is the default: $XDG_DATA_HOME/lade,
/// ~/.local/share/lade, /var/lib/lade for root. Arguments are the environment's values, "" if
/// unset.
std::string default_store_path(unsigned uid, const std::string& xdg_data_home,
                               const std::string& home);

}  // namespace lade
