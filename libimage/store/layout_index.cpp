#include "libimage/store/layout_index.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/layout.h"

namespace lade {
namespace {

// A hostile layout must not make us read documents for ever.
constexpr std::size_t kMaxDocumentsWalked = 100'000;

void add_if_referrer(const oci::Document& document, ReferrersBySubject& found) {
  const auto add = [&](const auto& parsed, const std::string& artifact_type) {
    if (!parsed.subject) return;
    // distribution-spec v1.1.1, "Listing Referrers": the document's own type and annotations.
    found[parsed.subject->digest].push_back({.media_type = document.descriptor.media_type,
                                             .digest = document.descriptor.digest,
                                             .size = document.descriptor.size,
                                             .annotations = parsed.annotations,
                                             .artifact_type = artifact_type});
  };
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    add(*manifest,
        manifest->artifact_type.empty() ? manifest->config.media_type : manifest->artifact_type);
  } else if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    add(*index, index->artifact_type);
  }
}

void set_ref_name(oci::Descriptor& entry, const std::string& name) {
  if (!entry.annotations) entry.annotations.emplace();
  entry.annotations->insert_or_assign(std::string(oci::kRefNameAnnotation), name);
}

void drop_ref_name(oci::Descriptor& entry) {
  if (!entry.annotations) return;
  entry.annotations->erase(std::string(oci::kRefNameAnnotation));
  if (entry.annotations->empty()) entry.annotations.reset();
}

/// Calls `visit` with each manifest and index that `entries` reach, once.
void walk_documents(Reader& reader, const std::vector<oci::Descriptor>& entries, const HasBlob& has,
                    const std::function<void(const oci::Document&)>& visit) {
  struct Visit {
    oci::Descriptor descriptor;
    std::size_t depth;
  };
  std::vector<Visit> pending;
  std::set<Digest> seen;
  for (const oci::Descriptor& entry : entries) pending.push_back({entry, 0});
  std::reverse(pending.begin(), pending.end());
  while (!pending.empty()) {
    const Visit next = std::move(pending.back());
    pending.pop_back();
    const bool readable =
        oci::is_manifest(next.descriptor.media_type) || oci::is_index(next.descriptor.media_type);
    if (!readable || !seen.insert(next.descriptor.digest).second) continue;
    if (!has(next.descriptor)) continue;
    if (seen.size() > kMaxDocumentsWalked) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxDocumentsWalked, " documents"));
    }
    const oci::Document document = reader.document(next.descriptor);
    visit(document);
    if (const auto* index = std::get_if<oci::Index>(&document.parsed);
        index != nullptr && next.depth < oci::kMaxIndexDepth) {
      for (auto child = index->manifests.rbegin(); child != index->manifests.rend(); ++child) {
        pending.push_back({*child, next.depth + 1});
      }
    }
  }
}

/// True for an entry that is there for the sake of another image: an artifact without a name, or
/// one named by the digest that it is about ("sha256-HEX.sig", the referrers tag schema).
bool is_about_another(const oci::Descriptor& entry) {
  const std::string name = ref_name(entry);
  if (name.empty()) return !entry.artifact_type.empty();
  const std::string_view digest = std::string_view(name).substr(0, name.find('.'));
  const std::size_t dash = digest.find('-');
  return dash != std::string_view::npos &&
         Digest::try_parse(cat(digest.substr(0, dash), ":", digest.substr(dash + 1))).has_value();
}

/// The entries that an empty Tag may mean.
std::vector<oci::Descriptor> own_images(const std::vector<oci::Descriptor>& entries) {
  std::vector<oci::Descriptor> own;
  std::remove_copy_if(entries.begin(), entries.end(), std::back_inserter(own), is_about_another);
  return own.empty() ? entries : own;
}

/// The error of an empty Tag where there is a choice, with the names to choose from.
Error choose_one(std::string_view where, const std::vector<oci::Descriptor>& entries) {
  constexpr std::size_t kShown = 10;
  std::string names;
  for (std::size_t i = 0; i < std::min(entries.size(), kShown); ++i) {
    const std::string name = ref_name(entries[i]);
    names += cat(i == 0 ? "" : ", ", name.empty() ? cat("@", i) : printable(name));
  }
  if (entries.size() > kShown) names += cat(" and ", entries.size() - kShown, " more");
  return Error(Errc::invalid_argument,
               cat("more than one image in ", quoted(where), ", choose one: ", names));
}

}  // namespace

std::string ref_name(const oci::Descriptor& entry) {
  return entry.annotation(std::string(oci::kRefNameAnnotation));
}

std::optional<oci::Descriptor> find_entry(const std::vector<oci::Descriptor>& entries,
                                          const TagOrDigest& reference, std::string_view where) {
  const auto* tag = std::get_if<Tag>(&reference);
  if (tag != nullptr && tag->value.empty()) {
    if (entries.empty()) return std::nullopt;
    const std::vector<oci::Descriptor> own = own_images(entries);
    const bool several = std::any_of(own.begin(), own.end(), [&](const auto& entry) {
      return entry.digest != own.front().digest;
    });
    if (several) throw choose_one(where, entries);
    return own.front();
  }
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) {
    return tag != nullptr ? ref_name(entry) == tag->value
                          : entry.digest == std::get<Digest>(reference);
  });
  if (found == entries.end()) return std::nullopt;
  return *found;
}

std::vector<std::string> entry_names(const std::vector<oci::Descriptor>& entries) {
  std::vector<std::string> names;
  for (const oci::Descriptor& entry : entries) {
    std::string name = ref_name(entry);
    if (!name.empty()) names.push_back(std::move(name));
  }
  return names;
}

void name_entry(std::vector<oci::Descriptor>& entries, const Tag& tag, oci::Descriptor descriptor) {
  descriptor.data.reset();  // the blob is stored beside it
  drop_ref_name(descriptor);
  const auto of_digest = [&](const oci::Descriptor& other) {
    return other.digest == descriptor.digest;
  };
  if (tag.value.empty()) {
    if (std::none_of(entries.begin(), entries.end(), of_digest)) entries.push_back(descriptor);
    return;
  }
  set_ref_name(descriptor, tag.value);
  for (oci::Descriptor& other : entries) {
    if (ref_name(other) == tag.value && !of_digest(other)) drop_ref_name(other);
  }
  const auto entry_called = [&](const std::string& name) {
    return std::find_if(entries.begin(), entries.end(), [&](const auto& other) {
      return of_digest(other) && ref_name(other) == name;
    });
  };
  auto reusable = entry_called(tag.value);
  if (reusable == entries.end()) reusable = entry_called({});
  if (reusable == entries.end()) {
    entries.push_back(std::move(descriptor));
  } else {
    *reusable = std::move(descriptor);
  }
}

std::vector<oci::Descriptor> take_entries(std::vector<oci::Descriptor>& entries,
                                          const TagOrDigest& reference, std::string_view where) {
  const auto* tag = std::get_if<Tag>(&reference);
  const bool only_one = tag != nullptr && tag->value.empty();
  if (only_one && entries.size() > 1) throw choose_one(where, entries);
  std::vector<oci::Descriptor> taken;
  std::erase_if(entries, [&](const oci::Descriptor& entry) {
    const bool named = only_one || (tag != nullptr ? ref_name(entry) == tag->value
                                                   : entry.digest == std::get<Digest>(reference));
    if (named) taken.push_back(entry);
    return named;
  });
  return taken;
}

std::optional<oci::Descriptor> sniff_document(Reader& reader, oci::Descriptor blob) {
  if (blob.size > oci::kMaxManifestBytes || !blob.digest.verifiable()) return std::nullopt;
  const std::unique_ptr<Source> source = reader.open(blob);
  const std::string raw = read_all(*source, oci::kMaxManifestBytes, "the document");
  try {
    blob.media_type = oci::sniff_media_type(raw);
  } catch (const Error&) {
    return std::nullopt;  // a config or a layer
  }
  if (!oci::is_manifest(blob.media_type) && !oci::is_index(blob.media_type)) return std::nullopt;
  return blob;
}

std::set<Digest> reached_blobs(Reader& reader, const std::vector<oci::Descriptor>& entries,
                               const HasBlob& has) {
  std::set<Digest> reached;
  for (const oci::Descriptor& entry : entries) reached.insert(entry.digest);
  walk_documents(reader, entries, has, [&](const oci::Document& document) {
    for (const oci::Descriptor& successor : oci::successors(document)) {
      reached.insert(successor.digest);
    }
  });
  return reached;
}

ReferrersBySubject all_referrers(Reader& reader, const std::vector<oci::Descriptor>& entries,
                                 const HasBlob& has) {
  ReferrersBySubject found;
  walk_documents(reader, entries, has,
                 [&](const oci::Document& document) { add_if_referrer(document, found); });
  return found;
}

std::vector<oci::Descriptor> referrers_of(const ReferrersBySubject& all, const Digest& subject) {
  const auto found = all.find(subject);
  return found == all.end() ? std::vector<oci::Descriptor>() : found->second;
}

}  // namespace lade
