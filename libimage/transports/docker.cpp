#include "libimage/name/reference.h"
#include "libimage/transports/docker_routes.h"
#include "libimage/transports/docker_writer.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

std::unique_ptr<Reader> read_repository(const ImageName& name, Session& session) {
  return docker::open_for_reading(Reference::parse(name.rest), session);
}

std::unique_ptr<Writer> write_repository(const ImageName& name, Session& session) {
  const Reference reference = Reference::parse(name.rest);
  return std::make_unique<docker::RepositoryWriter>(docker::open_location(reference, session),
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
