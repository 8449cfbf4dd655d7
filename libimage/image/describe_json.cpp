#include "libimage/base/text.h"
#include "libimage/image/describe.h"
#include "libimage/oci/json_text.h"

namespace lade::image {
namespace {

/// One object, members in the order of the calls; empty values are left out.
class Members {
 public:
  void raw(std::string_view name, std::string_view json) {
    out_ += cat(out_.empty() ? "{" : ",", oci::json_string(name), ":", json);
  }
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) raw(name, oci::json_string(value));
  }
  void number(std::string_view name, std::uint64_t value) { raw(name, cat(value)); }
  template <typename Items, typename ToJson>
  void list(std::string_view name, const Items& items, const ToJson& to_json_text) {
    if (items.empty()) return;
    std::string array;
    for (const auto& item : items) array += cat(array.empty() ? "[" : ",", to_json_text(item));
    raw(name, array + "]");
  }
  template <typename Items>
  void texts(std::string_view name, const Items& items) {
    list(name, items, [](const std::string& item) { return oci::json_string(item); });
  }
  void map(std::string_view name, const std::map<std::string, std::string>& entries) {
    if (entries.empty()) return;
    Members inner;
    for (const auto& [key, value] : entries) inner.raw(key, oci::json_string(value));
    raw(name, inner.finish());
  }
  std::string finish() { return out_.empty() ? "{}" : out_ + "}"; }

 private:
  std::string out_;
};

std::string healthcheck_json(const oci::Healthcheck& healthcheck) {
  Members out;
  const auto number = [&](std::string_view name, std::int64_t value) {
    if (value != 0) out.raw(name, cat(value));
  };
  out.texts("test", healthcheck.test);
  number("interval", healthcheck.interval);
  number("timeout", healthcheck.timeout);
  number("startPeriod", healthcheck.start_period);
  number("startInterval", healthcheck.start_interval);
  number("retries", healthcheck.retries);
  return out.finish();
}

void add_execution(Members& out, const oci::ExecutionConfig& config) {
  const std::vector<std::string> none;
  out.text("user", config.user);
  out.texts("entrypoint", config.entrypoint.value_or(none));
  out.texts("cmd", config.cmd.value_or(none));
  out.texts("env", config.env);
  out.text("workingDir", config.working_dir);
  out.texts("exposedPorts", config.exposed_ports);
  out.texts("volumes", config.volumes);
  out.map("labels", config.labels);
  out.text("stopSignal", config.stop_signal);
  if (config.healthcheck) out.raw("healthcheck", healthcheck_json(*config.healthcheck));
  out.texts("shell", config.shell.value_or(none));
  out.texts("onBuild", config.on_build.value_or(none));
}

std::string config_json(const Node& node) {
  Members out;
  out.text("digest", node.config_blob->digest.str());
  out.number("size", node.config_blob->size);
  out.text("mediaType", node.config_blob->media_type);
  if (node.config) {
    out.text("created", node.config->created);
    out.text("author", node.config->author);
    if (node.config->config) add_execution(out, *node.config->config);
  }
  return out.finish();
}

std::string layer_json(const LayerLine& layer) {
  Members out;
  out.text("digest", layer.descriptor.digest.str());
  out.number("size", layer.descriptor.size);
  out.text("mediaType", layer.descriptor.media_type);
  out.text("codec", layer.codec);
  out.text("packing", layer.packing);
  out.text("createdBy", layer.created_by);
  out.text("created", layer.created);
  if (layer.images > 0) out.number("images", layer.images);
  if (layer.unpacked) out.number("unpackedBytes", *layer.unpacked);
  out.texts("urls", layer.descriptor.urls);
  out.map("annotations", layer.descriptor.annotations.value_or(oci::Annotations()));
  return out.finish();
}

std::string totals_json(const Totals& totals) {
  Members out;
  out.number("images", totals.images);
  out.number("layers", totals.layers);
  out.number("uniqueLayers", totals.unique_layers);
  out.number("layerBytes", totals.layer_bytes);
  out.number("uniqueLayerBytes", totals.unique_layer_bytes);
  out.number("problems", totals.problems);
  return out.finish();
}

std::string base_json(const BaseImage& base) {
  Members out;
  out.text("name", base.name);
  if (base.digest) out.text("digest", base.digest->str());
  out.text("source", name_of(base.source));
  out.text("state", name_of(base.state));
  if (base.now) out.text("now", base.now->str());
  out.text("problem", base.problem);
  return out.finish();
}

std::string provenance_json(const Provenance& provenance) {
  Members out;
  out.text("builder", provenance.builder);
  out.text("buildType", provenance.build_type);
  out.text("source", provenance.source);
  out.text("revision", provenance.revision);
  out.text("entry", provenance.entry);
  out.text("started", provenance.started);
  out.text("finished", provenance.finished);
  out.map("arguments", provenance.arguments);
  out.list("materials", provenance.materials, [](const Material& material) {
    Members one;
    one.text("uri", material.uri);
    one.map("digest", material.digests);
    return one.finish();
  });
  return out.finish();
}

std::string sbom_json(const Sbom& sbom) {
  Members out;
  out.text("format", sbom.format);
  out.text("tool", sbom.tool);
  out.list("packages", sbom.packages, [](const SbomPackage& package) {
    Members one;
    one.text("name", package.name);
    one.text("version", package.version);
    one.text("license", package.license);
    one.text("purl", package.purl);
    return one.finish();
  });
  return out.finish();
}

std::string statement_json(const Statement& statement) {
  Members out;
  out.text("predicateType", statement.predicate_type);
  out.text("digest", statement.blob.digest.str());
  out.number("size", statement.blob.size);
  if (statement.provenance) out.raw("provenance", provenance_json(*statement.provenance));
  if (statement.sbom) out.raw("sbom", sbom_json(*statement.sbom));
  if (!statement.predicate.empty()) out.raw("predicate", statement.predicate);
  out.text("problem", statement.problem);
  return out.finish();
}

std::string against_json(const CopyCost& cost) {
  Members out;
  out.text("destination", cost.destination);
  out.number("bytesToMove", cost.bytes_to_move);
  out.number("bytesToMount", cost.bytes_to_mount);
  out.number("bytesExisting", cost.bytes_existing);
  out.number("blobsToMove", cost.blobs_to_move);
  out.number("blobsToMount", cost.blobs_to_mount);
  out.number("blobsExisting", cost.blobs_existing);
  return out.finish();
}

std::string node_json(const Node& node);

void add_node(Members& out, const Node& node) {
  out.text("kind", name_of(node.kind));
  out.text("mediaType", node.descriptor.media_type);
  out.text("digest", node.descriptor.digest.str());
  out.number("size", node.descriptor.size);
  out.text("platform", node.platform);
  out.text("role", role_of(node));
  out.text("tag", node.tag);
  out.text("artifactType", node.artifact_type);
  if (node.subject) out.text("subject", node.subject->str());
  out.map("entryAnnotations", node.descriptor.annotations.value_or(oci::Annotations()));
  out.map("annotations", node.annotations);
  if (node.config_blob) out.raw("config", config_json(node));
  if (node.base) out.raw("base", base_json(*node.base));
  out.list("layers", node.layers, layer_json);
  if (!node.layers.empty()) {
    out.number("layerBytes", node.layer_bytes());
    if (const auto unpacked = node.unpacked_bytes()) out.number("unpackedBytes", *unpacked);
  }
  out.texts("predicates", node.predicates);
  out.list("statements", node.statements, statement_json);
  out.list("manifests", node.children, node_json);
  out.list("attestations", node.attestations, node_json);
  if (node.referrers) out.list("referrers", *node.referrers, node_json);
  out.text("problem", node.problem);
}

std::string node_json(const Node& node) {
  Members out;
  add_node(out, node);
  return out.finish();
}

}  // namespace

std::string_view name_of(Node::Kind kind) noexcept {
  switch (kind) {
    case Node::Kind::image:
      return "image";
    case Node::Kind::index:
      return "index";
    case Node::Kind::attestation:
      return "attestation";
    case Node::Kind::artifact:
      return "artifact";
    case Node::Kind::other:
      break;
  }
  return "other";
}

std::string to_json(const Description& description) {
  Members out;
  out.text("name", description.name);
  add_node(out, description.root);
  if (description.tags) out.texts("tags", *description.tags);
  if (description.tags_left_out > 0) out.number("tagsLeftOut", description.tags_left_out);
  if (description.against) out.raw("against", against_json(*description.against));
  out.raw("totals", totals_json(description.totals));
  return out.finish();
}

}  // namespace lade::image
