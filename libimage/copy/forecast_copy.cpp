#include "libimage/copy/copy.h"
#include "libimage/task/run_graph.h"

namespace lade {
namespace {

using Fate = CopyForecast::Fate;

std::uint64_t& total_of(CopyForecast& forecast, Fate fate) {
  switch (fate) {
    case Fate::exists:
      return forecast.bytes_existing;
    case Fate::mount:
      return forecast.bytes_to_mount;
    case Fate::move:
    case Fate::recompress:
      break;
  }
  return forecast.bytes_to_move;
}

}  // namespace

CopyForecast forecast_copy(const CopyPlan& plan, Reader& source, Writer& destination,
                           const CopyOptions& options, const std::stop_token& stop) {
  CopyForecast forecast;
  for (const PlannedBlob& blob : plan.blobs) forecast.blobs.push_back({.planned = blob});
  for (const oci::Document& document : plan.documents) {
    forecast.documents.push_back({.descriptor = document.descriptor});
  }
  const std::optional<Origin> origin = source.origin();
  const bool mounts = origin && destination.may_mount(*origin);
  const std::size_t blobs = forecast.blobs.size();
  parallel_for(
      blobs + forecast.documents.size(), options.jobs,
      [&](std::size_t i) {
        if (i >= blobs) {
          CopyForecast::Document& document = forecast.documents[i - blobs];
          if (plan.changed.contains(document.descriptor.digest)) {
            document.fate = Fate::recompress;
          } else if (destination.contains(document.descriptor)) {
            document.fate = Fate::exists;
          }
          return;
        }
        CopyForecast::Blob& blob = forecast.blobs[i];
        if (blob.planned.listed_as && destination.contains(*blob.planned.listed_as)) {
          blob.fate = Fate::exists;
        } else if (blob.planned.action != PlannedBlob::Action::move) {
          blob.fate = Fate::recompress;
        } else if (destination.contains(blob.planned.source)) {
          blob.fate = Fate::exists;
        } else if (mounts && !blob.planned.source.data) {
          blob.fate = Fate::mount;
        }
      },
      stop);
  for (const CopyForecast::Blob& blob : forecast.blobs) {
    total_of(forecast, blob.fate) += blob.planned.source.size;
  }
  for (const CopyForecast::Document& document : forecast.documents) {
    total_of(forecast, document.fate) += document.descriptor.size;
  }
  return forecast;
}

}  // namespace lade
