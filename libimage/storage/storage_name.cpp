#include "libimage/storage/storage_name.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

constexpr std::size_t kShortestId = 3;

[[noreturn]] void throw_invalid(std::string_view name, std::string_view rule) {
  throw Error(Errc::invalid_argument,
              cat("invalid containers-storage name ", quoted(name.substr(0, 400)), ": ", rule));
}

bool is_hex(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

/// Cuts `text` at the first `separator` and returns what was behind it.
std::string_view cut_behind(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return {};
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

void parse_store(std::string_view name, std::string_view store, StorageName& out) {
  if (const std::size_t at = store.find('@'); at != std::string_view::npos) {
    out.driver = store.substr(0, at);
    store.remove_prefix(at + 1);
    if (out.driver.empty()) throw_invalid(name, "no driver before the '@'");
  }
  const std::string_view options = cut_behind(store, ':');
  if (!options.empty()) {
    for (const std::string_view option : split(options, ',')) out.options.emplace_back(option);
  }
  out.run_root = cut_behind(store, '+');
  out.graph_root = store;
  if (out.graph_root.empty() && out.driver.empty()) throw_invalid(name, "an empty store");
  for (const std::string& path : {out.graph_root, out.run_root}) {
    if (path.find('\0') != std::string::npos || (!path.empty() && !path.starts_with('/'))) {
      throw_invalid(name, "a store's paths begin with '/'");
    }
  }
}

/// "overlay.imagestore" and ".imagestore" are "imagestore".
std::string option_key(std::string_view option) {
  const std::string key = lower_case(trimmed(option.substr(0, option.find('='))));
  const std::size_t dot = key.find('.');
  return dot == std::string::npos ? key : key.substr(dot + 1);
}

bool is_true(std::string_view value) { return value == "true" || value == "1"; }

bool has_repository(const KnownImage& image, const Reference& name) {
  return std::any_of(
      image.record.names.begin(), image.record.names.end(), [&](const std::string& text) {
        const auto other = Reference::try_parse(text);
        return other && other->registry == name.registry && other->repository == name.repository;
      });
}

const KnownImage* find_named(const StoreView& view, const Reference& name) {
  if (const KnownImage* image = view.image_named(name.str())) return image;
  if (!name.digest) return nullptr;
  for (const KnownImage& image : view.images()) {
    const auto& digests = image.record.data_digests;
    const bool has_digest =
        image.record.digest == name.digest->str() || digests.contains(manifest_key(*name.digest));
    if (has_digest && has_repository(image, name)) return &image;
  }
  return nullptr;
}

}  // namespace

StorageName StorageName::parse(std::string_view rest) {
  StorageName out;
  std::string_view image = rest;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) throw_invalid(rest, "the store's ']' is missing");
    parse_store(rest, rest.substr(1, end - 1), out);
    image = rest.substr(end + 1);
  }
  out.image = image;
  if (!out.image.empty()) (void)ImageSpec::parse(out.image);
  return out;
}

StoreLocation StorageName::location(StoreLocation configured) const {
  if (!driver.empty()) configured.driver = driver;
  if (!graph_root.empty() && graph_root != configured.graph_root) {
    // What the configuration says of another store does not count for this one.
    if (driver.empty()) configured.driver.clear();
    configured.image_stores.clear();
    configured.ignore_chown_errors = false;
    configured.graph_root = graph_root;
  }
  if (!run_root.empty()) configured.run_root = run_root;
  apply_driver_options(configured, options);
  if (configured.graph_root.empty()) {
    throw Error(Errc::invalid_argument,
                "no container storage is configured: name it before the image, as in "
                "'containers-storage:[overlay@/var/lib/containers/storage]NAME'");
  }
  return configured;
}

void apply_driver_options(StoreLocation& location, const std::vector<std::string>& options) {
  for (const std::string& option : options) {
    const std::size_t equals = option.find('=');
    const std::string key = option_key(option);
    const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
    if (key == "imagestore" || key == "additionalimagestore") {
      for (const std::string_view path : split(value, ',')) {
        if (!path.empty()) location.image_stores.emplace_back(path);
      }
    } else if (key == "ignore_chown_errors") {
      location.ignore_chown_errors = is_true(value);
    } else if (key == "force_mask" || key == "use_composefs" || key == "additionallayerstore") {
      if (value.empty() || value == "false") continue;
      throw Error(Errc::unsupported, cat("storage option ", quoted(option), " is not supported"));
    } else if (key != "mountopt" && key != "mount_program" && key != "size" && key != "inodes" &&
               key != "skip_mount_home" && key != "override_kernel_check" && key != "sync") {
      throw Error(Errc::invalid_argument, cat("unknown storage option ", quoted(option)));
    }
  }
}

ImageSpec ImageSpec::parse(std::string_view text) {
  ImageSpec out;
  std::string_view name = text;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view behind = text.substr(at + 1);
    if (!Digest::try_parse(behind)) {
      if (!is_hex(behind) || behind.size() < kShortestId || behind.size() > 64) {
        throw_invalid(text, "behind '@' goes a digest or an image's ID");
      }
      out.id = behind;
      name = text.substr(0, at);
    }
  }
  if (name.empty()) {
    if (out.id.empty()) throw_invalid(text, "it names no image");
    return out;
  }
  if (is_storage_id(name)) {  // a name must not look like an ID
    if (!out.id.empty()) throw_invalid(text, "two IDs");
    out.id = name;
    return out;
  }
  out.name = Reference::parse(name);
  if (!out.name->tag && !out.name->digest) out.name->tag = Tag{"latest"};
  return out;
}

const KnownImage* find_image(const StoreView& view, std::string_view text) {
  if (text.size() >= kShortestId && text.size() <= 64 && is_hex(text)) {
    if (const KnownImage* image = view.image_by_prefix(text)) return image;
  }
  const ImageSpec spec = ImageSpec::parse(text);
  if (spec.id.empty()) return find_named(view, *spec.name);
  const KnownImage* image = view.image_by_prefix(spec.id);
  if (image != nullptr && spec.name && !has_repository(*image, *spec.name)) return nullptr;
  return image;
}

}  // namespace lade
