#include "libimage/transports/docker_archive_manifest.h"

#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_text.h"

namespace lade {
namespace {

namespace json = oci::json;

std::string list_of(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    out += cat(out.size() > 1 ? "," : "", oci::json_string(item));
  }
  return out + "]";
}

}  // namespace

std::vector<DockerArchiveImage> parse_docker_archive_manifest(std::string_view text) {
  return with_context(
      [] { return "manifest.json"; },
      [&] {
        json::Value document = json::parse(text, kMaxDockerArchiveManifestBytes);
        std::vector<DockerArchiveImage> images;
        json::Array& items = json::array_of(document, "images", oci::kMaxDescriptors);
        for (std::size_t i = 0; i < items.size(); ++i) {
          json::ObjectReader reader(items[i], json::element("", i));
          DockerArchiveImage image{.config = json::checked_string(reader.take_required("Config"),
                                                                  reader.path_of("Config")),
                                   .tags = reader.strings("RepoTags"),
                                   .layers = reader.strings("Layers")};
          if (image.layers.size() > oci::kMaxDescriptors) {
            json::fail(reader.path_of("Layers"), "has too many items");
          }
          images.push_back(std::move(image));
        }
        return images;
      });
}

std::string serialise(const std::vector<DockerArchiveImage>& images) {
  std::string out = "[";
  for (const DockerArchiveImage& image : images) {
    out += cat(out.size() > 1 ? "," : "", R"({"Config":)", oci::json_string(image.config),
               R"(,"RepoTags":)", list_of(image.tags), R"(,"Layers":)", list_of(image.layers), "}");
  }
  return out + "]";
}

}  // namespace lade
