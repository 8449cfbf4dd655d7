// The images of a Docker engine: what docker save gives and docker load takes, over its API.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_archive_reader.h"
#include "libimage/transports/docker_archive_writer.h"
#include "libimage/transports/engine_client.h"
#include "libimage/transports/stream_archive.h"
#include "libimage/transports/table.h"

namespace lade {
namespace {

/// What follows "docker-daemon:": NAME:TAG, NAME@DIGEST or the ID of an image, ALGORITHM:HEX.
struct EngineName {
  std::string text;  ///< as the engine takes it
  bool is_tag = false;
};

EngineName parse_name(const ImageName& name) {
  return with_context([&] { return cat("image name ", quoted(name.str())); },
                      [&]() -> EngineName {
                        // "name:tag" has the form of a digest too, of an algorithm called "name".
                        if (const auto id = Digest::try_parse(name.rest); id && id->verifiable()) {
                          return {id->str(), false};
                        }
                        const Reference reference = Reference::parse(name.rest);
                        if (!reference.tag && !reference.digest) {
                          throw Error(Errc::invalid_argument, "it has neither a tag nor a digest");
                        }
                        if (reference.tag && reference.digest) {
                          throw Error(Errc::invalid_argument, "it has both a tag and a digest");
                        }
                        return {reference.str(), reference.tag.has_value()};
                      });
}

/// Feeds an engine. Owns what it talks through.
class EngineSink final : public Sink {
 public:
  explicit EngineSink(std::unique_ptr<engine::EngineClient> client)
      : client_(std::move(client)), sink_(client_->load()) {}
  void write(ByteView data) override { sink_->write(data); }
  void finish() override { sink_->finish(); }

 private:
  std::unique_ptr<engine::EngineClient> client_;
  std::unique_ptr<Sink> sink_;
};

std::unique_ptr<Reader> read_engine(const ImageName& name, Session& session) {
  const EngineName wanted = parse_name(name);
  engine::EngineClient client(session.options());
  if (!client.has_image(wanted.text)) {
    throw Error(Errc::not_found, cat("no image ", quoted(name.str()), ": the docker engine at ",
                                     quoted(client.host()), " has none of that name"));
  }
  const std::unique_ptr<Source> stream = client.save(wanted.text);
  auto archive = std::make_unique<ArchiveFile>(*stream, name.str(), session.options());
  return std::make_unique<DockerArchiveReader>(
      std::move(archive), PathAndReference{.path = name.str(), .reference = {}}, session.options());
}

std::unique_ptr<Writer> write_engine(const ImageName& name, Session& session) {
  const EngineName target = parse_name(name);
  if (!target.is_tag) {
    throw Error(Errc::invalid_argument,
                cat("image name ", quoted(name.str()), ": an engine loads images as NAME:TAG"));
  }
  auto client = std::make_unique<engine::EngineClient>(session.options());
  auto archive = std::make_unique<StreamArchive>(std::make_unique<EngineSink>(std::move(client)),
                                                 docker_archive_options(), session.options());
  return std::make_unique<DockerArchiveWriter>(std::move(archive), name.str(), target.text);
}

TagOrDigest reference_of(const ImageName& /*name*/) { return Tag{}; }

}  // namespace

Transport docker_daemon_transport() {
  return {.name = "docker-daemon",
          .syntax = "docker-daemon:NAME:TAG|ALGORITHM:ID",
          .reader = read_engine,
          .writer = write_engine,
          .reference = reference_of};
}

}  // namespace lade
