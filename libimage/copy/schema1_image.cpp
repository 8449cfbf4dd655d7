#include "libimage/copy/schema1_image.h"

#include <map>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/schema1.h"
#include "libimage/task/run_graph.h"

namespace lade {
namespace {

using oci::Descriptor;

/// As many first bytes as any codec's magic needs.
constexpr std::size_t kMagicBytes = 6;

struct ReadLayer {
  Descriptor blob;
  DiffId diff_id;
};

ReadLayer read_layer(const Digest& digest, Reader& source) {
  const std::optional<std::uint64_t> size = source.size_of(digest);
  if (!size) throw Error(Errc::not_found, "the source does not have it, or cannot tell its size");
  Descriptor blob{
      .media_type = std::string(oci::kDockerLayerGzip), .digest = digest, .size = *size};
  auto stored = std::make_unique<PeekableSource>(source.open(blob));
  const Codec& codec = codec_of(stored->peek(kMagicBytes));
  blob.media_type = oci::layer_media_type(oci::Family::docker, codec.name);
  const std::unique_ptr<Source> plain = codec.decompress_from(*stored, {});
  HashingSource hashed(*plain);
  drain(hashed);
  return {.blob = std::move(blob), .diff_id = {hashed.digest()}};
}

}  // namespace

Schema1Image convert_schema1(const oci::Document& document, Reader& source,
                             const CopyOptions& options) {
  const oci::Schema1 schema1 = oci::parse_schema1(document.raw);
  const std::vector<Digest> blobs = schema1.blobs();
  const ReadLayer unread{.blob = {.digest = document.descriptor.digest},
                         .diff_id = {document.descriptor.digest}};
  std::map<Digest, ReadLayer> layers;
  for (const Digest& digest : blobs) layers.emplace(digest, unread);
  std::vector<std::map<Digest, ReadLayer>::iterator> wanted;
  for (auto layer = layers.begin(); layer != layers.end(); ++layer) wanted.push_back(layer);
  parallel_for(wanted.size(), options.jobs, [&](std::size_t i) {
    const Digest& digest = wanted[i]->first;
    with_context([&] { return cat("layer ", digest.str(), " of a schema 1 manifest"); },
                 [&] {
                   with_retries(options.retry, {}, {},
                                [&] { wanted[i]->second = read_layer(digest, source); });
                 });
  });
  oci::Manifest manifest{.media_type = std::string(oci::kDockerManifest),
                         .config = {.digest = document.descriptor.digest}};
  std::vector<DiffId> diff_ids;
  for (const Digest& digest : blobs) {
    const ReadLayer& layer = layers.at(digest);
    manifest.layers.push_back(layer.blob);
    diff_ids.push_back(layer.diff_id);
  }
  std::string config = oci::schema1_config(schema1, diff_ids);
  manifest.config = oci::describe(std::string(oci::kDockerConfig), config);
  std::string raw = oci::serialise(manifest);
  Descriptor descriptor = oci::describe(manifest.media_type, raw);
  return {.manifest = {std::move(descriptor), std::move(raw), std::move(manifest)},
          .config = std::move(config)};
}

}  // namespace lade
