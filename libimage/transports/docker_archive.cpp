#include <memory>
#include <string>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_archive_reader.h"
#include "libimage/transports/docker_archive_writer.h"
#include "libimage/transports/path_name.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

std::unique_ptr<Reader> read_archive(const ImageName& name, Session& session) {
  PathAndReference parts = parse_path_name(name);
  auto archive = std::make_unique<ArchiveFile>(parts.path, session.options());
  return std::make_unique<DockerArchiveReader>(std::move(archive), std::move(parts),
                                               session.options());
}

std::unique_ptr<Writer> write_archive(const ImageName& name, Session& session) {
  const PathAndReference parts = parse_path_name_to_write(name);
  const SessionOptions& options = session.options();
  const bool exists = is_existing_archive(parts.path);
  if (exists && !options.append_to_archives) {
    throw Error(Errc::already_exists,
                cat("write ", quoted(name.str()),
                    ": docker-archive doesn't support modifying existing images; --append adds "
                    "to the archive"));
  }
  if (!parts.reference.empty()) (void)Reference::parse(parts.reference);
  auto writer = std::make_unique<DockerArchiveWriter>(
      create_archive(parts.path, docker_archive_options(), options), parts.path, parts.reference);
  if (exists) writer->keep_images_of(parts.path, options);
  return writer;
}

}  // namespace

Transport docker_archive_transport() {
  return {.name = "docker-archive",
          .syntax = "docker-archive:FILE|-[:NAME:TAG|:@N]",
          .reader = read_archive,
          .writer = write_archive,
          .reference = path_name_reference};
}

}  // namespace lade
