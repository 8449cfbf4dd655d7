#include "libimage/oci/schema1.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libimage/base/base64.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"

namespace lade::oci {
namespace {

constexpr std::size_t kMaxSignatures = 100;

/// Members of a schema 1 image that a config of today does not have.
constexpr std::array<std::string_view, 8> kDropped = {"id",   "parent",    "parent_id", "layer_id",
                                                      "Size", "throwaway", "rootfs",    "history"};

std::optional<std::string> from_base64url(std::string text) {
  for (char& c : text) {
    if (c == '-') {
      c = '+';
    } else if (c == '_') {
      c = '/';
    } else if (c == '+' || c == '/') {
      return std::nullopt;
    }
  }
  return from_base64(text);
}

/// What one signature says of the bytes that were signed: the first `length` of the document, then
/// `tail` (JSON web signatures as libtrust writes them).
struct Format {
  std::uint64_t length = 0;
  std::string tail;
  bool operator==(const Format&) const = default;
};

Format format_of(json::Value& signature, const std::string& path) {
  json::ObjectReader object(signature, path);
  const std::string name = object.path_of("protected");
  const auto header = from_base64url(json::checked_string(object.take_required("protected"), name));
  if (!header) json::fail(name, "is not base64url");
  json::Value value = json::parse(*header, kMaxManifestBytes);
  json::ObjectReader inner(value, name);
  const std::string tail_path = inner.path_of("formatTail");
  const auto tail =
      from_base64url(json::checked_string(inner.take_required("formatTail"), tail_path));
  if (!tail) json::fail(tail_path, "is not base64url");
  const std::int64_t length =
      json::integer_of(inner.take_required("formatLength"), inner.path_of("formatLength"), 0);
  return {.length = static_cast<std::uint64_t>(length), .tail = *tail};
}

/// The words of the command that made a layer, as Docker joins them.
std::string command_of(json::ObjectReader& image) {
  json::Value* config = image.take_set("container_config");
  if (config == nullptr) return {};
  json::ObjectReader object(*config, image.path_of("container_config"));
  std::string words;
  for (const std::string& word : object.strings("Cmd")) {
    words += cat(words.empty() ? "" : " ", word);
  }
  return words;
}

HistoryEntry history_from(const std::string& text, const std::string& path) {
  json::Value value = json::parse(text, kMaxConfigBytes);
  json::ObjectReader image(value, path);
  return {.created = image.string("created"),
          .author = image.string("author"),
          .created_by = command_of(image),
          .comment = image.string("comment"),
          .empty_layer = image.boolean("throwaway").value_or(false)};
}

Digest read_blob(json::Value& item, const std::string& path) {
  json::ObjectReader object(item, path);
  const std::string name = object.path_of("blobSum");
  const std::string text = json::checked_string(object.take_required("blobSum"), name);
  const auto digest = Digest::try_parse(text);
  if (!digest || !digest->verifiable())
    json::fail(name, cat(quoted(text.substr(0, 200)), " is no digest"));
  return *digest;
}

std::string read_compatibility(json::Value& item, const std::string& path) {
  json::ObjectReader object(item, path);
  return json::checked_string(object.take_required("v1Compatibility"),
                              object.path_of("v1Compatibility"));
}

Schema1 schema1_from(json::Value& value) {
  json::ObjectReader object(value, "");
  const std::int64_t version =
      json::integer_of(object.take_required("schemaVersion"), "schemaVersion", 0);
  if (version != 1) json::fail("schemaVersion", cat("is ", version, ", not 1"));
  for (const auto& [name, member] : object.members()) {
    const std::string lower = lower_case(name.substr(0, 20));
    if (lower == "config" || lower == "layers" || lower == "manifests") {
      json::fail(name, "belongs to another kind of document: ambiguous");
    }
  }
  Schema1 out{.name = object.string("name"),
              .tag = object.string("tag"),
              .architecture = object.string("architecture")};
  json::Array& blobs =
      json::array_of(object.take_required("fsLayers"), "fsLayers", kMaxDescriptors);
  json::Array& history =
      json::array_of(object.take_required("history"), "history", kMaxDescriptors);
  if (blobs.empty() || blobs.size() != history.size()) {
    json::fail("history", cat("has ", history.size(), " entries for ", blobs.size(), " fsLayers"));
  }
  for (std::size_t i = blobs.size(); i-- > 0;) {
    const std::string text = read_compatibility(history[i], json::element("history", i));
    out.layers.push_back(
        {.blob = read_blob(blobs[i], json::element("fsLayers", i)),
         .history = history_from(text, json::element("history", i) + ".v1Compatibility")});
    if (i == 0) out.config = text;
  }
  return out;
}

void append_history(std::string& text, const Schema1Layer& layer) {
  json::ObjectWriter out;
  out.string_if("created", layer.history.created);
  out.string_if("author", layer.history.author);
  out.string_if("created_by", layer.history.created_by);
  out.string_if("comment", layer.history.comment);
  if (layer.history.empty_layer) out.raw("empty_layer", "true");
  text += out.finish();
}

std::string rootfs_of(const std::vector<DiffId>& diff_ids) {
  json::ObjectWriter out;
  out.string("type", "layers");
  out.list("diff_ids", diff_ids, [](std::string& text, const DiffId& diff_id) {
    json::append_string(text, diff_id.value.str());
  });
  return out.finish();
}

constexpr auto kContext = [] { return "schema 1 manifest"; };

}  // namespace

std::vector<Digest> Schema1::blobs() const {
  std::vector<Digest> out;
  for (const Schema1Layer& layer : layers) {
    if (!layer.history.empty_layer) out.push_back(layer.blob);
  }
  return out;
}

std::string schema1_payload(std::string_view json) {
  return with_context(kContext, [&] {
    json::Value value = json::parse(json, kMaxManifestBytes);
    json::ObjectReader object(value, "");
    json::Value* signatures = object.take_set("signatures");
    if (signatures == nullptr) return std::string(json);
    json::Array& items = json::array_of(*signatures, "signatures", kMaxSignatures);
    if (items.empty()) json::fail("signatures", "is empty");
    std::optional<Format> format;
    for (std::size_t i = 0; i < items.size(); ++i) {
      Format one = format_of(items[i], json::element("signatures", i));
      if (format && *format != one) json::fail("signatures", "do not sign the same bytes");
      format = std::move(one);
    }
    if (format->length > json.size()) json::fail("signatures", "sign more than there is");
    return cat(json.substr(0, format->length), format->tail);
  });
}

Schema1 parse_schema1(std::string_view json) {
  return with_context(kContext, [&] {
    json::Value value = json::parse(json, kMaxManifestBytes);
    return schema1_from(value);
  });
}

std::string schema1_config(const Schema1& manifest, const std::vector<DiffId>& diff_ids) {
  return with_context([] { return "config of a schema 1 manifest"; },
                      [&] {
                        json::Value value = json::parse(manifest.config, kMaxConfigBytes);
                        const json::ObjectReader reader(value, "");
                        UnknownMembers members;
                        for (const auto& [name, member] : reader.members()) {
                          if (std::find(kDropped.begin(), kDropped.end(), name) == kDropped.end()) {
                            json::append_compact(members[name], member);
                          }
                        }
                        json::ObjectWriter history;
                        history.list("history", manifest.layers, append_history);
                        const std::string history_object = history.finish();
                        constexpr std::string_view kBefore = R"({"history":)";
                        members["history"] = history_object.substr(
                            kBefore.size(), history_object.size() - kBefore.size() - 1);
                        members["rootfs"] = rootfs_of(diff_ids);
                        json::ObjectWriter out;
                        out.unknown(members);
                        std::string text = out.finish();
                        if (text.size() > kMaxConfigBytes) {
                          throw Error(Errc::limit_exceeded,
                                      cat(text.size(), " bytes, more than ", kMaxConfigBytes));
                        }
                        (void)parse_image_config(text);  // that it is one
                        return text;
                      });
}

}  // namespace lade::oci
