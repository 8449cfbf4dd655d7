#include <utility>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/oci/document.h"
#include "libimage/store/text_source.h"
#include "libimage/transports/docker_blob_source.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_repository.h"

namespace lade::docker {

std::optional<oci::Descriptor> RepositoryReader::resolve(const TagOrDigest& reference) {
  const auto* tag = std::get_if<Tag>(&reference);
  const bool own = tag != nullptr && tag->value.empty();
  const TagOrDigest& wanted = own ? own_reference_ : reference;
  auto found = reads_when_resolved_ && wanted == own_reference_
                   ? resolve_and_keep(wanted)
                   : repository_.resolve(wanted, scopes());
  // Asked of a place that will be written to, it is one of many images.
  if (!found && tag != nullptr) repository_.registry().known().misses(repository_.name(), 2);
  return found;
}

std::optional<oci::Descriptor> RepositoryReader::resolve_and_keep(const TagOrDigest& reference) {
  const auto what = [&] {
    return cat("resolve ", to_string(reference), " in ", repository_.describe());
  };
  auto served = with_context(what, [&] {
    return repository_.get_document(reference, {}, oci::kMaxManifestBytes, scopes());
  });
  const std::scoped_lock lock(mutex_);
  kept_ = std::move(served);
  return kept_ ? std::optional(kept_->descriptor) : std::nullopt;
}

std::optional<std::vector<oci::Descriptor>> RepositoryReader::referrers(const Digest& subject) {
  return repository_.referrers(subject, scopes());
}

std::optional<std::vector<std::string>> RepositoryReader::tags() {
  return repository_.tags(scopes());
}

std::optional<std::uint64_t> RepositoryReader::size_of(const Digest& digest) {
  const auto what = [&] { return cat("look for ", digest.str(), " in ", repository_.describe()); };
  return with_context(what, [&]() -> std::optional<std::uint64_t> {
    Response response = repository_.registry().send(
        {.method = "HEAD", .url = repository_.blob_url(digest)}, scopes());
    if (response.status == 404) {  // a document is no blob everywhere
      const auto document = repository_.resolve(digest, scopes());
      return document ? std::optional(document->size) : std::nullopt;
    }
    if (!succeeded(response)) throw error_of(response);
    const auto length = response.headers.first("content-length");
    return length ? parse_decimal(*length) : std::nullopt;
  });
}

std::unique_ptr<Source> RepositoryReader::open_document(const oci::Descriptor& document) {
  if (document.size > oci::kMaxManifestBytes) {
    throw Error(Errc::limit_exceeded, cat(document.size, " bytes are more than the ",
                                          oci::kMaxManifestBytes, " that a document may have"));
  }
  {
    const std::scoped_lock lock(mutex_);
    if (kept_ && kept_->descriptor.digest == document.digest &&
        kept_->descriptor.media_type == document.media_type) {
      return std::make_unique<TextSource>(kept_->raw);
    }
  }
  const bool says_nothing = document.media_type == "application/octet-stream";
  auto served =
      repository_.get_document(document.digest, says_nothing ? std::string() : document.media_type,
                               oci::kMaxManifestBytes, scopes());
  if (!served) throw Error(Errc::not_found, "the registry does not have it");
  return std::make_unique<TextSource>(std::move(served->raw));
}

/// A layer that the registry may not have (image-spec v1.1.1, "Foreign Layers"): from whoever its
/// descriptor names, who gets no credentials. Only what is opened is fetched, and a copy leaves
/// such layers where they are unless it is told otherwise.
std::unique_ptr<Source> RepositoryReader::open_foreign(const oci::Descriptor& blob) {
  std::optional<Error> failure;
  for (const std::string& url : blob.urls) {
    try {
      Response response = repository_.registry().get_elsewhere(Url::parse(url));
      if (response.status == 200) return std::move(response.body);
      failure = error_of(response).in(response.url.redacted());
    } catch (const Error& e) {
      failure = e;
    }
  }
  throw Error(*failure);
}

std::unique_ptr<Source> RepositoryReader::do_open(const oci::Descriptor& blob) {
  return open_blob(blob, nullptr);
}

Reader::OpenedBlob RepositoryReader::do_open_somewhere(const oci::Descriptor& blob) {
  const auto continued = std::make_shared<bool>(false);
  return {.source = open_blob(blob, continued),
          .distrust = [continued] { return std::exchange(*continued, false); }};
}

std::unique_ptr<Source> RepositoryReader::open_blob(const oci::Descriptor& blob,
                                                    const std::shared_ptr<bool>& continued) {
  const auto what = [&] { return cat("read ", blob.digest.str(), " of ", repository_.describe()); };
  return with_context(what, [&]() -> std::unique_ptr<Source> {
    if (is_document(blob.media_type)) return open_document(blob);
    try {
      auto source = std::make_unique<BlobSource>(repository_.shared_registry(), repository_.name(),
                                                 blob, std::uint64_t{0}, continued);
      repository_.registry().saw(blob, repository_.name());
      return source;
    } catch (const Error& e) {
      if (e.code() != Errc::not_found) throw;
      if (!blob.urls.empty()) return open_foreign(blob);
      // A type that nobody knows may be that of a document, listed by an index.
      if (!is_unknown(blob.media_type)) throw;
      return open_document(blob);
    }
  });
}

std::unique_ptr<Source> RepositoryReader::do_open_at(const oci::Descriptor& blob,
                                                     std::uint64_t offset) {
  const bool by_range = offset > 0 && !is_document(blob.media_type) && !is_unknown(blob.media_type);
  if (!by_range) return Reader::do_open_at(blob, offset);
  if (offset == blob.size) return std::make_unique<TextSource>("");
  const auto what = [&] { return cat("read ", blob.digest.str(), " of ", repository_.describe()); };
  return with_context(what, [&]() -> std::unique_ptr<Source> {
    return std::make_unique<BlobSource>(repository_.shared_registry(), repository_.name(), blob,
                                        offset);
  });
}

std::unique_ptr<Source> RepositoryReader::open_part(const oci::Descriptor& blob,
                                                    std::uint64_t offset, std::uint64_t size) {
  if (is_document(blob.media_type) || is_unknown(blob.media_type)) return do_open_at(blob, offset);
  const auto what = [&] { return cat("read ", blob.digest.str(), " of ", repository_.describe()); };
  return with_context(what, [&]() -> std::unique_ptr<Source> {
    return std::make_unique<BlobSource>(repository_.shared_registry(), repository_.name(), blob,
                                        offset, offset + size);
  });
}

}  // namespace lade::docker
