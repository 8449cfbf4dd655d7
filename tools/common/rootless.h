/// Rights of containers for users without privileges.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "libimage/sandbox/user_namespace.h"

#include "tools/common/options.h"

namespace lade::tools {

/// If this process has no rights to make containers: enters a user namespace as its root, and says
/// so where it has one id only. Call while there is one thread. nullopt: it has the rights.
std::optional<sandbox::UserNamespace> enter_user_namespace_if_needed(
    const Environment& environment);

/// The warning where a namespace has one id only.
std::string one_id_warning(const sandbox::UserNamespace& made);

/// Variables for programs that are started in the namespace: whose it is, and where the store is.
std::map<std::string, std::string> user_namespace_variables(const Environment& environment);

}  // namespace lade::tools
