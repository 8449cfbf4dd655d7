#pragma once
#include <functional>

#include "libimage/store/store.h"

#include "tools/common/options.h"

namespace lade::tools {

/// Where containers-storage: looks, by storage.conf and the environment. They are read each time
/// that the function is called: $CONTAINERS_STORAGE_CONF, else the user's file, else that of
/// /etc/containers, else that of /usr/share/containers; then $STORAGE_DRIVER and $STORAGE_OPTS.
std::function<ContainersStorage()> containers_storage(const Environment& environment);

}  // namespace lade::tools
