#include "libimage/build/stage.h"

#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade::build {

Expander StageContext::expander() const {
  return Expander([this](std::string_view name) { return get_variable(state_.environment, name); },
                  run_.file().escape);
}

std::string StageContext::absolute(std::string_view path) const {
  if (path.starts_with('/')) return cat("/", clean_path(path));
  return cat("/", clean_path(cat(state_.image.config->working_dir, "/", path)));
}

std::string StageContext::chain() const {
  const auto chain = state_.root.chain();
  return chain ? chain->value.str() : "scratch";
}

void StageContext::add_history(std::string created_by, bool empty_layer) {
  oci::ImageConfig& image = state_.image;
  if (image.history.size() >= oci::kMaxHistory)
    throw Error(Errc::limit_exceeded,
                cat("the image's history has ", oci::kMaxHistory, " entries"));
  // Every expanded text is in the history too, so this bounds all of the config.
  state_.history_bytes += created_by.size();
  if (state_.history_bytes > oci::kMaxConfigBytes)
    throw Error(Errc::limit_exceeded, cat("the image's configuration would have more than ",
                                          oci::kMaxConfigBytes, " bytes"));
  image.history.push_back({.created = run_.created(),
                           .author = image.author,
                           .created_by = std::move(created_by),
                           .comment = "lade",
                           .empty_layer = empty_layer});
}

void StageContext::commit(std::string created_by) { add_history(std::move(created_by), true); }

std::optional<StepResult> StageContext::result_of(const std::string& key) {
  LocalStore& store = run_.services().store;
  std::optional<StepResult> result =
      run_.options().no_cache ? run_.step_table().find(key) : store.step(key);
  if (!result || !result->layer) return result;
  if (!result->diff_id || !store.images().contains(*result->layer)) return std::nullopt;  // pruned
  result->layer->media_type =
      oci::layer_media_type(run_.options().family, run_.options().layer_codec);
  return result;
}

bool StageContext::commit_known(const std::string& created_by, const std::string& key) {
  const std::optional<StepResult> result = result_of(key);
  if (!result) return false;
  if (result->layer) state_.root.push({.blob = *result->layer, .diff_id = *result->diff_id});
  was_cached_ = true;
  add_history(created_by, !result->layer);
  return true;
}

bool StageContext::commit_cached(const std::string& created_by, const std::string& key) {
  if (commit_known(created_by, key)) return true;
  claim(key);
  return commit_known(created_by, key);  // whoever had it may have ended just now
}

void StageContext::claim(const std::string& key) {
  if (!run_.step_table().claim(key)) throw StepPending{key};
  claims_.push_back(key);
  if (run_.options().no_cache) return;  // other builds' results do not count
  auto lock = run_.services().store.try_lock_step(key);
  if (!lock) throw StepPending{key, StepPending::By::another_build};
  locks_.push_back(std::move(*lock));
}

void StageContext::end_step() noexcept {
  locks_.clear();
  for (const std::string& key : claims_) run_.step_table().release(key);
  claims_.clear();
}

void StageContext::commit_layer(std::string created_by, const std::string& key,
                                const std::optional<LayerResult>& layer) {
  StepResult result{.key = key};
  if (layer) {
    result.layer = layer->blob;
    result.diff_id = layer->diff_id;
    result.uncompressed_bytes = layer->uncompressed_bytes;
  }
  run_.services().store.put_step(result);
  run_.step_table().remember(result);
  add_history(std::move(created_by), !layer);
}

void StageContext::start_step(std::string item, std::string label) {
  item_ = std::move(item);
  label_ = std::move(label);
  was_cached_ = false;
}

void StageContext::output(std::string_view text) noexcept {
  run_.services().observer.notify({.kind = ProgressEvent::Kind::output,
                                   .item = item_,
                                   .label = label_,
                                   .note = std::string(text)});
}

}  // namespace lade::build
