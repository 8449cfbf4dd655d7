#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_json.h"
#include "libimage/transports/docker_repository.h"
#include "libimage/transports/registry.h"

namespace lade {
namespace {

/// Lists no repository in particular, so credentials of a repository do not count.
constexpr const char* kCatalogScope = "registry:catalog:*";

/// Where the configuration says that the repository is.
docker::Repository located(const std::string& registry, const std::string& repository,
                           Session& session) {
  if (!session.options().route) return {docker::Registry::of(registry, session), repository};
  const RegistryRoute route = session.options().route(registry, repository);
  if (!route.blocked_by.empty()) {
    throw Error(Errc::denied,
                cat("registry ", quoted(registry), " is blocked by ", route.blocked_by));
  }
  return {docker::Registry::of(route.location.registry, session), route.location.repository};
}

}  // namespace

void visit_repositories(const std::string& registry, Session& session, const ListOptions& options,
                        const NameVisitor& visitor) {
  with_context([&] { return cat("list repositories of ", registry); },
               [&] {
                 const auto shared = docker::Registry::of(registry, session);
                 docker::visit_pages(*shared, shared->url("_catalog", ""), options, {kCatalogScope},
                                     docker::parse_repositories, visitor);
               });
}

void visit_tags(const std::string& registry, const std::string& repository, Session& session,
                const ListOptions& options, const NameVisitor& visitor) {
  const docker::Repository place = located(registry, repository, session);
  place.visit_tags(options, {docker::pull_scope(place.name())}, visitor);
}

}  // namespace lade
