#include "libimage/build/base_image.h"

#include <algorithm>

#include "libimage/base/text.h"
#include "libimage/name/platform.h"
#include "libimage/task/run_graph.h"

namespace lade::build {
namespace {

/// True if the store gets other bytes than the image has.
bool converts(const CopyPlan& plan) {
  return plan.rewrites_documents || plan.convert_to ||
         std::any_of(plan.blobs.begin(), plan.blobs.end(), [](const PlannedBlob& blob) {
           return blob.action != PlannedBlob::Action::move || blob.listed_as ||
                  blob.source.data.has_value();
         });
}

}  // namespace

BaseImage::BaseImage(BuildRun& run, const ImageRef& image, ResolvedBase found, CopyPlan plan,
                     CopyOptions options, std::stop_token stop)
    : run_(run),
      image_(image),
      found_(std::move(found)),
      plan_(std::move(plan)),
      options_(std::move(options)),
      stop_(std::move(stop)) {}

std::shared_ptr<BaseImage> BaseImage::open(BuildRun& run, const ImageRef& image,
                                           std::stop_token stop) {
  ResolvedBase found = run.services().resolve(image.name, image.platform);
  CopyOptions options{.platform = image.platform, .jobs = std::max(2U, run.jobs())};
  run.add_material({image_url(image.name, image.platform), found.root.digest});
  Writer::Accepts accepts = run.services().store.images().accepts();
  accepts.default_layer_codec.clear();  // the base keeps its digests
  CopyPlan plan = plan_copy(*found.reader, found.root, accepts, options);
  std::shared_ptr<BaseImage> out(new BaseImage(run, image, std::move(found), std::move(plan),
                                               std::move(options), std::move(stop)));
  out->read_documents();
  return out;
}

void BaseImage::read_documents() {
  if (converts(plan_)) copy();
  const oci::Document* document = nullptr;
  for (const oci::Document& planned : plan_.documents) {
    if (planned.descriptor.digest == plan_.root.digest) document = &planned;
  }
  std::optional<oci::Document> stored;
  if (fetched_ || document == nullptr) {
    copy();
    stored = run_.services().store.images().document(*fetched_);
    document = &*stored;
  }
  const auto* manifest = std::get_if<oci::Manifest>(&document->parsed);
  if (manifest == nullptr || !oci::is_image_config(manifest->config.media_type))
    throw Error(Errc::invalid_content, cat(quoted(image_.name), " is not a container image"));
  manifest_ = *manifest;
  config_ = read_config();
  if (fetched_) return;
  for (const oci::Descriptor& layer : manifest_->layers)  // for whoever needs the bytes alone
    run_.services().store.promise(layer, found_.reader);
}

/// From the store, or from where the image is; then the store has it for the next build.
std::string BaseImage::read_config() {
  LayoutStore& store = run_.services().store.images();
  if (store.contains(manifest_->config)) {
    const auto source = store.open(manifest_->config);
    return read_all(*source, oci::kMaxConfigBytes, "image config");
  }
  const auto source = found_.reader->open(manifest_->config);
  std::string text = read_all(*source, oci::kMaxConfigBytes, "image config");
  const auto writer = store.start_blob({.expected = manifest_->config});
  writer->write(bytes_of(text));
  writer->commit(manifest_->config.media_type);
  return text;
}

void BaseImage::copy() {
  if (fetched_) return;
  fetched_ = run_copy(plan_, *found_.reader, run_.services().store.images(), {}, options_,
                      run_.services().observer, stop_)
                 .root;
}

void BaseImage::fetch(const oci::Descriptor& blob) {
  if (run_.services().store.images().contains(blob)) return;
  with_context([&] { return cat("fetch image ", printable(image_.name)); },
               [&] {
                 const std::scoped_lock lock(fetching_);
                 copy();
               });
}

void BaseImage::fetch_ahead() {
  const std::unique_lock lock(fetching_, std::try_to_lock);
  if (!lock) return;
  LayoutStore& store = run_.services().store.images();
  const bool all = std::all_of(manifest_->layers.begin(), manifest_->layers.end(),
                               [&](const oci::Descriptor& layer) { return store.contains(layer); });
  if (!all) copy();
}

StageState BaseImage::state() {
  StageState state{.image = oci::parse_image_config(config_),
                   .root = RootFs(run_.services().store)};
  const oci::Manifest converted = oci::converted(*manifest_, run_.options().family);
  if (converted.layers.size() != state.image.diff_ids.size())
    throw Error(Errc::invalid_content,
                cat("image ", quoted(image_.name), " has ", converted.layers.size(), " layers and ",
                    state.image.diff_ids.size(), " diff IDs"));
  for (std::size_t i = 0; i < converted.layers.size(); ++i) {
    state.root.push({.blob = converted.layers[i],
                     .diff_id = state.image.diff_ids[i],
                     .source = shared_from_this()});
  }
  state.base_layers = converted.layers.size();
  if (!state.image.config) state.image.config.emplace();
  if (!run_.options().result.inherit_labels) state.image.config->labels.clear();
  if (!get_variable(state.image.config->env, "PATH"))
    set_variable(state.image.config->env, "PATH", kDefaultPath);
  for (const std::string& entry : state.image.config->env) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos)
      set_variable(state.environment, entry.substr(0, equals), entry.substr(equals + 1));
  }
  if (run_.options().result.inherit_annotations && manifest_->annotations)
    state.annotations = *manifest_->annotations;
  state.base = {.name = image_.name, .digest = plan_.root.digest.str()};
  return state;
}

StageState empty_state(const BuildRun& run, const oci::Platform& platform) {
  StageState state{.image = {}, .root = RootFs(run.services().store)};
  state.image.architecture = platform.architecture;
  state.image.os = platform.os;
  state.image.os_version = platform.os_version;
  state.image.variant = platform.variant;
  state.image.config = oci::ExecutionConfig{.working_dir = "/"};
  set_variable(state.image.config->env, "PATH", kDefaultPath);
  state.environment = state.image.config->env;
  return state;
}

void fetch_layers(LocalStore& store, const RootFs& root, unsigned jobs,
                  const std::stop_token& stop) {
  std::vector<oci::Descriptor> missing;
  for (const RootFsLayer& layer : root.layers()) {
    if (store.images().contains(layer.blob)) continue;
    if (layer.source) layer.source->fetch(layer.blob);
    missing.push_back(layer.blob);
  }
  parallel_for(
      missing.size(), jobs, [&](std::size_t i) { store.require(missing[i]); }, stop);
}

}  // namespace lade::build
