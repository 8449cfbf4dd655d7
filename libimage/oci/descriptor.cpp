#include "libimage/oci/descriptor.h"

#include <algorithm>

#include "libimage/base/base64.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/descriptor_json.h"
#include "libimage/oci/document.h"
#include "libimage/oci/json_writer.h"

namespace lade::oci {
namespace {

Digest read_digest(json::ObjectReader& object) {
  const std::string path = object.path_of("digest");
  const std::string text = json::checked_string(object.take_required("digest"), path);
  std::optional<Digest> digest = Digest::try_parse(text);
  if (!digest) json::fail(path, cat("invalid digest ", quoted(text.substr(0, 200))));
  return *std::move(digest);
}

std::vector<std::string> read_urls(json::ObjectReader& object) {
  std::vector<std::string> urls = object.strings("urls");
  for (std::size_t i = 0; i < urls.size(); ++i) {
    if (!is_uri(urls[i])) {
      json::fail(json::element(object.path_of("urls"), i),
                 cat(quoted(urls[i].substr(0, 200)), " is no URI"));
    }
  }
  return urls;
}

/// The content that the descriptor carries itself; it must be the content (descriptor.md,
/// "Embedded Content").
std::optional<std::string> read_data(json::ObjectReader& object, const Descriptor& descriptor) {
  json::Value* value = object.take_set("data");
  if (value == nullptr) return std::nullopt;
  const std::string path = object.path_of("data");
  const std::string text = json::checked_string(*value, path);
  std::optional<std::string> data = from_base64(text);
  // One text only for the same bytes: no missing padding, no stray bits.
  if (!data || to_base64(*data) != text) json::fail(path, "is not base64");
  if (data->size() != descriptor.size) {
    json::fail(path, cat("holds ", data->size(), " bytes, but size is ", descriptor.size));
  }
  if (!descriptor.digest.verifiable()) {
    throw Error(Errc::unsupported,
                cat(path, ": content under digest algorithm ",
                    quoted(descriptor.digest.algorithm()), " cannot be verified"));
  }
  Hasher hasher(descriptor.digest.algorithm());
  hasher.update(*data);
  if (hasher.digest() != descriptor.digest) {
    json::fail(path, cat("has digest ", hasher.digest().str(), ", not ", descriptor.digest.str()));
  }
  return data;
}

std::optional<Platform> read_platform(json::ObjectReader& parent) {
  json::Value* value = parent.take_set("platform");
  if (value == nullptr) return std::nullopt;
  json::ObjectReader object(*value, parent.path_of("platform"));
  Platform platform;
  platform.architecture =
      json::checked_string(object.take_required("architecture"), object.path_of("architecture"));
  platform.os = json::checked_string(object.take_required("os"), object.path_of("os"));
  platform.os_version = object.string("os.version");
  platform.os_features = object.strings("os.features");
  platform.variant = object.string("variant");
  platform.features = object.strings("features");
  platform.unknown =
      object.rest({"architecture", "os", "os.version", "os.features", "variant", "features"});
  return platform;
}

std::string write_platform(const Platform& platform) {
  json::ObjectWriter out;
  out.string("architecture", platform.architecture);
  out.string("os", platform.os);
  out.string_if("os.version", platform.os_version);
  if (!platform.os_features.empty()) out.strings("os.features", platform.os_features);
  out.string_if("variant", platform.variant);
  if (!platform.features.empty()) out.strings("features", platform.features);
  out.unknown(platform.unknown);
  return out.finish();
}

}  // namespace

bool is_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string_view scheme = text.substr(0, colon);
  return alpha(scheme[0]) &&
         std::all_of(
             scheme.begin(), scheme.end(),
             [&](char c) { return alpha(c) || digit(c) || c == '+' || c == '-' || c == '.'; }) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return alpha(c) || digit(c) ||
                  std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
         });
}

std::string to_string(const Platform& platform) {
  const auto or_unknown = [](const std::string& text) -> std::string_view {
    return text.empty() ? std::string_view("unknown") : std::string_view(text);
  };
  std::string out = cat(or_unknown(platform.os), "/", or_unknown(platform.architecture));
  if (!platform.variant.empty()) out += cat("/", platform.variant);
  if (!platform.os_version.empty()) out += cat(":", platform.os_version);
  return out;
}

std::string Descriptor::annotation(const std::string& key) const {
  if (!annotations) return {};
  const auto found = annotations->find(key);
  return found == annotations->end() ? std::string() : found->second;
}

MediaType read_media_type(json::ObjectReader& object, std::string_view name) {
  MediaType media_type = object.string(name);
  if (!media_type.empty() && !is_media_type(media_type)) {
    json::fail(object.path_of(name),
               cat(quoted(media_type.substr(0, 200)), " is not a media type (RFC 6838)"));
  }
  return media_type;
}

std::optional<Annotations> read_annotations(json::ObjectReader& object) {
  json::Value* value = object.take_set("annotations");
  if (value == nullptr) return std::nullopt;
  return object.string_map("annotations");
}

Descriptor read_descriptor(json::Value& value, const std::string& path) {
  json::ObjectReader object(value, path);
  Descriptor out{.digest = read_digest(object)};
  out.media_type = read_media_type(object, "mediaType");
  if (out.media_type.empty()) json::fail(object.path_of("mediaType"), "is missing or empty");
  out.size = static_cast<std::uint64_t>(
      json::integer_of(object.take_required("size"), object.path_of("size"), 0));
  out.urls = read_urls(object);
  out.annotations = read_annotations(object);
  out.data = read_data(object, out);
  out.artifact_type = read_media_type(object, "artifactType");
  out.platform = read_platform(object);
  out.unknown = object.rest(
      {"mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform"});
  return out;
}

std::string write_descriptor(const Descriptor& descriptor) {
  json::ObjectWriter out;
  out.string("mediaType", descriptor.media_type);
  out.string("digest", descriptor.digest.str());
  out.raw("size", cat(descriptor.size));
  if (!descriptor.urls.empty()) out.strings("urls", descriptor.urls);
  if (descriptor.annotations) out.map("annotations", *descriptor.annotations);
  if (descriptor.data) out.string("data", to_base64(*descriptor.data));
  out.string_if("artifactType", descriptor.artifact_type);
  if (descriptor.platform) out.raw("platform", write_platform(*descriptor.platform));
  out.unknown(descriptor.unknown);
  return out.finish();
}

std::string serialise(const Descriptor& descriptor) { return write_descriptor(descriptor); }

}  // namespace lade::oci
