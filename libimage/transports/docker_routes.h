/// Where the configuration sends requests for a repository: its location, its mirrors. Internal.
#pragma once
#include <memory>
#include <string>

#include "libimage/name/reference.h"
#include "libimage/store/store.h"
#include "libimage/transports/docker_repository.h"

namespace lade::docker {

/// See libimage/transports/registry.h.
void read_when_resolved(Reader& reader);

/// The registry itself ("host[:port]"); throws Error{denied} if the configuration blocks it.
std::shared_ptr<Registry> open_registry(const std::string& name, Session& session);

/// The repository at its location: for writing, listing and deleting. Throws Error{denied} if the
/// configuration blocks it.
Repository open_location(const Reference& reference, Session& session);

/// The image `reference` at its mirrors, in order, then at its location: where one fails, even in
/// the middle of a blob, the next goes on. Tags are listed at the location alone, and its blobs are
/// what origin() names.
std::unique_ptr<Reader> open_for_reading(const Reference& reference, Session& session);

}  // namespace lade::docker
