/// Where the images that FROM, COPY --from and `lade run` name are found.
#pragma once
#include <mutex>
#include <string>

#include "libimage/build/build.h"

#include "tools/common/images.h"

namespace lade::tools {

/// Any transport's name, the local store's, then a registry's. What the system's policy does not
/// allow is refused. Thread-safe.
class BaseImages {
 public:
  BaseImages(Session& session, Stores& stores, const Environment& environment)
      : session_(session), stores_(stores), environment_(environment) {}

  build::ResolvedBase resolve(const std::string& name);
  /// The same, but a name without a transport is a registry's.
  build::ResolvedBase resolve_remote(const std::string& name);

 private:
  OpenedImage open_pinned(const std::string& name);
  OpenedImage open(const std::string& name);
  OpenedImage open_remote(const std::string& name);

  Session& session_;
  Stores& stores_;
  const Environment& environment_;
  std::mutex mutex_;  // Stores opens the local store at its first use
};

}  // namespace lade::tools
