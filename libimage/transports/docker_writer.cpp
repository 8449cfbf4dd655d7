#include "libimage/transports/docker_writer.h"

#include <algorithm>
#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/store/blob_check.h"
#include "libimage/transports/docker_errors.h"

namespace lade::docker {
namespace {

// More round trips would cost more than most blobs do.
constexpr std::size_t kMountAttempts = 2;
constexpr int kListAttempts = 4;
constexpr std::size_t kRememberedBytes = std::size_t{16} << 20;
// In a repository that nobody knew before, only an earlier push that broke off can have left a
// blob, and to ask for one of that size costs as much as to send it.
constexpr std::uint64_t kUnaskedBytes = std::uint64_t{1} << 20;

/// The entry of a referrers list for a document (distribution-spec v1.1.1, "Pushing Manifests with
/// Subject"), and its subject.
struct Referrer {
  oci::Descriptor descriptor;
  Digest subject;
};
std::optional<Referrer> referrer_of(const oci::Descriptor& descriptor, const std::string& raw) {
  const oci::Document document = oci::parse_document(descriptor, raw);
  oci::Descriptor entry{
      .media_type = descriptor.media_type, .digest = descriptor.digest, .size = descriptor.size};
  if (const auto* manifest = std::get_if<oci::Manifest>(&document.parsed)) {
    if (!manifest->subject) return std::nullopt;
    entry.artifact_type =
        manifest->artifact_type.empty() ? manifest->config.media_type : manifest->artifact_type;
    entry.annotations = manifest->annotations;
    return Referrer{std::move(entry), manifest->subject->digest};
  }
  if (const auto* index = std::get_if<oci::Index>(&document.parsed)) {
    if (!index->subject) return std::nullopt;
    entry.artifact_type = index->artifact_type;
    entry.annotations = index->annotations;
    return Referrer{std::move(entry), index->subject->digest};
  }
  return std::nullopt;
}

/// What Docker's registry says of a manifest that is right, while another upload of one of its
/// blobs ends: it reads the blob's link as that is written.
bool meets_another_upload(const Error& error) {
  const auto* detail = std::get_if<HttpDetail>(&error.detail());
  return detail != nullptr && detail->registry_code == "DIGEST_INVALID";
}

enum class Deletion { of_tag, of_document };

/// What the registry said, and what it means.
Error refused_deletion(Response& response, Deletion deletion) {
  const Error said = error_of(response);
  const bool cannot = response.status == 400 || response.status == 405 || response.status == 501;
  if (!cannot) return said;
  const char* cause = deletion == Deletion::of_document
                          ? "the registry does not allow deletion"
                          : "the registry cannot delete a tag alone, only a document by its digest "
                            "with all its tags, or allows no deletion";
  return Error(Errc::unsupported, cat(cause, ": ", said.what()), said.detail());
}

}  // namespace

RepositoryWriter::RepositoryWriter(Repository repository, TagOrDigest own_reference)
    : sessions_(std::make_shared<UploadSessions>(std::move(repository))),
      own_reference_(std::move(own_reference)) {}

Writer::Accepts RepositoryWriter::accepts() const {
  return {.default_layer_codec = "gzip", .documents_imply_blobs = true};
}

void RepositoryWriter::ask_ahead() {
  const auto* tag = std::get_if<Tag>(&own_reference_);
  if (tag == nullptr) return;
  const std::scoped_lock lock(ahead_mutex_);
  asking_ = std::jthread([this, tag] {
    try {
      ahead_ = repository().resolve(*tag, sessions_->scopes());
    } catch (const std::exception&) {  // whoever needs the registry will say so
      return;
    }
  });
}

bool RepositoryWriter::was_tagged(const oci::Descriptor& descriptor) {
  const std::scoped_lock lock(ahead_mutex_);
  if (asking_.joinable()) asking_.join();
  return ahead_ && ahead_->digest == descriptor.digest && ahead_->size == descriptor.size;
}

bool RepositoryWriter::contains(const oci::Descriptor& blob) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_ && waiting_->descriptor.digest == blob.digest) return true;
  }
  const auto what = [&] {
    return cat("look for ", blob.digest.str(), " in ", repository().describe());
  };
  Registry& registry = repository().registry();
  if (!is_document(blob.media_type)) {
    if (registry.known().is_there(repository().name(), blob)) return true;
    if (may_be_sent_unasked(blob)) return false;
    if (with_context(what, [&] { return sessions_->has_blob(blob); })) {
      registry.saw(blob, repository().name());
      return true;
    }
    if (!is_unknown(blob.media_type)) return false;
  }
  if (is_document(blob.media_type) && was_tagged(blob)) return true;
  if (was_new()) return false;
  const auto found = repository().resolve(blob.digest, sessions_->scopes());  // says what it does
  if (!found) {
    registry.known().misses(repository().name(), oci::is_index(blob.media_type) ? 2 : 1);
  }
  return found && found->size == blob.size;
}

/// True where the answer is foreseen, and a wrong guess costs no more than the question.
bool RepositoryWriter::may_be_sent_unasked(const oci::Descriptor& blob) {
  if (blob.size > kUnaskedBytes) return false;
  // Nearly always as new as the manifest that was missed.
  const bool goes_with_manifest =
      oci::is_image_config(blob.media_type) &&
      repository().registry().known().missed_a_document(repository().name());
  return goes_with_manifest || was_new();
}

bool RepositoryWriter::was_new() {
  return repository().registry().known().was_new(
      repository().name(), [&] { return !repository().may_exist(sessions_->scopes()); });
}

std::unique_ptr<BlobWriter> RepositoryWriter::start_blob(const BlobHint& hint) {
  return start_upload(sessions_, hint);
}

void RepositoryWriter::put_document(const std::string& reference, const oci::Descriptor& descriptor,
                                    const std::string& raw) {
  const auto what = [&] { return cat("write ", reference, " to ", repository().describe()); };
  const Call call{.method = "PUT",
                  .url = repository().manifest_url(reference),
                  .headers = {{"Content-Type", descriptor.media_type}},
                  .body = RequestBody::of(raw)};
  with_context(what, [&] {
    Registry& registry = repository().registry();
    for (unsigned attempt = 1;; ++attempt) {
      Response response = registry.send(call, sessions_->scopes());
      if (succeeded(response)) {
        check_stored_digest(response, descriptor.digest);
        return add_to_referrers_tag(descriptor, raw, response);
      }
      const Error error = error_of(response);
      if (!meets_another_upload(error) || attempt >= registry.retry().attempts) throw Error(error);
      wait_before_retry(registry.retry(), delay_after(registry.retry(), attempt, error),
                        registry.stop());
    }
  });
}

void RepositoryWriter::put_manifest(const oci::Descriptor& descriptor, std::string_view raw) {
  check_document(descriptor, raw);
  const std::string bytes(raw);
  // A registry names a document that it gets under a tag by its SHA-256.
  if (descriptor.digest.algorithm() != "sha256") {
    put_document(descriptor.digest.str(), descriptor, bytes);
  } else {
    // One at a time: two threads at once would leave one document behind, and what points to the
    // waiting one may follow only when that is stored.
    const std::scoped_lock order(waiting_order_);
    put_waiting();
    const std::scoped_lock lock(mutex_);
    waiting_ = Served{.descriptor = descriptor, .raw = bytes};
  }
  remember(descriptor, bytes);
}

std::optional<Served> RepositoryWriter::take_waiting() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(waiting_, std::nullopt);
}

void RepositoryWriter::put_waiting() {
  const std::optional<Served> document = take_waiting();
  if (!document) return;
  put_document(document->descriptor.digest.str(), document->descriptor, document->raw);
}

void RepositoryWriter::finish() { put_waiting(); }

void RepositoryWriter::remember(const oci::Descriptor& descriptor, const std::string& raw) {
  const std::scoped_lock lock(mutex_);
  if (document_bytes_ + raw.size() > kRememberedBytes) {
    documents_.clear();
    document_bytes_ = 0;
  }
  if (documents_.emplace(descriptor.digest, raw).second) document_bytes_ += raw.size();
}

std::string RepositoryWriter::raw_of(const oci::Descriptor& descriptor) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = documents_.find(descriptor.digest);
    if (found != documents_.end()) return found->second;
  }
  auto served = repository().get_document(descriptor.digest, descriptor.media_type,
                                          oci::kMaxManifestBytes, sessions_->scopes());
  if (!served) {
    throw Error(Errc::not_found,
                cat(descriptor.digest.str(), " is not in ", repository().describe()));
  }
  remember(descriptor, served->raw);  // for the next tag
  return std::move(served->raw);
}

void RepositoryWriter::tag(const Tag& tag, const oci::Descriptor& descriptor) {
  if (!tag.value.empty()) {
    put_under(tag.value, descriptor);
  } else if (const auto* own = std::get_if<Tag>(&own_reference_)) {
    put_under(own->value, descriptor);
  } else if (std::get<Digest>(own_reference_) != descriptor.digest) {
    throw Error(Errc::digest_mismatch,
                cat("write ", to_string(own_reference_), " to ", repository().describe(),
                    ": the document's digest is ", descriptor.digest.str()));
  } else {
    put_waiting();
  }
}

void RepositoryWriter::put_under(const std::string& name, const oci::Descriptor& descriptor) {
  const std::optional<Served> waiting = take_waiting();
  const bool is_new = waiting && waiting->descriptor.digest == descriptor.digest;
  if (waiting && !is_new) {
    put_document(waiting->descriptor.digest.str(), waiting->descriptor, waiting->raw);
  }
  bool was_put = is_new;
  {
    const std::scoped_lock lock(mutex_);
    was_put = was_put || documents_.contains(descriptor.digest);
  }
  const auto* own = std::get_if<Tag>(&own_reference_);
  const bool is_own = own != nullptr && own->value == name;
  if (!was_put && ((is_own && was_tagged(descriptor)) || is_tagged(name, descriptor))) return;
  try {
    put_document(name, descriptor, raw_of(descriptor));
  } catch (const Error& e) {
    // Tags that never move (ECR): no harm where it is there already.
    if (e.code() != Errc::invalid_content && e.code() != Errc::denied) throw;
    if (!is_tagged(name, descriptor)) throw;
  }
}

bool RepositoryWriter::is_tagged(const std::string& name, const oci::Descriptor& descriptor) const {
  const auto found = repository().resolve(Tag{name}, sessions_->scopes());
  return found && found->digest == descriptor.digest;
}

void RepositoryWriter::add_to_referrers_tag(const oci::Descriptor& descriptor,
                                            const std::string& raw, const Response& response) {
  if (response.headers.first("oci-subject")) return;  // the registry keeps the list
  if (raw.find("\"subject\"") == std::string::npos) return;
  std::optional<Referrer> referrer = referrer_of(descriptor, raw);
  if (!referrer) return;
  const Tag tag = referrers_tag(referrer->subject);
  const std::scoped_lock lock(referrers_mutex_);
  // Read again afterwards: two writers at once would lose one's entry.
  for (int attempt = 0; attempt < kListAttempts; ++attempt) {
    const auto present =
        repository().get_document(tag, {}, oci::kMaxManifestBytes, sessions_->scopes());
    oci::Index list = present ? oci::parse_index(present->raw) : oci::Index{};
    const bool listed = std::any_of(
        list.manifests.begin(), list.manifests.end(),
        [&](const oci::Descriptor& entry) { return entry.digest == descriptor.digest; });
    if (listed) return;
    list.manifests.push_back(referrer->descriptor);
    const std::string text = oci::serialise(list);
    put_document(tag.value, oci::describe(std::string(oci::kImageIndex), text), text);
  }
  throw Error(Errc::unavailable,
              cat("others keep replacing the list of referrers, tag ", quoted(tag.value)));
}

void RepositoryWriter::remove(const TagOrDigest& reference) {
  const auto what = [&] {
    return cat("delete ", to_string(reference), " from ", repository().describe());
  };
  put_waiting();
  with_context(what, [&] {
    const Scopes scopes = {delete_scope(repository().name())};
    const auto* digest = std::get_if<Digest>(&reference);
    std::optional<Served> document;
    if (digest != nullptr) {
      document = repository().get_document(*digest, {}, oci::kMaxManifestBytes, scopes);
      if (!document) throw Error(Errc::not_found, "the registry does not have it");
    }
    Response response = repository().registry().send(
        {.method = "DELETE", .url = repository().manifest_url(to_string(reference))}, scopes);
    if (!succeeded(response)) {
      throw refused_deletion(response,
                             digest != nullptr ? Deletion::of_document : Deletion::of_tag);
    }
    if (document) remove_from_referrers_tag(document->descriptor, document->raw);
  });
}

void RepositoryWriter::remove_from_referrers_tag(const oci::Descriptor& descriptor,
                                                 const std::string& raw) {
  if (raw.find("\"subject\"") == std::string::npos) return;
  const std::optional<Referrer> referrer = referrer_of(descriptor, raw);
  if (!referrer) return;
  if (repository().has_referrers_api(referrer->subject, sessions_->scopes())) return;
  const Tag tag = referrers_tag(referrer->subject);
  const std::scoped_lock lock(referrers_mutex_);
  const auto present =
      repository().get_document(tag, {}, oci::kMaxManifestBytes, sessions_->scopes());
  if (!present) return;
  oci::Index list = oci::parse_index(present->raw);
  const auto gone = std::erase_if(list.manifests, [&](const oci::Descriptor& entry) {
    return entry.digest == descriptor.digest;
  });
  if (gone == 0) return;
  const std::string text = oci::serialise(list);
  put_document(tag.value, oci::describe(std::string(oci::kImageIndex), text), text);
}

bool RepositoryWriter::may_mount(const Origin& from) const {
  return from.registry == repository().registry().name() && from.repository != repository().name();
}

bool RepositoryWriter::try_mount(const oci::Descriptor& blob, const Origin& from) {
  Registry& registry = repository().registry();
  Memory& memory = registry.memory();
  std::vector<std::string> places =
      memory.repositories_with(blob.digest, repository().name(), kMountAttempts);
  if (may_mount(from)) {
    std::erase(places, from.repository);
    places.insert(places.begin(), from.repository);
  }
  for (const std::string& place : places) {
    switch (mount(blob.digest, place)) {
      case Mounted::yes:
        registry.saw(blob, repository().name());
        return true;
      case Mounted::never:
        return false;
      case Mounted::not_from_there:
        memory.did_not_see(blob.digest, place);
    }
  }
  const bool anywhere = places.empty() && !memory.traits().needs_mount_source;
  if (!anywhere) return false;
  // Some registries find it by themselves; from others this begins the upload that is due anyway.
  if (mount(blob.digest, "") != Mounted::yes) return false;
  registry.saw(blob, repository().name());
  return true;
}

RepositoryWriter::Mounted RepositoryWriter::mount(const Digest& blob, const std::string& place) {
  Registry& registry = repository().registry();
  Url url =
      registry.url(repository().name(), "/blobs/uploads/").with_parameter("mount", blob.str());
  Scopes scopes = sessions_->scopes();
  if (!place.empty()) {
    url = url.with_parameter("from", place);
    scopes.push_back(pull_scope(place));
  }
  try {
    const Response response = registry.send({.method = "POST", .url = url, .attempts = 1}, scopes);
    if (response.status == 201) return Mounted::yes;
    // The registry does not mount: it has begun an upload, which the next blob can use.
    if (response.status == 202) {
      sessions_->keep(sessions_->begun(response));
    } else if (place.empty()) {
      registry.memory().learn([](UploadTraits& traits) { traits.needs_mount_source = true; });
    }
    return Mounted::not_from_there;
  } catch (const Error& e) {
    // Also where no token gives both rights: the blob is written then.
    return e.code() == Errc::unavailable ? Mounted::never : Mounted::not_from_there;
  }
}

}  // namespace lade::docker
