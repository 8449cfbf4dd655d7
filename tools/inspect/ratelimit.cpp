// lade ratelimit [NAME]
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/json_text.h"
#include "libimage/transports/registry.h"

#include "tools/common/groups.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/inspect/overview_format.h"
#include "tools/inspect/verbs.h"

namespace lade::tools {
namespace {

/// What Docker Hub's documentation names to ask for the limit.
constexpr std::string_view kHubProbe = "docker.io/ratelimitpreview/test:latest";

constexpr std::array<OptionSpec, 1> kRateOptions = {{
    {.name = "format", .letter = 'f', .value = "FORMAT", .help = kFormatHelp},
}};
constexpr std::array<std::span<const OptionSpec>, 2> kGroups = {kRateOptions, kRegistryOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "How many pulls Docker Hub still grants",
    "lade ratelimit",
    "For a script",
    "lade ratelimit --format '{{.remaining}}' docker://registry.example/app:1.0",
};

/// A registry's host, or the name of an image there.
struct Place {
  std::string registry;
  std::optional<Reference> image = {};
};

Place place_of(std::string name) {
  constexpr std::string_view kTransport = "docker://";
  if (name.starts_with(kTransport)) name.erase(0, kTransport.size());
  if (name.empty() || name == "docker.io") name = kHubProbe;
  const bool host = name.find('/') == std::string::npos &&
                    (name.find('.') != std::string::npos || name.find(':') != std::string::npos ||
                     name == "localhost");
  if (host) return {.registry = name};
  const Reference image = Reference::parse(name);
  return {.registry = image.registry, .image = image};
}

std::string rate_json(const PullLimit& limit, const std::string& registry) {
  std::string out = cat("{\"registry\":", oci::json_string(registry),
                        ",\"limited\":", limit.limit || limit.remaining ? "true" : "false");
  if (limit.limit) out += cat(",\"limit\":", *limit.limit);
  if (limit.remaining) out += cat(",\"remaining\":", *limit.remaining);
  if (limit.window_seconds > 0) out += cat(",\"windowSeconds\":", limit.window_seconds);
  if (!limit.source.empty()) out += cat(",\"source\":", oci::json_string(limit.source));
  return out + "}";
}

std::string rate_text(const PullLimit& limit, const std::string& registry) {
  std::string out = cat(printable(registry), ": ");
  if (!limit.limit && !limit.remaining) return out + "tells of no limit\n";
  if (limit.remaining) out += cat(*limit.remaining, " ");
  if (limit.limit) out += cat(limit.remaining ? "of " : "", *limit.limit, " ");
  out += limit.remaining ? "pulls left" : "pulls granted";
  const std::uint64_t hours = limit.window_seconds / 3600;
  if (limit.window_seconds > 0) {
    out += hours > 0 && limit.window_seconds % 3600 == 0
               ? cat(" in ", hours, hours == 1 ? " hour" : " hours")
               : cat(" in ", limit.window_seconds, " seconds");
  }
  if (!limit.source.empty()) out += cat(", counted for ", printable(limit.source));
  return out + "\n";
}

int run_ratelimit(const Arguments& arguments, const Environment& environment) {
  const std::string format = checked_format(arguments);
  const std::string name = arguments.positional().empty() ? "" : arguments.positional().front();
  const Place place = place_of(name);
  OneSide side(arguments, environment);
  with_context([&] { return cat("ratelimit ", printable(place.registry)); },
               [&] {
                 const PullLimit limit = pull_limit(place.registry, place.image, *side.session);
                 print(format == "text" ? rate_text(limit, place.registry)
                                        : formatted(rate_json(limit, place.registry), format));
               });
  return 0;
}

}  // namespace

const VerbSpec kRatelimitVerb = {
    .name = "ratelimit",
    .synopsis = "[NAME]",
    .summary = "tell how many pulls a registry still grants",
    .description =
        "Asks a registry with one HEAD request, which is no pull, and prints what it says of its "
        "limit (the headers ratelimit-limit, ratelimit-remaining and docker-ratelimit-source). "
        "NAME is an image of the registry, docker://HOST/REPOSITORY[:TAG], or a HOST; without it "
        "Docker Hub is asked. Credentials count: limits are those of the account.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 0,
    .max_positional = 1,
    .run = run_ratelimit,
    .group = "Inspect",
};

}  // namespace lade::tools
