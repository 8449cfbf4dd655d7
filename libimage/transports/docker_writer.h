/// Writing to a repository of a registry (distribution-spec v1.1.1, "Push"). Internal.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "libimage/transports/docker_repository.h"
#include "libimage/transports/docker_sessions.h"

namespace lade::docker {

class RepositoryWriter final : public Writer {
 public:
  /// `own_reference` is what an empty Tag means.
  RepositoryWriter(Repository repository, TagOrDigest own_reference);

  /// Asks what the own tag names, on a thread, while the caller does something else. Where it is
  /// what will be written, contains() and tag() need not ask.
  void ask_ahead();

  bool contains(const oci::Descriptor& blob) override;
  std::unique_ptr<BlobWriter> start_blob(const BlobHint& hint) override;
  /// The last document waits for its tag, and is sent under that alone; at the latest by finish().
  void put_manifest(const oci::Descriptor& descriptor, std::string_view raw) override;
  void finish() override;
  void tag(const Tag& tag, const oci::Descriptor& descriptor) override;
  bool try_mount(const oci::Descriptor& blob, const Origin& from) override;
  bool may_mount(const Origin& from) const override;
  Accepts accepts() const override;
  /// A tag goes alone only where the registry can take it off its document; elsewhere
  /// Error{unsupported} says so.
  void remove(const TagOrDigest& reference) override;

 private:
  /// True if the answer to ask_ahead() is `descriptor`; waits for it.
  [[nodiscard]] bool was_tagged(const oci::Descriptor& descriptor);
  bool may_be_sent_unasked(const oci::Descriptor& blob);
  /// True if the repository came into being with what this session puts there.
  bool was_new();
  enum class Mounted { yes, not_from_there, never };
  Mounted mount(const Digest& blob, const std::string& place);
  void remove_from_referrers_tag(const oci::Descriptor& descriptor, const std::string& raw);
  void put_document(const std::string& reference, const oci::Descriptor& descriptor,
                    const std::string& raw);
  void add_to_referrers_tag(const oci::Descriptor& descriptor, const std::string& raw,
                            const Response& response);
  void put_under(const std::string& name, const oci::Descriptor& descriptor);
  std::optional<Served> take_waiting();
  void put_waiting();
  [[nodiscard]] bool is_tagged(const std::string& name, const oci::Descriptor& descriptor) const;
  std::string raw_of(const oci::Descriptor& descriptor);
  void remember(const oci::Descriptor& descriptor, const std::string& raw);
  [[nodiscard]] const Repository& repository() const noexcept { return sessions_->repository(); }

  std::shared_ptr<UploadSessions> sessions_;
  TagOrDigest own_reference_;
  std::mutex mutex_;
  std::map<Digest, std::string> documents_;  // guarded by mutex_; put here, to be tagged
  std::size_t document_bytes_ = 0;           // guarded by mutex_
  std::optional<Served> waiting_;            // guarded by mutex_; not sent yet
  std::mutex waiting_order_;                 // held while waiting_ is sent and replaced
  std::mutex referrers_mutex_;               // one at a time: read, change, write
  std::mutex ahead_mutex_;
  std::optional<oci::Descriptor> ahead_;  // written by asking_, read when it is joined
  std::jthread asking_;                   // guarded by ahead_mutex_
};

/// See docker_upload.cpp.
std::unique_ptr<BlobWriter> start_upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint);

}  // namespace lade::docker
