/// What only registries have: lists of repositories, lists of tags too long to hold, and
/// accounts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "libimage/store/store.h"

namespace lade {

/// Which part of a list is wanted (distribution-spec v1.1.1, "Listing Tags").
struct ListOptions {
  std::size_t page_size = 1000;  ///< names asked for at once; a registry may give fewer
  std::string after = {};        ///< only names behind this one, in the registry's order
};

/// Called with each name, in the registry's order; false: no more are wanted.
using NameVisitor = std::function<bool(const std::string& name)>;

/// The repositories of `registry` ("host[:port]"), a page at a time. Throws Error{unsupported,
/// not_found, unauthorized, denied...} where the registry gives no catalog, as large public ones do
/// not.
void visit_repositories(const std::string& registry, Session& session, const ListOptions& options,
                        const NameVisitor& visitor);

/// The tags of a repository, a page at a time; names that are no tags are left out.
void visit_tags(const std::string& registry, const std::string& repository, Session& session,
                const ListOptions& options, const NameVisitor& visitor);

/// Tells a reader of a registry that the document of its own name will be read, once it is
/// resolved: then both are one request. Means nothing to other readers.
void read_when_resolved(Reader& reader);

/// Lets a writer to a registry ask what its own tag names while the caller does something else.
/// Means nothing to other writers.
void ask_ahead(Writer& writer);

/// What a registry tells of the pulls that it grants (Docker Hub's headers).
struct PullLimit {
  std::optional<std::uint64_t> limit = {};      ///< pulls in a window; nullopt: not told
  std::optional<std::uint64_t> remaining = {};  ///< of them
  std::uint64_t window_seconds = 0;             ///< 0: not told
  std::string source = {};                      ///< whose pulls are counted: an address, an account
};

/// Asks by HEAD, which counts as no pull, for `image` or else for the registry's root. An answer
/// without these headers is thrown if it is an error, else it means no limit.
PullLimit pull_limit(const std::string& registry, const std::optional<Reference>& image,
                     Session& session);

/// Asks the registry for an answer to the session's credentials for it. Throws Error{unauthorized,
/// denied} if it refuses them.
void check_credentials(const std::string& registry, Session& session);

}  // namespace lade
