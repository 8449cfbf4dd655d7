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

BuildResult store_image(BuildRun& run, StageState state) {
  LayoutStore& store = run.services().store.images();
  const oci::Family family = run.options().family;
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
  oci::Descriptor descriptor = oci::describe(manifest.media_type, raw);
  store.put_manifest(descriptor, raw);
  BuildResult result{.manifest = {.descriptor = std::move(descriptor),
                                  .raw = std::move(raw),
                                  .parsed = std::move(manifest)},
                     .config = std::move(image)};
  for (const std::string& name : run.options().names) {
    result.names.push_back(full_image_name(name));
    store.tag(Tag{result.names.back()}, result.manifest.descriptor);
  }
  if (result.names.empty()) store.tag(Tag{}, result.manifest.descriptor);
  result.steps = run.steps();
  result.cached_steps = run.cached_steps();
  return result;
}

}  // namespace lade::build
