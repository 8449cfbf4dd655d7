#include "libimage/buildcache/cache_export.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/copy/copy.h"

namespace lade::buildcache {
namespace {

constexpr int kAttempts = 20;  // of many builds that write one cache, each writes once at least

class Exporter {
 public:
  Exporter(const CacheSet& fresh, LocalStore& store, CachePlace& place,
           const ExportOptions& options, ProgressObserver& observer, const std::stop_token& stop)
      : fresh_(fresh),
        store_(store),
        place_(place),
        options_(options),
        observer_(observer),
        stop_(stop) {
    for (const oci::CacheRecord& record : fresh.document.records) own_.insert(record.digest);
  }

  void run() {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (stop_.stop_requested()) throw Cancelled();
      const std::optional<oci::Descriptor> current = place_.current();
      const ReadCache old = current ? read_old(*current) : ReadCache{};
      CacheSet set = merged(old.set, fresh_);
      leave_out_what_is_too_much(set);
      const CacheDocuments documents = documents_of(set, options_.form);
      if (current && current->digest == documents.manifest.descriptor.digest) return;
      if (!write(documents, old.set, attempt)) continue;
      if (place_.replace(current, documents.manifest.descriptor)) return;
    }
    throw Error(Errc::unavailable,
                cat("others wrote this cache each of the ", kAttempts, " times that we tried"));
  }

 private:
  ReadCache read_old(const oci::Descriptor& current) {
    ReadCache old;
    try {
      old = read_cache(place_.reader(), current);
    } catch (const Error& e) {
      const bool damaged = e.code() == Errc::invalid_content || e.code() == Errc::limit_exceeded ||
                           e.code() == Errc::digest_mismatch || e.code() == Errc::not_found;
      if (!damaged) throw;
      warn(cat("the cache that is there cannot be read and is replaced: ", e.what()));
      return {};
    }
    if (!old.form)
      throw Error(Errc::already_exists,
                  "it is an image, not a build cache: give the cache a tag of its own");
    if (options_.reset) return {};
    drop_blobs(old.set, lost_);
    return old;
  }

  void leave_out_what_is_too_much(CacheSet& set) {
    std::size_t dropped = drop_oldest(set, {}, own_);
    CacheLimits largest;
    largest.bytes = oci::kMaxCacheBytes;
    dropped += drop_oldest(set, largest, {});
    if (dropped > 0 && !warned_of_room_) {
      warned_of_room_ = true;
      warn(cat("the ", dropped, " oldest records were left out: a cache holds ",
               oci::kMaxSharedCacheBytes / 1024, " KiB of them"));
    }
  }

  /// False: layers of the old cache are not there any more; it must be merged again without them.
  bool write(const CacheDocuments& documents, const CacheSet& old, int attempt) {
    CopyPlan plan{.root = documents.manifest.descriptor, .documents = {documents.manifest}};
    plan.blobs.push_back({.source = documents.config});
    const auto listed = [&](const oci::Descriptor& blob) {
      if (blob.digest == documents.config.digest) return;
      if (old.blobs.contains(blob.digest) && !fresh_.blobs.contains(blob.digest)) return;
      plan.blobs.push_back({.source = blob});
      mount(blob);
    };
    if (const auto* manifest = std::get_if<oci::Manifest>(&documents.manifest.parsed))
      std::for_each(manifest->layers.begin(), manifest->layers.end(), listed);
    if (const auto* index = std::get_if<oci::Index>(&documents.manifest.parsed))
      std::for_each(index->manifests.begin(), index->manifests.end(), listed);
    const CopyOptions options{.jobs = options_.jobs};
    try {
      run_copy(plan, store_.contents(), place_.writer(), {}, options, observer_, stop_);
      return true;
    } catch (const Error&) {
      if (attempt > 0 || !find_lost(old)) throw;
      return false;
    }
  }

  /// A layer that need not pass through this machine.
  void mount(const oci::Descriptor& blob) {
    const std::shared_ptr<Reader> promised = store_.promised(blob.digest);
    const auto origin = promised ? promised->origin() : std::nullopt;
    if (!origin || store_.images().contains(blob)) return;
    if (!place_.writer().contains(blob)) (void)place_.writer().try_mount(blob, *origin);
  }

  bool find_lost(const CacheSet& old) {
    for (const auto& [digest, blob] : old.blobs) {
      if (!fresh_.blobs.contains(digest) && !place_.writer().contains(blob)) lost_.insert(digest);
    }
    return !lost_.empty();
  }

  void warn(std::string note) {
    observer_.notify({.kind = ProgressEvent::Kind::warning, .note = std::move(note)});
  }

  const CacheSet& fresh_;
  LocalStore& store_;
  CachePlace& place_;
  const ExportOptions& options_;
  ProgressObserver& observer_;
  std::stop_token stop_;
  std::set<Digest> own_;
  std::set<Digest> lost_;
  bool warned_of_room_ = false;
};

}  // namespace

void export_cache(const CacheSet& fresh, LocalStore& store, CachePlace& place,
                  const ExportOptions& options, ProgressObserver& observer,
                  const std::stop_token& stop) {
  Exporter(fresh, store, place, options, observer, stop).run();
}

}  // namespace lade::buildcache
