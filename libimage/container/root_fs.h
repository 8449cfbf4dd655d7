/// A root file system in the making: layers stacked, looked into without a mount, steps run in it,
/// changes taken as layers. Layers that no step needs as files are never unpacked.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/layer/entry.h"
#include "libimage/layer/write_layer.h"
#include "libimage/local/local_store.h"
#include "libimage/sandbox/step_runner.h"

namespace lade {

/// Brings the layers of an image into the store when somebody needs them.
class LayerSource {
 public:
  virtual ~LayerSource() = default;
  /// Afterwards the store has `blob`. Thread-safe.
  virtual void fetch(const oci::Descriptor& blob) = 0;
};

struct RootFsLayer {
  oci::Descriptor blob;
  DiffId diff_id;
  std::shared_ptr<LayerSource> source = {};  ///< nullptr: the blob is in the store
};

struct RootFsOptions {
  /// Run steps in copies of the tree, as where overlayfs cannot be mounted.
  bool force_copies = false;
  /// A stack of more than twice as many layers has its lower ones merged into one tree, in steps of
  /// this many: overlayfs takes at most 500 lower directories, a process often 1024 descriptors.
  std::size_t merge_every = 64;
};

/// Whether overlayfs works on the file system of the store: asked once a process.
bool overlay_works(const LocalStore& store);

class MergedTree;

/// Not thread-safe; stages have one each, and copies may be used by different threads. Copying it
/// is cheap (a stage FROM another stage starts with a copy), and copies share their layers.
class RootFs {
 public:
  /// An empty root file system. `store` outlives it; layer blobs are read from store.images().
  explicit RootFs(LocalStore& store, RootFsOptions options = {});
  ~RootFs();
  RootFs(const RootFs& other);
  RootFs& operator=(const RootFs& other);
  RootFs(RootFs&&) noexcept;
  RootFs& operator=(RootFs&&) noexcept;

  /// Puts a layer on top whose blob is in the store, or promised to it. `entries`, if given (a
  /// COPY's own list), lets lookups see the layer without unpacking it. Parents that the list
  /// leaves out must be directories of the tree below, or absent, not links (resolve() the
  /// destination first).
  void push(const RootFsLayer& layer,
            std::shared_ptr<const std::vector<LayerEntry>> entries = nullptr);

  /// Lowest first. The list is made by the call: ask depth() and top() where these will do.
  [[nodiscard]] std::vector<RootFsLayer> layers() const;
  [[nodiscard]] std::size_t depth() const noexcept;
  /// @pre depth() > 0.
  [[nodiscard]] const RootFsLayer& top() const noexcept;
  [[nodiscard]] std::optional<ChainId> chain() const;
  /// Of the layers below the topmost one.
  [[nodiscard]] std::optional<ChainId> chain_below() const;

  /// lstat: the attributes of `path` (clean, relative) as the merged tree shows it; nullopt if
  /// absent. Parents that are links are followed inside the root. Unpacks layers as far as needed,
  /// never mounts.
  std::optional<Attributes> lookup(const std::string& path);
  /// `path` with every link (the last one too if `follow_last`) resolved inside the root;
  /// components that do not exist stay as they are. More than 255 links is Error{invalid_content}.
  std::string resolve(const std::string& path, bool follow_last = true);
  /// Names in a directory of the merged tree (links followed), sorted. Error{not_found} if there is
  /// no such directory.
  std::vector<std::string> list(const std::string& path);
  /// A regular file's content (links followed); nullopt if absent or not a regular file. More than
  /// `limit` bytes is Error{limit_exceeded}.
  std::optional<std::string> read_small(const std::string& path, std::uint64_t limit);
  /// Where the bytes of regular file `path` (links followed) are, for COPY --from; Error{not_found}
  /// if it is none.
  ContentRef content(const std::string& path);

  /// Runs `step` (its root is filled in here) in this tree and returns the changes as a layer that
  /// is already pushed on top; nullopt if the step changed nothing. A status other than 0 throws
  /// Error{command_failed} with ExitDetail and the tree stays as it was. With overlayfs the upper
  /// directory becomes the layer's snapshot; without, the tree is copied and compared.
  std::optional<LayerResult> run(sandbox::RuntimeConfig step, sandbox::StepRunner& runner,
                                 Sink& output, const LayerOptions& options,
                                 const std::stop_token& stop);

  /// Runs `step` (its root is filled in here) in this tree; what it changes is thrown away.
  sandbox::StepStatus try_out(sandbox::RuntimeConfig step, sandbox::StepRunner& runner,
                              const sandbox::StepCall& call, const std::stop_token& stop);

  /// True if steps run on overlayfs, false if in copies.
  [[nodiscard]] bool runs_on_overlay() const;
  /// Directories of this machine that hold the tree, unpacked where they were not: overlayfs' lower
  /// directories, topmost first; without overlayfs one whole tree; none for an empty root.
  [[nodiscard]] std::vector<std::string> trees() const;

  /// The directory of this machine that holds the whole tree as plain files, made where missing; ""
  /// for an empty root.
  [[nodiscard]] std::string whole() const;

  /// Writes `entries` (sorted as write_layer wants them) as a layer and pushes it.
  LayerResult add(std::vector<LayerEntry> entries, const LayerOptions& options);

 private:
  struct State;
  MergedTree& tree();
  template <typename Body>
  auto with_tree(const Body& body);
  void forget_tree(std::shared_ptr<const State> state);

  std::shared_ptr<const State> state_;  // replaced on change
  std::unique_ptr<MergedTree> tree_;    // of state_; made when first needed
};

}  // namespace lade
