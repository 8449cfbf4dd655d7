#include "tools/build/build_cache.h"

#include <algorithm>
#include <iterator>
#include <thread>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/buildcache/cache_export.h"
#include "libimage/name/reference.h"
#include "libimage/transports/transports.h"

#include "tools/common/policy.h"

namespace lade::tools {
namespace {

constexpr std::string_view kDocker = "docker://";

/// References are a registry's, as docker has them.
std::string registry_name(const std::string& reference) {
  return reference.starts_with(kDocker) ? reference : cat(kDocker, reference);
}

template <typename Parse>
auto parsed(const Arguments& arguments, const std::string& option, const Parse& parse) {
  decltype(parse(std::string())) out;
  for (const std::string& text : arguments.values(option)) {
    try {
      auto found = parse(text);
      std::move(found.begin(), found.end(), std::back_inserter(out));
    } catch (const Error& e) {
      if (e.code() == Errc::unsupported) throw e.in(cat("option --", option));
      throw UsageError(cat("option --", option, " ", e.what()));
    }
  }
  return out;
}

template <typename Place>
void check_reference(std::string_view option, const Place& place) {
  if (place.type != buildcache::CacheType::registry) return;
  try {
    (void)Reference::parse(registry_name(place.place).substr(kDocker.size()));
  } catch (const Error& e) {
    throw UsageError(cat("option --", option, ": ", e.what()));
  }
}

}  // namespace

BuildCacheOptions build_cache_options(const Arguments& arguments,
                                      const build::BuildOptions& options) {
  BuildCacheOptions out;
  out.from = parsed(arguments, "cache-from", buildcache::parse_cache_from);
  out.to = parsed(arguments, "cache-to", [&](const std::string& text) {
    return buildcache::parse_cache_to(text, options.layer_codec);
  });
  for (const auto& from : out.from) check_reference("cache-from", from);
  for (const auto& to : out.to) check_reference("cache-to", to);
  return out;
}

std::optional<Timestamp> oldest_result(const Arguments& arguments, Timestamp now) {
  const auto ttl = arguments.value("cache-ttl");
  if (!ttl) return std::nullopt;
  try {
    now.seconds -= buildcache::parse_cache_ttl(*ttl);
  } catch (const Error& e) {
    throw UsageError(cat("option --cache-ttl: ", e.what()));
  }
  return now;
}

BuildCaches::BuildCaches(BuildCacheOptions caches, const build::BuildOptions& options,
                         const Environment& environment, Session& session, LocalStore& store,
                         ProgressObserver& observer)
    : caches_(std::move(caches)),
      options_(options),
      environment_(environment),
      session_(session),
      store_(store),
      observer_(observer) {
  if (caches_.from.empty() && caches_.to.empty()) return;
  buildcache::ExchangeOptions exchange{
      .created_at = to_rfc3339(options_.source_date_epoch.value_or(options_.clock())),
      .not_before = options_.cache_not_before};
  for (const buildcache::CacheFrom& from : caches_.from)
    exchange.sources.push_back({.name = from.text, .open = [this, &from] { return open(from); }});
  exchange.writes_inline =
      std::any_of(caches_.to.begin(), caches_.to.end(), [](const buildcache::CacheTo& to) {
        return to.type == buildcache::CacheType::inline_config;
      });
  exchange_ = std::make_unique<buildcache::CacheExchange>(store_, std::move(exchange), observer_);
}

buildcache::OpenedCache BuildCaches::open(const buildcache::CacheFrom& from) {
  if (from.type == buildcache::CacheType::local) return buildcache::open_local_cache(from);
  const std::string name = registry_name(from.place);
  enforce_policy(name, environment_);
  OpenedReader opened = open_reader(parse_image_name(name), session_);
  auto root = opened.reader->resolve(opened.reference);
  if (!root) throw Error(Errc::not_found, "there is none of that name");
  return {.reader = std::move(opened.reader), .root = std::move(*root)};
}

std::unique_ptr<buildcache::CachePlace> BuildCaches::place_of(const buildcache::CacheTo& to) {
  if (to.type == buildcache::CacheType::local)
    return std::make_unique<buildcache::LayoutPlace>(to.place, to.tag);
  const ImageName name = parse_image_name(registry_name(to.place));
  OpenedWriter opened = open_writer(name, session_);
  const auto* tag = std::get_if<Tag>(&opened.reference);
  if (tag == nullptr)
    throw Error(Errc::invalid_argument, "a cache is written under a tag, not under a digest");
  return std::make_unique<buildcache::TagPlace>(
      open_reader(name, session_).reader, std::move(opened.writer),
      tag->value.empty() ? Tag{"latest"} : *tag,
      [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); });
}

void BuildCaches::write_one(const buildcache::CacheTo& to, const std::stop_token& stop) {
  const buildcache::CacheSet collected = exchange_->collected(to.mode);
  if (collected.document.records.empty()) return;  // an empty image: nothing that could be found
  const auto place = place_of(to);
  buildcache::ExportOptions options{.form = to.form, .reset = to.reset};
  if (options_.jobs > 0) options.jobs = options_.jobs;
  buildcache::export_cache(collected, store_, *place, options, observer_, stop);
}

void BuildCaches::write(const std::stop_token& stop) {
  for (const buildcache::CacheTo& to : caches_.to) {
    if (to.type == buildcache::CacheType::inline_config) continue;  // it is in the image
    try {
      with_context([&] { return cat("write cache to ", printable(to.text)); },
                   [&] { write_one(to, stop); });
    } catch (const Error& e) {
      if (!to.ignore_error) throw;
      observer_.notify({.kind = ProgressEvent::Kind::warning, .note = e.what()});
    }
  }
}

}  // namespace lade::tools
