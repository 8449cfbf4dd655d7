#include "libimage/build/result.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/build/assemble.h"
#include "libimage/build/attestation.h"
#include "libimage/build/squash.h"
#include "libimage/digest/hasher.h"
#include "libimage/name/platform.h"
#include "libimage/name/reference.h"
#include "libimage/oci/cache_document.h"

namespace lade::build {

std::string full_image_name(const std::string& name) {
  const std::size_t slash = name.find('/');
  const std::string_view first = std::string_view(name).substr(0, slash);
  const bool has_host =
      slash != std::string::npos &&
      (first == "localhost" ||
       first.find_first_of(".:ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string_view::npos);
  Reference reference = Reference::parse(has_host ? name : cat("localhost/", name));
  if (reference.digest)
    throw Error(Errc::invalid_argument,
                cat("image name ", quoted(name), " has a digest: a build cannot choose it"));
  if (!reference.tag) reference.tag = Tag{"latest"};
  return reference.str();
}

namespace {

/// The config as the options want it, but for its layers.
void finish_config(const BuildRun& run, oci::ImageConfig& image) {
  const ResultOptions& options = run.options().result;
  auto& labels = image.config->labels;
  for (const std::string& name : options.remove_labels) labels.erase(name);
  for (const auto& [name, value] : run.options().labels) labels[name] = value;
  if (options.omit_history) image.history.clear();
  if (options.os_version) image.os_version = *options.os_version;
  for (const std::string& feature : options.os_features) {
    auto& known = image.os_features;
    if (std::find(known.begin(), known.end(), feature) == known.end()) known.push_back(feature);
  }
  image.created = run.created();
}

ProvenanceFacts facts_of(const BuildRun& run, const oci::Platform& platform) {
  const BuildOptions& options = run.options();
  ProvenanceFacts facts{.options = *options.result.provenance,
                        .file = run.file().source->name(),
                        .text = run.file().source->text(),
                        .target = options.target,
                        .build_args = options.build_args,
                        .labels = options.labels,
                        .context = !options.context.empty(),
                        .hermetic = run.is_hermetic(),
                        .builder = host_platform(),
                        .platform = platform,
                        .materials = run.materials(),
                        .started = run.created(),
                        .finished = run.epoch() ? run.created() : to_rfc3339(options.clock())};
  for (const auto& [id, secret] : options.secrets) facts.secrets.push_back(id);
  for (const auto& [id, agent] : options.agents) facts.agents.push_back(id);
  return facts;
}

/// The same stack for after the build: what could fetch layers, and has done so, ends with it.
RootFs settled(LocalStore& store, const RootFs& root) {
  RootFs out(store);
  for (const RootFsLayer& layer : root.layers())
    out.push({.blob = layer.blob, .diff_id = layer.diff_id});
  return out;
}

BuiltImage built_image(BuildRun& run, FinishedTarget target, const std::string& name,
                       const std::stop_token& stop) {
  const ResultOptions& options = run.options().result;
  StageState& state = target.state;
  buildcache::StepCache* cache = run.services().cache;
  if (cache != nullptr) cache->add_result(state.root);
  if (options.squash != Squash::none)
    squash_layers(run, state, options.squash == Squash::all ? 0 : state.base_layers);
  finish_config(run, state.image);
  state.image.diff_ids.clear();
  for (const RootFsLayer& layer : state.root.layers())
    state.image.diff_ids.push_back(layer.diff_id);
  if (cache != nullptr) {
    std::string records = cache->inline_cache(state.root);
    if (!records.empty())
      state.image.unknown[std::string(oci::kInlineCacheMember)] = std::move(records);
  }
  const std::size_t config_bytes = oci::serialise(state.image).size();
  if (config_bytes > oci::kMaxConfigBytes)  // nobody could read it
    throw Error(Errc::limit_exceeded, cat("the image's configuration has ", config_bytes,
                                          " bytes, more than ", oci::kMaxConfigBytes));
  BuiltImage image{
      .platform = std::move(target.platform),
      .manifest = {.descriptor = {.digest = sha256_of("")}, .raw = {}, .parsed = oci::Unknown{}},
      .config = std::move(state.image),
      .root = settled(run.services().store, state.root),
      .base_layers = options.squash == Squash::all ? 0 : state.base_layers,
      .annotations = std::move(state.annotations)};
  for (const std::string& key : options.remove_annotations) image.annotations.erase(key);
  if (options.sbom) image.attestations.push_back(sbom(state.root, name, run.created(), stop));
  if (options.provenance) image.attestations.push_back(provenance(facts_of(run, image.platform)));
  return image;
}

}  // namespace

void check_result_options(const BuildRun& run) {
  const ResultOptions& options = run.options().result;
  std::vector<oci::Platform> platforms;
  for (const BuildTarget& target : run.targets()) platforms.push_back(target.platform);
  check_assembly(platforms, options.sbom || options.provenance ? Attested::yes : Attested::no,
                 {.annotations = options.annotations, .family = run.options().family});
}

BuildResult store_result(BuildRun& run, std::vector<FinishedTarget> targets,
                         const std::stop_token& stop) {
  LayoutStore& store = run.services().store.images();
  const ResultOptions& options = run.options().result;
  BuildResult result;
  for (const std::string& name : run.options().names) result.names.push_back(full_image_name(name));
  const std::string name = result.names.empty() ? "image" : result.names.front();
  for (FinishedTarget& target : targets)
    result.images.push_back(built_image(run, std::move(target), name, stop));
  AssembleOptions assembling{.names = result.names,
                             .annotations = options.annotations,
                             .family = run.options().family,
                             .form = options.attestation_form};
  if (options.created_annotation)
    assembling.annotations.push_back(
        {.key = "org.opencontainers.image.created", .value = run.created()});
  Assembled assembled = assemble(store, result.images, assembling);
  for (std::size_t i = 0; i < result.images.size(); ++i)
    result.images[i].manifest = std::move(assembled.manifests[i]);
  result.index = std::move(assembled.index);
  if (options.keep) {
    for (const std::string& full : result.names) store.tag(Tag{full}, result.root().descriptor);
    if (result.names.empty()) store.tag(Tag{}, result.root().descriptor);
  }
  result.steps = run.steps();
  result.cached_steps = run.cached_steps();
  return result;
}

}  // namespace lade::build
