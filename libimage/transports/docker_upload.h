/// One blob on its way to a registry. A small one is held until its digest is known, then sent by
/// one PUT that can be repeated. A large one is streamed while it is written: by PUT where digest
/// and size are known, else by one PATCH of unknown length and a closing PUT. Several PATCHes are
/// avoided, as some registries keep only the last: they carry a blob only where one request may
/// not, and where an upload that broke off is continued. Internal to the docker transport.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "libimage/store/blob_check.h"
#include "libimage/transports/docker_errors.h"
#include "libimage/transports/docker_writer.h"

namespace lade::docker {

/// Held before streaming begins; configs and most small layers are below it.
inline constexpr std::size_t kHeldBytes = std::size_t{1} << 20;
/// Proxies refuse requests of more than 100 MiB, or 1 MiB; a chunk is held until it is stored.
inline constexpr std::uint64_t kChunkSize = std::uint64_t{8} << 20;

/// The HTTP status of a refusal; 0 if it is none.
int status_of(const Error& error);
/// True if the registry knows nothing of the upload, or has other bytes of it than we think.
bool session_is_lost(const Error& error);

/// docker_upload.cpp has the blob and its session, docker_upload_stream.cpp the one request of
/// unknown or known length, docker_upload_chunks.cpp the several ones.
class Upload final : public BlobWriter {
 public:
  Upload(std::shared_ptr<UploadSessions> sessions, BlobHint hint);
  ~Upload() override;
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  [[nodiscard]] std::uint64_t kept() const override { return kept_; }
  void write(ByteView data) override;
  void finish() override;
  oci::Descriptor commit(oci::MediaType media_type) override;

 private:
  [[nodiscard]] Registry& registry() const { return sessions_->registry(); }
  [[nodiscard]] Memory& memory() const { return registry().memory(); }
  [[nodiscard]] const std::string& repository() const { return sessions_->repository().name(); }
  [[nodiscard]] std::string what() const;
  [[nodiscard]] bool streams_by_put() const { return check_.expected().has_value(); }
  [[nodiscard]] bool can_be_continued() const;
  UploadSession& session();
  void resume();
  void save() const;
  void leave() noexcept;
  void drop_session();

  void stream(ByteView data);
  void begin_stream();
  [[nodiscard]] bool may_keep(std::size_t bytes);
  void forget_held();
  Error refusal(Response& response);
  void recover(const Error& failure);
  bool is_stored_in_spite_of(const Error& failure);
  void end_stream(const oci::Descriptor& blob);
  void end_put(const oci::Descriptor& blob);
  void end_patch(const oci::Descriptor& blob);

  bool split_after(const Error& failure);
  void use_chunks(std::uint64_t bytes);
  void send_full_chunks();
  void send_chunk(std::size_t bytes);
  void patch(std::size_t bytes);
  void after_broken_chunk(const Error& failure);
  void took(std::uint64_t bytes);
  void end_chunks(const oci::Descriptor& blob);

  /// The first `bytes` of what is held, without a copy: for a request that ends before held_
  /// changes.
  [[nodiscard]] RequestBody held_body(std::size_t bytes) const;
  void put_whole(const oci::Descriptor& blob);
  void close_session(const oci::Descriptor& blob, std::optional<RequestBody> body);

  std::shared_ptr<UploadSessions> sessions_;
  BlobCheck check_;
  std::string held_;        // what can be sent again: from the blob's start, or from sent_ on
  bool replayable_ = true;  // held_ is everything written so far
  std::size_t shared_ = 0;  // taken from what all uploads share
  Memory::Claim claim_;     // ours: the upload may be saved and continued
  std::optional<UploadSession> session_;
  std::string authorization_;  // that the stream was begun with
  std::unique_ptr<Exchange> exchange_;
  std::uint64_t chunk_ = 0;  // largest request; 0: the blob goes as one
  std::uint64_t sent_ = 0;   // in chunks: what the registry has confirmed
  std::uint64_t kept_ = 0;   // what it had from an earlier attempt
  unsigned chunks_ = 0;      // sent by this attempt
  unsigned failures_ = 0;
  bool finished_ = false;
  bool stored_ = false;  // the registry has the blob, though its answer was lost
  bool committed_ = false;
};

}  // namespace lade::docker
