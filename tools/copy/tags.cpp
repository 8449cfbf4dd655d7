// lade tags NAME
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/image/select.h"
#include "libimage/name/platform.h"
#include "libimage/oci/json_text.h"
#include "libimage/task/run_graph.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/copy/name_list.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::string_view, 2> kOrders = {"name", "semver"};
constexpr std::array<OptionSpec, 6> kTagsOptions = {{
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
    {.name = "digests", .help = "ask for the digest of each, several at a time"},
    {.name = "platforms", .help = "ask for the digest and the platforms of each"},
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

/// Requests at once for --digests and --platforms.
constexpr unsigned kJobs = 16;

std::string platform_name(const oci::Descriptor& entry) {
  const bool known = entry.platform && entry.platform->os != "unknown";
  return known ? oci::to_string(normalised(*entry.platform)) : std::string();
}

/// The platforms of an index, or of the one image.
std::vector<std::string> platforms_of(Reader& reader, const oci::Descriptor& root) {
  const oci::Document document = reader.document(root);
  std::vector<std::string> out;
  if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    for (const oci::Descriptor& entry : index->manifests) {
      std::string name = platform_name(entry);
      if (!name.empty()) out.push_back(std::move(name));
    }
  } else if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    if (!oci::is_image_config(manifest->config.media_type)) return out;
    const oci::Platform platform = image::read_config(reader, *manifest).platform();
    if (!platform.os.empty()) out.push_back(oci::to_string(normalised(platform)));
  }
  return out;
}

NameList::Details details_of(Reader& reader, const std::string& tag, bool platforms) {
  const auto found = reader.resolve(Tag{tag});
  if (!found) return {.text = "  gone", .json = ", \"digest\": null"};
  NameList::Details out{.text = cat("  ", found->digest.str()),
                        .json = cat(", \"digest\": ", oci::json_string(found->digest.str()))};
  if (!platforms) return out;
  out.json += ", \"platforms\": [";
  bool first = true;
  for (const std::string& name : platforms_of(reader, *found)) {
    out.text += cat(first ? "  " : ", ", printable(name));
    out.json += cat(first ? "" : ", ", oci::json_string(name));
    first = false;
  }
  out.json += "]";
  return out;
}

/// Lets `list` ask `reader` about names, `prefix` before them, where the options want that.
void add_details(NameList& list, Reader& reader, const std::string& prefix,
                 const Arguments& arguments, const std::stop_token& stop) {
  const bool platforms = arguments.flag("platforms");
  if (!platforms && !arguments.flag("digests")) return;
  list.with_details([&reader, prefix, platforms, stop](const std::vector<std::string>& names) {
    std::vector<NameList::Details> details(names.size());
    parallel_for(
        names.size(), kJobs,
        [&](std::size_t i) { details[i] = details_of(reader, prefix + names[i], platforms); },
        stop);
    return details;
  });
}

void list_repository(const ImageName& name, Session& session, const Arguments& arguments) {
  const Reference reference = Reference::parse(name.rest);
  if (reference.tag || reference.digest) {
    throw UsageError(cat("tags are those of a repository: name it without tag or digest, as ",
                         quoted(cat("docker://", reference.registry, "/", reference.repository))));
  }
  NameList list(arguments, cat(reference.registry, "/", reference.repository), "tags");
  std::unique_ptr<Reader> reader;  // made where somebody asks it
  if (arguments.flag("digests") || arguments.flag("platforms")) {
    reader = transport_of(name).reader(name, session);
    add_details(list, *reader, "", arguments, session.options().stop);
  }
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
  add_details(list, *reader, "", arguments, session.options().stop);
  for (const std::string& one : *names) {
    if (!list.add(one)) break;
  }
  list.finish();
}

/// The tags of images of the local store whose name is `name`.
void list_local(const std::string& name, LocalStore& store, const Arguments& arguments) {
  const Reference wanted = Reference::parse(local_name(name));
  NameList list(arguments, cat(wanted.registry, "/", wanted.repository), "tags");
  add_details(list, store.images(), cat(wanted.registry, "/", wanted.repository, ":"), arguments,
              {});
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
        "out, and so are pre-releases unless the range names one of the same version.\n\n"
        "With --digests or --platforms each tag is looked up, several at a time, and is an object "
        "of the JSON: name, digest, platforms.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 1,
    .run = run_tags,
    .group = "Inspect",
};

}  // namespace lade::tools
