/// A root file system in the making: layers stacked, looked into without a mount, steps run in it,
/// changes taken as layers. Layers that no step needs as files are never unpacked.
#pragma once
#include <functional>
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

struct RootFsLayer {
  oci::Descriptor blob;
  DiffId diff_id;
};

/// Not thread-safe; stages have one each. Copying it is cheap (a stage FROM another stage starts
/// with a copy).
class RootFs {
 public:
  /// An empty root file system. `store` outlives it; layer blobs are read from store.images().
  explicit RootFs(LocalStore& store);

  /// Puts a layer on top whose blob is in the store. `entries`, if given (a COPY's own list), lets
  /// lookups see the layer without unpacking it.
  void push(const RootFsLayer& layer,
            std::shared_ptr<const std::vector<LayerEntry>> entries = nullptr);

  [[nodiscard]] const std::vector<RootFsLayer>& layers() const noexcept;
  [[nodiscard]] std::optional<ChainId> chain() const;

  /// lstat: the attributes of `path` (clean, relative) as the merged tree shows it; nullopt if
  /// absent. Parents that are links are followed inside the root. Unpacks layers as far as needed,
  /// never mounts.
  std::optional<Attributes> lookup(const std::string& path);
  /// `path` with every link (the last one too if `follow_last`) resolved inside the root;
  /// components that do not exist stay as they are. More than 255 links is Error{invalid_content}.
  std::string resolve(const std::string& path, bool follow_last = true);
  /// Names in a directory of the merged tree, sorted.
  std::vector<std::string> list(const std::string& path);
  /// A regular file's content, at most `limit` bytes; nullopt if absent or not a regular file.
  std::optional<std::string> read_small(const std::string& path, std::uint64_t limit);
  /// Where the bytes of regular file `path` (resolved) are, for COPY --from.
  ContentRef content(const std::string& path);

  /// Runs `step` (its root is filled in here) in this tree and returns the changes as a layer that
  /// is already pushed on top; nullopt if the step changed nothing. A status other than 0 throws
  /// Error{command_failed} with ExitDetail and the tree stays as it was. With overlayfs the upper
  /// directory becomes the layer's snapshot; without, the tree is copied and compared.
  std::optional<LayerResult> run(sandbox::RuntimeConfig step, sandbox::StepRunner& runner,
                                 Sink& output, const LayerOptions& options,
                                 const std::stop_token& stop);

  /// Writes `entries` as a layer and pushes it.
  LayerResult add(std::vector<LayerEntry> entries, const LayerOptions& options);

 private:
  struct State;
  std::shared_ptr<const State> state_;  // copied on change
};

}  // namespace lade
