/// --cache-from, --cache-to and --cache-ttl of 'lade build'.
#pragma once
#include <array>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/build/build.h"
#include "libimage/buildcache/cache_exchange.h"
#include "libimage/buildcache/cache_option.h"
#include "libimage/buildcache/cache_place.h"

#include "tools/common/options.h"

namespace lade::tools {

inline constexpr std::array<OptionSpec, 3> kBuildCacheOptions = {{
    {.name = "cache-from",
     .value = "REF|type=TYPE,KEY=VALUE,...",
     .help = "find results of steps there too: type=registry,ref=REF (a cache, or an image with "
             "an inline one), type=local,src=DIR[,tag=TAG|,digest=DIGEST]",
     .repeats = true},
    {.name = "cache-to",
     .value = "REF|type=TYPE,KEY=VALUE,...",
     .help = "add the results of the steps there: type=registry,ref=REF, type=local,dest=DIR"
             "[,tag=TAG], type=inline; mode=max for all steps instead of those of the image, "
             "ignore-error=true, image-manifest=false, oci-mediatypes=false, reset=true",
     .repeats = true},
    {.name = "cache-ttl",
     .value = "DURATION",
     .help = "use no result that is older, such as 36h or 7d; 0 uses none"},
}};

/// What the options say, read before anything is done; throws UsageError for what they cannot mean.
struct BuildCacheOptions {
  std::vector<buildcache::CacheFrom> from = {};
  std::vector<buildcache::CacheTo> to = {};
};
BuildCacheOptions build_cache_options(const Arguments& arguments,
                                      const build::BuildOptions& options);

/// When --cache-ttl lets results begin; nullopt: whenever.
std::optional<Timestamp> oldest_result(const Arguments& arguments, Timestamp now);

/// The caches of one build. Borrows everything.
class BuildCaches {
 public:
  BuildCaches(BuildCacheOptions caches, const build::BuildOptions& options,
              const Environment& environment, Session& session, LocalStore& store,
              ProgressObserver& observer);

  /// For build::BuildServices; nullptr if no cache was asked for.
  [[nodiscard]] buildcache::StepCache* step_cache() noexcept { return exchange_.get(); }
  /// Writes to each --cache-to. A failure is thrown, unless it is to be ignored.
  void write(const std::stop_token& stop);

 private:
  buildcache::OpenedCache open(const buildcache::CacheFrom& from);
  std::unique_ptr<buildcache::CachePlace> place_of(const buildcache::CacheTo& to);
  void write_one(const buildcache::CacheTo& to, const std::stop_token& stop);

  BuildCacheOptions caches_;
  const build::BuildOptions& options_;
  const Environment& environment_;
  Session& session_;
  LocalStore& store_;
  ProgressObserver& observer_;
  std::unique_ptr<buildcache::CacheExchange> exchange_;
};

}  // namespace lade::tools
