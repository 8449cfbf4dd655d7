/// Upload sessions of a repository (distribution-spec v1.1.1, "Pushing Blobs"). Internal.
#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libimage/transports/docker_memory.h"
#include "libimage/transports/docker_repository.h"

namespace lade::docker {

/// A session as the registry names it now: each answer may move it.
struct UploadSession {
  Url url;
  std::uint64_t least_chunk = 0;  ///< OCI-Chunk-Min-Length: of every chunk but the last
};

/// Upload sessions: begins them, keeps those that a refused mount left open for the next blob, and
/// cancels what nobody took. Thread-safe; shared by a writer and its blobs.
class UploadSessions {
 public:
  explicit UploadSessions(Repository repository) : repository_(std::move(repository)) {}
  ~UploadSessions();
  UploadSessions(const UploadSessions&) = delete;
  UploadSessions& operator=(const UploadSessions&) = delete;

  /// Where to send the next blob.
  UploadSession take();
  void keep(UploadSession session);
  void cancel(const Url& session) noexcept;
  /// The session as the answer to its beginning names it; throws Error{invalid_content} if it does
  /// not.
  UploadSession begun(const Response& response) const;
  /// Moves `session` to where `response` says that it is, if it says so.
  void follow(UploadSession& session, const Response& response) const;

  /// How many bytes of the blob the registry has; nullopt: it does not know the session. Moves it.
  std::optional<std::uint64_t> progress(UploadSession& session) const;

  [[nodiscard]] const Repository& repository() const noexcept { return repository_; }
  [[nodiscard]] Registry& registry() const noexcept { return repository_.registry(); }
  [[nodiscard]] Scopes scopes() const { return {push_scope(repository_.name())}; }
  /// HEAD of a blob: true if the registry has it, in that size where it tells one.
  bool has_blob(const oci::Descriptor& blob) const;

 private:
  Repository repository_;
  std::mutex mutex_;
  std::vector<UploadSession> spare_;  // guarded by mutex_
};

/// The end of the bytes that `Range: 0-N` says the registry has; nullopt if it says nothing usable.
std::optional<std::uint64_t> end_of_range(const Response& response);

}  // namespace lade::docker
