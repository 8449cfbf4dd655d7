// lade tag NAME TAG...
#include <array>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/common/terminal.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<std::span<const OptionSpec>, 1> kGroups = {kRegistryOptions};
constexpr std::array<std::string_view, 6> kExamples = {
    "Promote a release candidate",
    "lade tag docker://registry.example/app:1.0-rc.3 1.0 latest",
    "One more name in a layout",
    "lade tag oci:app:1.0 latest",
    "One more name in the local store",
    "lade tag app registry.example/app:1.0",
};

/// The tag that `text` means in the repository of `source`: a tag alone, or a whole name.
Tag tag_in_repository(const Reference& source, const std::string& text) {
  if (!has_transport(text)) {
    if (!is_tag(text)) throw UsageError(cat(quoted(text), " is no tag"));
    return Tag{text};
  }
  const ImageName name = parse_image_name(text);
  if (name.transport != "docker") {
    throw UsageError(cat(quoted(text), " is in another place: use 'lade copy'"));
  }
  const Reference target = Reference::parse(name.rest);
  if (target.registry != source.registry || target.repository != source.repository) {
    throw UsageError(cat(quoted(text), " is in another repository: use 'lade copy'"));
  }
  if (target.digest) throw UsageError(cat(quoted(text), " names a digest, not a tag"));
  return target.tag.value_or(Tag{"latest"});
}

/// The name that `text` means in the layout at `path`: a name alone, or oci:DIR:NAME.
Tag name_in_layout(const std::string& path, const std::string& text) {
  std::string name = text;
  if (has_transport(text)) {
    const ImageName parsed = parse_image_name(text);
    const PathAndReference target = split_path_reference(parsed.rest);
    if (parsed.transport != "oci" || target.path != path) {
      throw UsageError(cat(quoted(text), " is in another place: use 'lade copy'"));
    }
    name = target.reference;
  }
  if (name.empty() || name.front() == '@' || Digest::try_parse(name)) {
    throw UsageError(cat(quoted(text), " is no name"));
  }
  return Tag{std::move(name)};
}

std::vector<Tag> tags_of(const ImageName& source, const std::vector<std::string>& words) {
  std::vector<Tag> tags;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (source.transport == "docker") {
      tags.push_back(tag_in_repository(Reference::parse(source.rest), words[i]));
    } else if (source.transport == "oci") {
      tags.push_back(name_in_layout(split_path_reference(source.rest).path, words[i]));
    } else {
      throw Error(Errc::unsupported, cat("names in ", quoted(cat(source.transport, ":")),
                                         " places are given when they are written: use 'lade "
                                         "copy'"));
    }
  }
  return tags;
}

/// The place of `source`, to write to, whatever the name asks for in it.
std::unique_ptr<Writer> writer_beside(const ImageName& source, Session& session) {
  if (source.transport != "oci") return open_writer(source, session).writer;
  const std::string path = split_path_reference(source.rest).path;
  return open_writer({.transport = source.transport, .rest = path}, session).writer;
}

void tag_local(const std::vector<std::string>& words, LocalStore& store) {
  const auto image = find_local(store, words.front());
  if (!image) throw Error(Errc::not_found, "no such image in the local store");
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (has_transport(words[i])) {
      throw UsageError(cat(quoted(words[i]), " is in another place: use 'lade copy'"));
    }
    store.images().tag(Tag{local_name(words[i])}, *image);
  }
}

int run_tag(const Arguments& arguments, const Environment& environment) {
  const std::vector<std::string>& words = arguments.positional();
  OneSide side(arguments, environment);
  with_context([&] { return cat("tag ", printable(words.front())); },
               [&] {
                 if (!has_transport(words.front())) {
                   tag_local(words, side.stores.local());
                   return;
                 }
                 const ImageName source = parse_image_name(words.front());
                 const std::vector<Tag> tags = tags_of(source, words);
                 const OpenedImage image = open_image(words.front(), *side.session, side.stores);
                 const std::unique_ptr<Writer> writer = writer_beside(source, *side.session);
                 for (const Tag& tag : tags) {
                   with_context([&] { return quoted(tag.value); },
                                [&] { writer->tag(tag, image.root); });
                 }
                 writer->finish();
               });
  return 0;
}

}  // namespace

const VerbSpec kTagVerb = {
    .name = "tag",
    .synopsis = "NAME TAG...",
    .summary = "give an image more tags where it is",
    .description =
        "Gives the image or index NAME each TAG, in its repository, layout (oci:) or the local "
        "store. Nothing is copied or checked: in a registry each tag is one request. A TAG that is "
        "in use moves. TAG may be a whole name, if it is in the same place.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 2,
    .max_positional = 1000,
    .run = run_tag,
    .group = "Copy",
};

}  // namespace lade::tools
