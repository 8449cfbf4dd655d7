#include "libimage/copy/move_blob.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/pipe.h"

namespace lade {
namespace {

using oci::Descriptor;

/// Passes on, tells the observer how far the source was read, and throws Cancelled when asked to
/// stop.
class ObservedSource final : public Source {
 public:
  ObservedSource(std::unique_ptr<Source> source, const Descriptor& blob, ProgressObserver& observer,
                 std::stop_token stop, std::uint64_t already = 0)
      : source_(std::move(source)), observer_(observer), stop_(std::move(stop)), told_(already) {
    event_.item = blob.digest.str();
    event_.done = already;
    event_.total = blob.size;
  }
  std::size_t read(std::span<std::byte> out) override {
    if (stop_.stop_requested()) throw Cancelled();
    const std::size_t got = source_->read(out);
    event_.done += got;
    if (event_.done - told_ >= kTellEvery) {
      told_ = event_.done;
      observer_.notify(event_);
    }
    return got;
  }

 private:
  static constexpr std::uint64_t kTellEvery = std::uint64_t{1} << 20U;
  std::unique_ptr<Source> source_;
  ProgressObserver& observer_;
  std::stop_token stop_;
  ProgressEvent event_ = {.kind = ProgressEvent::Kind::advanced};
  std::uint64_t told_;
};

/// Sets `continued` if it writes only what an earlier, broken attempt did not.
MovedBlob stream(const Descriptor& blob, Reader& source, Writer& destination,
                 ProgressObserver& observer, const std::stop_token& stop, bool& continued) {
  const std::unique_ptr<BlobWriter> to =
      destination.start_blob({.expected = blob, .verified_by_source = true});
  // What an earlier attempt left there is not read again.
  const std::uint64_t kept = to->kept();
  continued = kept > 0;
  ObservedSource from(kept == 0 ? source.open(blob) : source.open_at(blob, kept), blob, observer,
                      stop, kept);
  const std::uint64_t bytes = pump(from, *to);
  return {.descriptor = to->commit(blob.media_type), .bytes = bytes};
}

/// decompress (unless identity) > compress > store. The reader works ahead on its own thread, so
/// that verifying and decompressing overlap with compressing.
MovedBlob recompress(const PlannedBlob& planned, Reader& source, Writer& destination,
                     const CopyOptions& options, oci::Family family, ProgressObserver& observer,
                     const std::stop_token& stop) {
  const Descriptor& blob = planned.source;
  ObservedSource from(source.open(blob), blob, observer, stop);
  const Codec& have = codec_named(oci::layer_codec(blob.media_type));
  const Codec& want = codec_named(planned.codec);
  std::unique_ptr<Source> plain = have.decompress_from(from, {});
  const std::unique_ptr<BlobWriter> to = destination.start_blob({});
  const std::unique_ptr<Sink> compressor = want.compress_to(*to, options.compress);
  std::uint64_t bytes = 0;
  if (have.name == "identity") {
    bytes = pump(*plain, *compressor);
  } else {
    ReadAheadSource ahead(std::move(plain));
    bytes = pump(ahead, *compressor);
  }
  compressor->finish();
  Descriptor stored = to->commit(oci::layer_media_type(family, planned.codec));
  return {.descriptor = std::move(stored), .bytes = bytes};
}

MovedBlob move_once(const PlannedBlob& planned, Reader& source, Writer& destination,
                    const CopyOptions& options, oci::Family family, ProgressObserver& observer,
                    const std::stop_token& stop) {
  const Descriptor& blob = planned.source;
  if (planned.action == PlannedBlob::Action::recompress) {
    return recompress(planned, source, destination, options, family, observer, stop);
  }
  if (destination.contains(blob)) return {.descriptor = blob, .how = MovedBlob::How::existed};
  if (const std::optional<Origin> origin = source.origin();
      origin && destination.try_mount(blob, *origin)) {
    return {.descriptor = blob, .how = MovedBlob::How::mounted};
  }
  if (const auto file = source.file_of(blob); file && destination.try_copy_file(blob, *file)) {
    return {.descriptor = blob, .bytes = blob.size};
  }
  bool continued = false;
  try {
    return stream(blob, source, destination, observer, stop, continued);
  } catch (const Error& e) {
    // What an earlier attempt had left was wrong, and is forgotten now.
    if (e.code() != Errc::digest_mismatch || !continued) throw;
    return stream(blob, source, destination, observer, stop, continued);
  }
}

const char* note_of(MovedBlob::How how) {
  switch (how) {
    case MovedBlob::How::existed:
      return "exists";
    case MovedBlob::How::mounted:
      return "mounted";
    case MovedBlob::How::moved:
      return "";
  }
  return "";
}

}  // namespace

MovedBlob move_blob(const PlannedBlob& planned, Reader& source, Writer& destination,
                    const CopyOptions& options, oci::Family family, ProgressObserver& observer,
                    const std::stop_token& stop) {
  const Descriptor& blob = planned.source;
  ProgressEvent event{.kind = ProgressEvent::Kind::started,
                      .item = blob.digest.str(),
                      .label = cat("blob ", blob.digest.brief()),
                      .total = blob.size};
  observer.notify(event);
  try {
    MovedBlob moved = with_retries(
        options.retry, stop,
        [&](const Error& e, std::chrono::milliseconds delay) {
          observer.notify({.kind = ProgressEvent::Kind::warning,
                           .item = event.item,
                           .note = cat("blob ", blob.digest.brief(), ": ", e.what(), "; again in ",
                                       delay.count(), " ms")});
        },
        [&] { return move_once(planned, source, destination, options, family, observer, stop); });
    event.kind = ProgressEvent::Kind::finished;
    event.done = event.total;
    event.note = note_of(moved.how);
    observer.notify(event);
    return moved;
  } catch (const Error& e) {
    event.kind = ProgressEvent::Kind::failed;
    event.note = e.what();
    observer.notify(event);
    throw e.in(cat("blob ", blob.digest.str()));
  }
}

}  // namespace lade
