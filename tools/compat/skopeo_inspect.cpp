// skopeo inspect
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/image/select.h"
#include "libimage/template/format.h"
#include "libimage/template/go_text.h"
#include "libimage/transports/registry.h"

#include "tools/common/terminal.h"
#include "tools/compat/go_log.h"
#include "tools/compat/go_values.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/compat/skopeo_image.h"

namespace lade::tools::compat {
namespace {

using templates::Value;
using templates::ValueList;
using templates::ValueRecord;
using Field = ValueRecord::Field;

// ---- the summary ----

Value layers_data(const oci::Manifest& manifest) {
  ValueList list{.items = {}, .element_type = "types.ImageInspectLayer"};
  for (const oci::Descriptor& layer : manifest.layers) {
    list.items.push_back(Value::of(ValueRecord{
        .type = "types.ImageInspectLayer",
        .fields = {{.name = "MIMEType", .value = text(layer.media_type)},
                   {.name = "Digest", .value = text(layer.digest.str())},
                   {.name = "Size", .value = Value::of(static_cast<std::int64_t>(layer.size))},
                   {.name = "Annotations",
                    .value = labels(layer.annotations.value_or(oci::Annotations{}))}}}));
  }
  list.is_nil = list.items.empty();
  return Value::of(std::move(list));
}

std::string docker_version(const oci::ImageConfig& config) {
  const auto found = config.unknown.find("docker_version");
  if (found == config.unknown.end()) return {};
  const Value value = templates::from_json(found->second);
  return value.text() == nullptr ? std::string() : *value.text();
}

struct Inspected {
  std::string name;
  Digest digest;
  std::vector<std::string> tags;
  const oci::Manifest& manifest;
  const oci::ImageConfig& config;
};

Value summary(const Inspected& image) {
  const auto& execution = image.config.config;
  std::vector<std::string> layers;
  for (const oci::Descriptor& layer : image.manifest.layers) layers.push_back(layer.digest.str());
  return Value::of(ValueRecord{
      .type = "inspect.Output",
      .fields = {
          {.name = "Name", .value = text(image.name), .omit_empty = true},
          {.name = "Tag", .value = text(""), .omit_empty = true},
          {.name = "Digest", .value = text(image.digest.str())},
          {.name = "RepoTags", .value = Value::of(image.tags)},
          {.name = "Created", .value = time(image.config.created)},
          {.name = "DockerVersion", .value = text(docker_version(image.config))},
          {.name = "Labels",
           .value = labels(execution ? execution->labels : decltype(execution->labels){})},
          {.name = "Architecture", .value = text(image.config.architecture)},
          {.name = "Os", .value = text(image.config.os)},
          {.name = "Layers", .value = texts(layers)},
          {.name = "LayersData", .value = layers_data(image.manifest)},
          {.name = "Env", .value = texts(execution ? execution->env : std::vector<std::string>{})},
      }});
}

// ---- reading ----

std::vector<std::string> repository_tags(const ImageName& name, Session& session) {
  const Reference reference = Reference::parse(name.rest);
  std::vector<std::string> tags;
  try {
    visit_tags(reference.registry, reference.repository, session, {}, [&](const std::string& tag) {
      tags.push_back(tag);
      return true;
    });
  } catch (const Error& e) {
    const auto* http = std::get_if<HttpDetail>(&e.detail());
    const bool denied = http != nullptr && (http->registry_code == "DENIED" || http->status == 404);
    if (!denied) throw Fatal(cat("Error determining repository tags: ", e.what()));
    log(Level::warning, "Registry disallows tag list retrieval; skipping");
    tags.clear();
  }
  return tags;
}

oci::Document image_document(const Invocation& invocation, const Source& source) {
  oci::Document document = manifest_document(wanted_platform(invocation.flags), source,
                                             "Error parsing manifest for image: ");
  refuse_artifact(document);
  return document;
}

void write_output(const Invocation& invocation, const Value& value) {
  const std::string format = invocation.flags.text("format");
  if (format.empty() || format == "json" || templates::is_json_format(format)) {
    print(cat(templates::to_json(value, {.indent = 4, .escape_html = true}), "\n"));
    return;
  }
  std::string out;
  try {
    templates::render_format(format, {value}, {.name = "skopeo inspect"}, out);
  } catch (const Error& e) {
    print(out);
    throw Fatal(e.what());
  }
  print(out);
}

void print_config(const Invocation& invocation, Source& source) {
  const oci::Document document = image_document(invocation, source);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  if (invocation.flags.boolean("raw")) {
    const auto blob = source.reader->open(manifest.config);
    print(read_all(*blob, oci::kMaxConfigBytes, "config"));
    return;
  }
  write_output(invocation, config_value(image::read_config(*source.reader, manifest)));
}

std::string name_of(const ImageName& name) {
  if (name.transport == "docker") return repository_name(name);
  if (name.transport != "docker-archive") return {};
  const std::string reference = split_path_reference(name.rest).reference;
  const auto parsed = Reference::try_parse(reference);
  if (reference.empty() || !parsed) return {};
  return cat(parsed->registry, "/", parsed->repository);
}

/// By the algorithm that --manifest-digest names.
Digest shown_digest(const Flags& flags, const Source& source) {
  if (!flags.given("manifest-digest")) return source.root.digest;
  const std::string algorithm = flags.text("manifest-digest");
  try {
    Hasher hasher(algorithm);
    hasher.update(source.reader->document(source.root).raw);
    return hasher.digest();
  } catch (const Error& e) {
    if (e.code() != Errc::unsupported) throw;
    throw Fatal(cat("--manifest-digest ", templates::go_quote(algorithm),
                    ": choose one of the supported algorithms: sha256 or sha512"));
  }
}

void inspect(const Invocation& invocation, const ImageName& name, const std::string& given) {
  WarningLog warnings;
  const auto session = open_session(invocation, "", &warnings);
  Source source = open_source(name, *session,
                              cat("Error parsing image name ", templates::go_quote(given), ": "));
  if (invocation.flags.boolean("config")) return print_config(invocation, source);
  if (invocation.flags.boolean("raw")) {
    print(source.reader->document(source.root).raw);
    return;
  }
  const oci::Document document = image_document(invocation, source);
  const auto& manifest = std::get<oci::Manifest>(document.parsed);
  const oci::ImageConfig config = image::read_config(*source.reader, manifest);
  Inspected inspected{.name = name_of(name),
                      .digest = shown_digest(invocation.flags, source),
                      .tags = {},
                      .manifest = manifest,
                      .config = config};
  if (name.transport == "docker" && !invocation.flags.boolean("no-tags"))
    inspected.tags = repository_tags(name, *session);
  write_output(invocation, summary(inspected));
}

}  // namespace

void skopeo_inspect(const Invocation& invocation) {
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  if (arguments.size() != 1) throw Fatal("Exactly one argument expected");
  if (invocation.flags.boolean("raw") && !invocation.flags.text("format").empty())
    throw Fatal("raw output does not support format option");
  const std::string& given = arguments.front();
  ImageName name;
  try {
    name = parse_name(given);
  } catch (const Fatal& e) {
    throw Fatal(cat("Error parsing image name ", templates::go_quote(given), ": ", e.what()));
  }
  with_retries(invocation, [&] { inspect(invocation, name, given); });
}

}  // namespace lade::tools::compat
