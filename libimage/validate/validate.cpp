#include "libimage/validate/validate.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/task/run_graph.h"
#include "libimage/validate/check_document.h"
#include "libimage/validate/check_layer.h"

namespace lade::validate {
namespace {

/// Deeper indexes are not followed by most programs.
constexpr std::size_t kUsualNesting = 2;

/// The rule that a failure to read content breaks; "" if it is no fault of the content.
std::string_view rule_of(Errc code) {
  switch (code) {
    case Errc::not_found:
      return "content-missing";
    case Errc::digest_mismatch:
      return "content-digest";
    case Errc::size_mismatch:
      return "content-size";
    case Errc::limit_exceeded:
      return "document-size";
    case Errc::invalid_content:
    case Errc::unsupported:
      return "document";
    default:
      return {};
  }
}

/// A document to read.
struct Task {
  oci::Descriptor descriptor;
  DocumentKind kind;
  std::size_t depth = 0;
  /// Of a config: its image.
  std::vector<oci::Descriptor> layers = {};
  std::optional<oci::Platform> promised = {};
};

/// An image whose layers and diff IDs are both known.
struct Stack {
  std::string config;
  std::vector<oci::Descriptor> layers;
  std::vector<std::string> diff_ids;
};

class Validator {
 public:
  Validator(Reader& reader, const ValidateOptions& options) : reader_(reader), options_(options) {}

  Report run(const oci::Descriptor& root) {
    add_document(root, 0);
    while (!tasks_.empty()) {
      std::vector<Task> level;
      level.swap(tasks_);
      parallel_for(
          level.size(), options_.jobs, [&](std::size_t i) { read_document(level[i]); },
          options_.stop);
    }
    if (options_.layers != ValidateOptions::Layers::listed) read_blobs();
    for (const Stack& stack : stacks_) compare_stack(stack);
    finish();
    return std::move(report_);
  }

 private:
  void note(std::string_view rule_id, const std::string& place, std::string path,
            std::string message) {
    const std::scoped_lock lock(mutex_);
    keep({&rule(rule_id), place, std::move(path), std::move(message)});
  }

  /// With mutex_ held.
  void keep(Finding finding) {
    if (report_.findings.size() >= kMaxFindings) {
      ++report_.left_out;
    } else {
      report_.findings.push_back(std::move(finding));
    }
  }

  /// Plans to read what `descriptor` names, by its type. With mutex_ held, or before threads start.
  void add_document(const oci::Descriptor& descriptor, std::size_t depth,
                    const std::vector<oci::Descriptor>& layers = {},
                    const std::optional<oci::Platform>& promised = {}) {
    const auto kind = kind_of(descriptor.media_type);
    if (!kind) {
      blobs_.emplace(descriptor.digest, descriptor);
      return;
    }
    Task task{.descriptor = descriptor,
              .kind = *kind,
              .depth = depth,
              .layers = layers,
              .promised = promised ? promised : descriptor.platform};
    if (*kind != DocumentKind::config && !seen_.insert(descriptor.digest).second) return;
    if (++planned_ > kMaxDocuments) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDocuments, " documents to check"));
    }
    tasks_.push_back(std::move(task));
  }

  void read_document(const Task& task) {
    const std::string place = task.descriptor.digest.str();
    std::string raw;
    try {
      const auto source = reader_.open(task.descriptor);
      raw = read_all(*source, oci::kMaxManifestBytes, "document");
    } catch (const Error& e) {
      const std::string_view broken = rule_of(e.code());
      if (broken.empty()) throw;
      note(broken, place, "", printable(e.what()));
      return;
    }
    CheckedDocument checked = check_document(task.kind, raw, task.descriptor.media_type, place);
    const std::scoped_lock lock(mutex_);
    ++report_.documents;
    for (Finding& finding : checked.findings) keep(std::move(finding));
    follow(task, checked, place);
  }

  void follow(const Task& task, const CheckedDocument& checked, const std::string& place) {
    const Links& links = checked.links;
    for (const oci::Descriptor& entry : links.manifests) {
      if (oci::is_index(entry.media_type) && task.depth + 1 >= kUsualNesting) {
        keep({&rule("index-nesting"), place, "manifests",
              cat("the index ", entry.digest.str(), " is nested ", task.depth + 1, " deep")});
      }
      if (task.depth + 1 <= oci::kMaxIndexDepth) add_document(entry, task.depth + 1);
    }
    for (const oci::Descriptor& layer : links.layers) blobs_.emplace(layer.digest, layer);
    if (links.config) add_document(*links.config, task.depth, links.layers, task.promised);
    if (task.kind == DocumentKind::config) check_against_manifest(task, checked.config, place);
  }

  /// What config and manifest say of each other.
  void check_against_manifest(const Task& task, const ConfigFacts& facts,
                              const std::string& place) {
    if (std::all_of(task.layers.begin(), task.layers.end(), [](const oci::Descriptor& layer) {
          return !oci::is_layer(layer.media_type);
        })) {
      return;  // an attestation: its config names the statements, in a way of its own
    }
    if (facts.diff_ids.size() != task.layers.size()) {
      keep({&rule("diff-id-count"), place, "rootfs.diff_ids",
            cat("has ", facts.diff_ids.size(), " entries for ", task.layers.size(), " layers")});
    } else {
      stacks_.push_back({place, task.layers, facts.diff_ids});
    }
    if (facts.has_history && facts.layers_in_history != task.layers.size()) {
      keep({&rule("config-history-count"), place, "history",
            cat(facts.layers_in_history, " entries make layers, of which there are ",
                task.layers.size())});
    }
    if (!task.promised || facts.os.empty()) return;
    if (task.promised->os != facts.os || task.promised->architecture != facts.architecture) {
      keep({&rule("config-platform"), place, "",
            cat("is for ", quoted(cat(facts.os, "/", facts.architecture)), ", the index promises ",
                quoted(cat(task.promised->os, "/", task.promised->architecture)))});
    }
  }

  void read_blobs() {
    std::vector<const oci::Descriptor*> blobs;
    for (const auto& [digest, blob] : blobs_) blobs.push_back(&blob);
    // Large ones first, so that no thread is left with one at the end.
    std::stable_sort(blobs.begin(), blobs.end(),
                     [](const auto* a, const auto* b) { return a->size > b->size; });
    parallel_for(
        blobs.size(), options_.jobs, [&](std::size_t i) { read_blob(*blobs[i]); }, options_.stop);
  }

  void read_blob(const oci::Descriptor& blob) {
    const std::string place = blob.digest.str();
    try {
      auto source = reader_.open(blob);
      const bool deep = options_.layers == ValidateOptions::Layers::deep &&
                        oci::is_layer(blob.media_type) && !oci::is_encrypted(blob.media_type);
      if (deep) {
        take_layer(check_layer(std::move(source), oci::layer_codec(blob.media_type), place), blob);
      } else {
        (void)drain(*source);
      }
      const std::scoped_lock lock(mutex_);
      ++report_.blobs;
      report_.blob_bytes += blob.size;
    } catch (const Error& e) {
      const bool foreign = oci::is_nondistributable(blob.media_type);
      const std::string_view broken = rule_of(e.code());
      if (broken.empty()) throw;
      if (foreign && e.code() == Errc::not_found) return;  // need not be here
      note(broken, place, "", printable(e.what()));
    }
  }

  void take_layer(CheckedLayer checked, const oci::Descriptor& blob) {
    const std::scoped_lock lock(mutex_);
    for (Finding& finding : checked.findings) keep(std::move(finding));
    checked.findings.clear();
    report_.left_out += checked.left_out;
    report_.unpacked_bytes += checked.unpacked;
    report_.entries += checked.entries;
    layers_.emplace(blob.digest, std::move(checked));
  }

  /// Diff IDs, and whiteouts against the layers below.
  void compare_stack(const Stack& stack) {
    std::vector<const CheckedLayer*> lower;
    for (std::size_t i = 0; i < stack.layers.size(); ++i) {
      const std::string place = stack.layers[i].digest.str();
      const auto found = layers_.find(stack.layers[i].digest);
      if (found == layers_.end()) return;  // not read: nothing can be said of those above
      const CheckedLayer& layer = found->second;
      if (!stack.diff_ids[i].empty() && layer.diff_id.value.str() != stack.diff_ids[i]) {
        keep({&rule("diff-id"), stack.config, cat("rootfs.diff_ids[", i, "]"),
              cat("is ", printable(stack.diff_ids[i]), ", the tar of ", place, " is ",
                  layer.diff_id.value.str())});
      }
      std::size_t told = 0;
      for (const LayerPaths::Hidden& whiteout : layer.paths.whiteouts) {
        const bool hides = whiteout.path.empty() ||
                           std::any_of(lower.begin(), lower.end(), [&](const CheckedLayer* below) {
                             return below->paths.holds(whiteout.path);
                           });
        if (hides || whiteout.opaque || ++told > kMaxLayerFindings) continue;
        keep({&rule("whiteout-nothing"), place, printable(whiteout.path), "no lower layer has it"});
      }
      lower.push_back(&layer);
    }
  }

  /// In an order that does not depend on threads, each once.
  void finish() {
    auto& findings = report_.findings;
    const auto key = [](const Finding& finding) {
      return std::tie(finding.rule->severity, finding.place, finding.path, finding.rule->id,
                      finding.message);
    };
    std::sort(findings.begin(), findings.end(),
              [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
    findings.erase(
        std::unique(findings.begin(), findings.end(),
                    [&](const Finding& a, const Finding& b) { return key(a) == key(b); }),
        findings.end());
  }

  Reader& reader_;
  const ValidateOptions& options_;
  std::mutex mutex_;
  Report report_;  // guarded by mutex_, as all below
  std::vector<Task> tasks_;
  std::set<Digest> seen_;
  std::size_t planned_ = 0;
  std::map<Digest, oci::Descriptor> blobs_;
  std::map<Digest, CheckedLayer> layers_;
  std::vector<Stack> stacks_;
};

}  // namespace

std::size_t Report::count(Severity severity) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const Finding& finding) { return finding.rule->severity == severity; }));
}

Report validate(Reader& reader, const oci::Descriptor& root, const ValidateOptions& options) {
  return Validator(reader, options).run(root);
}

}  // namespace lade::validate
