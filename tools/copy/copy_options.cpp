#include "tools/copy/copy_options.h"

#include "libimage/base/text.h"
#include "libimage/name/platform.h"

#include "tools/common/compression.h"

namespace lade::tools {
namespace {

using What = CopyOptions::What;

/// The platforms of a comma-separated list.
std::vector<oci::Platform> parse_platforms(std::string_view option, const std::string& list) {
  std::vector<oci::Platform> platforms;
  for (const std::string_view word : split(list, ',')) {
    try {
      platforms.push_back(parse_platform(word));
    } catch (const Error& e) {
      throw UsageError(cat("option --", option, ": ", e.what()));
    }
  }
  return platforms;
}

/// skopeo's --multi-arch; its list gives a sparse index with every variant.
void read_multi_arch(const std::string& what, CopyOptions& options) {
  if (what == "system") return;
  if (what == "all") {
    options.what = What::all;
  } else if (what == "index-only") {
    options.what = What::index_only;
  } else if (what.find('/') != std::string::npos) {
    options.what = What::platforms;
    options.other_entries = CopyOptions::OtherEntries::kept;
    options.variants = CopyOptions::Variants::every;
    options.platforms = parse_platforms("multi-arch", what);
  } else {
    throw UsageError(
        cat("option --multi-arch takes system, all, index-only or a list like "
            "linux/amd64,linux/arm64, not ",
            quoted(what)));
  }
}

void read_platforms(const Arguments& arguments, CopyOptions& options) {
  for (const std::string& list : arguments.values("platform")) {
    for (oci::Platform& platform : parse_platforms("platform", list)) {
      options.platforms.push_back(std::move(platform));
    }
  }
  const bool sparse = arguments.flag("sparse");
  if (options.platforms.empty()) {
    if (sparse) throw UsageError("--sparse needs --platform");
    return;
  }
  if (options.platforms.size() == 1 && !sparse) {
    options.platform = options.platforms.front();
    options.platforms.clear();
    return;
  }
  options.what = What::platforms;
  if (sparse) options.other_entries = CopyOptions::OtherEntries::kept;
}

void read_what(const Arguments& arguments, CopyOptions& options) {
  unsigned ways = 0;
  for (const char* way : {"all", "index-only", "multi-arch", "platform"}) {
    if (arguments.flag(way)) ++ways;
  }
  const std::string multi_arch = arguments.value_or("multi-arch", "");
  if (arguments.flag("all") && multi_arch == "all") --ways;
  if (arguments.flag("platform") && multi_arch == "system") --ways;
  if (ways > 1) {
    throw UsageError(
        "only one of --all, --index-only, --multi-arch and --platform can say what to copy");
  }
  if (!multi_arch.empty()) read_multi_arch(multi_arch, options);
  if (arguments.flag("all")) options.what = What::all;
  if (arguments.flag("index-only")) options.what = What::index_only;
  if (options.what == What::one_platform) read_platforms(arguments, options);
  if (arguments.flag("sparse") && options.what != What::platforms) {
    throw UsageError("--sparse needs --platform");
  }
}

void read_attached(const Arguments& arguments, CopyOptions& options) {
  using Attached = CopyOptions::Attached;
  const std::optional<bool> asked = arguments.tri_state("referrers");
  const bool refused = arguments.flag("no-referrers");
  if (asked && refused) throw UsageError("--referrers and --no-referrers contradict each other");
  if (asked.value_or(false)) {
    options.attached = Attached::required;
  } else if (options.what == What::all && !refused && !asked) {
    options.attached = Attached::where_possible;
  }
}

void read_layers(const Arguments& arguments, CopyOptions& options) {
  const Compression compression =
      read_compression(arguments, "dest-compress-format", "dest-compress-level");
  options.layer_codec = compression.codec;
  options.compress = compression.options;
  options.force_recompress = arguments.flag("dest-force-compress-format");
  if (options.force_recompress && options.layer_codec.empty()) {
    throw UsageError("--dest-force-compress-format needs --dest-compress-format");
  }
  if (!arguments.flag("dest-decompress")) return;
  if (!options.layer_codec.empty()) {
    throw UsageError("--dest-decompress and --dest-compress-format contradict each other");
  }
  options.layer_codec = "identity";
}

}  // namespace

CopyOptions copy_options(const Arguments& arguments) {
  CopyOptions options;
  read_what(arguments, options);
  read_attached(arguments, options);
  if (const auto format = arguments.value("format")) {
    options.family = *format == "oci" ? oci::Family::oci : oci::Family::docker;
  }
  read_layers(arguments, options);
  options.preserve_digests = arguments.flag("preserve-digests");
  if (arguments.flag("remove-signatures")) {
    options.signatures = CopyOptions::Signatures::remove;
  }
  if (const auto jobs = arguments.number("jobs", 1, 64))
    options.jobs = static_cast<unsigned>(*jobs);
  return options;
}

}  // namespace lade::tools
