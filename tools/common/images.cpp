#include "tools/common/images.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/transports/registry.h"
#include "libimage/transports/transports.h"

namespace lade::tools {
namespace {

constexpr std::size_t kShortestId = 4;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// True if the first component of `text` names a registry.
bool names_registry(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view first = text.substr(0, slash);
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos;
}

bool has_tag_or_digest(std::string_view text) {
  const std::size_t last = text.rfind('/');
  return text.find('@') != std::string_view::npos ||
         text.find(':', last == std::string_view::npos ? 0 : last) != std::string_view::npos;
}

std::optional<oci::Descriptor> find_by_id(LayoutStore& images, std::string_view text) {
  if (text.starts_with("sha256:")) text.remove_prefix(std::string_view("sha256:").size());
  if (text.size() < kShortestId || !is_hex(text)) return std::nullopt;
  std::optional<oci::Descriptor> found;
  const auto take = [&](const oci::Descriptor& entry) {
    if (found && found->digest != entry.digest) {
      throw Error(Errc::invalid_argument,
                  cat("several images of the local store begin with ", quoted(text)));
    }
    found = entry;
  };
  for (const oci::Descriptor& entry : images.entries()) {
    if (entry.digest.encoded().starts_with(text)) {
      take(entry);
    } else if (oci::is_manifest(entry.media_type)) {
      const oci::Document document = images.document(entry);
      const auto* manifest = std::get_if<oci::Manifest>(&document.parsed);
      if (manifest != nullptr && manifest->config.digest.encoded().starts_with(text)) take(entry);
    }
  }
  return found;
}

}  // namespace

bool has_transport(const std::string& name) {
  const std::vector<std::string> known = transport_names();
  return name.find("://") != std::string::npos ||
         std::any_of(known.begin(), known.end(), [&](const std::string& transport) {
           return name.starts_with(cat(transport, ":"));
         });
}

LocalStore& Stores::local() {
  if (!local_) {
    local_ = with_context([&] { return cat("local store ", quoted(path_)); },
                          [&] { return std::make_unique<LocalStore>(path_); });
  }
  return *local_;
}

std::string local_name(const std::string& text) {
  const std::string full = names_registry(text) ? text : cat("localhost/", text);
  const Reference reference =
      Reference::parse(has_tag_or_digest(full) ? full : cat(full, ":latest"));
  return reference.str();
}

std::optional<oci::Descriptor> find_local(LocalStore& store, const std::string& text) {
  LayoutStore& images = store.images();
  if (const auto found = images.resolve(Tag{text})) return found;
  if (Reference::try_parse(names_registry(text) ? text : cat("localhost/", text))) {
    if (const auto found = images.resolve(Tag{local_name(text)})) return found;
    if (auto shorthand = Reference::try_parse(text)) {
      if (!shorthand->tag && !shorthand->digest) shorthand->tag = Tag{"latest"};
      if (const auto found = images.resolve(Tag{shorthand->str()})) return found;
    }
  }
  return find_by_id(images, text);
}

OpenedImage open_image(const std::string& name, Session& session, Stores& stores, Reading reading) {
  OpenedImage opened{
      .name = printable(name), .owned = {}, .reader = nullptr, .root = {.digest = sha256_of("")}};
  if (name.empty()) throw Error(Errc::invalid_argument, "the image's name is empty");
  std::optional<oci::Descriptor> root;
  if (has_transport(name)) {
    OpenedReader from = open_reader(parse_image_name(name), session);
    if (reading == Reading::surely) read_when_resolved(*from.reader);
    root = from.reader->resolve(from.reference);
    if (!root) throw Error(Errc::not_found, cat("no image ", quoted(name)));
    opened.owned = std::move(from.reader);
    opened.reader = opened.owned.get();
  } else {
    LocalStore& local = stores.local();
    root = find_local(local, name);
    if (!root) {
      throw Error(Errc::not_found,
                  cat("no image ", quoted(name),
                      " in the local store (an image of a registry is named 'docker://",
                      printable(name), "')"));
    }
    opened.reader = &local.images();
  }
  opened.root = *std::move(root);
  return opened;
}

OpenedDestination open_destination(const std::string& name, Session& session, Stores& stores) {
  OpenedDestination opened{
      .name = printable(name), .owned = {}, .writer = nullptr, .tag = {}, .digest = {}};
  if (has_transport(name)) {
    const ImageName parsed = parse_image_name(name);
    OpenedWriter to = open_writer(parsed, session);
    opened.owned = std::move(to.writer);
    opened.writer = opened.owned.get();
    if (const auto* digest = std::get_if<Digest>(&to.reference)) {
      opened.digest = *digest;
      // NAME:TAG@DIGEST names the tag too.
      if (parsed.transport == "docker") opened.tag = Reference::parse(parsed.rest).tag;
    } else {
      opened.tag = std::get<Tag>(to.reference);
    }
  } else {
    opened.tag = Tag{local_name(name)};
    opened.writer = &stores.local().images();
  }
  return opened;
}

}  // namespace lade::tools
