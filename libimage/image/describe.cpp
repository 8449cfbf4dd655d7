#include "libimage/image/describe.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/node.h"
#include "libimage/image/select.h"
#include "libimage/name/tag_filter.h"
#include "libimage/task/run_graph.h"

namespace lade::image {
namespace {

constexpr const char* kReferenceDigest = "vnd.docker.reference.digest";

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

/// Lists of tags and of referrers are extras: a registry that gives none still has images.
template <typename Ask>
auto if_answered(const Ask& ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const Error& e) {
    const Errc code = e.code();
    if (code != Errc::denied && code != Errc::unauthorized && !is_problem_of_content(code)) throw;
    return std::nullopt;
  }
}

Node referrer_node(const oci::Descriptor& descriptor, std::string tag = {}) {
  return {.kind = Node::Kind::artifact,
          .descriptor = descriptor,
          .artifact_type = descriptor.artifact_type,
          .annotations = descriptor.annotations.value_or(oci::Annotations()),
          .tag = std::move(tag)};
}

class Describer {
 public:
  Describer(Reader& reader, const DescribeOptions& options) : reader_(reader), options_(options) {}

  /// Documents, configs and referrers, each level of the tree in as few rounds as there are
  /// documents behind each other.
  Node read_tree(const oci::Descriptor& root) {
    Node out{.kind = kind_by_descriptor(root), .descriptor = root};
    reserve(root.size, oci::kMaxManifestBytes);
    tasks_.push_back([&] { read_node(out); });
    if (options_.referrers) add_referrer_tasks(out);
    const bool is_index = oci::is_index(root.media_type);
    if (!is_index) add_cosign_tasks(out);
    run_tasks();
    std::vector<Node*> level = children_of({&out});
    lists_tags_ = level.size() >= kFewSubjects;
    if (lists_tags_ && options_.referrers) {
      tasks_.push_back([this] { all_tags_ = if_answered([this] { return reader_.tags(); }); });
    }
    if (is_index) add_cosign_tasks(out);
    for (std::size_t depth = 1; !level.empty(); ++depth) {
      if (depth > oci::kMaxIndexDepth) {
        throw Error(Errc::limit_exceeded,
                    cat("indexes nested deeper than ", oci::kMaxIndexDepth, " levels"));
      }
      for (Node* node : level) add_level_tasks(*node);
      run_tasks();
      level = children_of(level);
    }
    run_tasks();  // cosign's tags of an index without entries
    take_cosign_tags();
    return out;
  }

  /// What refers to the referrers found so far, and so on.
  void read_further_referrers(const std::vector<Node*>& subjects) {
    std::vector<Node*> level = subjects;
    for (std::size_t depth = 1; depth < kMaxReferrerDepth && !level.empty(); ++depth) {
      std::vector<Node*> next;
      for (Node* node : level) {
        if (!node->referrers) continue;
        for (Node& referrer : *node->referrers) next.push_back(&referrer);
      }
      for (Node* node : next) {
        reserve(0, 0);
        tasks_.push_back([this, node] { ask_referrers(*node); });
      }
      run_tasks();
      level = std::move(next);
    }
  }

  /// The provenance and SBOMs among `nodes`, as far as they are wanted.
  void read_statements(const std::vector<Node*>& nodes) {
    for (Node* node : nodes) {
      tasks_.push_back([this, node] { noting_problem(*node, [&] { read_attached(*node); }); });
    }
    run_tasks();
    for (Node* node : nodes) {
      for (const LayerLine& layer : node->layers) {
        const oci::Descriptor& blob = layer.descriptor;
        std::string type = blob.annotation(kPredicateType);
        if (type.empty()) type = blob.annotation("predicateType");  // cosign
        if (type.empty()) type = blob.media_type;
        if (!is_wanted(*node, type)) continue;
        reserve(blob.size, kMaxStatementBytes);
        node->statements.push_back(
            {.kind = statement_kind(type), .blob = blob, .predicate_type = type});
      }
      for (Statement& statement : node->statements) {
        tasks_.push_back([this, &statement] { read_statement(statement); });
      }
    }
    run_tasks();
    for (Node* node : nodes)
      std::erase_if(node->statements, [this](const Statement& statement) {
        return statement.problem.empty() && !is_wanted(statement.kind);
      });
  }

 private:
  static std::vector<Node*> children_of(const std::vector<Node*>& nodes) {
    std::vector<Node*> out;
    for (Node* node : nodes) {
      for (Node& child : node->children) out.push_back(&child);
    }
    return out;
  }

  void run_tasks() {
    std::vector<std::function<void()>> tasks;
    tasks.swap(tasks_);
    parallel_for(
        tasks.size(), jobs_of(reader_, options_), [&](std::size_t i) { tasks[i](); },
        options_.stop);
  }

  void add_level_tasks(Node& node) {
    if (is_read(node)) {
      reserve(node.descriptor.size, oci::kMaxManifestBytes);
      tasks_.push_back([this, &node] { noting_problem(node, [&] { read_node(node); }); });
    } else {
      node.artifact_type = node.descriptor.artifact_type;
    }
    if (!options_.referrers || node.kind != Node::Kind::image) return;
    add_referrer_tasks(node);
    add_cosign_tasks(node);
  }

  void add_referrer_tasks(Node& node) {
    tasks_.push_back([this, &node] { ask_referrers(node); });
  }

  /// By the tags that cosign has used from before there were lists of referrers.
  void add_cosign_tasks(Node& node) {
    if (!options_.referrers) return;
    subjects_.push_back(&node);
    if (lists_tags_) return;
    for (const std::string& tag : cosign_tags(node.descriptor.digest)) ask_cosign_tag(node, tag);
  }

  void ask_cosign_tag(Node& node, const std::string& tag) {
    cosign_.push_back({.subject = &node, .tag = tag});
    FoundTag& slot = cosign_.back();
    tasks_.push_back([this, &slot] {
      slot.found = if_answered([&] { return reader_.resolve(Tag{slot.tag}); });
    });
  }

  void take_cosign_tags() {
    if (lists_tags_ && options_.referrers) {
      const std::set<std::string> all =
          all_tags_ ? std::set<std::string>(all_tags_->begin(), all_tags_->end())
                    : std::set<std::string>();
      for (Node* node : subjects_) {
        for (const std::string& tag : cosign_tags(node->descriptor.digest)) {
          if (!all_tags_ || all.contains(tag)) ask_cosign_tag(*node, tag);
        }
      }
      run_tasks();
    }
    for (const FoundTag& one : cosign_) {
      if (!one.found) continue;
      if (!one.subject->referrers) one.subject->referrers.emplace();
      one.subject->referrers->push_back(referrer_node(*one.found, one.tag));
    }
  }

  void ask_referrers(Node& node) {
    const auto found = if_answered([&] { return reader_.referrers(node.descriptor.digest); });
    if (!found) return;
    count_referrers(found->size());
    node.referrers.emplace();
    for (const oci::Descriptor& referrer : *found) {
      node.referrers->push_back(referrer_node(referrer));
    }
  }

  void count_referrers(std::size_t more) {
    if ((referrers_ += more) > kMaxDescribedDocuments) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDescribedDocuments, " referrers"));
    }
  }

  /// What is neither manifest nor index may be anything of any size: it is named, not read.
  static bool is_read(const Node& node) {
    const oci::MediaType& type = node.descriptor.media_type;
    return type.empty() || oci::is_manifest(type) || oci::is_index(type);
  }

  /// Counts what is about to be read. More than `limit` bytes are refused by their reader, not
  /// read. Thread-safe.
  void reserve(std::uint64_t size, std::uint64_t limit) {
    const std::uint64_t counted = size <= limit ? size : 0;
    if (++documents_ > kMaxDescribedDocuments || (bytes_ += counted) > kMaxDescribedBytes) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDescribedDocuments, " documents or ",
                                            kMaxDescribedBytes, " bytes of them to describe"));
    }
  }

  void read_document(Node& node) {
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

  /// The document, and at once the config of an image.
  void read_node(Node& node) {
    if (!is_read(node)) {
      node.artifact_type = node.descriptor.artifact_type;
      return;
    }
    read_document(node);
    if (node.kind != Node::Kind::image || !node.config_blob) return;
    reserve(node.config_blob->size, oci::kMaxConfigBytes);
    noting_problem(node, [&] { read_image_config(node); });
  }

  void read_image_config(Node& image) {
    oci::Manifest manifest{.config = *image.config_blob};
    for (const LayerLine& layer : image.layers) manifest.layers.push_back(layer.descriptor);
    image.config = read_config(reader_, manifest);
    if (image.platform.empty()) image.platform = platform_text(image.config->platform());
    match_history(image);
  }

  /// A referrer is known by its descriptor alone until its content is wanted.
  void read_attached(Node& node) {
    if (node.config_blob || !is_read(node)) return;
    reserve(node.descriptor.size, oci::kMaxManifestBytes);
    const std::string type = node.artifact_type;
    const oci::Annotations annotations = node.annotations;
    read_document(node);
    if (!type.empty()) node.artifact_type = type;
    if (node.annotations.empty()) node.annotations = annotations;
  }

  [[nodiscard]] bool is_wanted(Statement::Kind kind) const {
    return (kind == Statement::Kind::provenance && options_.provenance) ||
           (kind == Statement::Kind::sbom && options_.sbom);
  }

  /// Envelopes do not tell outside what is in them.
  [[nodiscard]] bool is_wanted(const Node& node, std::string_view type) const {
    if (is_wanted(statement_kind(type))) return true;
    if (statement_kind(type) != Statement::Kind::other || node.tag.ends_with(".sig")) return false;
    return type == "application/vnd.in-toto+json" ||
           type == "application/vnd.dsse.envelope.v1+json" ||
           type.starts_with("application/vnd.dev.sigstore.bundle");
  }

  void read_statement(Statement& statement) {
    try {
      const auto source = reader_.open(statement.blob);
      const std::string text = read_all(*source, kMaxStatementBytes, "statement");
      Statement read = parse_statement(text, statement.predicate_type);
      read.blob = statement.blob;
      statement = std::move(read);
    } catch (const Error& e) {
      if (!is_problem_of_content(e.code())) throw;
      statement.problem = e.what();
    }
  }

  struct FoundTag {
    Node* subject = nullptr;
    std::string tag = {};
    std::optional<oci::Descriptor> found = {};
  };

  Reader& reader_;
  const DescribeOptions& options_;
  std::vector<std::function<void()>> tasks_;
  std::vector<Node*> subjects_;  // what cosign's tags are asked for
  std::deque<FoundTag> cosign_;  // grows while tasks refer to what is in it
  std::optional<std::vector<std::string>> all_tags_;
  bool lists_tags_ = false;
  std::atomic<std::size_t> documents_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::size_t> referrers_ = 0;
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

/// The base that the image's provenance tells, where no annotation does.
void take_base(Node& image) {
  if (image.base) return;
  for (const Node& attestation : image.attestations) {
    for (const Statement& statement : attestation.statements) {
      if (statement.provenance && !image.base) image.base = base_of(*statement.provenance);
    }
  }
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

Description describe(Reader& reader, const oci::Descriptor& root, const DescribeOptions& options) {
  Describer describer(reader, options);
  Description out{.root = describer.read_tree(root), .totals = {}};
  fold_attestations(out.root);
  std::vector<Node*> images = images_of(out.root);
  if (options.referrers) {
    std::vector<Node*> subjects = images;
    if (out.root.kind != Node::Kind::image) subjects.insert(subjects.begin(), &out.root);
    describer.read_further_referrers(subjects);
  }
  if (options.provenance || options.sbom) {
    std::vector<Node*> attached;
    visit_nodes(out.root, [&](Node& node) {
      if (node.kind == Node::Kind::attestation) attached.push_back(&node);
      add_referrers(node, attached);
    });
    describer.read_statements(attached);
  }
  for (Node* image : images) take_base(*image);
  out.totals = totals_of(out.root, images);
  return out;
}

}  // namespace lade::image
