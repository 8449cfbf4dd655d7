// lade validate IMAGE
#include "libimage/validate/validate.h"

#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"
#include "libimage/transports/transports.h"
#include "libimage/validate/check_document.h"

#include "tools/common/groups.h"
#include "tools/common/output_file.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 3> kFormats = {"text", "json", "sarif"};
constexpr std::array<OptionSpec, 5> kValidateOptions = {{
    {.name = "deep",
     .help = "decompress the layers: diff IDs, tar entries, duplicate paths, whiteouts"},
    {.name = "documents", .help = "only manifests, indexes and configs; no layer is read"},
    {.name = "strict", .help = "fail for warnings too"},
    {.name = "jobs", .value = "N", .help = "blobs read at once (default 6)"},
    {.name = "format",
     .letter = 'f',
     .value = "FORMAT",
     .help = "how to print the findings",
     .choices = kFormats},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kValidateOptions, kRegistryOptions,
                                                                kPlaceOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "Is this layout what it should be",
    "lade validate --deep oci:app",
    "Documents alone, of a registry",
    "lade validate --documents docker://registry.example/app:1.0",
    "For the code scanning of a forge",
    "lade validate --format sarif oci:app > lade.sarif",
};

/// The two files of a layout that no descriptor names.
void check_layout_files(const std::string& name, validate::Report& report) {
  if (!has_transport(name)) return;
  const ImageName parsed = parse_image_name(name);
  if (parsed.transport != "oci") return;
  const std::string path = split_path_reference(parsed.rest).path;
  const auto check = [&](const std::string& file, validate::DocumentKind kind) {
    const std::string text = read_input(cat(path, "/", file), oci::kMaxManifestBytes);
    validate::CheckedDocument checked = validate::check_document(kind, text, "", file);
    ++report.documents;
    report.findings.insert(report.findings.begin(), checked.findings.begin(),
                           checked.findings.end());
  };
  check("index.json", validate::DocumentKind::index);
  check("oci-layout", validate::DocumentKind::layout);
}

int run_validate(const Arguments& arguments, const Environment& environment) {
  using Layers = validate::ValidateOptions::Layers;
  if (arguments.flag("deep") && arguments.flag("documents")) {
    throw UsageError("--deep reads layers, --documents reads none");
  }
  const std::string& name = arguments.positional().front();
  const std::string format = arguments.value_or("format", "text");
  OneSide side(arguments, environment);
  validate::Report report;
  with_context([&] { return cat("validate ", printable(name)); },
               [&] {
                 OpenedImage image = open_image(name, *side.session, side.stores, Reading::surely);
                 report = validate::validate(
                     *image.reader, image.root,
                     {.layers = arguments.flag("deep")        ? Layers::deep
                                : arguments.flag("documents") ? Layers::listed
                                                              : Layers::hashed,
                      .jobs = static_cast<unsigned>(arguments.number("jobs", 1, 64).value_or(6)),
                      .stop = side.stop.token()});
                 check_layout_files(name, report);
               });
  if (format == "text") {
    print(validate::to_text(report, name));
  } else {
    print(cat(oci::pretty_json(format == "json" ? validate::to_json(report, name)
                                                : validate::to_sarif(report, name)),
              "\n"));
  }
  const bool failed = report.count(validate::Severity::error) > 0 ||
                      (arguments.flag("strict") && report.count(validate::Severity::warning) > 0);
  return failed ? 1 : 0;
}

}  // namespace

const VerbSpec kValidateVerb = {
    .name = "validate",
    .synopsis = "IMAGE",
    .summary = "check an image against the OCI image specification",
    .description =
        "Checks everything that IMAGE reaches: the members of indexes, manifests and configs, "
        "digests and sizes of all blobs, and with --deep the content of the layers: codec, diff "
        "IDs, tar entries, duplicate paths, whiteouts. No fault ends the check; each is printed "
        "with its severity, where it is, and the section of the specification. Errors break a "
        "MUST, warnings a SHOULD, notes are allowed and seldom meant.\n\n"
        "The exit status is 1 if there are errors (warnings too, with --strict), else 0.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_validate,
    .group = "Inspect",
};

}  // namespace lade::tools
