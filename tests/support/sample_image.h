/// A small image of two plain layers, written into any store.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/document.h"
#include "libimage/oci/image_config.h"
#include "libimage/store/store.h"

namespace lade::testing {

/// A tar of one file `name` with `content`, as a layer has it.
inline std::string small_tar(const std::string& name, std::string_view content) {
  const auto octal = [](std::uint64_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
    return text;
  };
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 7, "0000644");
  block.replace(108, 7, "0000000");
  block.replace(116, 7, "0000000");
  block.replace(124, 11, octal(content.size(), 11));
  block.replace(136, 11, "00000000000");
  block.replace(148, 8, "        ");
  block[156] = '0';
  block.replace(257, 8, std::string_view("ustar\00000", 8));
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(148, 8, octal(sum, 6) + std::string("\0 ", 2));
  std::string tar = block + std::string(content);
  tar.resize((tar.size() + 511) / 512 * 512 + 1024, '\0');
  return tar;
}

inline oci::Descriptor put_blob(Writer& writer, const std::string& media_type,
                                std::string_view bytes) {
  const auto blob = writer.start_blob({});
  blob->write(bytes_of(bytes));
  return blob->commit(media_type);
}

struct SampleImage {
  std::vector<std::string> layers;
  std::string config;
  std::string manifest;
  oci::Descriptor descriptor;
};

/// The image's contents follow from `seed` alone.
inline SampleImage sample_image(std::string_view seed, oci::Family family) {
  const bool docker = family == oci::Family::docker;
  SampleImage image{
      .layers = {small_tar("base", cat("base of ", seed)), small_tar("top", cat("top of ", seed))},
      .config = {},
      .manifest = {},
      .descriptor = oci::describe("", "")};
  oci::ImageConfig config;
  config.architecture = "amd64";
  config.os = "linux";
  config.config.emplace().env = {cat("SEED=", seed)};
  oci::Manifest manifest{
      .media_type = std::string(docker ? oci::kDockerManifest : oci::kImageManifest),
      .config = oci::describe("", "")};
  for (const std::string& layer : image.layers) {
    manifest.layers.push_back(oci::describe(layer_media_type(family, "identity"), layer));
    config.diff_ids.push_back(DiffId{manifest.layers.back().digest});
  }
  image.config = oci::serialise(config);
  manifest.config =
      oci::describe(std::string(docker ? oci::kDockerConfig : oci::kImageConfig), image.config);
  image.manifest = oci::serialise(manifest);
  image.descriptor = oci::describe(manifest.media_type, image.manifest);
  return image;
}

/// Blobs, then the manifest; no name.
inline void write_image(Writer& writer, const SampleImage& image) {
  const oci::Manifest manifest = oci::parse_manifest(image.manifest);
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    (void)put_blob(writer, manifest.layers[i].media_type, image.layers[i]);
  }
  (void)put_blob(writer, manifest.config.media_type, image.config);
  writer.put_manifest(image.descriptor, image.manifest);
}

inline std::string read_blob(Reader& reader, const oci::Descriptor& blob) {
  const auto source = reader.open(blob);
  return read_all(*source, std::uint64_t{64} * 1024 * 1024, "blob");
}

}  // namespace lade::testing
