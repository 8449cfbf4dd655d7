#include "libimage/transports/docker_repository.h"

#include <mutex>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/schema1.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_json.h"

namespace lade::docker {
namespace {

// Far beyond any repository, and short of what would fill the memory.
constexpr std::size_t kMaxPages = 10'000;
constexpr std::size_t kMaxTags = 2'000'000;
constexpr std::size_t kMaxReferrers = 100'000;

std::string accepted_types(std::string_view also) {
  std::string types =
      cat(oci::kImageIndex, ", ", oci::kImageManifest, ", ", oci::kDockerManifestList, ", ",
          oci::kDockerManifest, ", ", oci::kDockerSchema1Signed, ", ", oci::kDockerSchema1);
  if (!also.empty() && types.find(also) == std::string::npos) types += cat(", ", also);
  return types;
}

/// The answer's media type; "" where the registry gave a general one or none.
std::string served_type(const Response& response) {
  const auto all = response.headers.all("content-type");
  for (const std::string_view other : all) {
    if (other != all.front()) {
      throw Error(Errc::invalid_content,
                  cat("two Content-Types: ", quoted(all.front()), " and ", quoted(other)));
    }
  }
  std::string type = response.headers.content_type();
  // Its digest names what was signed, which is all that we pass on.
  if (oci::is_schema1(type)) return std::string(oci::kDockerSchema1);
  const bool says_nothing = type == "application/json" || type == "text/plain" ||
                            type == "application/octet-stream" || !oci::is_media_type(type);
  return says_nothing ? "" : type;
}

std::optional<Digest> served_digest(const Response& response) {
  const auto text = response.headers.first("docker-content-digest");
  auto digest = text ? Digest::try_parse(*text) : std::nullopt;
  return digest && digest->verifiable() ? digest : std::nullopt;
}

Digest digest_of(std::string_view raw, std::string_view algorithm) {
  Hasher hasher(algorithm);
  hasher.update(raw);
  return hasher.digest();
}

[[noreturn]] void throw_wrong_digest(const Digest& wanted, const Digest& got) {
  throw Error(Errc::digest_mismatch, cat("asked for ", wanted.str(), ", got ", got.str()));
}

/// The digest that `raw` is known by, checked.
Digest checked_digest(std::string_view raw, const TagOrDigest& reference,
                      const Response& response) {
  const auto* asked = std::get_if<Digest>(&reference);
  const std::optional<Digest> served = served_digest(response);
  const Digest expected = asked != nullptr ? *asked : served.value_or(sha256_of(raw));
  const Digest got = digest_of(raw, expected.algorithm());
  if (got != expected) throw_wrong_digest(expected, got);
  return got;
}

/// The target of `Link: <...>; rel="next"`.
std::optional<std::string> next_link(const Response& response) {
  for (std::string_view value : response.headers.all("link")) {
    for (auto open = value.find('<'); open != std::string_view::npos; open = value.find('<')) {
      const auto close = value.find('>', open);
      if (close == std::string_view::npos) break;
      const std::string_view target = value.substr(open + 1, close - open - 1);
      const std::string_view rest = value.substr(close + 1);
      const std::string parameters = lower_case(rest.substr(0, rest.find('<')));
      if (parameters.find("rel=\"next\"") != std::string::npos ||
          parameters.find("rel=next") != std::string::npos) {
        return std::string(target);
      }
      value = rest;
    }
  }
  return std::nullopt;
}

/// True if the answer is not a registry's own: one that has the API, but not the repository, says
/// so by an error code.
bool knows_no_such_path(Response& response) {
  if (response.status != 404) return false;
  const Error error = error_of(response);
  const auto* detail = std::get_if<HttpDetail>(&error.detail());
  return detail != nullptr && detail->registry_code.empty();
}

bool has_no_referrers_api(int status) {
  return status == 404 || status == 400 || status == 405 || status == 501;
}

}  // namespace

bool is_document(std::string_view media_type) noexcept {
  return oci::is_manifest(media_type) || oci::is_index(media_type) || oci::is_schema1(media_type) ||
         media_type == "application/vnd.oci.artifact.manifest.v1+json";
}

bool is_unknown(std::string_view media_type) noexcept {
  return !is_document(media_type) && !oci::is_layer(media_type) &&
         !oci::is_image_config(media_type) && media_type != oci::kEmptyJson;
}

std::string Repository::describe() const { return cat(registry_->name(), "/", name_); }

Url Repository::manifest_url(std::string_view reference) const {
  return registry_->url(name_, cat("/manifests/", reference));
}

Url Repository::blob_url(const Digest& digest) const {
  return registry_->url(name_, cat("/blobs/", digest.str()));
}

std::optional<Served> Repository::get_document(const TagOrDigest& reference,
                                               std::string_view media_type, std::uint64_t limit,
                                               const Scopes& scopes) const {
  const Call call{.url = manifest_url(to_string(reference)),
                  .headers = {{"Accept", accepted_types(media_type)}}};
  // send() repeats requests; this repeats what breaks off in the body.
  return with_retries(registry_->retry(), registry_->stop(), {}, [&]() -> std::optional<Served> {
    Response response = registry_->send(call, scopes);
    if (response.status == 404) return std::nullopt;
    if (!succeeded(response)) throw error_of(response);
    std::string type = served_type(response);
    if (!media_type.empty() && !type.empty() && type != media_type) {
      throw Error(Errc::invalid_content,
                  cat("served as ", quoted(type), ", not as ", quoted(media_type)));
    }
    std::string raw = text_of(response, limit, "the manifest");
    if (oci::is_schema1(type)) raw = oci::schema1_payload(raw);
    Digest digest = checked_digest(raw, reference, response);
    if (type.empty()) type = media_type.empty() ? oci::sniff_media_type(raw) : media_type;
    oci::Descriptor descriptor{
        .media_type = std::move(type), .digest = std::move(digest), .size = raw.size()};
    return Served{.descriptor = std::move(descriptor), .raw = std::move(raw)};
  });
}

std::optional<oci::Descriptor> Repository::described_by_head(const Response& response,
                                                             const TagOrDigest& reference) const {
  const std::string type = served_type(response);
  const auto length = response.headers.first("content-length");
  const auto size = length ? parse_decimal(*length) : std::nullopt;
  std::optional<Digest> digest = served_digest(response);
  if (const auto* asked = std::get_if<Digest>(&reference)) {
    if (digest && digest->algorithm() == asked->algorithm() && *digest != *asked) {
      throw_wrong_digest(*asked, *digest);
    }
    digest = *asked;
  }
  // The length of a schema 1 manifest is that with its signatures.
  if (type.empty() || !size || !digest || oci::is_schema1(type)) return std::nullopt;
  return oci::Descriptor{.media_type = type, .digest = *digest, .size = *size};
}

std::optional<oci::Descriptor> Repository::resolve(const TagOrDigest& reference,
                                                   const Scopes& scopes) const {
  const auto what = [&] { return cat("resolve ", to_string(reference), " in ", describe()); };
  return with_context(what, [&]() -> std::optional<oci::Descriptor> {
    // HEAD does not count against the pull limits of Docker Hub.
    Response response = registry_->send({.method = "HEAD",
                                         .url = manifest_url(to_string(reference)),
                                         .headers = {{"Accept", accepted_types({})}}},
                                        scopes);
    if (response.status == 404) return std::nullopt;
    if (response.status == 200) {
      if (auto descriptor = described_by_head(response, reference)) return descriptor;
    } else if (response.status == 401 || response.status == 429 ||
               (response.status >= 500 && response.status != 501)) {
      throw error_of(response);
    }
    // Also for what GET has to say: answers to HEAD have no body that explains them.
    const auto served = get_document(reference, {}, oci::kMaxManifestBytes, scopes);
    return served ? std::optional(served->descriptor) : std::nullopt;
  });
}

std::optional<Url> next_page(Registry& registry, const Response& response) {
  const auto link = next_link(response);
  if (!link) return std::nullopt;
  const Url next = registry.side_url(response.url, *link);
  if (next.origin() != registry.base().origin()) {
    throw Error(Errc::denied, cat("the next page is on another server, ", next.redacted()));
  }
  return next;
}

void visit_pages(Registry& registry, const Url& first, const ListOptions& options,
                 const Scopes& scopes, std::vector<std::string> (*parse)(std::string_view),
                 const NameVisitor& visitor) {
  std::set<std::string> seen;
  std::optional<Url> page = first.with_parameter("n", cat(options.page_size));
  if (!options.after.empty()) page = page->with_parameter("last", options.after);
  while (page) {
    if (!seen.insert(page->str()).second || seen.size() > kMaxPages) {
      throw Error(Errc::limit_exceeded, "its pages have no end");
    }
    Response response = registry.expect_success({.url = *page}, scopes);
    const std::string body = text_of(response, oci::kMaxManifestBytes, "the page");
    for (const std::string& name : parse(body)) {
      if (!visitor(name)) return;
    }
    page = next_page(registry, response);
  }
}

void Repository::visit_tags(const ListOptions& options, const Scopes& scopes,
                            const NameVisitor& visitor) const {
  with_context([&] { return cat("list tags of ", describe()); },
               [&] {
                 visit_pages(*registry_, registry_->url(name_, "/tags/list"), options, scopes,
                             parse_tags, [&](const std::string& tag) {
                               return !is_tag(tag) || visitor(tag);  // Artifactory lists digests
                             });
               });
}

std::vector<std::string> Repository::tags(const Scopes& scopes) const {
  std::vector<std::string> tags;
  visit_tags({}, scopes, [&](const std::string& tag) {
    if (tags.size() == kMaxTags) {
      throw Error(Errc::limit_exceeded, cat("more than ", kMaxTags, " tags"));
    }
    tags.push_back(tag);
    return true;
  });
  return tags;
}

bool Repository::may_exist(const Scopes& scopes) const {
  try {
    Response response = registry_->send(
        {.url = registry_->url(name_, "/tags/list").with_parameter("n", "1")}, scopes);
    if (response.status != 404) return true;
    const Error error = error_of(response);
    const auto* detail = std::get_if<HttpDetail>(&error.detail());
    return detail == nullptr || detail->registry_code != "NAME_UNKNOWN";
  } catch (const Error&) {  // whoever needs the registry will say so
    return true;
  }
}

Tag referrers_tag(const Digest& subject) {
  std::string tag = cat(subject.algorithm().substr(0, 32), "-", subject.encoded().substr(0, 64));
  for (char& c : tag) {
    if (!is_tag(std::string_view(&c, 1)) && c != '.' && c != '-') c = '-';
  }
  return Tag{std::move(tag)};
}

bool Repository::has_referrers_api(const Digest& subject, const Scopes& scopes) const {
  Response response =
      registry_->send({.url = registry_->url(name_, cat("/referrers/", subject.str())),
                       .headers = {{"Accept", std::string(oci::kImageIndex)}}},
                      scopes);
  if (has_no_referrers_api(response.status)) return false;
  if (!succeeded(response)) throw error_of(response);
  return true;
}

std::vector<oci::Descriptor> Repository::listed_by_tag(const Digest& subject,
                                                       const Scopes& scopes) const {
  const auto index = get_document(referrers_tag(subject), {}, oci::kMaxManifestBytes, scopes);
  return index ? oci::parse_index(index->raw).manifests : std::vector<oci::Descriptor>();
}

std::vector<oci::Descriptor> Repository::referrers(const Digest& subject,
                                                   const Scopes& scopes) const {
  using State = Registry::ReferrersApi::State;
  const auto what = [&] { return cat("list referrers of ", subject.str(), " in ", describe()); };
  return with_context(what, [&] {
    Registry::ReferrersApi& api = registry_->referrers_api();
    std::unique_lock<std::mutex> asking;
    if (api.state == State::unknown) asking = std::unique_lock(api.asking);
    if (api.state == State::lacking) return listed_by_tag(subject, scopes);
    std::vector<oci::Descriptor> found;
    std::set<std::string> seen;
    std::optional<Url> page = registry_->url(name_, cat("/referrers/", subject.str()));
    while (page) {
      if (!seen.insert(page->str()).second || found.size() > kMaxReferrers) {
        throw Error(Errc::limit_exceeded, "its pages have no end");
      }
      Response response = registry_->send(
          {.url = *page, .headers = {{"Accept", std::string(oci::kImageIndex)}}}, scopes);
      if (found.empty() && has_no_referrers_api(response.status)) {
        if (knows_no_such_path(response)) api.state = State::lacking;
        asking = {};
        return listed_by_tag(subject, scopes);
      }
      if (!succeeded(response)) throw error_of(response);
      api.state = State::there;
      asking = {};
      const std::string body = text_of(response, oci::kMaxManifestBytes, "the list");
      for (oci::Descriptor& descriptor : oci::parse_index(body).manifests) {
        found.push_back(std::move(descriptor));
      }
      page = next_page(*registry_, response);
    }
    return found;
  });
}

}  // namespace lade::docker
