#include "libimage/build/result.h"

#include "libimage/base/text.h"
#include "libimage/name/reference.h"

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

oci::Document stored(LayoutStore& store, const oci::MediaType& media_type, std::string raw,
                     std::variant<oci::Manifest, oci::Index, oci::Unknown> parsed) {
  oci::Descriptor descriptor = oci::describe(media_type, raw);
  store.put_manifest(descriptor, raw);
  return {.descriptor = std::move(descriptor), .raw = std::move(raw), .parsed = std::move(parsed)};
}

BuiltImage store_image(BuildRun& run, FinishedTarget target) {
  LayoutStore& store = run.services().store.images();
  const oci::Family family = run.options().family;
  StageState& state = target.state;
  oci::ImageConfig& image = state.image;
  for (const auto& [name, value] : run.options().labels) image.config->labels[name] = value;
  image.created = run.created();
  image.diff_ids.clear();
  oci::Manifest manifest{
      .media_type =
          oci::MediaType(family == oci::Family::oci ? oci::kImageManifest : oci::kDockerManifest),
      .config = oci::describe(
          oci::MediaType(family == oci::Family::oci ? oci::kImageConfig : oci::kDockerConfig), "")};
  for (const RootFsLayer& layer : state.root.layers()) {
    image.diff_ids.push_back(layer.diff_id);
    manifest.layers.push_back(layer.blob);
  }
  const std::string config = oci::serialise(image);
  if (config.size() > oci::kMaxConfigBytes)  // nobody could read it
    throw Error(Errc::limit_exceeded, cat("the image's configuration has ", config.size(),
                                          " bytes, more than ", oci::kMaxConfigBytes));
  manifest.config = oci::describe(manifest.config.media_type, config);
  if (!store.contains(manifest.config)) {
    const auto writer = store.start_blob({.expected = manifest.config});
    writer->write(bytes_of(config));
    writer->commit(manifest.config.media_type);
  }
  std::string raw = oci::serialise(manifest);
  const oci::MediaType media_type = manifest.media_type;
  return {.platform = std::move(target.platform),
          .manifest = stored(store, media_type, std::move(raw), std::move(manifest)),
          .config = std::move(image)};
}

/// The index over `images`, in their order.
oci::Document store_index(BuildRun& run, const std::vector<BuiltImage>& images) {
  oci::Index index{.media_type = oci::MediaType(run.options().family == oci::Family::oci
                                                    ? oci::kImageIndex
                                                    : oci::kDockerManifestList)};
  for (const BuiltImage& image : images) {
    index.manifests.push_back(image.manifest.descriptor);
    index.manifests.back().platform = image.platform;
  }
  std::string raw = oci::serialise(index);
  const oci::MediaType media_type = index.media_type;
  return stored(run.services().store.images(), media_type, std::move(raw), std::move(index));
}

}  // namespace

BuildResult store_result(BuildRun& run, std::vector<FinishedTarget> targets) {
  LayoutStore& store = run.services().store.images();
  BuildResult result;
  for (FinishedTarget& target : targets)
    result.images.push_back(store_image(run, std::move(target)));
  if (result.images.size() > 1) result.index = store_index(run, result.images);
  for (const std::string& name : run.options().names) {
    result.names.push_back(full_image_name(name));
    store.tag(Tag{result.names.back()}, result.root().descriptor);
  }
  if (result.names.empty()) store.tag(Tag{}, result.root().descriptor);
  result.steps = run.steps();
  result.cached_steps = run.cached_steps();
  return result;
}

}  // namespace lade::build
