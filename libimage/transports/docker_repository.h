/// A repository of a registry as a store (distribution-spec v1.1.1). Internal.
#pragma once
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/name/reference.h"
#include "libimage/store/range_reader.h"
#include "libimage/store/store.h"
#include "libimage/transports/docker_registry.h"
#include "libimage/transports/registry.h"

namespace lade::docker {

/// True for what lives under /manifests/.
bool is_document(std::string_view media_type) noexcept;
/// True if the media type says nothing about where the content lives.
bool is_unknown(std::string_view media_type) noexcept;

/// A document as the registry served it, its digest computed or checked.
struct Served {
  oci::Descriptor descriptor;
  std::string raw;
};

/// Requests that reading and writing share.
class Repository {
 public:
  Repository(std::shared_ptr<Registry> registry, std::string name)
      : registry_(std::move(registry)), name_(std::move(name)) {}

  [[nodiscard]] Registry& registry() const noexcept { return *registry_; }
  [[nodiscard]] const std::shared_ptr<Registry>& shared_registry() const noexcept {
    return registry_;
  }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] Origin origin() const { return {registry_->name(), name_}; }
  /// "host/name", for messages.
  [[nodiscard]] std::string describe() const;

  [[nodiscard]] Url manifest_url(std::string_view reference) const;
  [[nodiscard]] Url blob_url(const Digest& digest) const;

  /// GET of a document of at most `limit` bytes; nullopt on 404. `media_type` "" for any.
  std::optional<Served> get_document(const TagOrDigest& reference, std::string_view media_type,
                                     std::uint64_t limit, const Scopes& scopes) const;
  /// HEAD, then GET where the registry's answer to HEAD does not suffice; nullopt on 404.
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference, const Scopes& scopes) const;
  /// What refers to `subject`: the referrers API, else the tag that stands for it.
  std::vector<oci::Descriptor> referrers(const Digest& subject, const Scopes& scopes) const;
  [[nodiscard]] std::vector<std::string> tags(const Scopes& scopes) const;
  /// False if the registry says that it has no such repository; never throws an Error.
  [[nodiscard]] bool may_exist(const Scopes& scopes) const;
  void visit_tags(const ListOptions& options, const Scopes& scopes,
                  const NameVisitor& visitor) const;
  /// True if the registry keeps lists of referrers; false: the tag schema does.
  [[nodiscard]] bool has_referrers_api(const Digest& subject, const Scopes& scopes) const;

 private:
  std::vector<oci::Descriptor> listed_by_tag(const Digest& subject, const Scopes& scopes) const;
  std::optional<oci::Descriptor> described_by_head(const Response& response,
                                                   const TagOrDigest& reference) const;
  std::shared_ptr<Registry> registry_;
  std::string name_;
};

/// The page that an answer's Link leads to. Throws Error{denied} if it is on another server.
std::optional<Url> next_page(Registry& registry, const Response& response);

/// Visits the names that `parse` finds in `first` and the pages behind it. Throws
/// Error{limit_exceeded} where the pages have no end.
void visit_pages(Registry& registry, const Url& first, const ListOptions& options,
                 const Scopes& scopes, std::vector<std::string> (*parse)(std::string_view),
                 const NameVisitor& visitor);

/// The tag that stands for the referrers API where there is none (distribution-spec v1.1.1,
/// "Referrers Tag Schema").
Tag referrers_tag(const Digest& subject);

class RepositoryReader final : public Reader, public RangeReader {
 public:
  /// `own_reference` is what an empty Tag means.
  RepositoryReader(Repository repository, TagOrDigest own_reference)
      : repository_(std::move(repository)), own_reference_(std::move(own_reference)) {}
  std::optional<oci::Descriptor> resolve(const TagOrDigest& reference) override;
  std::optional<Origin> origin() const override { return repository_.origin(); }
  std::optional<std::vector<oci::Descriptor>> referrers(const Digest& subject) override;
  std::optional<std::vector<std::string>> tags() override;
  std::optional<std::uint64_t> size_of(const Digest& digest) override;
  std::unique_ptr<Source> open_part(const oci::Descriptor& blob, std::uint64_t offset,
                                    std::uint64_t size) override;
  /// From now on resolve() of the own reference fetches the document, and opening it takes that.
  void read_when_resolved() noexcept { reads_when_resolved_ = true; }

 protected:
  std::unique_ptr<Source> do_open(const oci::Descriptor& blob) override;
  /// What was put together of several answers and is wrong may be right when it comes in one.
  OpenedBlob do_open_somewhere(const oci::Descriptor& blob) override;
  std::unique_ptr<Source> do_open_at(const oci::Descriptor& blob, std::uint64_t offset) override;

 private:
  std::unique_ptr<Source> open_document(const oci::Descriptor& document);
  std::unique_ptr<Source> open_blob(const oci::Descriptor& blob,
                                    const std::shared_ptr<bool>& continued);
  std::unique_ptr<Source> open_foreign(const oci::Descriptor& blob);
  [[nodiscard]] Scopes scopes() const { return {pull_scope(repository_.name())}; }
  Repository repository_;
  std::optional<oci::Descriptor> resolve_and_keep(const TagOrDigest& reference);
  TagOrDigest own_reference_;
  std::atomic<bool> reads_when_resolved_ = false;
  std::mutex mutex_;
  std::optional<Served> kept_;  // guarded by mutex_: what was resolved
};

}  // namespace lade::docker
