#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_json.h"
#include "libimage/transports/docker_repository.h"
#include "libimage/transports/docker_routes.h"
#include "libimage/transports/docker_writer.h"
#include "libimage/transports/registry.h"

namespace lade {
namespace {

/// Lists no repository in particular, so credentials of a repository do not count.
constexpr const char* kCatalogScope = "registry:catalog:*";

}  // namespace

void visit_repositories(const std::string& registry, Session& session, const ListOptions& options,
                        const NameVisitor& visitor) {
  with_context([&] { return cat("list repositories of ", registry); },
               [&] {
                 const auto shared = docker::open_registry(registry, session);
                 docker::visit_pages(*shared, shared->url("_catalog", ""), options, {kCatalogScope},
                                     docker::parse_repositories, visitor);
               });
}

void visit_tags(const std::string& registry, const std::string& repository, Session& session,
                const ListOptions& options, const NameVisitor& visitor) {
  const docker::Repository place =
      docker::open_location({.registry = registry, .repository = repository}, session);
  place.visit_tags(options, {docker::pull_scope(place.name())}, visitor);
}

void read_when_resolved(Reader& reader) { docker::read_when_resolved(reader); }

void ask_ahead(Writer& writer) {
  if (auto* repository = dynamic_cast<docker::RepositoryWriter*>(&writer)) repository->ask_ahead();
}

void check_credentials(const std::string& registry, Session& session) {
  const auto shared = docker::open_registry(registry, session);
  (void)shared->expect_success({.url = shared->base().resolve("/v2/")}, {});
}

}  // namespace lade
