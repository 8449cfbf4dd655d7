#pragma once
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "libimage/http/prepare.h"

namespace lade::tools {

/// Where one of `names` is a registry's, prepares for requests on a thread of its own, while the
/// command prepares itself. Made after StopOnSignal, for the thread to have its mask.
inline std::jthread prepare_for(const std::vector<std::string>& names) {
  const bool remote = std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.starts_with("docker://");
  });
  return remote ? std::jthread(prepare_http) : std::jthread();
}

}  // namespace lade::tools
