#include "libimage/build/first_difference.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/layer/apply_layer.h"

namespace lade::build {
namespace {

using nlohmann::ordered_json;

std::string shown(const ordered_json& value) {
  constexpr std::size_t kMost = 120;
  std::string text = value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (text.size() > kMost) text = cat(text.substr(0, kMost), "...");
  return printable(text);
}

/// The first member, in the first document's order, that is not the same.
std::optional<std::string> json_difference(const ordered_json& first, const ordered_json& second,
                                           const std::string& path) {
  if (first == second) return std::nullopt;
  if (first.is_object() && second.is_object()) {
    for (const auto& [name, value] : first.items()) {
      const std::string member = path.empty() ? name : cat(path, ".", name);
      const auto other = second.find(name);
      if (other == second.end()) return cat(printable(member), ": ", shown(value), ", absent");
      if (auto found = json_difference(value, *other, member)) return found;
    }
    for (const auto& [name, value] : second.items()) {
      if (first.find(name) == first.end())
        return cat(printable(path.empty() ? name : cat(path, ".", name)), ": absent, ",
                   shown(value));
    }
  }
  if (first.is_array() && second.is_array()) {
    for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
      if (auto found = json_difference(first[i], second[i], cat(path, "[", i, "]"))) return found;
    }
    if (first.size() != second.size())
      return cat(printable(path), ": ", first.size(), " items, ", second.size());
  }
  return cat(printable(path), ": ", shown(first), ", ", shown(second));
}

std::optional<std::string> json_difference(const std::string& first, const std::string& second) {
  if (first == second) return std::nullopt;
  return json_difference(ordered_json::parse(first), ordered_json::parse(second), "");
}

std::string octal(std::uint32_t mode) {
  std::string out;
  for (; mode != 0 || out.empty(); mode /= 8)
    out.insert(out.begin(), static_cast<char>('0' + mode % 8));
  return out;
}

std::string_view kind_of(const TarEntry& entry) {
  switch (entry.kind) {
    case LayerEntry::Kind::hardlink:
      return "hard link";
    case LayerEntry::Kind::whiteout:
      return "whiteout";
    case LayerEntry::Kind::opaque:
      return "opaque whiteout";
    case LayerEntry::Kind::file:
      break;
  }
  switch (entry.attributes.type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "directory";
    case FileType::symlink:
      return "link";
    case FileType::fifo:
      return "fifo";
    case FileType::character:
      return "character device";
    case FileType::block:
      return "block device";
  }
  return {};
}

std::string time_text(const Timestamp& time) { return to_rfc3339(time); }

/// What of two entries of one path is not the same; "" if nothing.
std::string attribute_difference(const TarEntry& first, const TarEntry& second) {
  const Attributes& a = first.attributes;
  const Attributes& b = second.attributes;
  const auto differ = [](std::string_view what, const auto& one, const auto& other) {
    return cat(what, " ", one, ", ", other);
  };
  if (kind_of(first) != kind_of(second)) return differ("is a", kind_of(first), kind_of(second));
  if (first.link_to != second.link_to)
    return differ("hard link to", lade::quoted(first.link_to), lade::quoted(second.link_to));
  if (a.link_target != b.link_target)
    return differ("link to", lade::quoted(a.link_target), lade::quoted(b.link_target));
  if (a.mode != b.mode) return differ("mode", octal(a.mode), octal(b.mode));
  if (a.uid != b.uid) return differ("owner", a.uid, b.uid);
  if (a.gid != b.gid) return differ("group", a.gid, b.gid);
  if (a.size != b.size) return differ("size", a.size, b.size);
  if (a.mtime != b.mtime) return differ("mtime", time_text(a.mtime), time_text(b.mtime));
  if (a.xattrs != b.xattrs) return "extended attributes differ";
  return a == b ? "" : "device numbers differ";
}

/// A layer's tar.
struct Tar {
  Tar(LayoutStore& store, const oci::Descriptor& blob)
      : source(decompressed(store.open(blob))), reader(*source) {}
  std::unique_ptr<Source> source;
  TarReader reader;
};

std::string hex(std::byte value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto bits = std::to_integer<unsigned>(value);
  return cat("0x", kDigits[bits >> 4U], kDigits[bits & 0xFU]);
}

/// Reads as much as there is, so that two readers stay in step.
std::size_t fill(TarReader& reader, std::span<std::byte> out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t got = reader.read(out.subspan(done));
    if (got == 0) break;
    done += got;
  }
  return done;
}

std::string content_difference(TarReader& first, TarReader& second) {
  std::vector<std::byte> a(kChunkBytes);
  std::vector<std::byte> b(kChunkBytes);
  for (std::uint64_t at = 0;;) {
    const std::size_t got = fill(first, a);
    const std::size_t other = fill(second, b);
    const std::size_t both = std::min(got, other);
    const auto found =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(both), b.begin());
    const auto same = static_cast<std::size_t>(found.first - a.begin());
    if (same < both)
      return cat("content differs at byte ", at + same, ": ", hex(a[same]), ", ", hex(b[same]));
    if (got != other) return "content ends early in one of them";
    if (got == 0) return {};
    at += got;
  }
}

std::string layer_difference(Tar first, Tar second) {
  for (;;) {
    const std::optional<TarEntry> a = first.reader.next();
    const std::optional<TarEntry> b = second.reader.next();
    if (!a && !b) return "the archives differ, their entries do not";
    if (!a || !b || a->path != b->path) {
      const bool only_first = a && (!b || a->path < b->path);
      return cat(lade::quoted(only_first ? a->path : b->path), " is only in the ",
                 only_first ? "first" : "second");
    }
    std::string what = attribute_difference(*a, *b);
    if (what.empty()) what = content_difference(first.reader, second.reader);
    if (!what.empty()) return cat(lade::quoted(a->path), ": ", what);
  }
}

/// "RUN make", of the step that made layer `index`.
std::string step_of(const oci::ImageConfig& config, std::size_t index) {
  constexpr std::size_t kMost = 80;
  std::size_t layer = 0;
  for (const oci::HistoryEntry& entry : config.history) {
    if (entry.empty_layer || layer++ != index) continue;
    const std::string text = printable(entry.created_by);
    return text.size() > kMost ? cat(text.substr(0, kMost), "...") : text;
  }
  return "?";
}

}  // namespace

std::optional<std::string> first_difference(LayoutStore& first_store, const BuildResult& first,
                                            LayoutStore& second_store, const BuildResult& second) {
  if (first.root().descriptor.digest == second.root().descriptor.digest) return std::nullopt;
  for (std::size_t i = 0; i < std::min(first.images.size(), second.images.size()); ++i) {
    const BuiltImage& a = first.images[i];
    const BuiltImage& b = second.images[i];
    const std::string image =
        first.images.size() > 1 ? cat(oci::to_string(a.platform), ": ") : std::string();
    const auto& layers = a.root.layers();
    const auto& others = b.root.layers();
    for (std::size_t n = 0; n < std::min(layers.size(), others.size()); ++n) {
      const std::string layer = cat(image, "layer ", n + 1, " (", step_of(a.config, n), "): ");
      if (layers[n].diff_id != others[n].diff_id)
        return cat(layer, layer_difference(Tar(first_store, layers[n].blob),
                                           Tar(second_store, others[n].blob)));
      if (layers[n].blob.digest != others[n].blob.digest)
        return cat(layer, "compressed in different ways");
    }
    if (auto found = json_difference(oci::serialise(a.config), oci::serialise(b.config)))
      return cat(image, "config: ", *found);
    if (auto found = json_difference(a.manifest.raw, b.manifest.raw))
      return cat(image, "manifest: ", *found);
    for (std::size_t n = 0; n < std::min(a.attestations.size(), b.attestations.size()); ++n) {
      if (auto found = json_difference(a.attestations[n].predicate, b.attestations[n].predicate))
        return cat(image, a.attestations[n].file_name, ": ", *found);
    }
  }
  if (auto found = json_difference(first.root().raw, second.root().raw))
    return cat("index: ", *found);
  return "the results differ";
}

}  // namespace lade::build
