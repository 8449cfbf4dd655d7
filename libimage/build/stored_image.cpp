#include "libimage/build/stored_image.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"

namespace lade::build {
namespace {

/// True if a copy by `plan` would move nothing.
bool is_stored(const CopyPlan& plan, LayoutStore& images) {
  return !plan.rewrites_documents && !plan.convert_to &&
         std::all_of(
             plan.documents.begin(), plan.documents.end(),
             [&](const oci::Document& document) { return images.contains(document.descriptor); }) &&
         std::all_of(plan.blobs.begin(), plan.blobs.end(), [&](const PlannedBlob& blob) {
           return blob.action == PlannedBlob::Action::move && images.contains(blob.listed());
         });
}

oci::Descriptor bring(LayoutStore& images, const ResolvedBase& found, const oci::Platform& platform,
                      ProgressObserver& observer, const std::stop_token& stop) {
  const CopyOptions options{.platform = platform};
  Writer::Accepts accepts = images.accepts();
  accepts.default_layer_codec.clear();  // it keeps its digests
  const CopyPlan plan = plan_copy(*found.reader, found.root, accepts, options);
  if (is_stored(plan, images)) return plan.root;
  return run_copy(plan, *found.reader, images, {}, options, observer, stop).root;
}

}  // namespace

StoredImage store_image(LocalStore& store, const ResolvedBase& found, const std::string& name,
                        const oci::Platform& platform, ProgressObserver& observer,
                        const std::stop_token& stop) {
  LayoutStore& images = store.images();
  const oci::Descriptor root = bring(images, found, platform, observer, stop);
  const oci::Document document = images.document(root);
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest == nullptr || !oci::is_image_config(manifest->config.media_type))
    throw Error(Errc::invalid_content, cat(quoted(name), " is not a container image"));
  const auto source = images.open(manifest->config);
  const oci::ImageConfig config =
      oci::parse_image_config(read_all(*source, oci::kMaxConfigBytes, "image config"));
  if (manifest->layers.size() != config.diff_ids.size())
    throw Error(Errc::invalid_content, cat("image ", quoted(name), " has ", manifest->layers.size(),
                                           " layers and ", config.diff_ids.size(), " diff IDs"));
  StoredImage image{.manifest = root,
                    .platform = {.architecture = config.architecture,
                                 .os = config.os,
                                 .os_version = config.os_version,
                                 .variant = config.variant},
                    .config = config.config.value_or(oci::ExecutionConfig{}),
                    .root = RootFs(store)};
  for (std::size_t i = 0; i < manifest->layers.size(); ++i)
    image.root.push({.blob = manifest->layers[i], .diff_id = config.diff_ids[i]});
  return image;
}

}  // namespace lade::build
