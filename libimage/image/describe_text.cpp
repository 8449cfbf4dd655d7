#include <algorithm>
#include <cmath>

#include "libimage/base/text.h"
#include "libimage/image/describe.h"
#include "libimage/image/history.h"
#include "libimage/image/tree_text.h"
#include "libimage/oci/json_text.h"

namespace lade::image {
namespace {

std::string json_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    out += cat(out.size() == 1 ? "" : ", ", printable(oci::json_string(item)));
  }
  return out + "]";
}

template <typename Items>
std::string joined(const Items& items) {
  std::string out;
  for (const std::string& item : items) out += cat(out.empty() ? "" : ", ", shown(item));
  return out;
}

void add_detail(Branch& branch, std::string_view name, std::string value,
                Style style = Style::plain) {
  if (value.empty()) return;
  branch.details.push_back({{cat(name, " "), Style::faint}, {std::move(value), style}});
}

void add_map(Branch& branch, std::string_view name,
             const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    add_detail(branch, name, cat(shown(key), "=", shown(value)));
  }
}

void add_config(Branch& branch, const Node& node) {
  if (!node.config) return;
  add_detail(branch, "created", shown(node.config->created));
  add_detail(branch, "author", shown(node.config->author));
  if (!node.config->config) return;
  const oci::ExecutionConfig& config = *node.config->config;
  add_detail(branch, "user", shown(config.user));
  if (config.entrypoint) add_detail(branch, "entrypoint", json_list(*config.entrypoint));
  if (config.cmd) add_detail(branch, "cmd", json_list(*config.cmd));
  add_detail(branch, "workdir", shown(config.working_dir));
  for (const std::string& variable : config.env) add_detail(branch, "env", shown(variable));
  add_detail(branch, "ports", joined(config.exposed_ports));
  add_detail(branch, "volumes", joined(config.volumes));
  add_detail(branch, "stop signal", shown(config.stop_signal));
  if (config.healthcheck) add_detail(branch, "healthcheck", json_list(config.healthcheck->test));
  add_map(branch, "label", config.labels);
}

Branch layer_branch(const LayerLine& layer, std::size_t number, std::size_t images,
                    std::string_view word) {
  Branch out;
  const std::string how = layer.packing.empty() ? layer.codec : layer.packing;
  out.head = {
      {cat(word, " ", number, "  "), Style::plain},
      {padded_left(human_size(layer.descriptor.size), 8), Style::strong},
      {"  ", Style::plain},
      {padded_right(how.empty() ? shown(layer.descriptor.media_type) : how, 8), Style::plain},
      {"  ", Style::plain},
      {layer.descriptor.digest.brief(), Style::faint}};
  if (images > 1) {
    const std::string mark =
        layer.images > 1 ? cat("in ", layer.images, " of ", images, " images") : std::string();
    out.head.push_back({cat("  ", padded_right(mark, 16)), Style::plain});
  }
  if (oci::is_nondistributable(layer.descriptor.media_type)) {
    out.head.push_back({"  nondistributable", Style::warning});
  }
  const std::string title = layer.descriptor.annotation("org.opencontainers.image.title");
  const std::string made_by =
      layer.created_by.empty() ? shown(title) : instruction_of(layer.created_by);
  if (!made_by.empty()) out.head.push_back({cat("  ", made_by), Style::plain});
  return out;
}

std::string_view kind_word(Node::Kind kind) {
  return kind == Node::Kind::other ? "entry" : name_of(kind);
}

Line head_of(const Node& node, bool root) {
  Line out;
  if (!node.platform.empty()) {
    out.push_back({cat(shown(node.platform), "  "), Style::strong});
  }
  if (root || node.platform.empty()) {
    out.push_back({cat(kind_word(node.kind), "  "), Style::strong});
  }
  out.push_back(
      {root ? node.descriptor.digest.str() : node.descriptor.digest.brief(), Style::faint});
  if (node.kind == Node::Kind::index) {
    const std::size_t entries = node.children.size();
    out.push_back({cat("  ", entries, entries == 1 ? " entry" : " entries")});
  } else if (node.config_blob) {
    out.push_back(
        {cat("  ", human_size(node.layer_bytes()), " in ",
             counted(node.layers.size(), node.kind == Node::Kind::image ? "layer" : "blob"))});
    if (node.kind == Node::Kind::image && node.unpacked_bytes()) {
      out.push_back({cat(", ", human_size(*node.unpacked_bytes()), " unpacked")});
    }
  } else {
    out.push_back({cat("  ", human_size(node.descriptor.size))});
  }
  if (!node.tag.empty()) out.push_back({cat("  ", shown(node.tag))});
  if (!node.artifact_type.empty()) out.push_back({cat("  ", shown(node.artifact_type))});
  if (!node.predicates.empty()) out.push_back({cat("  ", joined(node.predicates))});
  return out;
}

void add_base(Branch& branch, const Node& node) {
  if (!node.base) return;
  const BaseImage& base = *node.base;
  std::string text = shown(base.name);
  if (base.digest) text += cat(text.empty() ? "" : " @ ", base.digest->brief());
  if (base.state == BaseImage::State::current) text += " (current)";
  if (base.state == BaseImage::State::moved) text += cat(" (moved: now ", base.now->brief(), ")");
  if (base.state == BaseImage::State::unknown) text += cat(" (unknown: ", shown(base.problem), ")");
  add_detail(branch, "base", std::move(text),
             base.state == BaseImage::State::moved ? Style::warning : Style::plain);
}

Branch provenance_branch(const Provenance& provenance) {
  Branch out{.head = {{"provenance", Style::strong}}};
  add_detail(out, "builder", shown(provenance.builder));
  add_detail(out, "build type", shown(provenance.build_type));
  add_detail(out, "source", shown(provenance.source));
  add_detail(out, "revision", shown(provenance.revision));
  add_detail(out, "file", shown(provenance.entry));
  add_detail(out, "started", shown(provenance.started));
  add_detail(out, "finished", shown(provenance.finished));
  add_map(out, "argument", provenance.arguments);
  for (const Material& material : provenance.materials) {
    std::string text = shown(material.uri);
    for (const auto& [algorithm, digest] : material.digests) {
      text += cat(" ", shown(algorithm), ":", shown(digest));
    }
    add_detail(out, "material", std::move(text));
  }
  return out;
}

Branch sbom_branch(const Sbom& sbom) {
  Branch out{.head = {{cat("sbom  ", counted(sbom.packages.size(), "package")), Style::strong},
                      {cat("  ", shown(sbom.format))}}};
  if (!sbom.tool.empty()) out.head.push_back({cat("  by ", shown(sbom.tool))});
  std::size_t width = 0;
  for (const SbomPackage& package : sbom.packages) {
    width = std::max(width, std::min<std::size_t>(shown(package.name).size(), 40));
  }
  for (const SbomPackage& package : sbom.packages) {
    out.details.push_back({{padded_right(shown(package.name), width), Style::plain},
                           {cat("  ", shown(package.version)), Style::plain},
                           {cat("  ", shown(package.license)), Style::faint}});
  }
  return out;
}

Branch statement_branch(const Statement& statement) {
  if (statement.provenance) return provenance_branch(*statement.provenance);
  if (statement.sbom) return sbom_branch(*statement.sbom);
  Branch out{.head = {{shown(statement.predicate_type), Style::strong}}};
  add_detail(out, "problem", shown(statement.problem), Style::warning);
  return out;
}

/// What is printed of all nodes.
struct Scope {
  std::size_t images = 0;                  ///< in the whole description
  const std::string* only_full = nullptr;  ///< TextOptions::only_full
};

Branch branch_of(const Node& node, const Scope& scope, bool root);

void add_attached(Branch& out, const Node& node, const Scope& scope) {
  for (const Statement& statement : node.statements) {
    out.children.push_back(statement_branch(statement));
  }
  for (const Node& child : node.attestations) {
    out.children.push_back(branch_of(child, scope, false));
  }
  if (!node.referrers) return;
  for (const Node& referrer : *node.referrers) {
    Branch branch = branch_of(referrer, scope, false);
    const std::string_view role = role_of(referrer);
    if (referrer.kind == Node::Kind::artifact && !role.empty()) {
      branch.head.front() = {cat(role, "  "), Style::strong};
    }
    branch.head.insert(branch.head.begin(), {"referrer: "});
    out.children.push_back(std::move(branch));
  }
}

/// An image of many: one line, with how much is attached to it.
void add_summary_of(Branch& out, const Node& node) {
  const std::size_t attached =
      node.attestations.size() + (node.referrers ? node.referrers->size() : 0);
  if (attached > 0) out.head.push_back({cat("  ", attached, " attached"), Style::faint});
  if (node.base && node.base->state == BaseImage::State::moved) {
    out.head.push_back({"  base moved", Style::warning});
  }
}

Branch branch_of(const Node& node, const Scope& scope, bool root) {
  Branch out{.head = head_of(node, root)};
  if (root) add_detail(out, "media type", shown(node.descriptor.media_type));
  add_detail(out, "problem", shown(node.problem), Style::warning);
  if (!root && node.kind == Node::Kind::image && scope.only_full != nullptr &&
      node.platform != *scope.only_full) {
    add_summary_of(out, node);
    return out;
  }
  if (node.subject) add_detail(out, "subject", node.subject->str());
  if (node.kind == Node::Kind::image || node.kind == Node::Kind::index) {
    if (node.descriptor.annotations) add_map(out, "entry annotation", *node.descriptor.annotations);
    add_map(out, "annotation", node.annotations);
  }
  add_base(out, node);
  if (node.kind == Node::Kind::image && node.config_blob) {
    add_detail(out, "config",
               cat(node.config_blob->digest.brief(), "  ", human_size(node.config_blob->size)));
  }
  add_config(out, node);
  if (node.kind == Node::Kind::image || (root && node.kind != Node::Kind::index)) {
    const std::string_view word = node.kind == Node::Kind::image ? "layer" : "blob";
    for (std::size_t i = 0; i < node.layers.size(); ++i) {
      out.children.push_back(layer_branch(node.layers[i], i + 1, scope.images, word));
    }
  }
  for (const Node& child : node.children) out.children.push_back(branch_of(child, scope, false));
  add_attached(out, node, scope);
  return out;
}

/// "copy to X: 12.3 MB in 4 blobs to move, 1.0 MB mounted, 56 MB there already"
std::string against_line(const CopyCost& cost) {
  std::string out = cat("copy to ", shown(cost.destination), ": ", human_size(cost.bytes_to_move),
                        " to move in ", counted(cost.blobs_to_move, "blob"));
  if (cost.blobs_to_mount > 0) out += cat(", ", human_size(cost.bytes_to_mount), " to mount");
  return cat(out, ", ", human_size(cost.bytes_existing), " there already");
}

/// "2 images, 6 layers of 89.0 MB; stored once each: 5 layers of 60.1 MB, 32 % less"
std::string summary(const Totals& totals) {
  std::string out = cat(counted(totals.images, "image"), ", ", counted(totals.layers, "layer"),
                        " of ", human_size(totals.layer_bytes));
  if (totals.unique_layers < totals.layers && totals.layer_bytes > 0) {
    const double share = 1.0 - static_cast<double>(totals.unique_layer_bytes) /
                                   static_cast<double>(totals.layer_bytes);
    out += cat("; stored once each: ", counted(totals.unique_layers, "layer"), " of ",
               human_size(totals.unique_layer_bytes), ", ", std::lround(share * 100.0), " % less");
  }
  if (totals.problems > 0) out += cat("; ", counted(totals.problems, "problem"));
  return out;
}

}  // namespace

std::string to_text(const Description& description, const TextOptions& options) {
  const TreeStyle style{.width = options.width, .colour = options.colour, .ascii = options.ascii};
  const Scope scope{.images = description.totals.images,
                    .only_full = options.only_full ? &*options.only_full : nullptr};
  Branch root = branch_of(description.root, scope, true);
  std::vector<Line> first;
  if (!description.name.empty()) {
    first.push_back({{"name ", Style::faint}, {shown(description.name), Style::plain}});
  }
  if (description.tags) {
    std::string tags = description.tags->empty() ? "none" : joined(*description.tags);
    if (description.tags_left_out > 0) {
      tags += cat(" (", description.tags_left_out, " further tags were not asked for)");
    }
    first.push_back({{"tags ", Style::faint}, {std::move(tags), Style::plain}});
  }
  root.details.insert(root.details.begin(), first.begin(), first.end());
  std::string out;
  append_tree(out, root, style);
  if (description.totals.images > 0) append_line(out, {{summary(description.totals)}}, style);
  if (description.against) append_line(out, {{against_line(*description.against)}}, style);
  if (options.only_full) {
    append_line(out,
                {{cat("layers of ", shown(*options.only_full), " alone are shown: --all shows all"),
                  Style::faint}},
                style);
  }
  return out;
}

}  // namespace lade::image
