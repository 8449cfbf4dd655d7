/// A registry, a session that does not really wait before it tries again, and what tests put there.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"
#include "libimage/oci/document.h"
#include "libimage/store/store.h"
#include "libimage/transports/docker_registry.h"
#include "libimage/transports/transports.h"

#include "tests/support/fake_registry.h"

namespace lade::testing {

class WarningCollector final : public ProgressObserver {
 public:
  void notify(const ProgressEvent& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (event.kind == ProgressEvent::Kind::warning) notes_.push_back(event.note);
  }
  [[nodiscard]] std::vector<std::string> notes() const {
    const std::scoped_lock lock(mutex_);
    return notes_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> notes_;  // guarded by mutex_
};

/// How soon a server that does nothing is given up; long unless a test waits for just that.
inline constexpr std::chrono::milliseconds kPatient{30'000};

/// A session whose retries do not wait.
inline std::unique_ptr<Session> quick_session(SessionOptions options,
                                              std::chrono::milliseconds low_speed = kPatient) {
  auto session = std::make_unique<Session>(std::move(options));
  (void)session->shared<HttpClient>(docker::kHttpClientKey, [&] {
    HttpOptions http = docker::http_options(session->options());
    http.low_speed_time = low_speed;
    http.retry.sleep = [](std::chrono::milliseconds, const std::stop_token& stop) {
      return !stop.stop_requested();
    };
    return std::make_shared<HttpClient>(std::move(http));
  });
  return session;
}

struct DockerRoom {
  explicit DockerRoom(test::FakeRegistryOptions options = {}, SessionOptions session_options = {},
                      std::chrono::milliseconds low_speed = kPatient)
      : registry(std::move(options)) {
    if (session_options.observer == nullptr) session_options.observer = &warnings;
    session = quick_session(std::move(session_options), low_speed);
  }

  [[nodiscard]] ImageName name(const std::string& rest) const {
    return parse_image_name(cat("docker://", registry.name(), "/", rest));
  }
  std::unique_ptr<Reader> reader(const std::string& rest = "test/image:latest") {
    return open_reader(name(rest), *session).reader;
  }
  std::unique_ptr<Writer> writer(const std::string& rest = "test/image:latest") {
    return open_writer(name(rest), *session).writer;
  }
  /// A blob in test/image, as a descriptor of a layer.
  oci::Descriptor blob(const std::string& bytes) {
    registry.put_blob("test/image", bytes);
    return oci::describe(std::string(oci::kImageLayer), bytes);
  }

  test::FakeRegistry registry;
  WarningCollector warnings;
  std::unique_ptr<Session> session;
};

/// A manifest with one layer; what it points to need not exist.
inline std::string manifest_text(const std::string& seed = "a") {
  return oci::serialise(
      oci::Manifest{.config = oci::describe(std::string(oci::kImageConfig), "{}" + seed),
                    .layers = {oci::describe(std::string(oci::kImageLayer), seed)}});
}

/// Bytes that compress badly and are never the same for two seeds.
inline std::string noise(std::size_t size, std::uint32_t seed = 1) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

inline SessionOptions with_credentials(const std::string& user = "user",
                                       const std::string& password = "secret") {
  SessionOptions options;
  options.credentials = [=](const std::string&, const std::string&) {
    return Credentials{.username = user, .password = password};
  };
  return options;
}

inline std::string read_whole(Reader& reader, const oci::Descriptor& blob) {
  return read_all(*reader.open(blob), std::uint64_t{1} << 30, "blob");
}

/// No request that came here, to a server that is not the registry, brought anything secret.
inline void expect_no_credentials(const test::FakeServer& elsewhere) {
  for (const test::FakeRequest& request : elsewhere.requests()) {
    for (const char* header : {"authorization", "proxy-authorization", "cookie"}) {
      EXPECT_EQ(request.header(header), "") << request.method << " " << request.target;
    }
    for (const char* secret : {"secret", "token-"}) {
      EXPECT_EQ(request.target.find(secret), std::string::npos) << request.target;
    }
  }
}

/// The code of the Error that `action` throws.
inline Errc code_of(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& e) {
    if (message != nullptr) *message = e.what();
    return e.code();
  }
  return Errc::internal;
}

}  // namespace lade::testing
