#include "libimage/buildcache/cache_option.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/digest.h"

namespace lade::buildcache {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view reason) {
  throw Error(Errc::invalid_argument, cat(quoted(text), ": ", reason));
}

/// One record of RFC 4180: fields by commas, "" around those that hold one.
std::vector<std::string> csv_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted_part = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted_part && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted_part = !quoted_part;
    } else if (c == ',' && !quoted_part) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted_part) refuse(text, "a quotation mark is not closed");
  return fields;
}

/// The attributes of an entry; each is taken by who knows it.
class Attributes {
 public:
  Attributes(std::string_view text, const std::vector<std::string>& fields) : text_(text) {
    for (const std::string& field : fields) {
      const std::size_t equals = field.find('=');
      if (equals == std::string::npos) refuse(text, cat(quoted(field), " is not KEY=VALUE"));
      std::string key = lower_case(std::string_view(field).substr(0, equals));
      if (!values_.emplace(key, field.substr(equals + 1)).second)
        refuse(text, cat(key, " is given twice"));
    }
  }
  std::string take(const std::string& key) {
    const auto node = values_.extract(key);
    return node ? std::move(node.mapped()) : std::string();
  }
  std::string take_required(const std::string& key) {
    std::string value = take(key);
    if (value.empty()) refuse(text_, cat("it needs ", key, "="));
    return value;
  }
  std::optional<bool> take_bool(const std::string& key) {
    if (!values_.contains(key)) return std::nullopt;
    const std::string value = lower_case(take(key));
    if (value == "true" || value == "1" || value == "t") return true;
    if (value == "false" || value == "0" || value == "f") return false;
    refuse(text_, cat(key, " is true or false, not ", quoted(value)));
  }
  /// Nothing is left.
  void finish(std::string_view type) const {
    if (!values_.empty())
      refuse(text_, cat("type=", type, " has no attribute ", quoted(values_.begin()->first)));
  }

 private:
  std::string_view text_;
  std::map<std::string, std::string> values_;
};

CacheType take_type(std::string_view text, Attributes& attributes) {
  const std::string type = attributes.take("type");
  if (type.empty()) refuse(text, "it needs type=registry, local or inline");
  if (type == "registry") return CacheType::registry;
  if (type == "local") return CacheType::local;
  if (type == "inline") return CacheType::inline_config;
  constexpr std::array<std::string_view, 5> kOthers = {"gha", "s3", "azblob", "gcs", "oss"};
  if (std::find(kOthers.begin(), kOthers.end(), type) != kOthers.end())
    throw Error(Errc::unsupported, cat("build cache of type ", type,
                                       " is not implemented: use type=registry or type=local"));
  refuse(text, cat("unknown cache type ", quoted(type), ": it is registry, local or inline"));
}

bool is_list_of_references(const std::vector<std::string>& fields) {
  return std::none_of(fields.begin(), fields.end(), [](const std::string& field) {
    return field.find('=') != std::string::npos;
  });
}

void check_compression(std::string_view text, Attributes& attributes, std::string_view codec) {
  std::string wanted = attributes.take("compression");
  if (wanted == "uncompressed") wanted = "identity";
  const std::string level = attributes.take("compression-level");
  const bool force = attributes.take_bool("force-compression").value_or(false);
  if (!wanted.empty() && wanted != codec)
    refuse(text,
           cat("compression: a layer is the same bytes in the image and in its caches, here ",
               codec == "identity" ? "uncompressed" : codec, "; choose by --compression-format"));
  if (!level.empty())
    refuse(text, "compression-level: choose it for the build, by --compression-level");
  if (force)
    throw Error(Errc::unsupported,
                cat(quoted(text), ": force-compression of a build cache is not implemented"));
}

CacheForm take_form(std::string_view text, Attributes& attributes) {
  CacheForm form;
  const auto oci_types = attributes.take_bool("oci-mediatypes");
  const auto manifest = attributes.take_bool("image-manifest");
  if (oci_types == false) form.family = oci::Family::docker;
  form.image_manifest = manifest.value_or(form.family == oci::Family::oci);
  if (form.image_manifest && form.family == oci::Family::docker)
    refuse(text, "image-manifest=true needs oci-mediatypes=true");
  return form;
}

CacheTo to_entry(std::string_view text, const std::vector<std::string>& fields,
                 std::string_view codec) {
  Attributes attributes(text, fields);
  CacheTo out{.text = std::string(text), .type = take_type(text, attributes)};
  const std::string mode = attributes.take("mode");
  if (!mode.empty() && mode != "min" && mode != "max")
    refuse(text, cat("mode is min or max, not ", quoted(mode)));
  if (mode == "max") out.mode = CacheMode::max;
  if (out.type == CacheType::inline_config) {
    if (out.mode == CacheMode::max)
      refuse(text, "an image holds its own layers only: type=inline has mode=min");
    attributes.finish("inline");
    return out;
  }
  const bool local = out.type == CacheType::local;
  out.place = attributes.take_required(local ? "dest" : "ref");
  if (local) {
    out.tag = attributes.take("tag");
    if (out.tag.empty()) out.tag = "latest";
  }
  out.form = take_form(text, attributes);
  out.ignore_error = attributes.take_bool("ignore-error").value_or(false);
  out.reset = attributes.take_bool("reset").value_or(false);
  check_compression(text, attributes, codec);
  attributes.finish(local ? "local" : "registry");
  return out;
}

}  // namespace

std::vector<CacheFrom> parse_cache_from(std::string_view text) {
  const std::vector<std::string> fields = csv_fields(text);
  std::vector<CacheFrom> out;
  if (is_list_of_references(fields)) {
    for (const std::string& field : fields) {
      if (field.empty()) refuse(text, "it is empty");
      out.push_back({.text = field, .place = field});
    }
    return out;
  }
  Attributes attributes(text, fields);
  CacheFrom from{.text = std::string(text), .type = take_type(text, attributes)};
  switch (from.type) {
    case CacheType::registry:
      from.place = attributes.take_required("ref");
      attributes.finish("registry");
      break;
    case CacheType::local:
      from.place = attributes.take_required("src");
      from.tag = attributes.take("tag");
      from.digest = attributes.take("digest");
      if (!from.digest.empty() && !Digest::try_parse(from.digest))
        refuse(text, cat(quoted(from.digest), " is not a digest"));
      attributes.finish("local");
      break;
    case CacheType::inline_config:
      refuse(text, "an image's inline cache is read by type=registry,ref=IMAGE");
  }
  out.push_back(std::move(from));
  return out;
}

std::vector<CacheTo> parse_cache_to(std::string_view text, std::string_view codec) {
  const std::vector<std::string> fields = csv_fields(text);
  if (!is_list_of_references(fields)) return {to_entry(text, fields, codec)};
  std::vector<CacheTo> out;
  for (const std::string& field : fields) {
    if (field.empty()) refuse(text, "it is empty");
    out.push_back({.text = field, .place = field});
  }
  return out;
}

std::int64_t parse_cache_ttl(std::string_view text) {
  const auto bad = [&] { refuse(text, "is not a duration such as 90m, 1h30m or 7d"); };
  constexpr std::int64_t kMaxSeconds = std::int64_t{100} * 366 * 24 * 3600;
  std::int64_t total = 0;
  std::string_view rest = text;
  if (rest == "0") return 0;
  if (rest.empty()) bad();
  while (!rest.empty()) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto number = parse_decimal(rest.substr(0, digits));
    if (digits == 0 || digits == rest.size() || !number || *number > std::uint64_t{kMaxSeconds})
      bad();
    std::int64_t unit = 0;
    switch (rest[digits]) {
      case 's':
        unit = 1;
        break;
      case 'm':
        unit = 60;
        break;
      case 'h':
        unit = 3600;
        break;
      case 'd':
        unit = 24 * 3600;
        break;
      default:
        bad();
    }
    const auto value = static_cast<std::int64_t>(*number);
    if (value > kMaxSeconds / unit) bad();
    total += value * unit;
    if (total > kMaxSeconds) bad();
    rest.remove_prefix(digits + 1);
  }
  return total;
}

}  // namespace lade::buildcache
