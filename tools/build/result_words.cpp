#include "tools/build/result_words.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

#include "tools/common/images.h"

namespace lade::tools {
namespace {

using Type = OutputSpec::Type;

Timestamp parse_seconds(std::string_view option, const std::string& text) {
  constexpr std::uint64_t kYear9999 = 253'402'300'799;
  const auto seconds = parse_decimal(text);
  if (!seconds || *seconds > kYear9999)
    throw UsageError(cat("option --", option, " takes seconds since 1970, not ", quoted(text)));
  return {.seconds = static_cast<std::int64_t>(*seconds)};
}

/// "KEY=VALUE", "index,manifest[linux/amd64]:KEY=VALUE".
void read_annotation(const std::string& text, std::vector<build::Annotation>& to) {
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.substr(0, equals).find(':');
  const std::size_t key = colon == std::string::npos ? 0 : colon + 1;
  if (equals == std::string::npos || equals == key)
    throw UsageError(cat("option --annotation takes [LEVEL:]KEY=VALUE, not ", quoted(text)));
  const std::string levels = colon == std::string::npos ? "manifest" : text.substr(0, colon);
  for (const std::string_view level : split(levels, ',')) {
    build::Annotation annotation = annotation_at("annotation", std::string(level));
    annotation.key = text.substr(key, equals - key);
    annotation.value = text.substr(equals + 1);
    to.push_back(std::move(annotation));
  }
}

using Fields = std::vector<std::pair<std::string, std::string>>;

Fields fields_of(std::string_view option, const std::string& text) {
  Fields out;
  for (const std::string& word : csv_fields(option, text)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      out.emplace_back("", word);
    } else {
      out.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
  }
  return out;
}

void read_provenance(std::string_view option, const Fields& fields, build::ResultOptions& to) {
  build::ProvenanceOptions provenance;
  bool wanted = true;
  for (const auto& [key, value] : fields) {
    if (key.empty() && (value == "min" || value == "max")) {
      provenance.mode = value == "max" ? build::ProvenanceOptions::Mode::max
                                       : build::ProvenanceOptions::Mode::min;
    } else if (key.empty()) {
      wanted = parse_switch(option, "its value", value);
    } else if (key == "mode" && (value == "min" || value == "max")) {
      provenance.mode = value == "max" ? build::ProvenanceOptions::Mode::max
                                       : build::ProvenanceOptions::Mode::min;
    } else if (key == "builder-id") {
      provenance.builder_id = value;
    } else if (key == "filename" && !value.empty() && value.find('/') == std::string::npos) {
      provenance.file_name = value;
    } else if (key == "reproducible") {
      provenance.reproducible = parse_switch(option, key, value);
    } else if (key == "disabled") {
      wanted = !parse_switch(option, key, value);
    } else if (key != "type" && !(key == "version" && value == "v1")) {
      throw UsageError(
          cat("option --", option, ": ", quoted(cat(key, "=", value)), " is not implemented"));
    }
  }
  to.provenance.reset();
  if (wanted) to.provenance = std::move(provenance);
}

void read_sbom(std::string_view option, const Fields& fields, build::ResultOptions& to) {
  to.sbom = true;
  for (const auto& [key, value] : fields) {
    if (key.empty()) {
      to.sbom = parse_switch(option, "its value", value);
    } else if (key == "disabled") {
      to.sbom = !parse_switch(option, key, value);
    } else if (key == "generator") {
      throw UsageError(
          cat("option --", option,
              ": generator= is not implemented: the packages are read by this program"));
    } else if (key != "type") {
      throw UsageError(
          cat("option --", option, ": ", quoted(cat(key, "=", value)), " is not implemented"));
    }
  }
}

void read_attestations(const Arguments& arguments, build::ResultOptions& to) {
  for (const std::string& text : arguments.values("attest")) {
    const Fields fields = fields_of("attest", text);
    const auto type = std::find_if(fields.begin(), fields.end(),
                                   [](const auto& field) { return field.first == "type"; });
    if (type != fields.end() && type->second == "provenance") {
      read_provenance("attest", fields, to);
    } else if (type != fields.end() && type->second == "sbom") {
      read_sbom("attest", fields, to);
    } else {
      throw UsageError(
          cat("option --attest takes type=provenance or type=sbom, not ", quoted(text)));
    }
  }
  if (const auto text = arguments.value("provenance"))
    read_provenance("provenance", fields_of("provenance", *text), to);
  if (const auto text = arguments.value("sbom")) read_sbom("sbom", fields_of("sbom", *text), to);
}

void read_times(const Arguments& arguments, const std::vector<OutputSpec>& outputs,
                build::BuildOptions& options) {
  const auto timestamp = arguments.value("timestamp");
  const auto epoch = arguments.value("source-date-epoch");
  if (timestamp && epoch)
    throw UsageError("--timestamp and --source-date-epoch cannot be given at the same time");
  if (timestamp) options.timestamp = parse_seconds("timestamp", *timestamp);
  if (epoch) {
    options.source_date_epoch = parse_seconds("source-date-epoch", *epoch);
  }
  if (options.source_date_epoch)
    options.build_args.try_emplace("SOURCE_DATE_EPOCH", cat(options.source_date_epoch->seconds));
  std::optional<bool> rewrite = arguments.tri_state("rewrite-timestamp");
  for (const OutputSpec& output : outputs) {
    if (!output.rewrite_timestamp) continue;
    if (rewrite && rewrite != output.rewrite_timestamp)
      throw UsageError(cat("option --output ", quoted(output.text),
                           ": rewrite-timestamp is another elsewhere, and layers are made once"));
    rewrite = output.rewrite_timestamp;
  }
  const bool any = options.source_date_epoch || options.timestamp;
  if (rewrite == true && !any)
    throw UsageError(
        "rewrite-timestamp needs SOURCE_DATE_EPOCH, --source-date-epoch or --timestamp");
  if (rewrite == false && options.timestamp)
    throw UsageError(
        "--timestamp sets the times of all files: rewrite-timestamp=false contradicts");
  options.keep_file_times = rewrite == false;
  if (arguments.flag("verify-reproducible") && !any)
    throw UsageError(
        "--verify-reproducible needs SOURCE_DATE_EPOCH, --source-date-epoch or --timestamp: "
        "without, "
        "the image has the time of its build in it");
}

/// Layers are made in the form that all outputs ask for.
void adopt_compression(const Arguments& arguments, const std::vector<OutputSpec>& outputs,
                       build::BuildOptions& options) {
  if (arguments.value("compression-format") || arguments.value("compression-level")) return;
  const OutputSpec* first = nullptr;
  for (const OutputSpec& output : outputs) {
    if (!output.is_image()) continue;
    if (output.codec != "gzip" && output.codec != "zstd" && output.codec != "identity") return;
    if (first != nullptr &&
        (first->codec != output.codec || first->compress.level != output.compress.level ||
         first->compress.fastest != output.compress.fastest))
      return;
    first = &output;
  }
  if (first == nullptr || first->type == Type::docker) return;
  if (options.family == oci::Family::docker && first->codec == "zstd") return;
  options.layer_codec = first->codec;
  options.compress = first->compress;
}

/// Docker's forms say where the result goes, and it goes nowhere else.
bool goes_to_store(const std::vector<OutputSpec>& outputs, bool named) {
  const auto is_docker_form = [](const OutputSpec& output) {
    return output.type != Type::transport;
  };
  if (std::any_of(outputs.begin(), outputs.end(), is_docker_form))
    return std::any_of(outputs.begin(), outputs.end(), [](const OutputSpec& output) {
      return output.type == Type::image && output.names.empty() && output.annotations.empty() &&
             !output.form;
    });
  return named || outputs.empty();
}

}  // namespace

std::vector<OutputSpec> read_outputs(const Arguments& arguments) {
  std::vector<OutputSpec> outputs;
  for (const std::string& text : arguments.values("output")) outputs.push_back(parse_output(text));
  if (arguments.flag("push")) {
    const auto image = std::find_if(outputs.begin(), outputs.end(), [](const OutputSpec& output) {
      return output.type == Type::image || output.type == Type::registry;
    });
    if (image != outputs.end()) {
      image->push = true;
    } else {
      outputs.push_back({.type = Type::registry, .text = "--push"});
    }
  }
  if (arguments.flag("load")) outputs.push_back({.type = Type::docker, .text = "--load"});
  for (const std::string& name : arguments.values("tag")) {
    if (has_transport(name))
      outputs.push_back({.type = Type::transport, .text = name, .dest = name});
  }
  return outputs;
}

void read_result_options(const Arguments& arguments, const std::vector<OutputSpec>& outputs,
                         build::BuildOptions& options) {
  build::ResultOptions& result = options.result;
  options.names.clear();
  for (const std::string& name : arguments.values("tag")) {
    if (!has_transport(name)) options.names.push_back(name);
  }
  for (const std::string& text : arguments.values("annotation"))
    read_annotation(text, result.annotations);
  result.created_annotation = arguments.tri_state("created-annotation") == true;
  result.remove_labels = arguments.values("unsetlabel");
  result.inherit_annotations = arguments.tri_state("inherit-annotations") == true;
  result.remove_annotations = arguments.values("unsetannotation");
  result.inherit_labels = arguments.tri_state("inherit-labels") != false;
  if (arguments.tri_state("identity-label") == true)
    options.labels.try_emplace("io.lade.version", LADE_VERSION);
  result.omit_history = arguments.flag("omit-history");
  result.os_features = arguments.values("os-feature");
  result.os_version = arguments.value("os-version");
  if (arguments.flag("squash")) result.squash = build::Squash::new_layers;
  if (arguments.flag("squash-all")) result.squash = build::Squash::all;
  read_times(arguments, outputs, options);
  read_attestations(arguments, result);
  adopt_compression(arguments, outputs, options);
  result.keep = goes_to_store(outputs, !options.names.empty());
  const bool push_or_load = arguments.flag("push") || arguments.flag("load");
  if (push_or_load && options.names.empty()) throw UsageError("--push and --load need a name (-t)");
}

}  // namespace lade::tools
