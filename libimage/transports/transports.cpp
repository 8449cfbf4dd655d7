#include "libimage/transports/transports.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/table.h"

namespace lade {

const std::vector<Transport>& transports() {
  static const std::vector<Transport> table{
      docker_transport(),              // registries
      oci_transport(),                 // layouts in directories
      oci_archive_transport(),         // layouts in tar files
      docker_archive_transport(),      // what docker save writes
      dir_transport(),                 // plain files, for looking at and debugging
      containers_storage_transport(),  // what podman and buildah run and build on
      docker_daemon_transport(),       // the images of a Docker engine
      tarball_transport(),             // root file systems, to make images of
  };
  return table;
}

std::vector<std::string> transport_names() {
  std::vector<std::string> names;
  for (const Transport& transport : transports()) names.emplace_back(transport.name);
  return names;
}

const Transport& transport_of(const ImageName& name) {
  const std::vector<Transport>& table = transports();
  const auto found = std::find_if(table.begin(), table.end(), [&](const Transport& transport) {
    return transport.name == name.transport;
  });
  if (found == table.end()) {
    // Parsing gives the same answer, with the same suggestion.
    (void)ImageName::parse(name.str(), transport_names());
    throw Error(Errc::invalid_argument, cat("unknown transport ", quoted(name.transport)));
  }
  return *found;
}

ImageName parse_image_name(std::string_view text) {
  return ImageName::parse(text, transport_names());
}

OpenedReader open_reader(const ImageName& name, Session& session) {
  const Transport& transport = transport_of(name);
  TagOrDigest reference = transport.reference(name);
  return {transport.reader(name, session), std::move(reference)};
}

OpenedWriter open_writer(const ImageName& name, Session& session) {
  const Transport& transport = transport_of(name);
  TagOrDigest reference = transport.reference(name);
  return {transport.writer(name, session), std::move(reference)};
}

}  // namespace lade
