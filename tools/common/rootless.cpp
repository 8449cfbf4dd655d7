#include "tools/common/rootless.h"

#include "libimage/base/text.h"

#include "tools/common/process.h"

namespace lade::tools {

std::optional<sandbox::UserNamespace> enter_user_namespace_if_needed(
    const Environment& environment) {
  if (!sandbox::needs_user_namespace()) return std::nullopt;
  (void)process_uid();  // remembered from now on
  return sandbox::enter_user_namespace({.search_path = environment.variable("PATH")});
}

std::string one_id_warning(const sandbox::UserNamespace& made) {
  return cat("lade: warning: there is one user id only, and owners of files are kept beside them: ",
             made.why_one, "\n");
}

std::map<std::string, std::string> user_namespace_variables(const Environment& environment) {
  return {{"LADE_STORE", environment.store},
          {"_CONTAINERS_ROOTLESS_UID", cat(process_uid())},
          {"_CONTAINERS_USERNS_CONFIGURED", "done"}};
}

}  // namespace lade::tools
