#include "tools/common/base_images.h"

#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/reference.h"

#include "tools/common/policy.h"

namespace lade::tools {

build::ResolvedBase BaseImages::resolve(const std::string& name) {
  OpenedImage image = open(name);
  if (image.owned) return {.reader = std::move(image.owned), .root = std::move(image.root)};
  return {.reader = std::shared_ptr<Reader>(image.reader, [](Reader*) {}),
          .root = std::move(image.root)};
}

OpenedImage BaseImages::open(const std::string& name) {
  enforce_policy(name, environment_);
  {
    const std::scoped_lock lock(mutex_);
    try {
      return open_image(name, session_, stores_);
    } catch (const Error& e) {
      if (e.code() != Errc::not_found || !Reference::try_parse(name)) throw;
    }
  }
  return open_remote(name);
}

/// In the registries where a short name may be, in order.
OpenedImage BaseImages::open_remote(const std::string& name) {
  const auto& expand = session_.options().expand_name;
  const std::vector<std::string> names = expand ? expand(name) : std::vector<std::string>{name};
  std::string failures;
  for (const std::string& full : names) {
    try {
      const std::string remote = cat("docker://", full);
      enforce_policy(remote, environment_);
      return open_image(remote, session_, stores_);
    } catch (const Error& e) {
      if (names.size() == 1) throw;
      failures += cat(" [", printable(full), ": ", e.what(), "]");
    }
  }
  throw Error(Errc::not_found, cat("no registry gives ", quoted(name), ":", failures));
}

}  // namespace lade::tools
