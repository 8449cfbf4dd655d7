#pragma once
#include <set>
#include <stop_token>

#include "libimage/base/progress.h"
#include "libimage/buildcache/cache_option.h"
#include "libimage/buildcache/cache_place.h"
#include "libimage/buildcache/cache_set.h"
#include "libimage/local/local_store.h"

namespace lade::buildcache {

struct ExportOptions {
  CacheForm form = {};
  bool reset = false;  ///< the cache then holds what is exported alone
  unsigned jobs = 6;   ///< blobs at once
};

/// Writes `fresh` to `place`, together with what is there already (read, merged, written, and again
/// where somebody else wrote meanwhile). Layers come from `store`, or are mounted from where they
/// were promised. Throws Error{already_exists} where the name holds something other than a cache,
/// Error{unavailable} where others keep winning. What is left out for room, or cannot be read, is a
/// warning.
void export_cache(const CacheSet& fresh, LocalStore& store, CachePlace& place,
                  const ExportOptions& options, ProgressObserver& observer,
                  const std::stop_token& stop);

}  // namespace lade::buildcache
