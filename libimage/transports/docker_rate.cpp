#include "libimage/transports/docker_rate.h"

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_repository.h"
#include "libimage/transports/docker_routes.h"
#include "libimage/transports/docker_writer.h"
#include "libimage/transports/registry.h"

namespace lade {
namespace docker {

std::optional<RateHeader> parse_rate(std::optional<std::string_view> value) {
  if (!value) return std::nullopt;
  const auto parts = split(*value, ';');
  const auto count = parse_decimal(trimmed(parts.front()));
  if (!count) return std::nullopt;
  RateHeader rate{.count = *count};
  for (const std::string_view part : parts) {
    const std::string_view word = trimmed(part);
    if (word.starts_with("w=")) rate.window_seconds = parse_decimal(word.substr(2)).value_or(0);
  }
  return rate;
}

}  // namespace docker

namespace {

std::string reference_of(const Reference& image) {
  return image.digest ? image.digest->str() : image.tag ? image.tag->value : "latest";
}

}  // namespace

PullLimit pull_limit(const std::string& registry, const std::optional<Reference>& image,
                     Session& session) {
  const auto shared = docker::open_registry(registry, session);
  docker::Call call{.method = "HEAD", .url = shared->base().resolve("/v2/")};
  docker::Scopes scopes;
  if (image) {
    call.url = shared->url(image->repository, cat("/manifests/", reference_of(*image)));
    scopes = {docker::pull_scope(image->repository)};
  }
  Response response = shared->send(call, scopes);
  PullLimit out;
  if (const auto limit = docker::parse_rate(response.headers.first("ratelimit-limit"))) {
    out.limit = limit->count;
    out.window_seconds = limit->window_seconds;
  }
  if (const auto left = docker::parse_rate(response.headers.first("ratelimit-remaining"))) {
    out.remaining = left->count;
    if (out.window_seconds == 0) out.window_seconds = left->window_seconds;
  }
  if (const auto source = response.headers.first("docker-ratelimit-source")) out.source = *source;
  if (!out.limit && !out.remaining && response.status >= 400) {
    throw docker::error_of(response);
  }
  return out;
}

}  // namespace lade
