#include "libimage/transports/docker_routes.h"

#include <algorithm>
#include <concepts>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::docker {
namespace {

/// A client that does not verify the certificates of `host`; everybody else's it does.
std::shared_ptr<HttpClient> insecure_client(const std::string& host, const SessionOptions& options,
                                            Session& session) {
  return session.shared<HttpClient>(cat(kHttpClientKey, "/insecure/", host), [&] {
    const auto usual = session.shared<HttpClient>(kHttpClientKey, [&] {
      return std::make_shared<HttpClient>(http_options(session.options()));
    });
    HttpOptions http = usual->options();
    http.tls_for = [host, insecure = http_options(options).tls_for,
                    secure = usual->options().tls_for](const Url& url) {
      if (url.host == host) return insecure(url);
      return secure ? secure(url) : TlsOptions{};
    };
    return std::make_shared<HttpClient>(std::move(http));
  });
}

/// The session's object for an endpoint of a name that begins with `named`. What was given for that
/// registry is sent to no other, and "insecure" is said of one host.
std::shared_ptr<Registry> registry_at(const RegistryEndpoint& endpoint, const std::string& named,
                                      Session& session) {
  if (!endpoint.blocked_by.empty()) throw Error(Errc::denied, endpoint.blocked_by);
  SessionOptions options = session.options();
  const bool given = options.given_credentials && endpoint.registry == named;
  const bool insecure =
      endpoint.insecure && options.tls_verify == SessionOptions::TlsVerify::by_config;
  if (!given && !insecure) return Registry::of(endpoint.registry, session);
  if (given) {
    options.credentials = [credentials = *options.given_credentials](const std::string&,
                                                                     const std::string&) {
      return std::optional(credentials);
    };
  }
  if (insecure) options.tls_verify = SessionOptions::TlsVerify::no;
  const std::string key = cat("docker.registry/", given ? "given/" : "",
                              insecure ? "insecure/" : "", endpoint.registry);
  return session.shared<Registry>(key, [&] {
    const auto http =
        insecure ? insecure_client(Url::parse(cat("https://", host_of(endpoint.registry))).host,
                                   options, session)
                 : session.shared<HttpClient>(kHttpClientKey, [&] {
                     return std::make_shared<HttpClient>(http_options(session.options()));
                   });
    return std::make_shared<Registry>(endpoint.registry, http, options);
  });
}

RegistryRoute route_of(const Reference& reference, Session& session) {
  if (session.options().route) return session.options().route(reference);
  return {.location = {.registry = reference.registry, .repository = reference.repository}};
}

struct Failure {
  std::size_t index;  ///< of the place; the location has the highest
  std::string place;
  Error error;
};

/// The location's failure, with those of the mirrors told.
[[noreturn]] void throw_all(std::vector<Failure> failures) {
  std::stable_sort(failures.begin(), failures.end(),
                   [](const Failure& a, const Failure& b) { return a.index < b.index; });
  const Failure& last = failures.back();
  if (failures.size() == 1) throw Error(last.error);
  std::string mirrors;
  for (std::size_t i = 0; i + 1 < failures.size(); ++i) {
    mirrors += cat(" [", failures[i].place, ": ", failures[i].error.what(), "]");
  }
  const Error error(
      last.error.code(),
      cat("(Mirrors also failed:", mirrors, "): ", last.place, ": ", last.error.what()),
      last.error.detail());
  throw last.error.is_final() ? error.as_final() : error;
}

/// True if a place that fails so will not serve the next request either.
bool is_lasting(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::denied ||
         error.code() == Errc::unauthorized || error.code() == Errc::rate_limited;
}

bool is_digest(const TagOrDigest& reference) { return std::holds_alternative<Digest>(reference); }

/// The places of one image, in the order of preference. Thread-safe.
class Places {
 public:
  Places(const Reference& reference, const RegistryRoute& route, Session& session) {
    for (const RegistryEndpoint& mirror : route.mirrors) add(mirror, reference, session);
    add(route.location, reference, session);
  }

  [[nodiscard]] Reader& location() const { return reader(places_.size() - 1); }

  /// The places that may be asked for a tag, or for a digest: first what served the image, then
  /// the others; without those that have failed for good, but never without the location.
  [[nodiscard]] std::vector<std::size_t> order(bool by_digest) const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::size_t> out;
    if (preferred_ && may_serve(*preferred_, by_digest)) out.push_back(*preferred_);
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (i != preferred_ && may_serve(i, by_digest)) out.push_back(i);
    }
    return out;
  }

  /// As order(), without the mirrors that gave wrong bytes for `blob`.
  [[nodiscard]] std::vector<std::size_t> order_for(const Digest& blob, bool by_digest) const {
    std::vector<std::size_t> out = order(by_digest);
    const std::scoped_lock lock(mutex_);
    std::erase_if(out, [&](std::size_t i) { return places_[i].wrong.contains(blob); });
    return out;
  }

  /// `blob`, put together from what `served` gave, was wrong: mirrors among them are not asked for
  /// it again. False if there is none, so that asking again would bring the same.
  bool distrust(const std::set<std::size_t>& served, const Digest& blob) {
    const std::scoped_lock lock(mutex_);
    bool other = false;
    for (const std::size_t i : served) {
      if (i + 1 != places_.size() && places_[i].wrong.insert(blob).second) other = true;
    }
    return other;
  }

  /// Why places are left out of order() that were asked before.
  [[nodiscard]] std::vector<Failure> lasting_failures() const {
    const std::scoped_lock lock(mutex_);
    std::vector<Failure> out;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].failure) out.push_back({i, places_[i].name, *places_[i].failure});
    }
    return out;
  }

  [[nodiscard]] Reader& reader(std::size_t i) const {
    const Place& place = places_[i];
    if (!place.reader) throw Error(Errc::denied, place.blocked_by);
    return *place.reader;
  }

  void read_when_resolved() {
    for (const Place& place : places_) {
      if (place.reader) place.reader->read_when_resolved();
    }
  }

  void prefer(std::size_t i) {
    const std::scoped_lock lock(mutex_);
    preferred_ = i;
  }

  /// Notes that `i` failed, and in `failures`.
  void failed(std::size_t i, const Error& error, std::vector<Failure>& failures) {
    failures.push_back({i, places_[i].name, error});
    if (i + 1 == places_.size() || !is_lasting(error)) return;
    const std::scoped_lock lock(mutex_);
    if (!places_[i].failure) places_[i].failure = error;
    if (preferred_ == i) preferred_.reset();
  }

 private:
  struct Place {
    std::string name;
    RegistryEndpoint::Serves serves = RegistryEndpoint::Serves::all;
    std::string blocked_by = {};
    std::unique_ptr<RepositoryReader> reader = {};  // none where it is blocked
    std::optional<Error> failure = {};              // guarded by mutex_: it failed for good
    std::set<Digest> wrong = {};  // guarded by mutex_: it gives other bytes for them
  };

  void add(const RegistryEndpoint& endpoint, const Reference& reference, Session& session) {
    Place place{.name = cat(endpoint.registry, "/", endpoint.repository),
                .serves = endpoint.serves,
                .blocked_by = endpoint.blocked_by};
    if (place.blocked_by.empty()) {
      place.reader = std::make_unique<RepositoryReader>(
          Repository(registry_at(endpoint, reference.registry, session), endpoint.repository),
          reference.target());
    }
    places_.push_back(std::move(place));
  }

  [[nodiscard]] bool may_serve(std::size_t i, bool by_digest) const {
    const Place& place = places_[i];
    if (place.failure) return false;
    return place.serves == RegistryEndpoint::Serves::all ||
           (place.serves == RegistryEndpoint::Serves::digests) == by_digest;
  }

  std::vector<Place> places_;
  mutable std::mutex mutex_;
  std::optional<std::size_t> preferred_;  // guarded by mutex_
};

/// Asks the places in `order` until one answers; throws what all of them said.
template <std::invocable<Reader&> Ask>
auto ask_in_turn(Places& places, const std::vector<std::size_t>& order, const Ask& ask) {
  std::vector<Failure> failures = places.lasting_failures();
  for (const std::size_t i : order) {
    try {
      return ask(places.reader(i));
    } catch (const Error& e) {
      places.failed(i, e, failures);
    }
  }
  throw_all(std::move(failures));
}

/// A blob's bytes from wherever they come.
class RoutedSource final : public Source {
 public:
  /// `served` gets the places whose bytes are read.
  RoutedSource(std::shared_ptr<Places> places, const oci::Descriptor& blob, bool by_digest,
               std::uint64_t offset, std::shared_ptr<std::set<std::size_t>> served)
      : RoutedSource(std::move(places), blob, by_digest, {offset, blob.size}, std::move(served)) {}

  /// The bytes from `first` to `second`.
  using Bounds = std::pair<std::uint64_t, std::uint64_t>;
  RoutedSource(std::shared_ptr<Places> places, const oci::Descriptor& blob, bool by_digest,
               const Bounds& bounds, std::shared_ptr<std::set<std::size_t>> served)
      : places_(std::move(places)),
        blob_(blob),
        position_(bounds.first),
        end_(bounds.second),
        left_(places_->order_for(blob_.digest, by_digest)),
        failures_(places_->lasting_failures()),
        served_(std::move(served)) {
    std::reverse(left_.begin(), left_.end());  // the next is the last
    open_next();
  }

  std::size_t read(std::span<std::byte> out) override {
    for (;;) {
      try {
        const std::size_t got = source_->read(out);
        position_ += got;
        if (got > 0 && served_) served_->insert(current_);
        return got;
      } catch (const Error& e) {
        source_.reset();
        places_->failed(current_, e, failures_);
      }
      open_next();
    }
  }

 private:
  void open_next() {
    while (!source_) {
      if (left_.empty()) throw_all(failures_);
      current_ = left_.back();
      left_.pop_back();
      try {
        Reader& reader = places_->reader(current_);
        source_ = end_ < blob_.size ? open_range(reader, blob_, position_, end_ - position_)
                                    : reader.open_at(blob_, position_);
      } catch (const Error& e) {
        places_->failed(current_, e, failures_);
      }
    }
  }

  std::shared_ptr<Places> places_;
  oci::Descriptor blob_;
  std::uint64_t position_;
  std::uint64_t end_;
  std::vector<std::size_t> left_;
  std::vector<Failure> failures_;
  std::shared_ptr<std::set<std::size_t>> served_;  // may be null
  std::size_t current_ = 0;
  std::unique_ptr<Source> source_;
};

class RoutedReader final : public Reader, public RangeReader {
 public:
  RoutedReader(const Reference& reference, const RegistryRoute& route, Session& session)
      : own_(reference.target()),
        places_(std::make_shared<Places>(reference, route, session)),
        origin_({.registry = route.location.registry, .repository = route.location.repository}) {}

  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override {
    const auto* tag = std::get_if<Tag>(&reference);
    const TagOrDigest& wanted = tag != nullptr && tag->value.empty() ? own_ : reference;
    std::vector<Failure> failures = places_->lasting_failures();
    bool absent = failures.empty();
    for (const std::size_t i : places_->order(is_digest(wanted))) {
      try {
        if (auto found = places_->reader(i).resolve(wanted)) {
          places_->prefer(i);
          return found;
        }
        places_->failed(i, Error(Errc::not_found, cat("no ", to_string(wanted))), failures);
      } catch (const Error& e) {
        absent = false;
        places_->failed(i, e, failures);
      }
    }
    if (absent) return std::nullopt;
    throw_all(std::move(failures));
  }

  std::optional<Origin> origin() const override { return origin_; }

  void read_when_resolved() { places_->read_when_resolved(); }

  std::optional<std::uint64_t> size_of(const Digest& digest) override {
    std::vector<Failure> failures = places_->lasting_failures();
    bool absent = failures.empty();
    for (const std::size_t i : own_order()) {
      try {
        if (const auto size = places_->reader(i).size_of(digest)) return size;
      } catch (const Error& e) {
        absent = false;
        places_->failed(i, e, failures);
      }
    }
    if (absent) return std::nullopt;
    throw_all(std::move(failures));
  }

  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override {
    return ask_in_turn(*places_, own_order(),
                       [&](Reader& reader) { return reader.referrers(subject); });
  }

  std::optional<std::vector<std::string>> tags() override { return places_->location().tags(); }

  std::unique_ptr<Source> open_part(const oci::Descriptor& blob, std::uint64_t offset,
                                    std::uint64_t size) override {
    return std::make_unique<RoutedSource>(places_, blob, is_digest(own_),
                                          RoutedSource::Bounds{offset, offset + size}, nullptr);
  }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override {
    return do_open_at(blob, 0);
  }
  std::unique_ptr<Source> do_open_at(const oci::Descriptor& blob, std::uint64_t offset) override {
    return std::make_unique<RoutedSource>(places_, blob, is_digest(own_), offset, nullptr);
  }
  OpenedBlob do_open_somewhere(const oci::Descriptor& blob) override {
    const auto served = std::make_shared<std::set<std::size_t>>();
    return {.source = std::make_unique<RoutedSource>(places_, blob, is_digest(own_), 0, served),
            .distrust = [places = places_, served, digest = blob.digest] {
              return places->distrust(*served, digest);
            }};
  }

 private:
  /// Mirrors are chosen by what the user's name says, not by what is read for it.
  [[nodiscard]] std::vector<std::size_t> own_order() const {
    return places_->order(is_digest(own_));
  }

  TagOrDigest own_;
  std::shared_ptr<Places> places_;
  Origin origin_;
};

}  // namespace

void read_when_resolved(Reader& reader) {
  if (auto* repository = dynamic_cast<RepositoryReader*>(&reader)) {
    repository->read_when_resolved();
  } else if (auto* routed = dynamic_cast<RoutedReader*>(&reader)) {
    routed->read_when_resolved();
  }
}

std::shared_ptr<Registry> open_registry(const std::string& name, Session& session) {
  return registry_at(route_of({.registry = name, .repository = {}}, session).location, name,
                     session);
}

Repository open_location(const Reference& reference, Session& session) {
  const RegistryEndpoint location = route_of(reference, session).location;
  return {registry_at(location, reference.registry, session), location.repository};
}

std::unique_ptr<Reader> open_for_reading(const Reference& reference, Session& session) {
  const RegistryRoute route = route_of(reference, session);
  if (!route.mirrors.empty()) return std::make_unique<RoutedReader>(reference, route, session);
  return std::make_unique<RepositoryReader>(
      Repository(registry_at(route.location, reference.registry, session),
                 route.location.repository),
      reference.target());
}

}  // namespace lade::docker
