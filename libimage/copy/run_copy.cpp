#include <map>
#include <mutex>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"
#include "libimage/copy/move_blob.h"
#include "libimage/copy/rewrite.h"
#include "libimage/task/run_graph.h"

namespace lade {
namespace {

using oci::Descriptor;
using oci::Document;

class Copier {
 public:
  Copier(const CopyPlan& plan, Reader& source, Writer& destination, const CopyOptions& options,
         ProgressObserver& observer)
      : plan_(plan),
        source_(source),
        destination_(destination),
        options_(options),
        observer_(observer) {}

  CopyResult run(const std::vector<Tag>& tags, const std::stop_token& stop) {
    if (already_there()) {
      result_.root = plan_.root;
      for (const PlannedBlob& blob : plan_.blobs) count_skipped(blob);
    } else {
      run_graph(graph(), options_.jobs, stop);
      result_.root = now(plan_.root);
    }
    for (const Tag& tag : tags) {
      with_context([&] { return cat("tag ", quoted(tag.value)); },
                   [&] { destination_.tag(tag, result_.root); });
    }
    return std::move(result_);
  }

 private:
  /// Where a stored document answers for its blobs, one question is enough.
  bool already_there() {
    if (plan_.documents.empty() || plan_.rewrites_documents ||
        !destination_.accepts().documents_imply_blobs) {
      return false;
    }
    for (const Document& document : plan_.documents) {
      if (!destination_.contains(document.descriptor)) return false;
    }
    return true;
  }

  void count_skipped(const PlannedBlob& blob) {
    ++result_.blobs_skipped;
    result_.bytes_skipped += blob.source.size;
  }

  /// Blobs first (positions 0..), then documents; a document needs its blobs, its children and its
  /// subject.
  std::vector<GraphNode> graph() {
    std::vector<GraphNode> nodes;
    std::map<Digest, std::size_t> position;
    for (const PlannedBlob& blob : plan_.blobs) {
      position.emplace(blob.source.digest, nodes.size());
      nodes.push_back(
          {.run = [this, &blob](const std::stop_token& stop) { copy_blob(blob, stop); }});
    }
    std::size_t next = nodes.size();
    for (const Document& document : plan_.documents) {
      position.emplace(document.descriptor.digest, next++);
    }
    for (const Document& document : plan_.documents) {
      GraphNode node{
          .run = [this, &document](const std::stop_token& stop) { copy_document(document, stop); }};
      for (const Descriptor& successor : oci::successors(document))
        add_need(node, position, successor);
      if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
          manifest && manifest->subject) {
        add_need(node, position, *manifest->subject);
      }
      nodes.push_back(std::move(node));
    }
    return nodes;
  }

  static void add_need(GraphNode& node, const std::map<Digest, std::size_t>& position,
                       const Descriptor& needed) {
    if (const auto found = position.find(needed.digest); found != position.end())
      node.needs.push_back(found->second);
  }

  void copy_blob(const PlannedBlob& blob, const std::stop_token& stop) {
    const MovedBlob moved =
        move_blob(blob, source_, destination_, options_, layer_family(blob), observer_, stop);
    const std::scoped_lock lock(mutex_);
    switch (moved.how) {
      case MovedBlob::How::existed:
        count_skipped(blob);
        break;
      case MovedBlob::How::mounted:
        ++result_.blobs_mounted;
        break;
      case MovedBlob::How::moved:
        ++result_.blobs_moved;
        result_.bytes_moved += moved.bytes;
        break;
    }
    if (moved.descriptor.digest != blob.source.digest ||
        blob.action == PlannedBlob::Action::recompress) {
      replaced_.emplace(blob.source.digest, moved.descriptor);
    }
  }

  [[nodiscard]] oci::Family layer_family(const PlannedBlob& blob) const {
    if (plan_.convert_to) return *plan_.convert_to;
    return blob.source.media_type.starts_with("application/vnd.docker.") ? oci::Family::docker
                                                                         : oci::Family::oci;
  }

  void copy_document(const Document& document, const std::stop_token& stop) {
    with_context([&] { return cat("manifest ", document.descriptor.digest.str()); },
                 [&] {
                   const Document stored = plan_.rewrites_documents ? current(document) : document;
                   if (!destination_.contains(stored.descriptor)) {
                     with_retries(options_.retry, stop, {}, [&] {
                       destination_.put_manifest(stored.descriptor, stored.raw);
                     });
                   }
                   if (stored.descriptor.digest != document.descriptor.digest ||
                       stored.descriptor.media_type != document.descriptor.media_type) {
                     const std::scoped_lock lock(mutex_);
                     replaced_.emplace(document.descriptor.digest, stored.descriptor);
                   }
                 });
  }

  Document current(const Document& document) {
    Replacements replaced;
    {
      const std::scoped_lock lock(mutex_);
      replaced = replaced_;
    }
    return rewritten(document, replaced, plan_.convert_to);
  }

  Descriptor now(const Descriptor& old) {
    const std::scoped_lock lock(mutex_);
    const auto found = replaced_.find(old.digest);
    return found == replaced_.end() ? old : found->second;
  }

  const CopyPlan& plan_;
  Reader& source_;
  Writer& destination_;
  const CopyOptions& options_;
  ProgressObserver& observer_;
  std::mutex mutex_;
  Replacements replaced_;                  // guarded by mutex_
  CopyResult result_{.root = plan_.root};  // guarded by mutex_ while the graph runs
};

}  // namespace

CopyResult run_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                    const std::vector<Tag>& tags, const CopyOptions& options,
                    ProgressObserver& observer, const std::stop_token& stop) {
  return Copier(plan, source, destination, options, observer).run(tags, stop);
}

}  // namespace lade
