/// Ids of user namespaces.
#pragma once
#include <string>
#include <vector>

#include <sys/types.h>

#include "libimage/base/unique_fd.h"
#include "libimage/sandbox/runtime_config.h"

namespace lade::sandbox {

/// Writes the maps of `process`, first of a new user namespace. Error{denied} names the map that
/// the kernel does not take.
void write_id_maps(pid_t process, const std::vector<IdMapping>& uids,
                   const std::vector<IdMapping>& gids);

/// A user namespace with these maps that no process lives in.
UniqueFd user_namespace_with(const std::vector<IdMapping>& uids,
                             const std::vector<IdMapping>& gids);

}  // namespace lade::sandbox
