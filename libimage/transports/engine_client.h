#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "libimage/http/http_client.h"
#include "libimage/store/store.h"

namespace lade::engine {

/// Talks to a Docker engine at SessionOptions::daemon_host: the few requests that move images.
/// Thread-safe after construction.
class EngineClient {
 public:
  /// Throws Error{invalid_argument or unsupported} for addresses that are none, Error{unavailable}
  /// and others where no engine answers.
  explicit EngineClient(const SessionOptions& options);

  [[nodiscard]] const std::string& host() const noexcept { return host_; }

  /// True if the engine has an image of this name or ID.
  bool has_image(const std::string& name);
  /// What docker save writes of the image, as a stream. Error{not_found}.
  std::unique_ptr<Source> save(const std::string& name);
  /// Takes what docker load reads. Nothing is sent before the first write; finish() returns when
  /// the engine has the images, and throws what it says otherwise.
  std::unique_ptr<Sink> load();

 private:
  friend class LoadSink;

  void find_version();
  [[nodiscard]] std::string context(std::string_view what) const;
  [[nodiscard]] Request request(std::string method, const std::string& path) const;
  /// Throws what an answer other than 2xx says.
  static void check(Response& response);

  std::string host_;
  Url base_;
  std::string version_;  ///< "/v1.41", "" for engines that do not tell
  std::unique_ptr<HttpClient> http_;
};

}  // namespace lade::engine
