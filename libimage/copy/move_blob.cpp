#include "libimage/copy/move_blob.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "libimage/base/text.h"
#include "libimage/io/pipe.h"
#include "libimage/seekable/seekable.h"

namespace lade {
namespace {

using oci::Descriptor;

/// Sets `continued` if it writes only what an earlier, broken attempt did not.
MovedBlob stream(const BlobBranch& branch, Reader& source, ProgressObserver& observer,
                 const std::stop_token& stop, bool& continued) {
  const Descriptor& blob = branch.planned->source;
  const std::unique_ptr<BlobWriter> to =
      branch.destination->start_blob({.expected = blob, .verified_by_source = true});
  // What an earlier attempt left there is not read again.
  const std::uint64_t kept = to->kept();
  continued = kept > 0;
  ObservedSource from(kept == 0 ? source.open(blob) : source.open_at(blob, kept), blob, observer,
                      stop, kept);
  const std::uint64_t bytes = pump(from, *to);
  return {.descriptor = to->commit(blob.media_type), .bytes = bytes};
}

// Threads that verify and decompress ahead pay for blobs of that size.
constexpr std::uint64_t kOverlapBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kAheadBytes = std::size_t{1} << 20U;

/// The content of `from`, a blob of `size` bytes, decompressed. Verifying it, decompressing and
/// what follows overlap.
class PlainContent final : public Source {
 public:
  PlainContent(const Codec& have, Source& from, std::uint64_t size) {
    if (size < kOverlapBytes) {
      plain_ = have.decompress_from(from, {});
    } else if (have.name == "identity") {
      plain_ = std::make_unique<ReadAheadSource>(from);
    } else {
      verified_ = std::make_unique<ReadAheadSource>(from, kAheadBytes);
      plain_ = std::make_unique<ReadAheadSource>(have.decompress_from(*verified_, {}));
    }
  }
  std::size_t read(std::span<std::byte> out) override { return plain_->read(out); }

 private:
  std::unique_ptr<Source> verified_ = {};
  std::unique_ptr<Source> plain_;
};

/// As recompress(), into a layer with a table of contents.
MovedBlob make_seekable(SeekableFormat format, Source& from, const BlobBranch& branch,
                        const CopyOptions& options) {
  const Descriptor& blob = branch.planned->source;
  const Codec& have = codec_named(oci::layer_codec(blob.media_type));
  PlainContent plain(have, from, blob.size);
  const std::unique_ptr<BlobWriter> to = branch.destination->start_blob({});
  SeekableLayer layer = write_seekable(format, plain, *to, options.compress);
  MovedBlob moved{.descriptor = to->commit(oci::layer_media_type(branch.family, codec_of(format)))};
  moved.bytes = moved.descriptor.size;
  moved.diff_id = std::move(layer.diff_id);
  if (layer.plain_because.empty()) {
    moved.descriptor.annotations = std::move(layer.annotations);
  } else {
    moved.warning = cat("blob ", blob.digest.brief(), ": compressed with ", codec_of(format),
                        ", without a table of contents: ", layer.plain_because);
  }
  return moved;
}

/// decompress (unless identity) > compress > store.
MovedBlob recompress(Source& from, const BlobBranch& branch, const CopyOptions& options) {
  const PlannedBlob& planned = *branch.planned;
  if (const auto format = seekable_format_named(planned.codec)) {
    return make_seekable(*format, from, branch, options);
  }
  const Codec& have = codec_named(oci::layer_codec(planned.source.media_type));
  const Codec& want = codec_named(planned.codec);
  const std::unique_ptr<BlobWriter> to = branch.destination->start_blob({});
  const std::unique_ptr<Sink> compressor = want.compress_to(*to, options.compress);
  if (have.name == "identity") {
    pump(from, *compressor);  // which has threads of its own
  } else {
    PlainContent plain(have, from, planned.source.size);
    pump(plain, *compressor);
  }
  compressor->finish();
  Descriptor stored = to->commit(oci::layer_media_type(branch.family, planned.codec));
  const std::uint64_t bytes = stored.size;
  return {.descriptor = std::move(stored), .bytes = bytes};
}

/// True if the destination has the blob as the documents list it, which the source has not, and
/// that is as good.
bool has_listed(const BlobBranch& branch, const CopyOptions& options) {
  const PlannedBlob& planned = *branch.planned;
  if (!planned.listed_as || options.force_recompress) return false;
  const bool fits =
      planned.codec.empty() || oci::layer_codec(planned.listed_as->media_type) == planned.codec;
  return fits && branch.destination->contains(*planned.listed_as);
}

/// Without reading the blob here; nullopt: it must be.
std::optional<MovedBlob> without_reading(const BlobBranch& branch, Reader& source,
                                         const CopyOptions& options) {
  if (has_listed(branch, options)) {
    return MovedBlob{.descriptor = *branch.planned->listed_as, .how = MovedBlob::How::existed};
  }
  if (branch.planned->action == PlannedBlob::Action::recompress) return std::nullopt;
  const Descriptor& blob = branch.planned->source;
  Writer& destination = *branch.destination;
  if (destination.contains(blob)) {
    return MovedBlob{.descriptor = blob, .how = MovedBlob::How::existed};
  }
  if (blob.data) return std::nullopt;  // made by the plan: the source has it nowhere
  if (destination.try_mount(blob, source.origin().value_or(Origin{}))) {
    return MovedBlob{.descriptor = blob, .how = MovedBlob::How::mounted};
  }
  if (const auto file = source.file_of(blob); file && destination.try_copy_file(blob, *file)) {
    return MovedBlob{.descriptor = blob, .bytes = blob.size};
  }
  return std::nullopt;
}

MovedBlob stream(const BlobBranch& branch, Reader& source, ProgressObserver& observer,
                 const std::stop_token& stop) {
  bool continued = false;
  try {
    return stream(branch, source, observer, stop, continued);
  } catch (const Error& e) {
    // What an earlier attempt had left was wrong, and is forgotten now.
    if (e.code() != Errc::digest_mismatch || !continued) throw;
    return stream(branch, source, observer, stop, continued);
  }
}

void move_one(BlobBranch& branch, Reader& source, const CopyOptions& options,
              ProgressObserver& observer, const std::stop_token& stop) {
  try {
    if (branch.planned->action == PlannedBlob::Action::move) {
      branch.moved = stream(branch, source, observer, stop);
    } else {
      const Descriptor& blob = branch.planned->source;
      ObservedSource from(source.open(blob), blob, observer, stop);
      branch.moved = recompress(from, branch, options);
    }
  } catch (const Error& e) {
    branch.failure = e;
  }
}

/// `readers` with those that want the same bytes made joined to one, which `shared` owns.
std::vector<BlobBranch*> sharing_work(const std::vector<BlobBranch*>& readers,
                                      std::vector<std::unique_ptr<SharedBranch>>& shared) {
  std::vector<BlobBranch*> out;
  std::map<std::pair<std::string, oci::Family>, std::vector<BlobBranch*>> groups;
  for (BlobBranch* reader : readers) {
    if (reader->planned->action == PlannedBlob::Action::move) {
      out.push_back(reader);
    } else {
      groups[{reader->planned->codec, reader->family}].push_back(reader);
    }
  }
  for (auto& [wanted, group] : groups) {
    if (group.size() == 1) {
      out.push_back(group.front());
    } else {
      shared.push_back(std::make_unique<SharedBranch>(std::move(group)));
      out.push_back(&shared.back()->branch());
    }
  }
  return out;
}

/// One attempt for all branches that are not done.
void move_once(const std::vector<BlobBranch*>& branches, Reader& source, const CopyOptions& options,
               ProgressObserver& observer, const std::stop_token& stop) {
  std::vector<BlobBranch*> readers;
  for (BlobBranch* branch : branches) {
    branch->failure.reset();
    try {
      branch->moved = without_reading(*branch, source, options);
      if (!branch->moved) readers.push_back(branch);
    } catch (const Error& e) {
      branch->failure = e;
    }
  }
  std::vector<std::unique_ptr<SharedBranch>> shared;
  readers = sharing_work(readers, shared);
  if (readers.size() == 1) {
    move_one(*readers.front(), source, options, observer, stop);
  } else if (!readers.empty()) {
    stream_to_all(readers, source, options, observer, stop);
  }
  for (const auto& group : shared) group->hand_out();
}

const char* note_of(const BlobBranch& branch) {
  switch (branch.moved->how) {
    case MovedBlob::How::existed:
      return "exists";
    case MovedBlob::How::mounted:
      return "mounted";
    case MovedBlob::How::moved:
      return "";
  }
  return "";
}

/// Branches that failed and may be tried again.
std::vector<BlobBranch*> to_retry(const std::vector<BlobBranch*>& tried) {
  std::vector<BlobBranch*> again;
  std::copy_if(tried.begin(), tried.end(), std::back_inserter(again), [](const BlobBranch* branch) {
    return branch->failure && may_succeed_later(*branch->failure);
  });
  return again;
}

void move_with_retries(std::vector<BlobBranch*> pending, Reader& source, const CopyOptions& options,
                       ProgressObserver& observer, const std::stop_token& stop) {
  const Descriptor& blob = pending.front()->planned->source;
  for (unsigned attempt = 1;; ++attempt) {
    move_once(pending, source, options, observer, stop);
    pending = to_retry(pending);
    if (pending.empty() || attempt >= options.retry.attempts) return;
    const Error& failure = *pending.front()->failure;
    const auto delay = delay_after(options.retry, attempt, failure);
    observer.notify({.kind = ProgressEvent::Kind::warning,
                     .item = blob.digest.str(),
                     .note = cat("blob ", blob.digest.brief(), ": ", failure.what(), "; again in ",
                                 delay.count(), " ms")});
    wait_before_retry(options.retry, delay, stop);
  }
}

}  // namespace

ObservedSource::ObservedSource(std::unique_ptr<Source> source, const Descriptor& blob,
                               ProgressObserver& observer, std::stop_token stop,
                               std::uint64_t offset)
    : source_(std::move(source)), observer_(observer), stop_(std::move(stop)), told_(offset) {
  event_.item = blob.digest.str();
  event_.total = blob.size;
  event_.done = offset;
}

std::size_t ObservedSource::read(std::span<std::byte> out) {
  constexpr std::uint64_t kTellEvery = std::uint64_t{1} << 20U;
  if (stop_.stop_requested()) throw Cancelled();
  const std::size_t got = source_->read(out);
  event_.done += got;
  if (event_.done - told_ >= kTellEvery) {
    told_ = event_.done;
    observer_.notify(event_);
  }
  return got;
}

MovedBlob write_blob(Source& from, const BlobBranch& branch, const CopyOptions& options) {
  if (branch.planned->action == PlannedBlob::Action::recompress) {
    return recompress(from, branch, options);
  }
  const Descriptor& blob = branch.planned->source;
  const std::unique_ptr<BlobWriter> to =
      branch.destination->start_blob({.expected = blob, .verified_by_source = true});
  const bool continued = to->kept() > 0;
  std::uint64_t kept = to->kept();  // read for the others anyway
  std::vector<std::byte> buffer(kChunkBytes);
  std::uint64_t bytes = 0;
  for (std::size_t got = from.read(buffer); got > 0; got = from.read(buffer)) {
    const auto skip = static_cast<std::size_t>(std::min<std::uint64_t>(kept, got));
    kept -= skip;
    if (skip < got) to->write(std::span(buffer).first(got).subspan(skip));
    bytes += got - skip;
  }
  try {
    return {.descriptor = to->commit(blob.media_type), .bytes = bytes};
  } catch (const Error& e) {
    // What an earlier attempt had left was wrong, and is forgotten now.
    if (e.code() != Errc::digest_mismatch || !continued) throw;
    throw Error(Errc::unavailable, e.what());
  }
}

void move_blob(std::vector<BlobBranch>& branches, Reader& source, const CopyOptions& options,
               ProgressObserver& observer, const std::stop_token& stop) {
  const Descriptor& blob = branches.front().planned->source;
  ProgressEvent event{.kind = ProgressEvent::Kind::started,
                      .item = blob.digest.str(),
                      .label = cat("blob ", blob.digest.brief()),
                      .total = blob.size};
  observer.notify(event);
  std::vector<BlobBranch*> all;
  for (BlobBranch& branch : branches) all.push_back(&branch);
  move_with_retries(all, source, options, observer, stop);
  event.kind = ProgressEvent::Kind::finished;
  event.done = event.total;
  event.note = branches.front().moved ? note_of(branches.front()) : "";
  for (BlobBranch& branch : branches) {
    if (branch.moved && !branch.moved->warning.empty()) {
      observer.notify({.kind = ProgressEvent::Kind::warning,
                       .item = event.item,
                       .note = branch.moved->warning});
    }
    if (branch.moved && event.kind == ProgressEvent::Kind::finished &&
        note_of(branch) != event.note) {
      event.note.clear();
    }
    if (!branch.failure) continue;
    event.kind = ProgressEvent::Kind::failed;
    event.note = branch.failure->what();
    branch.failure = branch.failure->in(cat("blob ", blob.digest.str()));
  }
  observer.notify(event);
}

}  // namespace lade
