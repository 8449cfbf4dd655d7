/// A registry in memory on a loopback port (distribution-spec v1.1.1), for tests: answers as it
/// should unless a hook answers first.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/digest/digest.h"

#include "fake_server.h"

namespace lade::test {

struct FakeRegistryOptions {
  enum class Auth { none, basic, bearer };
  Auth auth = Auth::none;
  std::string username = "user";
  std::string password = "secret";
  std::string identity_token = {};  ///< accepted by the token server's POST
  bool anonymous_pull = false;      ///< bearer: tokens without credentials may pull
  bool mounts = true;               ///< false: a mount begins an upload
  bool referrers_api = true;
  std::size_t page = 1000;  ///< tags in one answer, however many were asked for
  enum class Deletes { nothing, documents, tags_too };
  Deletes deletes = Deletes::tags_too;
  std::size_t largest_body = 0;      ///< of uploads; larger ones are answered 413; 0: any
  std::size_t chunk_min_length = 0;  ///< told when an upload begins
  bool continues = true;             ///< GET of an upload tells how much arrived
  bool keeps_last_chunk_only = false;
};

class FakeRegistry {
 public:
  struct Stored {
    std::string media_type;
    std::string raw;
  };
  /// True: the hook has answered (or has broken the connection).
  using Hook = std::function<bool(FakeRequest&, FakeConnection&)>;

  explicit FakeRegistry(FakeRegistryOptions options = {});
  ~FakeRegistry();

  /// "127.0.0.1:PORT": the registry's name in references.
  [[nodiscard]] std::string name() const { return server_->authority(); }
  [[nodiscard]] std::string url() const { return server_->url(); }
  /// Asked before every request, token requests included. Set it before clients come, or where
  /// none is busy.
  void set_hook(Hook hook);

  Digest put_blob(const std::string& repository, const std::string& bytes);
  Digest put_manifest(const std::string& repository, const std::string& tag,
                      const std::string& media_type, const std::string& raw);
  [[nodiscard]] std::optional<std::string> blob(const std::string& repository,
                                                const Digest& digest) const;
  [[nodiscard]] std::optional<Stored> manifest(const std::string& repository,
                                               const std::string& reference) const;
  [[nodiscard]] std::size_t open_uploads() const;
  /// Bytes that open uploads hold.
  [[nodiscard]] std::size_t uploaded_bytes() const;
  /// Adds to what the upload that `path` names holds, as if a request had done it.
  void append_upload(const std::string& path, const std::string& bytes);
  /// Flips a bit of what open uploads hold.
  void damage_uploads();
  void remove_blob(const std::string& repository, const Digest& digest);
  /// What was given out so far is no longer accepted.
  void revoke_tokens();

  [[nodiscard]] std::vector<FakeRequest> requests() const { return server_->requests(); }
  /// Requests with that method whose path holds `part`.
  [[nodiscard]] std::size_t count(const std::string& method, const std::string& part) const;
  [[nodiscard]] FakeServer& server() noexcept { return *server_; }

 private:
  struct Repository {
    std::map<std::string, std::string> blobs;
    std::map<std::string, Stored> manifests;  // by digest
    std::map<std::string, std::string> tags;  // to digests
  };
  struct Name {
    std::string repository;
    std::string rest;
  };
  void handle(FakeRequest& request, FakeConnection& connection);
  bool authorised(const FakeRequest& request, FakeConnection& connection,
                  const std::string& repository);
  void give_token(FakeRequest& request, FakeConnection& connection);
  void manifests(FakeRequest& request, FakeConnection& connection, const Name& name);
  void blobs(FakeRequest& request, FakeConnection& connection, const Name& name);
  void begin_upload(FakeRequest& request, FakeConnection& connection, const Name& name);
  void uploads(FakeRequest& request, FakeConnection& connection, const Name& name);
  void take_chunk(FakeRequest& request, FakeConnection& connection, const Name& name,
                  const std::string& held);
  void delete_manifest(FakeRequest& request, FakeConnection& connection, const Name& name);
  void catalog(FakeRequest& request, FakeConnection& connection);
  void tags(FakeRequest& request, FakeConnection& connection, const Name& name);
  void referrers(FakeRequest& request, FakeConnection& connection, const Name& name);

  FakeRegistryOptions options_;
  mutable std::mutex mutex_;
  Hook hook_;                                            // guarded by mutex_
  std::map<std::string, Repository> repositories_;       // guarded by mutex_
  std::map<std::string, std::string> uploads_;           // guarded by mutex_
  std::map<std::string, std::set<std::string>> tokens_;  // guarded by mutex_: scopes
  std::size_t serial_ = 0;                               // guarded by mutex_
  std::unique_ptr<FakeServer> server_;
};

}  // namespace lade::test
