#include "tools/compat/skopeo_image.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/template/go_text.h"

#include "tools/compat/go_values.h"

namespace lade::tools::compat {
namespace {

using templates::Value;
using templates::ValueList;
using templates::ValueMap;
using templates::ValueRecord;
using Field = ValueRecord::Field;

/// A set of names, as Docker's configs have it: {"80/tcp": {}}.
Value name_set(const std::set<std::string>& names) {
  ValueMap map{.entries = {}, .element_type = "struct {}"};
  for (const std::string& name : names)
    map.entries.emplace(name, Value::of(ValueRecord{.type = "struct {}"}));
  return Value::of(std::move(map));
}

Field member(std::string name, std::string json_name, Value value) {
  return {.name = std::move(name),
          .json_name = std::move(json_name),
          .value = std::move(value),
          .omit_empty = true};
}

Value history_value(const std::vector<oci::HistoryEntry>& history) {
  ValueList list{.items = {}, .element_type = "v1.History"};
  for (const oci::HistoryEntry& entry : history) {
    list.items.push_back(Value::of(ValueRecord{
        .type = "v1.History",
        .fields = {member("Created", "created", time(entry.created)),
                   member("CreatedBy", "created_by", text(entry.created_by)),
                   member("Author", "author", text(entry.author)),
                   member("Comment", "comment", text(entry.comment)),
                   member("EmptyLayer", "empty_layer", Value::of(entry.empty_layer))}}));
  }
  return Value::of(std::move(list));
}

}  // namespace

oci::Document manifest_document(const oci::Platform& wanted, const Source& source,
                                std::string_view context) {
  const bool index = oci::is_index(source.root.media_type);
  oci::Document document = [&] {
    try {
      return index ? image::select(*source.reader, source.root, wanted)
                   : source.reader->document(source.root);
    } catch (const Error& e) {
      if (e.code() != Errc::not_found)
        throw Fatal(cat(context, index ? "choosing image instance: " : "", e.what()));
      const bool docker = source.root.media_type == oci::kDockerManifestList;
      throw Fatal(cat(context, "choosing image instance: no image found in ",
                      docker ? "manifest list" : "image index", " for architecture ",
                      templates::go_quote(wanted.architecture), ", variant ",
                      templates::go_quote(wanted.variant), ", OS ",
                      templates::go_quote(wanted.os)));
    }
  }();
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest == nullptr) {
    throw Fatal(cat(context, "unsupported manifest media type ",
                    printable(document.descriptor.media_type)));
  }
  return document;
}

void refuse_artifact(const oci::Document& document) {
  const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
  if (manifest == nullptr || oci::is_image_config(manifest->config.media_type)) return;
  throw Fatal(cat("unsupported image-specific operation on artifact with type ",
                  templates::go_quote(manifest->artifact_type.empty() ? manifest->config.media_type
                                                                      : manifest->artifact_type)));
}

templates::Value execution_value(const std::optional<oci::ExecutionConfig>& given) {
  const oci::ExecutionConfig config = given.value_or(oci::ExecutionConfig{});
  return Value::of(ValueRecord{
      .type = "v1.ImageConfig",
      .fields = {
          member("User", "User", text(config.user)),
          member("ExposedPorts", "ExposedPorts", name_set(config.exposed_ports)),
          member("Env", "Env", texts(config.env)),
          member("Entrypoint", "Entrypoint",
                 texts(config.entrypoint.value_or(std::vector<std::string>{}))),
          member("Cmd", "Cmd", texts(config.cmd.value_or(std::vector<std::string>{}))),
          member("Volumes", "Volumes", name_set(config.volumes)),
          member("WorkingDir", "WorkingDir", text(config.working_dir)),
          member("Labels", "Labels", labels(config.labels)),
          member("StopSignal", "StopSignal", text(config.stop_signal)),
          member("ArgsEscaped", "ArgsEscaped", Value::of(config.args_escaped.value_or(false)))}});
}

templates::Value config_value(const oci::ImageConfig& config) {
  std::vector<std::string> diff_ids;
  for (const DiffId& id : config.diff_ids) diff_ids.push_back(id.value.str());
  return Value::of(ValueRecord{
      .type = "v1.Image",
      .fields = {
          member("Created", "created", time(config.created)),
          member("Author", "author", text(config.author)),
          {.name = "Architecture", .json_name = "architecture", .value = text(config.architecture)},
          {.name = "OS", .json_name = "os", .value = text(config.os)},
          member("OSVersion", "os.version", text(config.os_version)),
          member("OSFeatures", "os.features", texts(config.os_features)),
          member("Variant", "variant", text(config.variant)),
          {.name = "Config", .json_name = "config", .value = execution_value(config.config)},
          {.name = "RootFS",
           .json_name = "rootfs",
           .value = Value::of(ValueRecord{
               .type = "v1.RootFS",
               .fields =
                   {{.name = "Type", .json_name = "type", .value = text("layers")},
                    {.name = "DiffIDs", .json_name = "diff_ids", .value = texts(diff_ids)}}})},
          member("History", "history", history_value(config.history)),
      }});
}

}  // namespace lade::tools::compat
