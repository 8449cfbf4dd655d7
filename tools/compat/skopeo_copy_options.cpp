#include "tools/compat/skopeo_copy_options.h"

#include <algorithm>
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/platform.h"
#include "libimage/template/go_text.h"

#include "tools/common/compression.h"
#include "tools/compat/go_log.h"
#include "tools/compat/skopeo_access.h"

namespace lade::tools::compat {
namespace {

using templates::go_quote;
using What = CopyOptions::What;

/// "linux/amd64,linux/arm64"
void read_platforms(const std::string& text, CopyOptions& options) {
  options.what = What::platforms;
  options.variants = CopyOptions::Variants::every;
  options.other_entries = CopyOptions::OtherEntries::kept;
  for (const std::string_view piece : split(text, ',')) {
    const std::size_t slash = piece.find('/');
    const bool good = slash != std::string_view::npos && slash != 0 && slash + 1 < piece.size() &&
                      piece.find('/', slash + 1) == std::string_view::npos;
    if (!good) {
      throw Fatal(cat("invalid platform format ", go_quote(piece),
                      " in --multi-arch, expected OS/Architecture (e.g., linux/amd64)"));
    }
    oci::Platform platform;
    platform.os = piece.substr(0, slash);
    platform.architecture = piece.substr(slash + 1);
    options.platforms.push_back(std::move(platform));
  }
}

void read_what(const Flags& flags, CopyOptions& options) {
  const std::string multi_arch = flags.text("multi-arch");
  if (flags.boolean("all") && flags.given("multi-arch"))
    throw Fatal("Cannot use --all and --multi-arch flags together");
  if (flags.boolean("all") || multi_arch == "all") {
    options.what = What::all;
  } else if (multi_arch == "index-only") {
    options.what = What::index_only;
  } else if (multi_arch.find('/') != std::string::npos) {
    read_platforms(multi_arch, options);
  } else if (flags.given("multi-arch") && multi_arch != "system") {
    throw Fatal(cat("unknown multi-arch option ", go_quote(multi_arch),
                    ". Choose one of the supported options: 'system', 'all', or 'index-only'"));
  }
  if (!flags.boolean("strip-removed-platforms")) return;
  if (options.what != What::platforms)
    throw Fatal("--strip-removed-platforms needs a list of platforms in --multi-arch");
  options.other_entries = CopyOptions::OtherEntries::removed;
}

void read_directory_layers(const Flags& flags, const ImageName& to, CopyOptions& options) {
  for (const char* name : {"dest-compress", "dest-decompress"}) {
    if (flags.boolean(name) && to.transport != "dir") {
      log(Level::warning,
          cat("--", name, " can only be used if the destination transport is 'dir'"));
    }
  }
  if (to.transport != "dir") return;
  if (flags.boolean("dest-compress") && flags.boolean("dest-decompress"))
    throw Fatal("--dest-compress and --dest-decompress cannot be used together");
  if (flags.boolean("dest-decompress")) options.layer_codec = "identity";
  if (flags.boolean("dest-compress") && options.layer_codec.empty()) options.layer_codec = "gzip";
}

/// The format and level as the options of lade have them, which check them.
void read_compression_flags(const Flags& flags, CopyOptions& options) {
  static constexpr std::array<OptionSpec, 2> kOptions = {
      {{.name = "format", .value = "FORMAT"}, {.name = "level", .value = "LEVEL"}}};
  static constexpr std::array<std::span<const OptionSpec>, 1> kGroups = {kOptions};
  const std::string format = flags.text("dest-compress-format");
  const bool force = flags.boolean("dest-force-compress-format");
  if (force && format.empty())
    throw Fatal("cannot use ForceCompressionFormat with undefined default compression format");
  const bool leveled = flags.given("dest-compress-level");
  if (format.empty() && !leveled) return;
  if (!format.empty() && format != "gzip" && format != "zstd" && format != "zstd:chunked")
    throw Fatal(cat("cannot find compressor for ", go_quote(format)));
  std::vector<std::string> words;
  if (!format.empty()) words.push_back(cat("--format=", format));
  if (leveled) words.push_back(cat("--level=", flags.text("dest-compress-level")));
  try {
    const Arguments arguments = parse_arguments(
        {.name = "copy", .synopsis = "", .summary = "", .description = "", .options = kGroups},
        words);
    const Compression compression = read_compression(arguments, "format", "level");
    options.layer_codec = compression.codec;
    options.compress = compression.options;
  } catch (const UsageError& e) {
    throw Fatal(cat("--dest-compress-level ", flags.text("dest-compress-level"), ": ", e.what()));
  }
  options.force_recompress = force;
}

}  // namespace

std::optional<oci::Family> format_of(const Flags& flags) {
  if (!flags.given("format")) return std::nullopt;
  const std::string format = flags.text("format");
  if (format == "oci") return oci::Family::oci;
  if (format == "v2s2") return oci::Family::docker;
  if (format == "v2s1")
    throw Fatal("--format v2s1: Docker's schema 1 can be read, but writing it is not implemented");
  throw Fatal(cat("unknown format ", go_quote(format),
                  ". Choose one of the supported formats: 'oci', 'v2s1', or 'v2s2'"));
}

CopyOptions::Signatures signatures_of(const Flags& flags) {
  if (flags.boolean("remove-signatures")) return CopyOptions::Signatures::remove;
  return flags.boolean("remove-list-signatures") ? CopyOptions::Signatures::remove_of_indexes
                                                 : CopyOptions::Signatures::keep;
}

CopyOptions copy_options_of(const Flags& flags, const ImageName& to) {
  CopyOptions options;
  options.family = format_of(flags);
  options.platform = wanted_platform(flags);
  read_what(flags, options);
  read_compression_flags(flags, options);
  read_directory_layers(flags, to, options);
  options.preserve_digests = flags.boolean("preserve-digests");
  options.signatures = signatures_of(flags);
  if (flags.given("image-parallel-copies")) {
    constexpr std::int64_t kMostJobs = 64;
    const std::int64_t jobs = flags.integer("image-parallel-copies");
    if (jobs > 0) options.jobs = static_cast<unsigned>(std::min(jobs, kMostJobs));
  }
  return options;
}

void warn_of_deprecated_tls(const Flags& flags, std::string_view instead) {
  if (flags.given("tls-verify"))
    log(Level::warning, cat("'--tls-verify' is deprecated, instead use: ", instead));
}

}  // namespace lade::tools::compat
