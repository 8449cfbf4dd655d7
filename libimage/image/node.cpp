#include "libimage/image/node.h"

#include <algorithm>
#include <limits>

#include "libimage/base/text.h"
#include "libimage/name/platform.h"

namespace lade::image {
namespace {

constexpr const char* kReferenceType = "vnd.docker.reference.type";

std::string packing_of(const oci::Descriptor& layer) {
  if (!layer.annotation("containerd.io/snapshot/stargz/toc.digest").empty()) return "estargz";
  for (const char* key : {"io.github.containers.zstd-chunked.manifest-checksum",
                          "io.containers.zstd-chunked.manifest-checksum"}) {
    if (!layer.annotation(key).empty()) return "zstd:chunked";
  }
  return {};
}

std::optional<std::uint64_t> unpacked_size(const oci::Descriptor& layer) {
  if (oci::layer_codec(layer.media_type) == "identity") return layer.size;
  return parse_decimal(layer.annotation("io.containers.estargz.uncompressed-size"));
}

}  // namespace

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) noexcept {
  return a > std::numeric_limits<std::uint64_t>::max() - b
             ? std::numeric_limits<std::uint64_t>::max()
             : a + b;
}

std::string platform_text(const oci::Platform& platform) {
  if (platform.os.empty() || platform.architecture.empty()) return {};
  if (platform.os == "unknown" && platform.architecture == "unknown") return {};
  return oci::to_string(normalised(platform));
}

void match_history(Node& node) {
  if (!node.config) return;
  const auto makes_layer = [](const oci::HistoryEntry& entry) { return !entry.empty_layer; };
  const auto& history = node.config->history;
  const auto count = std::count_if(history.begin(), history.end(), makes_layer);
  if (static_cast<std::size_t>(count) != node.layers.size()) return;
  auto layer = node.layers.begin();
  for (const oci::HistoryEntry& entry : history) {
    if (!makes_layer(entry)) continue;
    layer->created_by = entry.created_by;
    layer->created = entry.created;
    ++layer;
  }
}

void take_manifest(Node& node, const oci::Manifest& manifest) {
  const bool attestation =
      node.descriptor.annotation(kReferenceType) == "attestation-manifest" ||
      (node.descriptor.platform && node.descriptor.platform->os == "unknown" &&
       std::any_of(manifest.layers.begin(), manifest.layers.end(),
                   [](const auto& layer) { return !layer.annotation(kPredicateType).empty(); }));
  node.kind = attestation                                        ? Node::Kind::attestation
              : oci::is_image_config(manifest.config.media_type) ? Node::Kind::image
                                                                 : Node::Kind::artifact;
  node.artifact_type = manifest.artifact_type;
  if (node.kind == Node::Kind::artifact && node.artifact_type.empty()) {
    node.artifact_type = manifest.config.media_type;  // image-spec manifest.md, "artifactType"
  }
  if (manifest.subject) node.subject = manifest.subject->digest;
  node.annotations = manifest.annotations.value_or(oci::Annotations());
  node.base = base_of(node.annotations);
  if (!node.base && node.descriptor.annotations) node.base = base_of(*node.descriptor.annotations);
  node.config_blob = manifest.config;
  for (const oci::Descriptor& layer : manifest.layers) {
    node.layers.push_back({.descriptor = layer,
                           .codec = std::string(oci::layer_codec(layer.media_type)),
                           .packing = packing_of(layer),
                           .unpacked = unpacked_size(layer)});
    if (std::string predicate = layer.annotation(kPredicateType); !predicate.empty()) {
      node.predicates.push_back(std::move(predicate));
    }
  }
}

Node::Kind kind_by_descriptor(const oci::Descriptor& descriptor) {
  if (oci::is_index(descriptor.media_type)) return Node::Kind::index;
  if (!oci::is_manifest(descriptor.media_type)) return Node::Kind::other;
  return descriptor.annotation(kReferenceType) == "attestation-manifest" ? Node::Kind::attestation
                                                                         : Node::Kind::image;
}

void take_index(Node& node, const oci::Index& index) {
  node.kind = Node::Kind::index;
  node.artifact_type = index.artifact_type;
  if (index.subject) node.subject = index.subject->digest;
  node.annotations = index.annotations.value_or(oci::Annotations());
  for (const oci::Descriptor& entry : index.manifests) {
    node.children.push_back({.kind = kind_by_descriptor(entry), .descriptor = entry});
    if (entry.platform) node.children.back().platform = platform_text(*entry.platform);
  }
}

unsigned jobs_of(const Reader& reader, const DescribeOptions& options) {
  return reader.origin() ? options.jobs : 1;
}

std::vector<Node*> images_of(Node& root) {
  std::vector<Node*> out;
  visit_nodes(root, [&](Node& node) {
    if (node.kind == Node::Kind::image && node.config_blob) out.push_back(&node);
  });
  return out;
}

void add_referrers(Node& node, std::vector<Node*>& out) {
  if (!node.referrers) return;
  for (Node& referrer : *node.referrers) {
    out.push_back(&referrer);
    add_referrers(referrer, out);
  }
}

std::uint64_t Node::layer_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const LayerLine& layer : layers) sum = add_saturating(sum, layer.descriptor.size);
  return sum;
}

std::optional<std::uint64_t> Node::unpacked_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const LayerLine& layer : layers) {
    if (!layer.unpacked) return std::nullopt;
    sum = add_saturating(sum, *layer.unpacked);
  }
  return sum;
}

std::string_view role_of(const Node& node) noexcept {
  const auto holds = [](std::string_view text, std::string_view word) {
    return text.find(word) != std::string_view::npos;
  };
  if (node.tag.ends_with(".sig") || holds(node.artifact_type, "cosign.artifact.sig") ||
      holds(node.artifact_type, "cncf.notary.signature")) {
    return "signature";
  }
  if (node.tag.ends_with(".sbom")) return "sbom";
  std::string_view role;
  const auto look = [&](std::string_view type) {
    const Statement::Kind kind = statement_kind(type);
    if (kind == Statement::Kind::provenance) role = "provenance";
    if (kind == Statement::Kind::sbom && role.empty()) role = "sbom";
  };
  look(node.artifact_type);
  for (const std::string& predicate : node.predicates) look(predicate);
  for (const Statement& statement : node.statements) look(statement.predicate_type);
  if (!role.empty()) return role;
  return node.kind == Node::Kind::attestation || node.tag.ends_with(".att") ||
                 holds(node.artifact_type, "in-toto") ||
                 holds(node.artifact_type, "sigstore.bundle")
             ? "attestation"
             : "";
}

}  // namespace lade::image
