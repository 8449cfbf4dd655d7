#include "libimage/build/squash.h"

#include "libimage/base/text.h"
#include "libimage/build/step_key.h"
#include "libimage/io/path.h"
#include "libimage/layer/snapshot.h"
#include "libimage/layer/write_layer.h"

namespace lade::build {
namespace {

/// The layer that turns `lower` into `upper`.
LayerResult layer_between(LocalStore& store, const RootFs& lower, const RootFs& upper,
                          const LayerOptions& options) {
  const std::unique_ptr<LocalStore::Workspace> empty = store.workspace();
  const auto opened = [&](const RootFs& root) {
    const std::string path = root.whole();
    return std::make_shared<const DirFd>(open_dir(path.empty() ? empty->fs_path() : path));
  };
  const std::shared_ptr<const DirFd> lower_dir = opened(lower);
  const std::shared_ptr<const DirFd> upper_dir = opened(upper);
  const Snapshot before = capture(*lower_dir);
  const std::vector<LayerEntry> changes = diff(before, capture(*upper_dir), *lower_dir, upper_dir);
  return write_layer(changes, store.images(), options);
}

/// One layer in the place of many, in the history.
void squash_history(oci::ImageConfig& image, std::size_t kept, const std::string& created) {
  std::size_t layers = 0;
  for (oci::HistoryEntry& entry : image.history) {
    if (!entry.empty_layer && ++layers > kept) entry.empty_layer = true;
  }
  image.history.push_back(
      {.created = created, .author = image.author, .created_by = "SQUASH", .comment = "lade"});
}

}  // namespace

void squash_layers(const BuildRun& run, StageState& state, std::size_t kept) {
  const std::vector<RootFsLayer> layers = state.root.layers();
  if (layers.size() < kept + 2) return;
  LocalStore& store = run.services().store;
  RootFs squashed(store);
  for (std::size_t i = 0; i < kept; ++i) squashed.push(layers[i]);
  const auto chain_of = [](const RootFs& root) {
    const auto chain = root.chain();
    return chain ? chain->value.str() : std::string("scratch");
  };
  const std::string key = StepKey("squash")
                              .add(chain_of(squashed))
                              .add(chain_of(state.root))
                              .add(run.layer_key())
                              .str();
  std::optional<StepResult> known = run.options().no_cache ? std::nullopt : store.step(key);
  if (!known || !known->layer || !known->diff_id) {
    const LayerResult made = layer_between(store, squashed, state.root, run.layer_options());
    known = StepResult{.key = key,
                       .layer = made.blob,
                       .diff_id = made.diff_id,
                       .uncompressed_bytes = made.uncompressed_bytes};
    store.put_step(*known);
  }
  known->layer->media_type = oci::layer_media_type(run.options().family, run.options().layer_codec);
  squashed.push({.blob = *known->layer, .diff_id = *known->diff_id});
  state.root = std::move(squashed);
  squash_history(state.image, kept, run.created());
}

}  // namespace lade::build
