#include "tools/copy/copy_plan.h"

#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"

namespace lade::tools {
namespace {

using Fate = CopyForecast::Fate;

std::string_view name_of(Fate fate) {
  switch (fate) {
    case Fate::exists:
      return "exists";
    case Fate::mount:
      return "mount";
    case Fate::move:
      return "move";
    case Fate::recompress:
      return "recompress";
  }
  return "";
}

std::string_view kind_of(const PlannedBlob& blob) {
  if (oci::is_layer(blob.source.media_type)) return "layer";
  return oci::is_image_config(blob.source.media_type) ? "config" : "blob";
}

std::string line(std::string_view fate, std::uint64_t size, std::string_view what,
                 std::string_view more) {
  return cat("  ", padded_right(fate, 11), padded_left(human_size(size), 9), "  ", what, more,
             "\n");
}

std::string blob_line(const CopyForecast::Blob& blob) {
  const oci::Descriptor& source = blob.planned.source;
  std::string more;
  if (blob.planned.action == PlannedBlob::Action::recompress) {
    more = cat(" (", oci::layer_codec(source.media_type), " to ", blob.planned.codec, ")");
  }
  return line(name_of(blob.fate), source.size, cat(kind_of(blob.planned), " ", source.digest.str()),
              more);
}

std::string document_line(const CopyForecast::Document& document) {
  const oci::Descriptor& descriptor = document.descriptor;
  std::string more;
  if (descriptor.platform && descriptor.platform->os != "unknown") {
    more = cat(" ", printable(oci::to_string(*descriptor.platform)));
  }
  const std::string_view fate =
      document.fate == Fate::recompress ? "rewrite" : name_of(document.fate);
  return line(
      fate, descriptor.size,
      cat(oci::is_index(descriptor.media_type) ? "index " : "manifest ", descriptor.digest.str()),
      more);
}

template <typename Items, typename Append>
std::string json_list(const Items& items, const Append& append) {
  std::string out = "[";
  for (const auto& item : items) {
    if (out.size() > 1) out += ',';
    out += append(item);
  }
  return cat(out, "]");
}

std::string json_item(std::string_view fate, const oci::Descriptor& descriptor,
                      std::string_view more) {
  return cat(R"({"action":)", oci::json_string(fate), R"(,"mediaType":)",
             oci::json_string(descriptor.media_type), R"(,"digest":)",
             oci::json_string(descriptor.digest.str()), R"(,"size":)", descriptor.size, more, "}");
}

std::string json_of(const DestinationForecast& destination) {
  const CopyForecast& forecast = destination.forecast;
  const auto blob = [](const CopyForecast::Blob& item) {
    return json_item(name_of(item.fate), item.planned.source,
                     item.planned.codec.empty()
                         ? std::string()
                         : cat(R"(,"codec":)", oci::json_string(item.planned.codec)));
  };
  const auto document = [](const CopyForecast::Document& item) {
    const std::string_view fate = item.fate == Fate::recompress ? "rewrite" : name_of(item.fate);
    return json_item(fate, item.descriptor, {});
  };
  const auto text = [](const std::string& item) { return oci::json_string(item); };
  const auto tag = [](const Tag& item) { return oci::json_string(item.value); };
  return cat(R"({"destination":)", oci::json_string(destination.name), R"(,"root":)",
             oci::json_string(destination.plan->root.digest.str()), R"(,"rewrites":)",
             destination.plan->rewrites_documents ? "true" : "false", R"(,"blobs":)",
             json_list(forecast.blobs, blob), R"(,"documents":)",
             json_list(forecast.documents, document), R"(,"tags":)",
             json_list(destination.tags, tag), R"(,"warnings":)",
             json_list(destination.plan->warnings, text), R"(,"bytesToMove":)",
             forecast.bytes_to_move, R"(,"bytesToMount":)", forecast.bytes_to_mount,
             R"(,"bytesExisting":)", forecast.bytes_existing, "}");
}

}  // namespace

std::string plan_text(const DestinationForecast& destination) {
  const CopyForecast& forecast = destination.forecast;
  std::string text = cat(destination.name, "\n");
  for (const CopyForecast::Blob& blob : forecast.blobs) text += blob_line(blob);
  for (const CopyForecast::Document& document : forecast.documents) {
    text += document_line(document);
  }
  for (const Tag& tag : destination.tags) {
    if (!tag.value.empty()) text += cat("  tag        ", printable(tag.value), "\n");
  }
  for (const std::string& warning : destination.plan->warnings) {
    text += cat("  warning    ", warning, "\n");
  }
  text += cat("  would move ", human_size(forecast.bytes_to_move));
  if (forecast.bytes_to_mount != 0) text += cat(", mount ", human_size(forecast.bytes_to_mount));
  return cat(text, "; ", human_size(forecast.bytes_existing), " are there\n");
}

std::string plan_json(const std::string& source,
                      const std::vector<DestinationForecast>& destinations) {
  return cat(R"({"source":)", oci::json_string(source), R"(,"destinations":)",
             json_list(destinations, json_of), "}\n");
}

}  // namespace lade::tools
