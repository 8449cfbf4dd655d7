// lade blob get NAME@DIGEST, lade blob get NAME DIGEST
#include <array>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/transports.h"

#include "tools/common/groups.h"
#include "tools/common/output_file.h"
#include "tools/copy/one_side.h"
#include "tools/copy/verbs.h"

namespace lade::tools {
namespace {

constexpr std::array<OptionSpec, 1> kBlobOptions = {{
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .help = "write to this file, which appears whole or not at all, instead of standard output"},
}};
constexpr std::array<std::span<const OptionSpec>, 2> kGroups = {kBlobOptions, kRegistryOptions};
constexpr std::array<std::string_view, 4> kExamples = {
    "List a layer's files",
    "lade blob get docker://registry.example/app@sha256:DIGEST | tar -tz",
    "The config of an image in an archive",
    "lade blob get docker-archive:app.tar sha256:DIGEST",
};
constexpr std::size_t kMostDocuments = 10'000;

/// Where a blob is looked for.
struct Place {
  std::unique_ptr<Reader> owned = {};
  Reader* reader = nullptr;
  TagOrDigest root = Tag{};  ///< a document that may list the blob
  Digest blob;
};

Digest digest_word(const std::string& text) {
  const std::optional<Digest> digest = Digest::try_parse(text);
  if (!digest) throw UsageError(cat(quoted(text), " is no digest"));
  if (!digest->verifiable()) throw UsageError(cat(quoted(text), " cannot be verified"));
  return *digest;
}

Place local_place(const std::vector<std::string>& words, OneSide& side) {
  LayoutStore& images = side.stores.local().images();
  if (words.size() == 2 && !find_local(side.stores.local(), words.front())) {
    throw Error(Errc::not_found, "no such image in the local store");
  }
  const std::string& name = words.front();
  const std::size_t at = name.rfind('@');
  return {.reader = &images,
          .blob = digest_word(words.size() == 2         ? words.back()
                              : at == std::string::npos ? name
                                                        : name.substr(at + 1))};
}

Place open_place(const std::vector<std::string>& words, OneSide& side) {
  if (!has_transport(words.front())) return local_place(words, side);
  OpenedReader opened = open_reader(parse_image_name(words.front()), *side.session);
  const auto* digest = std::get_if<Digest>(&opened.reference);
  if (words.size() == 1 && digest == nullptr) {
    throw UsageError("name the blob: NAME@DIGEST, or NAME DIGEST");
  }
  Place place{.root = opened.reference,
              .blob = words.size() == 2 ? digest_word(words.back()) : *digest};
  place.owned = std::move(opened.reader);
  place.reader = place.owned.get();
  return place;
}

/// The descriptor of the blob in the documents that the place's image reaches.
std::optional<oci::Descriptor> find_listed(Reader& reader, const TagOrDigest& root,
                                           const Digest& blob) {
  std::vector<oci::Descriptor> pending;
  if (auto first = reader.resolve(root)) pending.push_back(*std::move(first));
  std::set<Digest> seen;
  while (!pending.empty() && seen.size() < kMostDocuments) {
    const oci::Descriptor next = std::move(pending.back());
    pending.pop_back();
    if (next.digest == blob) return next;
    const bool document = oci::is_manifest(next.media_type) || oci::is_index(next.media_type);
    if (!document || !seen.insert(next.digest).second) continue;
    const std::vector<oci::Descriptor> children = oci::successors(reader.document(next));
    for (const oci::Descriptor& child : children) {
      if (child.digest == blob) return child;
    }
    pending.insert(pending.end(), children.begin(), children.end());
  }
  return std::nullopt;
}

oci::Descriptor find_blob(Place& place) {
  if (const auto size = place.reader->size_of(place.blob)) {
    return {.media_type = "application/octet-stream", .digest = place.blob, .size = *size};
  }
  auto listed = find_listed(*place.reader, place.root, place.blob);
  if (!listed) throw Error(Errc::not_found, cat("no blob ", place.blob.str()));
  listed->data.reset();
  return *std::move(listed);
}

int run_blob_get(const Arguments& arguments, const Environment& environment) {
  const std::vector<std::string>& words = arguments.positional();
  OneSide side(arguments, environment);
  with_context([&] { return cat("blob get ", printable(words.front())); },
               [&] {
                 Place place = open_place(words, side);
                 const std::unique_ptr<Source> source = place.reader->open(find_blob(place));
                 OutputFile file(arguments.value_or("output", "-"));
                 (void)pump(*source, file);
                 file.commit();
               });
  return 0;
}

}  // namespace

const VerbSpec kBlobGetVerb = {
    .name = "blob get",
    .synopsis = "NAME@DIGEST | NAME DIGEST",
    .summary = "write a blob's bytes to standard output or a file",
    .description =
        "Writes the bytes of a layer, a config or anything else that NAME's repository, layout or "
        "archive stores under DIGEST. They are verified as they pass: standard output may have got "
        "wrong bytes when the command fails, a file of --output is then not made.",
    .options = kGroups,
    .examples = kExamples,
    .min_positional = 1,
    .max_positional = 2,
    .run = run_blob_get,
    .group = "Inspect",
};

}  // namespace lade::tools
