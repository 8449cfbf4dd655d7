#include "libimage/build/stage.h"

#include <algorithm>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/local/cache.h"
#include "libimage/local/step_record.h"

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

std::optional<StepResult> StageContext::find_step(const std::string& key) const {
  LocalStore& store = run_.services().store;
  const auto& oldest = run_.options().cache_not_before;
  std::optional<StepResult> own = store.step(key);
  if (own && (!oldest || own->stored >= oldest)) return own;
  buildcache::StepCache* cache = run_.services().cache;
  if (cache == nullptr) return std::nullopt;
  std::optional<StepResult> found = cache->find(key, state_.root.depth());
  if (found) store.put_step(*found);
  return found;
}

bool StageContext::is_marked(const std::string& mark) const {
  const BuildServices& services = run_.services();
  if (run_.options().no_cache) return run_.step_table().find(mark).has_value();
  return services.store.step(mark) ||
         (services.cache != nullptr && services.cache->is_marked(mark));
}

void StageContext::store_aliases(StepResult result, const StepAliases& aliases) const {
  LocalStore& store = run_.services().store;
  result.note = std::move(result.key);  // so that who finds an alias knows the key as well
  for (const std::string& alias : aliases.keys) {
    result.key = alias;
    store.put_step(result);
    run_.step_table().remember(alias, result);
  }
  for (const std::string& mark : aliases.marks) {
    if (!store.step(mark)) store.put_step({.key = mark, .note = std::string(kSeenNote)});
    run_.step_table().remember(mark, {.key = mark});
  }
}

void StageContext::record_step(const std::string& key, StepAliases aliases) const {
  if (run_.services().cache == nullptr) return;
  run_.services().cache->record({.key = key,
                                 .aliases = std::move(aliases.keys),
                                 .marks = std::move(aliases.marks),
                                 .root = &state_.root});
}

std::optional<StepResult> StageContext::result_of(const std::string& key) {
  const bool no_cache = run_.options().no_cache;
  std::optional<StepResult> result =
      no_cache ? run_.step_table().find(shared_key(key)) : find_step(key);
  if (!result || !result->layer) return result;
  if (no_cache && !run_.services().store.images().contains(*result->layer)) return std::nullopt;
  result->layer->media_type =
      oci::layer_media_type(run_.options().family, run_.options().layer_codec);
  return result;
}

bool StageContext::commit_known(const std::string& created_by, const std::string& key,
                                StepAliases aliases) {
  const std::optional<StepResult> result = result_of(key);
  if (!result) return false;
  explain(Outcome::cached, key);
  if (result->layer) state_.root.push({.blob = *result->layer, .diff_id = *result->diff_id});
  was_cached_ = true;
  store_aliases(*result, aliases);
  if (is_step_key(result->note)) aliases.keys.push_back(result->note);
  record_step(key, std::move(aliases));
  add_history(created_by, !result->layer);
  return true;
}

bool StageContext::commit_cached(const std::string& created_by, const std::string& key,
                                 StepAliases aliases) {
  if (commit_known(created_by, key, aliases)) return true;
  claim(key);
  if (commit_known(created_by, key, std::move(aliases)))
    return true;  // whoever had it may have ended just now
  explain(Outcome::executed, key);
  return false;
}

std::string StageContext::begin_run(const std::string& definition) {
  depth_ = state_.root.depth();
  after_ = StepKey("runs").add(state_.runs).str();
  const auto before = std::count(state_.idle_runs.begin(), state_.idle_runs.end(), definition);
  if (before == 0) return definition;
  return StepKey("RUN again").add(definition).add(cat(before)).str();
}

void StageContext::end_run(const std::string& definition) {
  state_.runs = StepKey("runs").add(state_.runs).add(definition).str();
  if (state_.root.depth() == depth_) {
    state_.idle_runs.push_back(definition);
  } else {
    state_.idle_runs.clear();  // no later tree is equal to one before
  }
}

/// What a step is claimed and found under while the build lasts.
std::string StageContext::shared_key(const std::string& key) const {
  if (after_.empty() || !run_.options().no_cache) return key;
  return StepKey("after").add(after_).add(key).str();
}

void StageContext::claim(const std::string& step) {
  const std::string key = shared_key(step);
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
                                const std::optional<LayerResult>& layer, StepAliases aliases) {
  explain(Outcome::executed, key);
  record(key);
  keep_log(key);
  StepResult result{.key = key, .note = kept_value(created_by)};
  if (layer) {
    result.layer = layer->blob;
    result.diff_id = layer->diff_id;
    result.uncompressed_bytes = layer->uncompressed_bytes;
  }
  run_.services().store.put_step(result);
  run_.step_table().remember(shared_key(key), result);
  store_aliases(std::move(result), aliases);
  record_step(key, std::move(aliases));
  add_history(std::move(created_by), !layer);
}

void StageContext::start_step(std::string item, std::string label, StepPlace place,
                              std::string text) {
  item_ = std::move(item);
  label_ = std::move(label);
  place_ = std::move(place);
  text_ = std::move(text);
  inputs_ = nullptr;
  found_.clear();
  record_key_.clear();
  explained_ = false;
  after_.clear();
  log_ = {};
  was_cached_ = false;
}

void StageContext::note_common(StepKey& key) const {
  if (!state_.base.name.empty())
    key.note(kBaseInput, cat(state_.base.name, "@", state_.base.digest));
  key.note(kTreeInput, chain());
  key.note("layer format", run_.layer_key());
}

void StageContext::explain(Outcome outcome, const std::string& key) {
  if (std::exchange(explained_, true)) return;
  const auto last = run_.records().last(place_, text_);
  const bool same = last && last->key == (record_key_.empty() ? key : record_key_);
  // Now: executing the step changes what it depends on.
  if (!same || outcome == Outcome::executed)
    found_ = inputs_ ? inputs_() : std::vector<StepInput>();
  if (outcome == Outcome::cached && !same) record(key);
  if (run_.options().explain == Explain::none) return;
  Explanation out{.step = label_, .result = outcome == Outcome::cached ? "cached" : "executed"};
  if (outcome == Outcome::cached) {
    out.reason = same ? "nothing changed" : "the same step was built before";
  } else if (run_.options().no_cache) {
    out.reason = "the cache is not to be used";
  } else if (!last) {
    out.reason = "it was not built here before";
  } else if (same) {
    out.reason = "its result is gone from the store";
  } else if (last->text != text_) {
    out.reason = "the instruction is another one";
    out.changes.push_back({.input = "instruction", .before = last->text, .after = text_});
  } else {
    out.changes = changes(last->inputs, found_);
    out.reason = out.changes.empty() ? "what changed was not recorded" : "this changed:";
  }
  run_.services().observer.notify(
      {.kind = ProgressEvent::Kind::summary,
       .item = item_,
       .label = label_,
       .note = run_.options().explain == Explain::json ? to_json(out) : to_text(out)});
}

void StageContext::record(const std::string& key) {
  run_.records().put(
      place_, {.key = record_key_.empty() ? key : record_key_, .text = text_, .inputs = found_});
}

void StageContext::keep_log(const std::string& key) {
  if (!log_.empty()) keep(run_.services().store, kLogsDir, key, log_.text());
}

std::string StageContext::failure_notes() noexcept {
  constexpr std::size_t kLines = 12;
  try {
    if (log_.empty() || claims_.empty()) return {};
    keep_log(claims_.back());
    std::string notes = cat("the last it printed (all: lade cache logs ",
                            claims_.back().substr(0, 12), "):\n", log_.last_lines(kLines, "  | "));
    notes.pop_back();  // the newline
    return notes;
  } catch (const std::exception&) {  // the step's own failure is what counts
    return {};
  }
}

void StageContext::output(std::string_view text) {
  log_.add(text);
  run_.services().observer.notify({.kind = ProgressEvent::Kind::output,
                                   .item = item_,
                                   .label = label_,
                                   .note = std::string(text)});
}

}  // namespace lade::build
