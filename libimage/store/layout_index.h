/// How index.json names images (image-spec v1.1.1, image-layout.md): pure functions on its value,
/// shared by layouts in directories and in archives.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/oci/document.h"
#include "libimage/store/store.h"

namespace lade {

/// The entry's org.opencontainers.image.ref.name, "" if it has none.
std::string ref_name(const oci::Descriptor& entry);

/// The entry that `reference` names. An empty Tag names the only image; several are
/// Error{invalid_argument}, `where` and their names in it.
std::optional<oci::Descriptor> find_entry(const std::vector<oci::Descriptor>& entries,
                                          const TagOrDigest& reference, std::string_view where);

/// All reference names, in the order of the entries.
std::vector<std::string> entry_names(const std::vector<oci::Descriptor>& entries);

/// Gives `descriptor` the name `tag`: an entry that has the name loses it but stays; an unnamed
/// entry of the same digest takes it. An empty Tag adds an unnamed entry, unless there is an entry
/// of that digest.
void name_entry(std::vector<oci::Descriptor>& entries, const Tag& tag, oci::Descriptor descriptor);

/// Takes out the entries that `reference` names, and returns them: all with that name, all of that
/// digest. An empty Tag names the only entry; several are Error{invalid_argument}.
std::vector<oci::Descriptor> take_entries(std::vector<oci::Descriptor>& entries,
                                          const TagOrDigest& reference, std::string_view where);

/// `blob` with its media type, if its content is a manifest or an index; else nullopt.
std::optional<oci::Descriptor> sniff_document(Reader& reader, oci::Descriptor blob);

/// What of a graph is in a store: an index may list more.
using HasBlob = std::function<bool(const oci::Descriptor&)>;

/// Digests of everything that `entries` reach in `reader`, themselves included: documents that are
/// there, their configs, layers and entries. Not their subjects. A document that cannot be read
/// throws.
std::set<Digest> reached_blobs(Reader& reader, const std::vector<oci::Descriptor>& entries,
                               const HasBlob& has);

using ReferrersBySubject = std::map<Digest, std::vector<oci::Descriptor>>;

/// Descriptors of the documents with a subject, among those that `entries` reach in `reader`.
ReferrersBySubject all_referrers(Reader& reader, const std::vector<oci::Descriptor>& entries,
                                 const HasBlob& has);

/// Those of one subject.
std::vector<oci::Descriptor> referrers_of(const ReferrersBySubject& all, const Digest& subject);

}  // namespace lade
