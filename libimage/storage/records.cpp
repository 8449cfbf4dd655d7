#include "libimage/storage/records.h"

#include <algorithm>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"

namespace lade {
namespace {

namespace json = oci::json;

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kMaxOwners = 100'000;
constexpr std::string_view kManifestPrefix = "manifest-";
constexpr const char* kIncomplete = "incomplete";

oci::UnknownMembers object_members(json::Value* value, const std::string& path) {
  if (value == nullptr) return {};
  return json::ObjectReader(*value, path).rest({});
}

std::vector<std::uint32_t> ids(json::ObjectReader& reader, std::string_view name) {
  json::Value* value = reader.take_set(name);
  if (value == nullptr) return {};
  std::vector<std::uint32_t> out;
  for (json::Value& item : json::array_of(*value, reader.path_of(name), kMaxOwners)) {
    const std::int64_t id = json::integer_of(item, reader.path_of(name), 0);
    if (id > 0xFFFF'FFFF) json::fail(reader.path_of(name), "is out of range");
    out.push_back(static_cast<std::uint32_t>(id));
  }
  return out;
}

std::map<std::string, std::int64_t> sizes(json::ObjectReader& reader, std::string_view name) {
  json::Value* value = reader.take_set(name);
  if (value == nullptr) return {};
  std::map<std::string, std::int64_t> out;
  auto* members = value->as<json::Object>();
  if (members == nullptr) json::fail(reader.path_of(name), "is not an object");
  for (auto& [key, item] : *members) {
    out.emplace(key, json::integer_of(item, cat(reader.path_of(name), ".", printable(key)), 0));
  }
  return out;
}

LayerRecord read_layer(json::ObjectReader reader) {
  LayerRecord record;
  record.id = reader.string("id");
  record.names = reader.strings("names");
  record.parent = reader.string("parent");
  record.created = reader.string("created");
  record.compressed_digest = reader.string("compressed-diff-digest");
  record.compressed_size = reader.integer("compressed-size");
  record.diff_digest = reader.string("diff-digest");
  record.diff_size = reader.integer("diff-size");
  record.compression = reader.integer("compression");
  record.uids = ids(reader, "uidset");
  record.gids = ids(reader, "gidset");
  record.flags = object_members(reader.take_set("flags"), reader.path_of("flags"));
  record.unknown =
      reader.rest({"id", "names", "parent", "created", "compressed-diff-digest", "compressed-size",
                   "diff-digest", "diff-size", "compression", "uidset", "gidset", "flags"});
  return record;
}

ImageRecord read_image(json::ObjectReader reader) {
  ImageRecord record;
  record.id = reader.string("id");
  record.digest = reader.string("digest");
  record.names = reader.strings("names");
  record.names_history = reader.strings("names-history");
  record.top_layer = reader.string("layer");
  record.mapped_layers = reader.strings("mapped-layers");
  record.metadata = reader.string("metadata");
  record.data_names = reader.strings("big-data-names");
  record.data_sizes = sizes(reader, "big-data-sizes");
  record.data_digests = reader.string_map("big-data-digests");
  record.created = reader.string("created");
  record.unknown =
      reader.rest({"id", "digest", "names", "names-history", "layer", "mapped-layers", "metadata",
                   "big-data-names", "big-data-sizes", "big-data-digests", "created"});
  return record;
}

ContainerRecord read_container(json::ObjectReader reader) {
  return {.id = reader.string("id"),
          .names = reader.strings("names"),
          .image = reader.string("image"),
          .layer = reader.string("layer")};
}

template <typename Record>
std::vector<Record> parse(std::string_view text, Record (*read)(json::ObjectReader)) {
  if (trimmed(text).empty() || trimmed(text) == "null") return {};
  json::Value document = json::parse(text, kMaxRecordsBytes);
  std::vector<Record> records;
  json::Array& items = json::array_of(document, "records", kMaxRecords);
  records.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    records.push_back(read(json::ObjectReader(items[i], json::element("", i))));
  }
  return records;
}

template <typename Items>
void strings_if(json::ObjectWriter& out, std::string_view name, const Items& items) {
  if (!items.empty()) out.strings(name, items);
}

void number_if(json::ObjectWriter& out, std::string_view name, std::int64_t value) {
  if (value != 0) out.raw(name, cat(value));
}

void ids_if(json::ObjectWriter& out, std::string_view name, const std::vector<std::uint32_t>& ids) {
  if (ids.empty()) return;
  out.list(name, ids, [](std::string& text, std::uint32_t id) { text += cat(id); });
}

void append(std::string& text, const LayerRecord& record) {
  json::ObjectWriter out;
  out.string("id", record.id);
  strings_if(out, "names", record.names);
  out.string_if("parent", record.parent);
  out.string_if("created", record.created);
  out.string_if("compressed-diff-digest", record.compressed_digest);
  number_if(out, "compressed-size", record.compressed_size);
  out.string_if("diff-digest", record.diff_digest);
  number_if(out, "diff-size", record.diff_size);
  number_if(out, "compression", record.compression);
  ids_if(out, "uidset", record.uids);
  ids_if(out, "gidset", record.gids);
  if (!record.flags.empty()) {
    json::ObjectWriter flags;
    flags.unknown(record.flags);
    out.raw("flags", flags.finish());
  }
  out.unknown(record.unknown);
  text += out.finish();
}

void append(std::string& text, const ImageRecord& record) {
  json::ObjectWriter out;
  out.string("id", record.id);
  out.string_if("digest", record.digest);
  strings_if(out, "names", record.names);
  strings_if(out, "names-history", record.names_history);
  out.string_if("layer", record.top_layer);
  strings_if(out, "mapped-layers", record.mapped_layers);
  out.string_if("metadata", record.metadata);
  strings_if(out, "big-data-names", record.data_names);
  if (!record.data_sizes.empty()) {
    json::ObjectWriter inner;
    for (const auto& [name, size] : record.data_sizes) inner.raw(name, cat(size));
    out.raw("big-data-sizes", inner.finish());
  }
  if (!record.data_digests.empty()) out.map("big-data-digests", record.data_digests);
  out.string_if("created", record.created);
  out.unknown(record.unknown);
  text += out.finish();
}

template <typename Record>
std::string joined(const std::vector<Record>& records) {
  std::string text = "[";
  for (const Record& record : records) {
    if (text.size() > 1) text += ',';
    append(text, record);
  }
  return text + "]";
}

}  // namespace

bool is_storage_id(std::string_view text) noexcept {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool LayerRecord::incomplete() const {
  const auto flag = flags.find(kIncomplete);
  return flag != flags.end() && flag->second == "true";
}

void LayerRecord::mark_incomplete() { flags[kIncomplete] = "true"; }

void LayerRecord::mark_complete() { flags.erase(kIncomplete); }

void ImageRecord::set_data(const std::string& name, std::int64_t size, const Digest& content) {
  if (std::find(data_names.begin(), data_names.end(), name) == data_names.end()) {
    data_names.push_back(name);
  }
  data_sizes[name] = size;
  data_digests.insert_or_assign(name, content.str());
}

void ImageRecord::add_name(const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::erase(names_history, name);
  names_history.insert(names_history.begin(), name);
}

std::vector<LayerRecord> parse_layer_records(std::string_view text) {
  return with_context([] { return "layers.json"; }, [&] { return parse(text, read_layer); });
}

std::vector<ImageRecord> parse_image_records(std::string_view text) {
  return with_context([] { return "images.json"; }, [&] { return parse(text, read_image); });
}

std::vector<ContainerRecord> parse_container_records(std::string_view text) {
  return with_context([] { return "containers.json"; },
                      [&] { return parse(text, read_container); });
}

std::map<std::string, std::int64_t> parse_mount_counts(std::string_view text) {
  return with_context([] { return "mountpoints.json"; },
                      [&] {
                        struct Mount {
                          std::string id;
                          std::int64_t count;
                        };
                        const auto read = [](json::ObjectReader reader) {
                          return Mount{reader.string("id"), reader.integer("count")};
                        };
                        std::map<std::string, std::int64_t> counts;
                        for (const Mount& mount : parse<Mount>(text, read))
                          counts[mount.id] += mount.count;
                        return counts;
                      });
}

std::string serialise(const std::vector<LayerRecord>& records) { return joined(records); }
std::string serialise(const std::vector<ImageRecord>& records) { return joined(records); }

std::string data_file_name(std::string_view key) {
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) {
    return c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
  });
  // "." and ".." are data items of nobody, and no file names.
  if (plain && !key.empty() && key != "." && key != "..") return std::string(key);
  return cat("=", to_base64(key));
}

std::string manifest_key(const Digest& digest) { return cat(kManifestPrefix, digest.str()); }

}  // namespace lade
