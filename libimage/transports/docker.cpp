#include "libimage/name/reference.h"
#include "libimage/transports/docker_registry.h"
#include "libimage/transports/docker_repository.h"
#include "libimage/transports/docker_writer.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

docker::Repository open_repository(const Reference& reference, Session& session) {
  return {docker::Registry::of(reference.registry, session), reference.repository};
}

std::unique_ptr<Reader> read_repository(const ImageName& name, Session& session) {
  const Reference reference = Reference::parse(name.rest);
  return std::make_unique<docker::RepositoryReader>(open_repository(reference, session),
                                                    reference.target());
}

std::unique_ptr<Writer> write_repository(const ImageName& name, Session& session) {
  const Reference reference = Reference::parse(name.rest);
  return std::make_unique<docker::RepositoryWriter>(open_repository(reference, session),
                                                    reference.target());
}

TagOrDigest repository_reference(const ImageName& name) {
  return Reference::parse(name.rest).target();
}

}  // namespace

Transport docker_transport() {
  return {.name = "docker",
          .syntax = "docker://[HOST[:PORT]/]NAME[:TAG][@DIGEST]",
          .reader = read_repository,
          .writer = write_repository,
          .reference = repository_reference};
}

}  // namespace lade
