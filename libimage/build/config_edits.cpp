#include "libimage/build/config_edits.h"

#include "libimage/base/text.h"

namespace lade::build {

void begin_target(StageState& state, const BuildOptions& options, const std::string& created) {
  if (options.env.empty()) return;
  std::string created_by = "ENV";
  for (const auto& [name, value] : options.env) {
    set_variable(state.config().env, name, value);
    set_variable(state.environment, name, value);
    created_by += cat(" ", name, "=", value);
  }
  state.image.history.push_back({.created = created,
                                 .author = state.image.author,
                                 .created_by = std::move(created_by),
                                 .comment = "lade",
                                 .empty_layer = true});
}

void finish_target(StageState& state, const BuildOptions& options) {
  for (const std::string& name : options.unset_env) {
    std::erase_if(state.config().env,
                  [&](const std::string& entry) { return entry.starts_with(cat(name, "=")); });
  }
}

}  // namespace lade::build
