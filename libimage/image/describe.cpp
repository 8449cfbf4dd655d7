#include "libimage/image/describe.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/task/run_graph.h"

namespace lade::image {
namespace {

constexpr const char* kReferenceType = "vnd.docker.reference.type";
constexpr const char* kReferenceDigest = "vnd.docker.reference.digest";
constexpr const char* kPredicateType = "in-toto.io/predicate-type";

std::uint64_t add_saturating(std::uint64_t a, std::uint64_t b) noexcept {
  return a > std::numeric_limits<std::uint64_t>::max() - b
             ? std::numeric_limits<std::uint64_t>::max()
             : a + b;
}

/// True for failures that belong to the content, so that the rest can still be described.
bool is_problem_of_content(Errc code) {
  switch (code) {
    case Errc::not_found:
    case Errc::invalid_content:
    case Errc::unsupported:
    case Errc::digest_mismatch:
    case Errc::size_mismatch:
    case Errc::limit_exceeded:
      return true;
    default:
      return false;
  }
}

template <typename Body>
void noting_problem(Node& node, Body&& body) {
  try {
    body();
  } catch (const Error& e) {
    if (!is_problem_of_content(e.code())) throw;
    node.problem = e.what();
  }
}

std::string platform_text(const oci::Platform& platform) {
  if (platform.os.empty() || platform.architecture.empty()) return {};
  if (platform.os == "unknown" && platform.architecture == "unknown") return {};
  return oci::to_string(normalised(platform));
}

std::string packing_of(const oci::Descriptor& layer) {
  if (!layer.annotation("containerd.io/snapshot/stargz/toc.digest").empty()) return "estargz";
  for (const char* key : {"io.github.containers.zstd-chunked.manifest-checksum",
                          "io.containers.zstd-chunked.manifest-checksum"}) {
    if (!layer.annotation(key).empty()) return "zstd:chunked";
  }
  return {};
}

/// Gives each layer the history entry that made it, if the numbers agree.
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
  node.config_blob = manifest.config;
  for (const oci::Descriptor& layer : manifest.layers) {
    node.layers.push_back({.descriptor = layer,
                           .codec = std::string(oci::layer_codec(layer.media_type)),
                           .packing = packing_of(layer)});
    if (std::string predicate = layer.annotation(kPredicateType); !predicate.empty()) {
      node.predicates.push_back(std::move(predicate));
    }
  }
}

/// What a descriptor says of its document, should that not be readable.
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

class Describer {
 public:
  Describer(Reader& reader, const DescribeOptions& options) : reader_(reader), options_(options) {}

  Node read_tree(const oci::Descriptor& root) {
    Node out{.kind = kind_by_descriptor(root), .descriptor = root};
    read_document(out);
    std::vector<Node*> level = children_of({&out});
    for (std::size_t depth = 1; !level.empty(); ++depth) {
      if (depth > oci::kMaxIndexDepth) {
        throw Error(Errc::limit_exceeded,
                    cat("indexes nested deeper than ", oci::kMaxIndexDepth, " levels"));
      }
      for (const Node* node : level) {
        reserve(is_read(*node) ? node->descriptor.size : 0, oci::kMaxManifestBytes);
      }
      for_each(level, [this](Node& node) { noting_problem(node, [&] { read_document(node); }); });
      level = children_of(level);
    }
    return out;
  }

  void read_configs(const std::vector<Node*>& images) {
    for (const Node* image : images) reserve(image->config_blob->size, oci::kMaxConfigBytes);
    for_each(images,
             [this](Node& image) { noting_problem(image, [&] { read_image_config(image); }); });
  }

  void read_referrers(const std::vector<Node*>& nodes) {
    for_each(nodes, [this](Node& node) { find_referrers(node); });
  }

 private:
  static std::vector<Node*> children_of(const std::vector<Node*>& nodes) {
    std::vector<Node*> out;
    for (Node* node : nodes) {
      for (Node& child : node->children) out.push_back(&child);
    }
    return out;
  }

  void for_each(const std::vector<Node*>& nodes, const std::function<void(Node&)>& run) {
    parallel_for(
        nodes.size(), options_.jobs, [&](std::size_t i) { run(*nodes[i]); }, options_.stop);
  }

  /// What is neither manifest nor index may be anything of any size: it is named, not read.
  static bool is_read(const Node& node) {
    const oci::MediaType& type = node.descriptor.media_type;
    return type.empty() || oci::is_manifest(type) || oci::is_index(type);
  }

  /// Counts what is about to be read. More than `limit` bytes are refused by their reader, not
  /// read.
  void reserve(std::uint64_t size, std::uint64_t limit) {
    if (size <= limit) bytes_ += size;
    if (++documents_ > kMaxDescribedDocuments || bytes_ > kMaxDescribedBytes) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDescribedDocuments, " documents or ",
                                            kMaxDescribedBytes, " bytes of them to describe"));
    }
  }

  void read_document(Node& node) {
    if (!is_read(node)) {
      node.artifact_type = node.descriptor.artifact_type;
      return;
    }
    const oci::Document document = reader_.document(node.descriptor);
    if (node.descriptor.media_type.empty()) {
      node.descriptor.media_type = document.descriptor.media_type;
    }
    if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
      take_manifest(node, *manifest);
    } else if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
      take_index(node, *index);
    }
  }

  void read_image_config(Node& image) {
    oci::Manifest manifest{.config = *image.config_blob};
    for (const LayerLine& layer : image.layers) manifest.layers.push_back(layer.descriptor);
    image.config = read_config(reader_, manifest);
    if (image.platform.empty()) image.platform = platform_text(image.config->platform());
    match_history(image);
  }

  /// By the referrers list, and by the tags that cosign has used from before there was one.
  void find_referrers(Node& node) {
    if (const auto found = reader_.referrers(node.descriptor.digest)) {
      node.referrers.emplace();
      for (const oci::Descriptor& referrer : *found) {
        node.referrers->push_back({.kind = Node::Kind::artifact,
                                   .descriptor = referrer,
                                   .artifact_type = referrer.artifact_type});
      }
    }
    const Digest& digest = node.descriptor.digest;
    for (const std::string_view suffix : {".sig", ".att", ".sbom"}) {
      const Tag tag{cat(digest.algorithm(), "-", digest.encoded(), suffix)};
      if (!is_tag(tag.value)) continue;
      const auto found = reader_.resolve(tag);
      if (!found) continue;
      if (!node.referrers) node.referrers.emplace();
      node.referrers->push_back(
          {.kind = Node::Kind::artifact, .descriptor = *found, .tag = tag.value});
    }
  }

  Reader& reader_;
  const DescribeOptions& options_;
  std::size_t documents_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Moves attestations of an index under the siblings that they speak of; those that speak of none
/// stay where they are.
void fold_attestations(Node& index) {
  std::vector<Node> kept;
  std::vector<Node> attestations;
  for (Node& child : index.children) {
    fold_attestations(child);
    (child.kind == Node::Kind::attestation ? attestations : kept).push_back(std::move(child));
  }
  std::map<std::string, std::size_t> position;
  for (std::size_t i = 0; i < kept.size(); ++i)
    position.emplace(kept[i].descriptor.digest.str(), i);
  for (Node& attestation : attestations) {
    const auto about = position.find(attestation.descriptor.annotation(kReferenceDigest));
    if (about == position.end()) {
      kept.push_back(std::move(attestation));
    } else {
      kept[about->second].attestations.push_back(std::move(attestation));
    }
  }
  index.children = std::move(kept);
}

template <typename Visit>
void visit_nodes(Node& node, const Visit& visit) {
  visit(node);
  for (Node& child : node.children) visit_nodes(child, visit);
  for (Node& attestation : node.attestations) visit_nodes(attestation, visit);
}

/// The images whose manifests could be read.
std::vector<Node*> images_of(Node& root) {
  std::vector<Node*> out;
  visit_nodes(root, [&](Node& node) {
    if (node.kind == Node::Kind::image && node.config_blob) out.push_back(&node);
  });
  return out;
}

Totals totals_of(Node& root, const std::vector<Node*>& images) {
  std::map<Digest, std::size_t> holders;
  Totals out;
  for (const Node* image : images) {
    std::set<Digest> own;
    for (const LayerLine& layer : image->layers) own.insert(layer.descriptor.digest);
    for (const Digest& digest : own) ++holders[digest];
  }
  std::set<Digest> seen;
  for (Node* image : images) {
    ++out.images;
    for (LayerLine& layer : image->layers) {
      layer.images = holders[layer.descriptor.digest];
      ++out.layers;
      out.layer_bytes = add_saturating(out.layer_bytes, layer.descriptor.size);
      if (!seen.insert(layer.descriptor.digest).second) continue;
      ++out.unique_layers;
      out.unique_layer_bytes = add_saturating(out.unique_layer_bytes, layer.descriptor.size);
    }
  }
  visit_nodes(root, [&](const Node& node) { out.problems += node.problem.empty() ? 0 : 1; });
  return out;
}

}  // namespace

std::uint64_t Node::layer_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const LayerLine& layer : layers) sum = add_saturating(sum, layer.descriptor.size);
  return sum;
}

Description describe(Reader& reader, const oci::Descriptor& root, const DescribeOptions& options) {
  Describer describer(reader, options);
  Description out{.root = describer.read_tree(root), .totals = {}};
  fold_attestations(out.root);
  std::vector<Node*> images = images_of(out.root);
  describer.read_configs(images);
  if (options.referrers) {
    std::vector<Node*> subjects = images;
    if (out.root.kind != Node::Kind::image) subjects.insert(subjects.begin(), &out.root);
    describer.read_referrers(subjects);
  }
  out.totals = totals_of(out.root, images);
  return out;
}

}  // namespace lade::image
