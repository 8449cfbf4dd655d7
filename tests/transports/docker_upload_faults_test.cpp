// What goes wrong while writing to a registry, one case each.
#include <atomic>

#include <gtest/gtest.h>

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;
using Auth = test::FakeRegistryOptions::Auth;

const std::string kType(oci::kImageManifest);
const std::string kLayer(oci::kImageLayer);
constexpr std::size_t kSmall = 1000;
constexpr std::size_t kLarge = 8'000'000;

bool is_upload(const FakeRequest& request) {
  return request.path.find("/blobs/uploads/") != std::string::npos;
}

/// Writes one blob into a registry whose requests of `method` on uploads are answered by `answer`
/// with their number, from 1; false: as they should be.
struct UploadRoom : DockerRoom {
  using Answer = std::function<bool(FakeRequest&, FakeConnection&, int)>;
  UploadRoom(std::string method, Answer answer, test::FakeRegistryOptions options = {},
             SessionOptions session_options = {})
      : DockerRoom(std::move(options), std::move(session_options)) {
    registry.set_hook([this, method = std::move(method), answer = std::move(answer)](
                          FakeRequest& r, FakeConnection& c) {
      return is_upload(r) && r.method == method && answer(r, c, ++requests);
    });
  }
  /// `known`: with the digest known from the start.
  void write(std::size_t size, bool known) {
    bytes = noise(size);
    const auto expected = oci::describe(kLayer, bytes);
    const auto w = writer();
    const auto blob = w->start_blob(known ? BlobHint{.expected = expected} : BlobHint{});
    StringSource source(bytes);
    pump(source, *blob);
    EXPECT_EQ(blob->commit(kLayer), expected);
  }
  Errc failure(std::size_t size, bool known) {
    return code_of([&] { write(size, known); });
  }
  [[nodiscard]] bool stored() const {
    return registry.blob("test/image", sha256_of(bytes)) == bytes;
  }
  std::string bytes;
  std::atomic<int> requests{0};
};

TEST(DockerUploadFaults, RepeatsTheBeginningOfAnUpload) {
  for (const int status : {429, 503}) {
    UploadRoom room("POST", [&](FakeRequest& request, FakeConnection& connection, int n) {
      if (n > 2) return false;
      connection.respond(request, status, {{"Retry-After", "0"}});
      return true;
    });
    room.write(kSmall, true);
    EXPECT_TRUE(room.stored());
  }
}

TEST(DockerUploadFaults, RepeatsASmallBlob) {
  UploadRoom room("PUT", [](FakeRequest&, FakeConnection& connection, int n) {
    if (n > 2) return false;
    connection.reset();
    return true;
  });
  room.write(kSmall, false);
  EXPECT_TRUE(room.stored());
}

TEST(DockerUploadFaults, KnowsABlobWhoseAnswerWasLost) {
  for (const std::size_t size : {kSmall, kLarge}) {
    UploadRoom room("PUT", [](FakeRequest&, FakeConnection&, int) { return false; });
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (!is_upload(request) || request.method != "PUT" || ++room.requests > 1) return false;
      connection.read_body(request);
      room.registry.put_blob("test/image", request.body);
      connection.reset();
      return true;
    });
    room.write(size, true);
    EXPECT_TRUE(room.stored());
    EXPECT_LE(room.registry.count("POST", "/uploads/"), 1U);
  }
}

TEST(DockerUploadFaults, StartsASmallBlobAgainWhenItsSessionIsGone) {
  UploadRoom room("PUT", [](FakeRequest& request, FakeConnection& connection, int n) {
    if (n > 1) return false;
    connection.respond(request, 404, {}, R"({"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]})");
    return true;
  });
  room.write(kSmall, true);
  EXPECT_TRUE(room.stored());
  EXPECT_EQ(room.registry.count("POST", "/uploads/"), 2U);
}

TEST(DockerUploadFaults, StartsALargeBlobAgainThatWasRefusedAtOnce) {
  for (const bool known : {true, false}) {
    for (const int status : {404, 429, 503}) {
      UploadRoom room(known ? "PUT" : "PATCH",
                      [&](FakeRequest& request, FakeConnection& connection, int n) {
                        if (n > 1) return false;
                        connection.respond(request, status);
                        return true;
                      });
      room.write(kLarge, known);
      EXPECT_TRUE(room.stored()) << status;
    }
  }
}

TEST(DockerUploadFaults, TellsItsOwnerToTryAgainWhenALargeBlobBreaksOff) {
  for (const bool known : {true, false}) {
    UploadRoom room(known ? "PUT" : "PATCH",
                    [](FakeRequest& request, FakeConnection& connection, int n) {
                      if (n > 1) return false;
                      connection.read_some(request, 12'000'000);
                      connection.reset();
                      return true;
                    });
    const Errc code = room.failure(30'000'000, known);
    EXPECT_EQ(code, Errc::unavailable);
    EXPECT_FALSE(room.stored());
    room.write(kLarge, known);  // and the next attempt finds nothing in its way
    EXPECT_TRUE(room.stored());
  }
}

TEST(DockerUploadFaults, RenewsATokenThatExpiredBeforeTheContent) {
  for (const bool known : {true, false}) {
    DockerRoom room({.auth = Auth::bearer}, with_credentials());
    std::atomic<int> requests{0};
    room.registry.set_hook([&](FakeRequest& request, FakeConnection&) {
      const bool content = request.method == "PUT" || request.method == "PATCH";
      if (is_upload(request) && content && ++requests == 1) room.registry.revoke_tokens();
      return false;
    });
    for (const std::size_t size : {kSmall, kLarge}) {
      requests = 0;
      const std::string bytes = noise(size);
      const auto expected = oci::describe(kLayer, bytes);
      const auto writer = room.writer();
      const auto blob = writer->start_blob(known ? BlobHint{.expected = expected} : BlobHint{});
      StringSource source(bytes);
      pump(source, *blob);
      EXPECT_EQ(blob->commit(kLayer), expected);
      EXPECT_EQ(room.registry.blob("test/image", expected.digest), bytes);
    }
  }
}

TEST(DockerUploadFaults, RenewsATokenThatExpiredBeforeTheClosingPut) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  std::atomic<int> puts{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection&) {
    if (is_upload(request) && request.method == "PUT" && ++puts == 1) {
      room.registry.revoke_tokens();
    }
    return false;
  });
  const std::string bytes = noise(kLarge);
  const auto writer = room.writer();
  const auto blob = writer->start_blob({});
  StringSource source(bytes);
  pump(source, *blob);
  EXPECT_EQ(blob->commit(kLayer), oci::describe(kLayer, bytes));
  EXPECT_EQ(puts, 2);
}

/// A second server that uploads are sent to; it stores into the first.
struct Store {
  explicit Store(test::FakeRegistry*& registry)
      : server([&registry](FakeRequest& request, FakeConnection& connection) {
          connection.read_body(request);
          if (request.method == "PUT") registry->put_blob("test/image", request.body);
          connection.respond(request, request.method == "PUT" ? 201 : 204);
        }) {}
  FakeServer server;
};

TEST(DockerUploadFaults, SendsNoCredentialsToAnUploadLocationElsewhere) {
  for (const Auth auth : {Auth::basic, Auth::bearer}) {
    for (const std::size_t size : {kSmall, kLarge}) {
      test::FakeRegistry* registry = nullptr;
      Store store(registry);
      UploadRoom room(
          "POST",
          [&](FakeRequest& request, FakeConnection& connection, int) {
            if (request.header("authorization").empty()) return false;
            connection.respond(request, 202, {{"Location", cat(store.server.url(), "/up?x=1")}});
            return true;
          },
          {.auth = auth}, with_credentials());
      registry = &room.registry;
      room.write(size, true);
      EXPECT_TRUE(room.stored());
      ASSERT_EQ(store.server.requests().size(), 1U);
      EXPECT_EQ(store.server.requests()[0].header("authorization"), "");
      EXPECT_EQ(store.server.requests()[0].parameter("x"), "1");
    }
  }
}

TEST(DockerUploadFaults, SendsNoCredentialsToALocationThatAPatchNames) {
  test::FakeRegistry* registry = nullptr;
  Store store(registry);
  UploadRoom room(
      "PATCH",
      [&](FakeRequest& request, FakeConnection& connection, int) {
        if (request.header("authorization").empty()) return false;
        connection.read_body(request);
        connection.respond(request, 202, {{"Location", cat(store.server.url(), "/up")}});
        return true;
      },
      {.auth = Auth::basic}, with_credentials());
  registry = &room.registry;
  // The other server stores an empty blob, so the final check must notice.
  EXPECT_EQ(room.failure(kLarge, false), Errc::unavailable);
  for (const FakeRequest& request : store.server.requests()) {
    EXPECT_EQ(request.header("authorization"), "");
  }
  EXPECT_FALSE(store.server.requests().empty());
}

TEST(DockerUploadFaults, RefusesLocationsThatAreTraps) {
  for (const char* location : {"http://169.254.169.254/x", "file:///etc/passwd", "", "http://"}) {
    UploadRoom room("POST", [&](FakeRequest& request, FakeConnection& connection, int) {
      test::FakeHeaders headers;
      if (*location != '\0') headers.emplace_back("Location", location);
      connection.respond(request, 202, headers);
      return true;
    });
    const Errc code = room.failure(kSmall, true);
    EXPECT_TRUE(code == Errc::denied || code == Errc::invalid_content) << location;
  }
}

TEST(DockerUploadFaults, ReportsWhatTheRegistryRefuses) {
  const std::vector<std::pair<int, Errc>> cases = {{400, Errc::invalid_content},
                                                   {403, Errc::denied},
                                                   {405, Errc::unsupported},
                                                   {413, Errc::limit_exceeded}};
  for (const auto& [status, code] : cases) {
    for (const std::size_t size : {kSmall, kLarge}) {
      UploadRoom room(
          "PUT", [status = status](FakeRequest& request, FakeConnection& connection, int) {
            connection.respond(request, status, {}, R"({"errors":[{"code":"DENIED"}]})");
            return true;
          });
      EXPECT_EQ(room.failure(size, true), code) << status << " " << size;
      // What is too large for one request is tried in several, which then end like this.
      EXPECT_EQ(room.requests, status == 413 && size == kLarge ? 2 : 1);
    }
  }
}

TEST(DockerUploadFaults, NoticesThatTheRegistryStoredSomethingElse) {
  for (const std::size_t size : {kSmall, kLarge}) {
    UploadRoom room("PUT", [](FakeRequest& request, FakeConnection& connection, int) {
      connection.read_body(request);
      connection.respond(request, 201, {{"Docker-Content-Digest", sha256_of("other").str()}});
      return true;
    });
    EXPECT_EQ(room.failure(size, true), Errc::digest_mismatch);
  }
}

TEST(DockerUploadFaults, NoticesThatAPatchWasNotTakenWhole) {
  UploadRoom room("PATCH", [](FakeRequest& request, FakeConnection& connection, int) {
    connection.read_body(request);
    connection.respond(request, 202, {{"Range", "0-41"}});
    return true;
  });
  EXPECT_EQ(room.failure(kLarge, false), Errc::unavailable);
}

TEST(DockerUploadFaults, TakesEverySuccessForOne) {
  for (const int status : {200, 201, 202, 204}) {
    UploadRoom room("PUT", [](FakeRequest&, FakeConnection&, int) { return false; });
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (!is_upload(request) || request.method != "PUT") return false;
      connection.read_body(request);
      room.registry.put_blob("test/image", request.body);
      connection.respond(request, status);
      return true;
    });
    room.write(kSmall, true);
    room.write(kLarge, true);
    EXPECT_TRUE(room.stored());
  }
}

TEST(DockerUploadFaults, DoesNotBlameARegistryThatTakesItsTimeToAnswer) {
  DockerRoom room({}, {}, std::chrono::milliseconds(500));
  std::atomic<int> puts{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (!is_upload(request) || request.method != "PUT") return false;
    ++puts;
    connection.read_body(request);
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // twice low_speed_time
    connection.respond(request, 201);
    return true;
  });
  const std::string bytes = noise(kSmall);
  const auto blob = room.writer()->start_blob({});
  blob->write(bytes_of(bytes));
  EXPECT_EQ(blob->commit(kLayer), oci::describe(kLayer, bytes));
  EXPECT_EQ(puts, 1);
}

TEST(DockerUploadFaults, RefusedMountsAreNoErrors) {
  for (const int status : {400, 401, 403, 404, 405, 500, 503}) {
    UploadRoom room("POST", [&](FakeRequest& request, FakeConnection& connection, int) {
      if (request.parameter("mount").empty()) return false;
      connection.respond(request, status);
      return true;
    });
    EXPECT_FALSE(
        room.writer()->try_mount(oci::describe(kLayer, "x"), {room.registry.name(), "other/image"}))
        << status;
    room.write(kSmall, true);
  }
}

/// A document without a tag.
void put_alone(Writer& writer, const std::string& raw) {
  writer.put_manifest(oci::describe(kType, raw), raw);
  writer.finish();
}

TEST(DockerUploadFaults, RepeatsTheManifest) {
  DockerRoom room;
  std::atomic<int> puts{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "PUT" || ++puts > 3) return false;
    if (puts % 2 == 0) {
      connection.reset();
    } else {
      connection.respond(request, 503);
    }
    return true;
  });
  const std::string raw = manifest_text();
  put_alone(*room.writer(), raw);
  EXPECT_TRUE(room.registry.manifest("test/image", sha256_of(raw).str()));
}

TEST(DockerUploadFaults, ExplainsARefusedManifest) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "PUT") return false;
    connection.respond(
        request, 400, {},
        R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]})");
    return true;
  });
  const std::string raw = manifest_text();
  std::string message;
  EXPECT_EQ(code_of([&] { put_alone(*room.writer(), raw); }, &message), Errc::invalid_content);
  EXPECT_NE(message.find("400 MANIFEST_BLOB_UNKNOWN: blob unknown to registry"), std::string::npos);
}

TEST(DockerUploadFaults, ReportsAReferrersTagThatIsNoIndex) {
  DockerRoom room({.referrers_api = false});
  const std::string image = manifest_text();
  const std::string artifact =
      oci::serialise(oci::Manifest{.artifact_type = "a/b",
                                   .config = oci::describe(std::string(oci::kEmptyJson), "{}"),
                                   .subject = oci::describe(kType, image)});
  room.registry.put_manifest("test/image", cat("sha256-", std::string(sha256_of(image).encoded())),
                             kType, image);
  EXPECT_EQ(code_of([&] { put_alone(*room.writer(), artifact); }), Errc::invalid_content);
}

}  // namespace
}  // namespace lade::testing
