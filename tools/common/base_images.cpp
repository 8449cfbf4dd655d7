#include "tools/common/base_images.h"

#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/name/reference.h"

#include "tools/common/policy.h"

namespace lade::tools {

namespace {

/// The local store's reader outlives it.
build::ResolvedBase resolved(OpenedImage image) {
  if (image.owned) return {.reader = std::move(image.owned), .root = std::move(image.root)};
  return {.reader = std::shared_ptr<Reader>(image.reader, [](Reader*) {}),
          .root = std::move(image.root)};
}

}  // namespace

build::ResolvedBase BaseImages::resolve(const std::string& name) {
  return resolved(open_pinned(name));
}

build::ResolvedBase BaseImages::resolve_remote(const std::string& name) {
  return resolved(has_transport(name) ? open_pinned(name) : open_remote(name));
}

/// "oci:DIR@DIGEST", as a named context may be: the image of that digest in the layout.
OpenedImage BaseImages::open_pinned(const std::string& name) {
  const std::size_t at = name.rfind('@');
  if (!name.starts_with("oci:") || at == std::string::npos) return open(name);
  const auto digest = Digest::try_parse(name.substr(at + 1));
  if (!digest) return open(name);
  OpenedImage image = open(name.substr(0, at));
  const auto root = image.reader->resolve(*digest);
  if (!root)
    throw Error(Errc::not_found, cat(quoted(name.substr(0, at)), " has no ", digest->str()));
  image.root = *root;
  return image;
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
