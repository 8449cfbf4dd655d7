// lade repos REGISTRY
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/reference.h"
#include "libimage/transports/registry.h"

#include "tools/common/groups.h"
#include "tools/copy/name_list.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 1> kReposOptions = {{
    {.name = "full-ref", .help = "print HOST/REPOSITORY; filters still see the repository alone"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kListOptions, kReposOptions,
                                                                kRegistryOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "The repositories of a team",
    "lade repos --filter 'team/.*' registry.example",
    "Every tag of a registry",
    "lade repos --full-ref registry.example | while read r; do lade tags docker://$r; done",
};

/// "HOST[:PORT]", also with docker:// before it.
std::string registry_of(std::string_view text) {
  constexpr std::string_view kPrefix = "docker://";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  const std::optional<Reference> reference = Reference::try_parse(cat(text, "/a/b"));
  if (!reference || reference->repository != "a/b") {
    throw UsageError(cat(quoted(text), " is no registry: HOST[:PORT]"));
  }
  return reference->registry;
}

/// Why an answer is what it is where registries have no catalog for everybody.
bool may_have_no_catalog(const Error& error) {
  return error.code() == Errc::unauthorized || error.code() == Errc::denied ||
         error.code() == Errc::not_found || error.code() == Errc::unsupported;
}

int run_repos(const Arguments& arguments, const Environment& environment) {
  const std::string registry = registry_of(arguments.positional().front());
  OneSide side(arguments, environment);
  NameList list(arguments, registry, "repositories",
                arguments.flag("full-ref") ? cat(registry, "/") : std::string());
  const auto what = [&] { return cat("repos ", printable(registry)); };
  with_context(what, [&] {
    try {
      visit_repositories(registry, *side.session, {},
                         [&](const std::string& name) { return list.add(name); });
    } catch (const Error& e) {
      if (!may_have_no_catalog(e)) throw;
      throw Error(e.code(),
                  cat(e.what(),
                      " (many registries list their repositories to nobody, or to administrators "
                      "only)"),
                  e.detail());
    }
  });
  list.finish();
  return 0;
}

}  // namespace

const VerbSpec kReposVerb = {
    .name = "repos",
    .synopsis = "REGISTRY",
    .summary = "list the repositories of a registry",
    .description =
        "Lists the repositories of REGISTRY (HOST[:PORT]), one on a line, a page at a time, from "
        "its catalog. Large public registries have none.\n\n"
        "--filter and --exclude take regular expressions in RE2's syntax that must match the whole "
        "name.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_repos,
    .group = "Inspect",
};

}  // namespace lade::tools
