#include "libimage/oci/image_config.h"

#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/oci/json_reader.h"
#include "libimage/oci/json_writer.h"

namespace lade::oci {
namespace {

Healthcheck read_healthcheck(json::Value& value, const std::string& path) {
  json::ObjectReader object(value, path);
  Healthcheck out;
  out.test = object.strings("Test");
  out.interval = object.integer("Interval");
  out.timeout = object.integer("Timeout");
  out.start_period = object.integer("StartPeriod");
  out.start_interval = object.integer("StartInterval");
  out.retries = object.integer("Retries");
  out.unknown =
      object.rest({"Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"});
  return out;
}

ExecutionConfig read_execution(json::Value& value) {
  json::ObjectReader object(value, "config");
  ExecutionConfig out;
  out.user = object.string("User");
  out.exposed_ports = object.name_set("ExposedPorts");
  out.env = object.strings("Env");
  out.entrypoint = object.optional_strings("Entrypoint");
  out.cmd = object.optional_strings("Cmd");
  out.volumes = object.name_set("Volumes");
  out.working_dir = object.string("WorkingDir");
  out.labels = object.string_map("Labels");
  out.stop_signal = object.string("StopSignal");
  out.args_escaped = object.boolean("ArgsEscaped");
  if (json::Value* healthcheck = object.take_set("Healthcheck")) {
    out.healthcheck = read_healthcheck(*healthcheck, "config.Healthcheck");
  }
  out.shell = object.optional_strings("Shell");
  out.on_build = object.optional_strings("OnBuild");
  out.unknown =
      object.rest({"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir",
                   "Labels", "StopSignal", "ArgsEscaped", "Healthcheck", "Shell", "OnBuild"});
  return out;
}

void read_rootfs(json::Value& value, ImageConfig& out) {
  json::ObjectReader object(value, "rootfs");
  const std::string type = json::checked_string(object.take_required("type"), "rootfs.type");
  if (type != "layers") {
    json::fail("rootfs.type", cat("is ", quoted(type.substr(0, 100)), ", not 'layers'"));
  }
  // Docker leaves the list out where it is empty.
  if (object.take_set("diff_ids") != nullptr) {
    for (const std::string& text : object.strings("diff_ids")) {
      const std::string path = json::element("rootfs.diff_ids", out.diff_ids.size());
      if (out.diff_ids.size() >= kMaxDescriptors) {
        throw Error(Errc::limit_exceeded, cat(path, ": more than ", kMaxDescriptors, " layers"));
      }
      const std::optional<Digest> digest = Digest::try_parse(text);
      if (!digest) json::fail(path, cat("invalid digest ", quoted(text.substr(0, 200))));
      out.diff_ids.push_back({*digest});
    }
  }
  out.rootfs_unknown = object.rest({"type", "diff_ids"});
}

std::vector<HistoryEntry> read_history(json::Value& value) {
  std::vector<HistoryEntry> out;
  json::Array& items = json::array_of(value, "history", kMaxHistory);
  out.reserve(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    json::ObjectReader object(items[i], json::element("history", i));
    HistoryEntry entry;
    entry.created = object.string("created");
    entry.author = object.string("author");
    entry.created_by = object.string("created_by");
    entry.comment = object.string("comment");
    entry.empty_layer = object.boolean("empty_layer").value_or(false);
    entry.unknown = object.rest({"created", "author", "created_by", "comment", "empty_layer"});
    out.push_back(std::move(entry));
  }
  return out;
}

ImageConfig config_from(json::Value& value) {
  json::ObjectReader object(value, "");
  ImageConfig out;
  out.created = object.string("created");
  out.author = object.string("author");
  out.architecture = object.string("architecture");
  out.os = object.string("os");
  out.os_version = object.string("os.version");
  out.os_features = object.strings("os.features");
  out.variant = object.string("variant");
  if (json::Value* execution = object.take_set("config")) out.config = read_execution(*execution);
  read_rootfs(object.take_required("rootfs"), out);
  if (json::Value* history = object.take_set("history")) out.history = read_history(*history);
  out.unknown = object.rest({"created", "author", "architecture", "os", "os.version", "os.features",
                             "variant", "config", "rootfs", "history"});
  return out;
}

std::string write_healthcheck(const Healthcheck& healthcheck) {
  json::ObjectWriter out;
  const auto number = [&](std::string_view name, std::int64_t value) {
    if (value != 0) out.raw(name, cat(value));
  };
  if (!healthcheck.test.empty()) out.strings("Test", healthcheck.test);
  number("Interval", healthcheck.interval);
  number("Timeout", healthcheck.timeout);
  number("StartPeriod", healthcheck.start_period);
  number("StartInterval", healthcheck.start_interval);
  number("Retries", healthcheck.retries);
  out.unknown(healthcheck.unknown);
  return out.finish();
}

/// {"name":{},...}
std::string write_name_set(const std::set<std::string>& names) {
  json::ObjectWriter out;
  for (const std::string& name : names) out.raw(name, "{}");
  return out.finish();
}

std::string write_execution(const ExecutionConfig& config) {
  json::ObjectWriter out;
  out.string_if("User", config.user);
  if (!config.exposed_ports.empty()) out.raw("ExposedPorts", write_name_set(config.exposed_ports));
  if (!config.env.empty()) out.strings("Env", config.env);
  if (config.entrypoint) out.strings("Entrypoint", *config.entrypoint);
  if (config.cmd) out.strings("Cmd", *config.cmd);
  if (!config.volumes.empty()) out.raw("Volumes", write_name_set(config.volumes));
  out.string_if("WorkingDir", config.working_dir);
  if (!config.labels.empty()) out.map("Labels", config.labels);
  out.string_if("StopSignal", config.stop_signal);
  if (config.args_escaped) out.raw("ArgsEscaped", *config.args_escaped ? "true" : "false");
  if (config.healthcheck) out.raw("Healthcheck", write_healthcheck(*config.healthcheck));
  if (config.shell) out.strings("Shell", *config.shell);
  if (config.on_build) out.strings("OnBuild", *config.on_build);
  out.unknown(config.unknown);
  return out.finish();
}

std::string write_history_entry(const HistoryEntry& entry) {
  json::ObjectWriter out;
  out.string_if("created", entry.created);
  out.string_if("author", entry.author);
  out.string_if("created_by", entry.created_by);
  out.string_if("comment", entry.comment);
  if (entry.empty_layer) out.raw("empty_layer", "true");
  out.unknown(entry.unknown);
  return out.finish();
}

std::string write_rootfs(const ImageConfig& config) {
  json::ObjectWriter out;
  out.string("type", "layers");
  out.list("diff_ids", config.diff_ids, [](std::string& text, const DiffId& diff_id) {
    json::append_string(text, diff_id.value.str());
  });
  out.unknown(config.rootfs_unknown);
  return out.finish();
}

}  // namespace

Platform ImageConfig::platform() const {
  return {.architecture = architecture,
          .os = os,
          .os_version = os_version,
          .os_features = os_features,
          .variant = variant};
}

ImageConfig parse_image_config(std::string_view json) {
  return with_context([] { return "config"; },
                      [&] {
                        json::Value value = json::parse(json, kMaxConfigBytes);
                        return config_from(value);
                      });
}

std::string serialise(const ImageConfig& config) {
  json::ObjectWriter out;
  out.string_if("created", config.created);
  out.string_if("author", config.author);
  out.string("architecture", config.architecture);
  out.string("os", config.os);
  out.string_if("os.version", config.os_version);
  if (!config.os_features.empty()) out.strings("os.features", config.os_features);
  out.string_if("variant", config.variant);
  if (config.config) out.raw("config", write_execution(*config.config));
  out.raw("rootfs", write_rootfs(config));
  if (!config.history.empty()) {
    out.list("history", config.history, [](std::string& text, const HistoryEntry& entry) {
      text += write_history_entry(entry);
    });
  }
  out.unknown(config.unknown);
  return out.finish();
}

}  // namespace lade::oci
