#include "libimage/transports/docker_archive_legacy.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/image_config.h"
#include "libimage/oci/json_reader.h"

namespace lade {
namespace {

namespace json = oci::json;

// The limit that Docker had on the layers of an image was 127.
constexpr std::size_t kMaxLegacyLayers = 1'000;
constexpr std::uint64_t kMaxRepositoriesBytes = std::uint64_t{1024} * 1024;

std::string id_of(json::Value& value, const std::string& path) {
  std::string id = json::checked_string(value, path);
  const bool plain = !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (!plain) json::fail(path, "is no layer ID");
  return id;
}

/// What the layer was made by, from its container's command.
oci::HistoryEntry history_of(json::ObjectReader& layer) {
  oci::HistoryEntry entry{.created = layer.string("created"),
                          .author = layer.string("author"),
                          .comment = layer.string("comment")};
  if (json::Value* container = layer.take_set("container_config")) {
    json::ObjectReader reader(*container, layer.path_of("container_config"));
    for (const std::string& word : reader.strings("Cmd")) {
      entry.created_by += cat(entry.created_by.empty() ? "" : " ", word);
    }
  }
  return entry;
}

/// Members that are the layer's own or that an image's config has no place for.
bool belongs_to_layer(std::string_view name) {
  constexpr std::array<std::string_view, 11> kNames = {
      "id",   "parent",  "layer_id",  "parent_id", "container", "container_config",
      "Size", "comment", "throwaway", "rootfs",    "history"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

std::vector<LegacyImage> parse_docker_repositories(std::string_view text) {
  return with_context([] { return kRepositoriesMember; },
                      [&] {
                        json::Value document = json::parse(text, kMaxRepositoriesBytes);
                        auto* repositories = document.as<json::Object>();
                        if (repositories == nullptr) json::fail("", "is not an object");
                        std::map<std::string, std::size_t> positions;
                        std::vector<LegacyImage> images;
                        for (auto& [name, tags] : *repositories) {
                          auto* ids = tags.as<json::Object>();
                          if (ids == nullptr) json::fail(quoted(name), "is not an object");
                          for (auto& [tag, value] : *ids) {
                            std::string id = id_of(value, cat(quoted(name), ".", quoted(tag)));
                            const auto [known, fresh] = positions.try_emplace(id, images.size());
                            if (fresh) images.push_back({.id = std::move(id)});
                            images[known->second].tags.push_back(cat(name, ":", tag));
                          }
                        }
                        return images;
                      });
}

std::string parent_of_legacy_layer(std::string_view text) {
  json::Value document = json::parse(text, oci::kMaxConfigBytes);
  json::ObjectReader reader(document, "");
  json::Value* parent = reader.take_set("parent");
  if (parent == nullptr) return {};
  const auto* empty = parent->as<std::string>();
  return empty != nullptr && empty->empty() ? "" : id_of(*parent, "parent");
}

std::vector<DockerArchiveImage> legacy_images(const ArchiveFile& archive) {
  std::vector<DockerArchiveImage> images;
  for (LegacyImage& legacy :
       parse_docker_repositories(archive.text(kRepositoriesMember, kMaxRepositoriesBytes))) {
    DockerArchiveImage image{.config = {}, .tags = std::move(legacy.tags), .layers = {}};
    std::set<std::string> seen;
    for (std::string id = legacy.id; !id.empty();) {
      if (!seen.insert(id).second || seen.size() > kMaxLegacyLayers) {
        throw Error(Errc::invalid_content, cat("layer ", id, " has itself, or too many, below it"));
      }
      image.layers.push_back(cat(id, "/layer.tar"));
      const std::string text = archive.text(cat(id, "/json"), oci::kMaxConfigBytes);
      id = with_context([&] { return cat("layer ", id); },
                        [&] { return parent_of_legacy_layer(text); });
    }
    std::reverse(image.layers.begin(), image.layers.end());
    images.push_back(std::move(image));
  }
  return images;
}

std::string legacy_config(const std::vector<std::string>& layers,
                          const std::vector<DiffId>& diff_ids) {
  oci::ImageConfig config;
  std::vector<oci::HistoryEntry> history;
  for (const std::string& text : layers) {
    json::Value document = json::parse(text, oci::kMaxConfigBytes);
    json::ObjectReader reader(document, "");
    history.push_back(history_of(reader));
  }
  if (!layers.empty()) {
    json::Value top = json::parse(layers.back(), oci::kMaxConfigBytes);
    auto* members = top.as<json::Object>();
    if (members == nullptr) json::fail("", "is not an object");
    std::erase_if(*members, [](const auto& member) { return belongs_to_layer(member.first); });
    json::Value rootfs{json::Object{{"type", json::Value{std::string("layers")}},
                                    {"diff_ids", json::Value{json::Array{}}}}};
    members->emplace_back("rootfs", std::move(rootfs));
    std::string text;
    json::append_compact(text, top);
    config = oci::parse_image_config(text);
  }
  config.diff_ids = diff_ids;
  config.history = std::move(history);
  return oci::serialise(config);
}

}  // namespace lade
