#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/copy/move_blob.h"
#include "libimage/copy/rewrite.h"
#include "libimage/task/run_graph.h"

namespace lade {
namespace {

using oci::Descriptor;
using oci::Document;

oci::Family layer_family(const CopyPlan& plan, const PlannedBlob& blob) {
  if (plan.convert_to) return *plan.convert_to;
  return blob.source.media_type.starts_with("application/vnd.docker.") ? oci::Family::docker
                                                                       : oci::Family::oci;
}

/// One destination while the copy runs. Thread-safe.
class Side {
 public:
  explicit Side(const CopyTarget& target, const CopyOptions& options)
      : plan_(*target.plan),
        destination_(*target.destination),
        tags_(target.tags),
        options_(options) {
    result_.root = plan_.root;
  }

  [[nodiscard]] const CopyPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] Writer& destination() const noexcept { return destination_; }

  /// Documents that a registry has answer for their blobs: one question for each is enough.
  [[nodiscard]] bool asks_for_documents() const {
    return !plan_.rewrites_documents && destination_.accepts().documents_imply_blobs;
  }
  void ask_for(const Document& document) {
    if (!destination_.contains(document.descriptor)) return;
    const std::scoped_lock lock(mutex_);
    present_.insert(document.descriptor.digest);
  }
  [[nodiscard]] bool has(const Document& document) const {
    const std::scoped_lock lock(mutex_);
    return present_.contains(document.descriptor.digest);
  }

  /// Blobs that the documents reach that are at the destination: they are there too.
  [[nodiscard]] std::set<Digest> implied_blobs() const {
    std::set<Digest> implied;
    for (const Document& document : plan_.documents) {
      if (!has(document)) continue;
      for (const Descriptor& blob : oci::successors(document)) implied.insert(blob.digest);
    }
    return implied;
  }

  void count(const PlannedBlob& blob, const MovedBlob& moved) {
    const std::scoped_lock lock(mutex_);
    switch (moved.how) {
      case MovedBlob::How::existed:
        ++result_.blobs_skipped;
        result_.bytes_skipped += blob.source.size;
        break;
      case MovedBlob::How::mounted:
        ++result_.blobs_mounted;
        result_.bytes_mounted += blob.source.size;
        break;
      case MovedBlob::How::moved:
        ++result_.blobs_moved;
        result_.bytes_moved += moved.bytes;
        break;
    }
    const Digest& listed = blob.listed().digest;
    if (moved.diff_id) diff_ids_.emplace(listed, *moved.diff_id);
    if (moved.descriptor.digest != listed ||
        (blob.action == PlannedBlob::Action::recompress && moved.how == MovedBlob::How::moved)) {
      replaced_.emplace(listed, moved.descriptor);
    }
  }

  void store(const Document& document, Reader& source, const std::stop_token& stop) {
    if (has(document)) return;
    with_context([&] { return cat("manifest ", document.descriptor.digest.str()); },
                 [&] {
                   rewrite_config(document, source, stop);
                   const Document stored = plan_.rewrites_documents ? current(document) : document;
                   if (asks_for_documents() || !destination_.contains(stored.descriptor)) {
                     with_retries(options_.retry, stop, {}, [&] {
                       destination_.put_manifest(stored.descriptor, stored.raw);
                     });
                   }
                   note_replaced(document, stored.descriptor);
                 });
  }

  /// Names what was stored, the root last.
  void name_all() {
    for (const PlannedTag& tag : plan_.tags) put_tag(tag.tag, now(tag.document));
    for (const Descriptor& referrer : plan_.referrers) {
      with_context([&] { return cat("referrer ", referrer.digest.str()); },
                   [&] { destination_.list_referrer(now(referrer)); });
    }
    for (const PlannedSignatures& signed_document : plan_.signatures) {
      with_context([&] { return cat("signatures of ", signed_document.document.digest.str()); },
                   [&] {
                     destination_.put_signatures(signed_document.document,
                                                 signed_document.signatures);
                   });
    }
    result_.root = now(plan_.root);
    for (const Tag& tag : tags_) put_tag(tag, result_.root);
  }

  void fail(const Error& error) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = error;
  }
  [[nodiscard]] bool failed() const {
    const std::scoped_lock lock(mutex_);
    return failure_.has_value();
  }
  [[nodiscard]] CopyOutcome outcome() const {
    const std::scoped_lock lock(mutex_);
    if (failure_) return {.failure = failure_};
    return {.result = result_};
  }

 private:
  void put_tag(const Tag& tag, const Descriptor& document) {
    with_context([&] { return cat("tag ", quoted(tag.value)); },
                 [&] { destination_.tag(tag, document); });
  }

  /// Writes the config of an image whose layers have other diff IDs now.
  void rewrite_config(const Document& document, Reader& source, const std::stop_token& stop) {
    const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
    if (manifest == nullptr) return;
    const auto planned =
        std::find_if(plan_.blobs.begin(), plan_.blobs.end(), [&](const PlannedBlob& blob) {
          return blob.action == PlannedBlob::Action::rewrite &&
                 blob.source.digest == manifest->config.digest;
        });
    if (planned == plan_.blobs.end()) return;
    std::vector<std::optional<DiffId>> diff_ids;
    {
      const std::scoped_lock lock(mutex_);
      for (const Descriptor& layer : manifest->layers) {
        const auto found = diff_ids_.find(layer.digest);
        diff_ids.push_back(found == diff_ids_.end() ? std::nullopt : std::optional(found->second));
      }
    }
    with_retries(options_.retry, stop, {}, [&] {
      const std::unique_ptr<Source> stored = source.open(planned->source);
      const std::string config =
          with_diff_ids(read_all(*stored, oci::kMaxManifestBytes, "config"), diff_ids);
      const Descriptor made = oci::describe(manifest->config.media_type, config);
      if (!destination_.contains(made)) {
        const std::unique_ptr<BlobWriter> to = destination_.start_blob({.expected = made});
        to->write(bytes_of(config));
        to->commit(made.media_type);
      }
      count(*planned, {.descriptor = made, .bytes = made.size});
    });
  }

  void note_replaced(const Document& document, const Descriptor& stored) {
    if (stored.digest == document.descriptor.digest &&
        stored.media_type == document.descriptor.media_type) {
      return;
    }
    const std::scoped_lock lock(mutex_);
    replaced_.emplace(
        document.descriptor.digest,
        Descriptor{.media_type = stored.media_type, .digest = stored.digest, .size = stored.size});
  }

  /// `document` as its children, layers and subject are now.
  Document current(const Document& document) const {
    Replacements replaced;
    const auto take = [&](const Digest& digest) {
      if (const auto found = replaced_.find(digest); found != replaced_.end()) {
        replaced.insert(*found);
      }
    };
    {
      const std::scoped_lock lock(mutex_);
      for (const Descriptor& next : oci::successors(document)) take(next.digest);
      if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
        if (manifest->subject) take(manifest->subject->digest);
      } else if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
        if (index->subject) take(index->subject->digest);
      }
    }
    return rewritten(document, replaced, plan_.convert_to);
  }

  Descriptor now(const Descriptor& old) const {
    const std::scoped_lock lock(mutex_);
    const auto found = replaced_.find(old.digest);
    return found == replaced_.end() ? old : found->second;
  }

  const CopyPlan& plan_;
  Writer& destination_;
  const std::vector<Tag>& tags_;
  const CopyOptions& options_;
  mutable std::mutex mutex_;
  std::set<Digest> present_;           // guarded by mutex_: documents known to be there
  Replacements replaced_;              // guarded by mutex_
  std::map<Digest, DiffId> diff_ids_;  // guarded by mutex_: of layers whose tar changed
  CopyResult result_{.root = {.digest = Digest::parse(kNoDigest)}};  // guarded by mutex_
  std::optional<Error> failure_;                                     // guarded by mutex_

  static constexpr std::string_view kNoDigest =
      "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
};

constexpr std::uint64_t kLargeBlob = std::uint64_t{4} << 20U;
constexpr unsigned kSmallBlobsAtOnce = 16;

class Copier {
 public:
  Copier(const std::vector<CopyTarget>& targets, Reader& source, const CopyOptions& options,
         ProgressObserver& observer)
      : source_(source), options_(options), observer_(observer) {
    for (const CopyTarget& target : targets) {
      sides_.push_back(std::make_unique<Side>(target, options));
    }
  }

  std::vector<CopyOutcome> run(const std::stop_token& stop) {
    try {
      run_graph(questions(), options_.jobs, stop);
      const std::vector<GraphNode> nodes = work();
      run_graph(nodes, workers(), stop);
      for (const auto& side : sides_) {
        attempt(*side, [&] { side->name_all(); });
      }
    } catch (const Error&) {
      if (any_alive()) throw;
    }
    std::vector<CopyOutcome> outcomes;
    for (const auto& side : sides_) outcomes.push_back(side->outcome());
    return outcomes;
  }

 private:
  /// A blob with the destinations that want it.
  struct Job {
    std::uint64_t size = 0;
    std::vector<std::pair<Side*, const PlannedBlob*>> wanted = {};
  };

  [[nodiscard]] bool any_alive() const {
    return std::any_of(sides_.begin(), sides_.end(),
                       [](const auto& side) { return !side->failed(); });
  }

  /// Runs `body` unless the side failed before. An Error is the side's alone; with no other side
  /// left it ends the copy.
  template <typename Body>
  void attempt(Side& side, const Body& body) {
    if (side.failed()) return;
    try {
      body();
    } catch (const Error& e) {
      side.fail(e);
      if (!any_alive()) throw;
    }
  }

  std::vector<GraphNode> questions() {
    std::vector<GraphNode> nodes;
    for (const auto& side : sides_) {
      if (!side->asks_for_documents()) continue;
      // The root first, and alone, as its answer may spare the other questions: it is the last of
      // the plan's own documents.
      const std::size_t root = nodes.size();
      for (auto document = side->plan().documents.rbegin();
           document != side->plan().documents.rend(); ++document) {
        GraphNode node{.run = [this, &side = *side, &document = *document](const auto&) {
          attempt(side, [&] { side.ask_for(document); });
        }};
        if (nodes.size() != root) node.needs.push_back(root);
        nodes.push_back(std::move(node));
      }
    }
    return nodes;
  }

  /// More than there may be large blobs at once where most are small: those cost round trips, no
  /// memory, and the large ones come first.
  [[nodiscard]] unsigned workers() const {
    const auto large = std::count_if(jobs_.begin(), jobs_.end(),
                                     [](const Job& job) { return job.size >= kLargeBlob; });
    const bool few_large = static_cast<std::uint64_t>(large) < options_.jobs;
    return few_large && options_.jobs > 1 ? std::max(options_.jobs, kSmallBlobsAtOnce)
                                          : options_.jobs;
  }

  /// The blobs to move, the largest first so that none of them is left alone at the end.
  void collect_jobs() {
    std::map<Digest, std::size_t> position;
    for (const auto& side : sides_) {
      const std::set<Digest> implied = side->implied_blobs();
      for (const PlannedBlob& blob : side->plan().blobs) {
        if (blob.action == PlannedBlob::Action::rewrite) continue;  // by its manifest
        if (implied.contains(blob.source.digest)) {
          side->count(blob, {.descriptor = blob.source, .how = MovedBlob::How::existed});
          continue;
        }
        const auto [at, fresh] = position.emplace(blob.listed().digest, jobs_.size());
        if (fresh) jobs_.push_back({.size = blob.source.size});
        jobs_[at->second].wanted.emplace_back(side.get(), &blob);
      }
    }
    std::stable_sort(jobs_.begin(), jobs_.end(),
                     [](const Job& a, const Job& b) { return a.size > b.size; });
  }

  /// Blobs first (positions 0..), then the documents of each side; a document needs its blobs, its
  /// children and its subject.
  std::vector<GraphNode> work() {
    collect_jobs();
    std::vector<GraphNode> nodes;
    std::map<Digest, std::size_t> blobs;
    for (const Job& job : jobs_) {
      blobs.emplace(job.wanted.front().second->listed().digest, nodes.size());
      nodes.push_back({.run = [this, &job](const std::stop_token& stop) { move(job, stop); }});
    }
    for (const auto& side : sides_) add_documents(*side, blobs, nodes);
    return nodes;
  }

  void add_documents(Side& side, const std::map<Digest, std::size_t>& blobs,
                     std::vector<GraphNode>& nodes) {
    std::map<Digest, std::size_t> position = blobs;
    std::size_t next = nodes.size();
    for (const Document& document : side.plan().documents) {
      position.insert_or_assign(document.descriptor.digest, next++);
    }
    for (const Document& document : side.plan().documents) {
      GraphNode node{.run = [this, &side, &document](const std::stop_token& stop) {
        attempt(side, [&] { side.store(document, source_, stop); });
      }};
      for (const Descriptor& successor : oci::successors(document)) {
        add_need(node, position, successor);
      }
      if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
        if (manifest->subject) add_need(node, position, *manifest->subject);
      } else if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
        if (index->subject) add_need(node, position, *index->subject);
      }
      nodes.push_back(std::move(node));
    }
  }

  static void add_need(GraphNode& node, const std::map<Digest, std::size_t>& position,
                       const Descriptor& needed) {
    if (const auto found = position.find(needed.digest); found != position.end())
      node.needs.push_back(found->second);
  }

  void move(const Job& job, const std::stop_token& stop) {
    std::vector<BlobBranch> branches;
    std::vector<Side*> sides;
    for (const auto& [side, blob] : job.wanted) {
      if (side->failed()) continue;
      branches.push_back({.planned = blob,
                          .destination = &side->destination(),
                          .family = layer_family(side->plan(), *blob)});
      sides.push_back(side);
    }
    if (branches.empty()) return;
    move_blob(branches, source_, options_, observer_, stop);
    for (std::size_t i = 0; i < branches.size(); ++i) {
      attempt(*sides[i], [&] {
        if (branches[i].failure) throw Error(*branches[i].failure);
        sides[i]->count(*branches[i].planned, *branches[i].moved);
      });
    }
  }

  Reader& source_;
  const CopyOptions& options_;
  ProgressObserver& observer_;
  std::vector<std::unique_ptr<Side>> sides_;
  std::vector<Job> jobs_;
};

}  // namespace

std::vector<CopyOutcome> run_copies(const std::vector<CopyTarget>& targets, Reader& source,
                                    const CopyOptions& options, ProgressObserver& observer,
                                    const std::stop_token& stop) {
  return Copier(targets, source, options, observer).run(stop);
}

CopyResult run_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                    const std::vector<Tag>& tags, const CopyOptions& options,
                    ProgressObserver& observer, const std::stop_token& stop) {
  const std::vector<CopyTarget> targets = {
      {.plan = &plan, .destination = &destination, .tags = tags}};
  CopyOutcome outcome = run_copies(targets, source, options, observer, stop).front();
  if (outcome.failure) throw Error(*outcome.failure);
  return *std::move(outcome.result);
}

}  // namespace lade
