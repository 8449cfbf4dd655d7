// lade tags NAME
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/copy/name_list.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 2> kOrders = {"name", "semver"};
constexpr std::array<OptionSpec, 4> kTagsOptions = {{
    {.name = "semver",
     .value = "RANGE",
     .help = "only versions in the range, or in one of several: '^1.2', '>=2 <3', '1.x || 3'",
     .repeats = true},
    {.name = "omit-digest-tags",
     .help = "leave out tags that stand for digests (sha256-...: referrers, signatures)"},
    {.name = "sort",
     .value = "ORDER",
     .help = "by name or by version; else as the registry lists them",
     .choices = kOrders},
    {.name = "reverse", .help = "last first"},
}};
constexpr std::array<std::span<const OptionSpec>, 3> kGroups = {kListOptions, kTagsOptions,
                                                                kRegistryOptions};

constexpr std::array<std::string_view, 6> kExamples = {
    "The newest release of version 1",
    "lade tags --semver ^1 --sort semver --reverse --limit 1 docker://registry.example/app",
    "Everything but nightly builds, for a script",
    "lade tags --exclude 'nightly-.*' --format json docker://registry.example/app",
    "The names in a layout",
    "lade tags oci:app",
};

void list_repository(const ImageName& name, Session& session, const Arguments& arguments) {
  const Reference reference = Reference::parse(name.rest);
  if (reference.tag || reference.digest) {
    throw UsageError(cat("tags are those of a repository: name it without tag or digest, as ",
                         quoted(cat("docker://", reference.registry, "/", reference.repository))));
  }
  NameList list(arguments, cat(reference.registry, "/", reference.repository), "tags");
  visit_tags(reference.registry, reference.repository, session, {},
             [&](const std::string& tag) { return list.add(tag); });
  list.finish();
}

void list_names(const ImageName& name, Session& session, const Arguments& arguments) {
  const std::unique_ptr<Reader> reader = open_reader(name, session).reader;
  const std::optional<std::vector<std::string>> names = reader->tags();
  if (!names) {
    throw Error(Errc::unsupported,
                cat("images in ", quoted(cat(name.transport, ":")), " places have no names"));
  }
  NameList list(arguments, {}, "tags");
  for (const std::string& one : *names) {
    if (!list.add(one)) break;
  }
  list.finish();
}

/// The tags of images of the local store whose name is `name`.
void list_local(const std::string& name, LocalStore& store, const Arguments& arguments) {
  const Reference wanted = Reference::parse(local_name(name));
  NameList list(arguments, cat(wanted.registry, "/", wanted.repository), "tags");
  bool known = false;
  for (const std::string& full : store.images().tags().value_or(std::vector<std::string>())) {
    const std::optional<Reference> reference = Reference::try_parse(full);
    if (!reference || !reference->tag || reference->registry != wanted.registry ||
        reference->repository != wanted.repository) {
      continue;
    }
    known = true;
    if (!list.add(reference->tag->value)) break;
  }
  if (!known) {
    throw Error(Errc::not_found, cat("no image of that name in the local store (a repository of a "
                                     "registry is named 'docker://",
                                     printable(name), "')"));
  }
  list.finish();
}

int run_tags(const Arguments& arguments, const Environment& environment) {
  const std::string& name = arguments.positional().front();
  OneSide side(arguments, environment);
  with_context([&] { return cat("tags ", printable(name)); },
               [&] {
                 if (!has_transport(name)) {
                   list_local(name, side.stores.local(), arguments);
                   return;
                 }
                 const ImageName parsed = parse_image_name(name);
                 parsed.transport == "docker" ? list_repository(parsed, *side.session, arguments)
                                              : list_names(parsed, *side.session, arguments);
               });
  return 0;
}

}  // namespace

const VerbSpec kTagsVerb = {
    .name = "tags",
    .synopsis = "NAME",
    .summary = "list the tags of a repository, or the names in a layout or archive",
    .description =
        "Lists the tags of NAME: a repository (docker://HOST/REPOSITORY), the names of the images "
        "in oci:DIR, oci-archive:FILE or docker-archive:FILE, or the tags of a name of the local "
        "store. One on a line, in the registry's order, a page at a time.\n\n"
        "--filter and --exclude take regular expressions in RE2's syntax that must match the whole "
        "tag. --semver takes ranges as npm writes them; tags that are no versions are then left "
        "out, and so are pre-releases unless the range names one of the same version.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_tags,
    .group = "Inspect",
};

}  // namespace lade::tools
