#include "fake_registry.h"

#include <algorithm>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade::test {
namespace {

constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

void fail(const FakeRequest& request, FakeConnection& connection, int status,
          std::string_view code) {
  connection.respond(
      request, status, {{"Content-Type", "application/json"}},
      cat("{\"errors\":[{\"code\":\"", code, "\",\"message\":\"", lower_case(code), "\"}]}"));
}

Digest digest_of(std::string_view bytes, std::string_view algorithm) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.digest();
}

/// The value of a text member; enough for documents that tests write themselves.
std::string json_text(const std::string& json, const std::string& member, std::size_t from = 0) {
  const auto at = json.find(cat("\"", member, "\":\""), from);
  if (at == std::string::npos) return {};
  const auto start = at + member.size() + 4;
  return json.substr(start, json.find('"', start) - start);
}

}  // namespace

FakeRegistry::FakeRegistry(FakeRegistryOptions options) : options_(std::move(options)) {
  server_ = std::make_unique<FakeServer>(
      [this](FakeRequest& request, FakeConnection& connection) { handle(request, connection); });
}

FakeRegistry::~FakeRegistry() { server_->stop(); }

void FakeRegistry::set_hook(Hook hook) {
  const std::scoped_lock lock(mutex_);
  hook_ = std::move(hook);
}

Digest FakeRegistry::put_blob(const std::string& repository, const std::string& bytes) {
  const std::scoped_lock lock(mutex_);
  Digest digest = sha256_of(bytes);
  repositories_[repository].blobs[digest.str()] = bytes;
  return digest;
}

Digest FakeRegistry::put_manifest(const std::string& repository, const std::string& tag,
                                  const std::string& media_type, const std::string& raw) {
  const std::scoped_lock lock(mutex_);
  Digest digest = sha256_of(raw);
  repositories_[repository].manifests[digest.str()] = {media_type, raw};
  if (!tag.empty()) repositories_[repository].tags[tag] = digest.str();
  return digest;
}

std::optional<std::string> FakeRegistry::blob(const std::string& repository,
                                              const Digest& digest) const {
  const std::scoped_lock lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return std::nullopt;
  const auto blob = found->second.blobs.find(digest.str());
  return blob == found->second.blobs.end() ? std::nullopt : std::optional(blob->second);
}

std::optional<FakeRegistry::Stored> FakeRegistry::manifest(const std::string& repository,
                                                           const std::string& reference) const {
  const std::scoped_lock lock(mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return std::nullopt;
  const auto tag = found->second.tags.find(reference);
  const auto& digest = tag == found->second.tags.end() ? reference : tag->second;
  const auto stored = found->second.manifests.find(digest);
  return stored == found->second.manifests.end() ? std::nullopt : std::optional(stored->second);
}

std::size_t FakeRegistry::open_uploads() const {
  const std::scoped_lock lock(mutex_);
  return uploads_.size();
}

std::size_t FakeRegistry::uploaded_bytes() const {
  const std::scoped_lock lock(mutex_);
  std::size_t bytes = 0;
  for (const auto& [id, held] : uploads_) bytes += held.size();
  return bytes;
}

void FakeRegistry::append_upload(const std::string& path, const std::string& bytes) {
  const std::scoped_lock lock(mutex_);
  uploads_[path.substr(path.rfind('/') + 1)] += bytes;
}

void FakeRegistry::damage_uploads() {
  const std::scoped_lock lock(mutex_);
  for (auto& [id, held] : uploads_) held[held.size() / 2] ^= 1;
}

void FakeRegistry::remove_blob(const std::string& repository, const Digest& digest) {
  const std::scoped_lock lock(mutex_);
  repositories_[repository].blobs.erase(digest.str());
}

void FakeRegistry::revoke_tokens() {
  const std::scoped_lock lock(mutex_);
  tokens_.clear();
}

std::size_t FakeRegistry::count(const std::string& method, const std::string& part) const {
  const auto all = requests();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const FakeRequest& request) {
        return request.method == method && request.path.find(part) != std::string::npos;
      }));
}

void FakeRegistry::handle(FakeRequest& request, FakeConnection& connection) {
  Hook hook;
  {
    const std::scoped_lock lock(mutex_);
    hook = hook_;
  }
  if (hook && hook(request, connection)) return;
  const std::string& path = request.path;
  if (path == "/token") return give_token(request, connection);
  const auto name_until = [&](std::string_view part) {
    const auto at = path.rfind(part);
    return at == std::string::npos || at < 4
               ? Name{}
               : Name{path.substr(4, at - 4), path.substr(at + part.size())};
  };
  using Handler = void (FakeRegistry::*)(FakeRequest&, FakeConnection&, const Name&);
  constexpr std::pair<std::string_view, Handler> kRoutes[] = {
      {"/manifests/", &FakeRegistry::manifests}, {"/blobs/uploads/", &FakeRegistry::uploads},
      {"/blobs/", &FakeRegistry::blobs},         {"/tags/list", &FakeRegistry::tags},
      {"/referrers/", &FakeRegistry::referrers},
  };
  if (path == "/v2/") {
    if (authorised(request, connection, "")) connection.respond(request, 200, {}, "{}");
    return;
  }
  if (path == "/v2/_catalog") {
    if (authorised(request, connection, "")) catalog(request, connection);
    return;
  }
  for (const auto& [part, handler] : kRoutes) {
    const Name name = name_until(part);
    if (name.repository.empty()) continue;
    if (authorised(request, connection, name.repository))
      (this->*handler)(request, connection, name);
    return;
  }
  fail(request, connection, 404, "UNSUPPORTED");
}

bool FakeRegistry::authorised(const FakeRequest& request, FakeConnection& connection,
                              const std::string& repository) {
  using Auth = FakeRegistryOptions::Auth;
  const std::string given = request.header("authorization");
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const std::string action = reads ? "pull" : "push";
  std::string challenge = "Basic realm=\"test\"";
  bool known = false;
  if (options_.auth == Auth::none) return true;
  if (options_.auth == Auth::basic) {
    known = given == cat("Basic ", to_base64(cat(options_.username, ":", options_.password)));
  } else {
    challenge = cat("Bearer realm=\"", url(), "/token\",service=\"fake\"");
    if (!repository.empty()) {
      challenge += cat(",scope=\"repository:", repository, ":", reads ? "pull" : "pull,push", "\"");
    }
    const std::scoped_lock lock(mutex_);
    const auto token = given.starts_with("Bearer ") ? tokens_.find(given.substr(7)) : tokens_.end();
    known = token != tokens_.end() &&
            (repository.empty() || token->second.contains(cat(repository, ":", action)));
    if (token != tokens_.end() && !known) challenge += ",error=\"insufficient_scope\"";
  }
  if (known) return true;
  connection.respond(request, 401,
                     {{"WWW-Authenticate", "Negotiate"}, {"WWW-Authenticate", challenge}},
                     R"({"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]})");
  return false;
}

void FakeRegistry::give_token(FakeRequest& request, FakeConnection& connection) {
  if (!connection.read_body(request)) return;
  const std::string basic =
      cat("Basic ", to_base64(cat(options_.username, ":", options_.password)));
  bool known = request.header("authorization") == basic;
  std::vector<std::string> scopes = request.query["scope"];
  if (request.method == "POST") {
    known = !options_.identity_token.empty() &&
            request.body.find(cat("refresh_token=", options_.identity_token)) != std::string::npos;
    for (const std::string_view pair : split(request.body, '&')) {
      if (!pair.starts_with("scope=")) continue;
      std::string text(pair.substr(6));
      for (std::size_t at = 0; (at = text.find('%', at)) != std::string::npos; ++at) {
        text.replace(at, 3, 1, static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16)));
      }
      for (const std::string_view scope : split(text, ' ')) scopes.emplace_back(scope);
    }
  }
  if (!known && (!options_.anonymous_pull || !request.header("authorization").empty())) {
    return fail(request, connection, 401, "UNAUTHORIZED");
  }
  std::set<std::string> rights;
  for (const std::string& scope : scopes) {
    const auto parts = split(scope, ':');
    if (parts.size() != 3) continue;
    for (const std::string_view action : split(parts[2], ',')) {
      if (known || action == "pull") rights.insert(cat(parts[1], ":", action));
    }
  }
  std::string token;
  {
    const std::scoped_lock lock(mutex_);
    token = cat("token-", ++serial_);
    tokens_[token] = std::move(rights);
  }
  connection.respond(request, 200, {{"Content-Type", "application/json"}},
                     cat("{\"token\":\"", token, "\",\"expires_in\":300}"));
}

void FakeRegistry::manifests(FakeRequest& request, FakeConnection& connection, const Name& name) {
  if (request.method == "PUT") {
    if (!connection.read_body(request)) return;
    const auto asked = Digest::try_parse(name.rest);
    const Digest digest =
        asked ? digest_of(request.body, asked->algorithm()) : sha256_of(request.body);
    if (asked && digest != *asked) return fail(request, connection, 400, "DIGEST_INVALID");
    FakeHeaders headers = {{"Location", cat("/v2/", name.repository, "/manifests/", digest.str())},
                           {"Docker-Content-Digest", digest.str()}};
    {
      const std::scoped_lock lock(mutex_);
      Repository& repository = repositories_[name.repository];
      repository.manifests[digest.str()] = {request.header("content-type"), request.body};
      if (!asked) repository.tags[name.rest] = digest.str();
    }
    const auto subject = request.body.find("\"subject\"");
    if (options_.referrers_api && subject != std::string::npos) {
      headers.emplace_back("OCI-Subject", json_text(request.body, "digest", subject));
    }
    return connection.respond(request, 201, headers);
  }
  if (request.method == "DELETE") return delete_manifest(request, connection, name);
  const auto stored = manifest(name.repository, name.rest);
  if (!stored) return fail(request, connection, 404, "MANIFEST_UNKNOWN");
  connection.respond(request, 200,
                     {{"Content-Type", stored->media_type},
                      {"Content-Length", cat(stored->raw.size())},
                      {"Docker-Content-Digest", sha256_of(stored->raw).str()}},
                     stored->raw);
}

void FakeRegistry::delete_manifest(FakeRequest& request, FakeConnection& connection,
                                   const Name& name) {
  using Deletes = FakeRegistryOptions::Deletes;
  const bool is_tag = !Digest::try_parse(name.rest).has_value();
  if (options_.deletes == Deletes::nothing || (is_tag && options_.deletes == Deletes::documents)) {
    return fail(request, connection, 405, "UNSUPPORTED");
  }
  {
    const std::scoped_lock lock(mutex_);
    Repository& repository = repositories_[name.repository];
    const auto gone =
        is_tag ? repository.tags.erase(name.rest) : repository.manifests.erase(name.rest);
    if (!is_tag) {
      std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == name.rest; });
    }
    if (gone > 0) return connection.respond(request, 202);
  }
  fail(request, connection, 404, "MANIFEST_UNKNOWN");
}

void FakeRegistry::catalog(FakeRequest& request, FakeConnection& connection) {
  std::vector<std::string> names;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, repository] : repositories_) names.push_back(name);
  }
  const std::string last = request.parameter("last");
  auto at = last.empty() ? names.begin() : std::upper_bound(names.begin(), names.end(), last);
  std::string list;
  std::string end;
  for (std::size_t i = 0; i < options_.page && at != names.end(); ++i, ++at) {
    list += cat(list.empty() ? "" : ",", "\"", *at, "\"");
    end = *at;
  }
  FakeHeaders headers = {{"Content-Type", "application/json"}};
  if (at != names.end()) {
    headers.emplace_back("Link",
                         cat("<", url(), "/v2/_catalog?n=1000&last=", end, ">; rel=\"next\""));
  }
  connection.respond(request, 200, headers, cat("{\"repositories\":[", list, "]}"));
}

void FakeRegistry::blobs(FakeRequest& request, FakeConnection& connection, const Name& name) {
  const auto digest = Digest::try_parse(name.rest);
  const auto bytes = digest ? blob(name.repository, *digest) : std::nullopt;
  if (!bytes) return fail(request, connection, 404, "BLOB_UNKNOWN");
  const std::string range = request.header("range");
  if (request.method == "GET" && range.starts_with("bytes=")) {
    const auto from = parse_decimal(std::string_view(range).substr(6, range.find('-') - 6));
    if (!from || *from >= bytes->size()) return fail(request, connection, 416, "RANGE");
    const auto last = parse_decimal(std::string_view(range).substr(range.find('-') + 1));
    const std::uint64_t end =
        std::min<std::uint64_t>(last.value_or(bytes->size()), bytes->size() - 1) + 1;
    return connection.respond(
        request, 206, {{"Content-Range", cat("bytes ", *from, "-", end - 1, "/", bytes->size())}},
        std::string_view(*bytes).substr(*from, end - *from));
  }
  connection.respond(request, 200,
                     {{"Content-Type", "application/octet-stream"},
                      {"Content-Length", cat(bytes->size())},
                      {"Docker-Content-Digest", digest->str()}},
                     *bytes);
}

void FakeRegistry::begin_upload(FakeRequest& request, FakeConnection& connection,
                                const Name& name) {
  if (!connection.read_body(request)) return;
  const auto mount = Digest::try_parse(request.parameter("mount"));
  if (mount && options_.mounts) {
    if (const auto bytes = blob(request.parameter("from"), *mount)) {
      put_blob(name.repository, *bytes);
      return connection.respond(
          request, 201, {{"Location", cat("/v2/", name.repository, "/blobs/", mount->str())}});
    }
  }
  std::string id;
  {
    const std::scoped_lock lock(mutex_);
    id = cat("upload-", ++serial_);
    uploads_[id];
  }
  FakeHeaders headers = {
      {"Location", cat("/v2/", name.repository, "/blobs/uploads/", id, "?_state=a%3D")}};
  if (options_.chunk_min_length > 0) {
    headers.emplace_back("OCI-Chunk-Min-Length", cat(options_.chunk_min_length));
  }
  connection.respond(request, 202, headers);
}

void FakeRegistry::take_chunk(FakeRequest& request, FakeConnection& connection, const Name& name,
                              const std::string& held) {
  const std::string range = request.header("content-range");
  if (!range.empty() && !range.starts_with(cat(held.size(), "-"))) {
    return fail(request, connection, 416, "BLOB_UPLOAD_INVALID");
  }
  const bool whole = connection.read_body(request);
  const std::string bytes = (options_.keeps_last_chunk_only ? "" : held) + request.body;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(name.rest);  // unless it was cancelled meanwhile
    if (found != uploads_.end()) found->second = bytes;
  }
  if (!whole) return;
  const std::size_t told = held.size() + request.body.size();
  connection.respond(
      request, 202,
      {{"Location", cat("/v2/", name.repository, "/blobs/uploads/", name.rest, "?_state=b", told)},
       {"Range", cat("0-", told - 1)}});
}

void FakeRegistry::uploads(FakeRequest& request, FakeConnection& connection, const Name& name) {
  if (request.method == "POST") return begin_upload(request, connection, name);
  std::string held;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(name.rest);
    if (found != uploads_.end() && request.method == "DELETE") {
      uploads_.erase(found);
    } else if (found != uploads_.end()) {
      held = found->second;
    }
    if (found == uploads_.end()) held = "?";
  }
  if (held == "?") return fail(request, connection, 404, "BLOB_UPLOAD_UNKNOWN");
  if (request.method == "DELETE") return connection.respond(request, 204);
  if (request.method == "GET") {
    if (!options_.continues) return fail(request, connection, 404, "BLOB_UPLOAD_UNKNOWN");
    return connection.respond(
        request, 204,
        {{"Location", cat("/v2/", name.repository, "/blobs/uploads/", name.rest, "?_state=c")},
         {"Range", cat("0-", held.empty() ? 0 : held.size() - 1)}});
  }
  if (options_.largest_body > 0 &&
      parse_decimal(request.header("content-length")).value_or(0) > options_.largest_body) {
    return fail(request, connection, 413, "SIZE_INVALID");
  }
  if (request.method == "PATCH") return take_chunk(request, connection, name, held);
  if (!connection.read_body(request)) {
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(name.rest);  // unless it was cancelled meanwhile
    if (found != uploads_.end()) found->second = held + request.body;
    return;
  }
  const std::string bytes = held + request.body;
  const auto digest = Digest::try_parse(request.parameter("digest"));
  if (!digest || digest_of(bytes, digest->algorithm()) != *digest) {
    return fail(request, connection, 400, "DIGEST_INVALID");
  }
  {
    const std::scoped_lock lock(mutex_);
    repositories_[name.repository].blobs[digest->str()] = bytes;
    uploads_.erase(name.rest);
  }
  connection.respond(request, 201,
                     {{"Location", cat("/v2/", name.repository, "/blobs/", digest->str())},
                      {"Docker-Content-Digest", digest->str()}});
}

void FakeRegistry::tags(FakeRequest& request, FakeConnection& connection, const Name& name) {
  std::vector<std::string> all;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [tag, digest] : repositories_[name.repository].tags) all.push_back(tag);
  }
  const std::string last = request.parameter("last");
  auto at = last.empty() ? all.begin() : std::upper_bound(all.begin(), all.end(), last);
  std::string list;
  std::string end;
  for (std::size_t i = 0; i < options_.page && at != all.end(); ++i, ++at) {
    list += cat(list.empty() ? "" : ",", "\"", *at, "\"");
    end = *at;
  }
  FakeHeaders headers = {{"Content-Type", "application/json"}};
  if (at != all.end()) {
    headers.emplace_back(
        "Link", cat("</v2/", name.repository, "/tags/list?last=", end, "&n=1000>; rel=\"next\""));
  }
  connection.respond(request, 200, headers,
                     cat("{\"name\":\"", name.repository, "\",\"tags\":[", list, "]}"));
}

void FakeRegistry::referrers(FakeRequest& request, FakeConnection& connection, const Name& name) {
  if (!options_.referrers_api) return fail(request, connection, 404, "NOT_FOUND");
  std::string list;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [digest, stored] : repositories_[name.repository].manifests) {
      const auto subject = stored.raw.find("\"subject\"");
      if (subject == std::string::npos) continue;
      if (json_text(stored.raw, "digest", subject) != name.rest) continue;
      list += cat(list.empty() ? "" : ",", "{\"mediaType\":\"", stored.media_type,
                  "\",\"digest\":\"", digest, "\",\"size\":", stored.raw.size(), "}");
    }
  }
  connection.respond(
      request, 200, {{"Content-Type", std::string(kIndexType)}},
      cat("{\"schemaVersion\":2,\"mediaType\":\"", kIndexType, "\",\"manifests\":[", list, "]}"));
}

}  // namespace lade::test
