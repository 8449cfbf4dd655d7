// What goes wrong while reading from a registry, one case each.
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

bool is_blob(const FakeRequest& request) {
  return request.method == "GET" && request.path.find("/blobs/") != std::string::npos;
}

/// A registry whose blob requests are answered by `answer` with their number, from 1; false: as
/// they should be.
struct BlobRoom : DockerRoom {
  using Answer = std::function<bool(FakeRequest&, FakeConnection&, int)>;
  explicit BlobRoom(Answer answer, std::size_t size = 300'000,
                    std::chrono::milliseconds low_speed = kPatient)
      : DockerRoom({}, {}, low_speed), bytes(noise(size)) {
    layer = blob(bytes);
    registry.set_hook([this, answer = std::move(answer)](FakeRequest& r, FakeConnection& c) {
      return is_blob(r) && answer(r, c, ++requests);
    });
  }
  std::string read() { return read_whole(*reader(), layer); }
  Errc failure() {
    return code_of([&] { (void)read(); });
  }
  std::string bytes;
  oci::Descriptor layer{.digest = sha256_of("")};
  std::atomic<int> requests{0};
};

void send_part(FakeConnection& connection, const std::string& bytes, std::size_t from,
               std::size_t to, bool partial) {
  connection.send(cat("HTTP/1.1 ", partial ? 206 : 200,
                      " OK\r\nContent-Length: ", bytes.size() - from, "\r\n"));
  if (partial) {
    connection.send(
        cat("Content-Range: bytes ", from, "-", bytes.size() - 1, "/", bytes.size(), "\r\n"));
  }
  connection.send("\r\n");
  connection.send(std::string_view(bytes).substr(from, to - from));
  connection.close();
}

TEST(DockerFaults, ResumesACutBlobByRange) {
  for (const bool reset : {false, true}) {
    std::string bytes = noise(300'000);
    BlobRoom room([&](FakeRequest&, FakeConnection& connection, int n) {
      if (n > 1) return false;
      send_part(connection, bytes, 0, 150'000, false);
      if (reset) connection.reset();
      return true;
    });
    EXPECT_EQ(room.read(), bytes);
    EXPECT_EQ(room.requests, 2);
    EXPECT_TRUE(room.registry.requests().back().header("range").starts_with("bytes="));
  }
}

TEST(DockerFaults, ResumesManyTimesWhileThereIsProgress) {
  std::string bytes = noise(9'000'000);
  BlobRoom room(
      [&](FakeRequest& request, FakeConnection& connection, int n) {
        const auto range = request.header("range");
        const std::size_t from =
            n == 1 ? 0 : parse_decimal(std::string_view(range).substr(6, range.size() - 7)).value();
        send_part(connection, bytes, from, std::min(from + 1'200'000, bytes.size()), n > 1);
        return true;
      },
      9'000'000);
  EXPECT_EQ(room.read(), bytes);
  EXPECT_EQ(room.requests, 8);
}

TEST(DockerFaults, GivesUpWithoutProgress) {
  std::string bytes = noise(300'000);
  BlobRoom room([&](FakeRequest&, FakeConnection& connection, int) {
    send_part(connection, bytes, 0, 0, false);
    return true;
  });
  EXPECT_EQ(room.failure(), Errc::unavailable);
  EXPECT_EQ(room.requests, 5);
}

TEST(DockerFaults, SkipsWhatItHasWhereRangeIsIgnored) {
  std::string bytes = noise(300'000);
  BlobRoom room([&](FakeRequest&, FakeConnection& connection, int n) {
    send_part(connection, bytes, 0, n == 1 ? 150'000 : bytes.size(), false);
    return true;
  });
  EXPECT_EQ(room.read(), bytes);
  EXPECT_EQ(room.requests, 2);
}

TEST(DockerFaults, StartsOverAfter416) {
  std::string bytes = noise(300'000);
  BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int n) {
    if (n == 1) {
      send_part(connection, bytes, 0, 150'000, false);
    } else if (n == 2) {
      connection.respond(request, 416);
    } else {
      return false;
    }
    return true;
  });
  EXPECT_EQ(room.read(), bytes);
}

TEST(DockerFaults, RefusesAnotherRangeThanItAskedFor) {
  for (const char* range :
       {"bytes 0-299999/300000", "bytes 150001-299999/300000", "bytes 150000-299999/999", "",
        "bytes x-y/z", "150000-299999/300000", "bytes */300000"}) {
    std::string bytes = noise(300'000);
    BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int n) {
      if (n == 1) {
        send_part(connection, bytes, 0, 150'000, false);
      } else {
        connection.respond(request, 206, {{"Content-Range", range}}, bytes.substr(150'000));
      }
      return true;
    });
    EXPECT_EQ(room.failure(), Errc::invalid_content) << range;
  }
}

TEST(DockerFaults, TakesAnUnknownTotal) {
  std::string bytes = noise(300'000);
  BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int n) {
    if (n == 1) {
      send_part(connection, bytes, 0, 150'000, false);
    } else {
      const auto from = parse_decimal(std::string_view(request.header("range"))
                                          .substr(6, request.header("range").size() - 7))
                            .value();
      connection.respond(request, 206, {{"Content-Range", cat("bytes ", from, "-299999/*")}},
                         bytes.substr(from));
    }
    return true;
  });
  EXPECT_EQ(room.read(), bytes);
}

TEST(DockerFaults, NoticesOtherBytesInTheResumedPart) {
  std::string bytes = noise(300'000);
  BlobRoom room([&](FakeRequest&, FakeConnection& connection, int n) {
    if (n == 1) {
      send_part(connection, bytes, 0, 150'000, false);
      return true;
    }
    const std::string other(bytes.size(), 'x');
    send_part(connection, other, 0, other.size(), false);
    return true;
  });
  EXPECT_EQ(room.failure(), Errc::unavailable);      // it may be right in one piece:
  EXPECT_EQ(room.failure(), Errc::digest_mismatch);  // it is not
}

TEST(DockerFaults, NoticesAFlippedBit) {
  BlobRoom room([](FakeRequest& request, FakeConnection& connection, int) {
    std::string bytes = noise(300'000);
    bytes[1000] ^= 1;
    connection.respond(request, 200, {}, bytes);
    return true;
  });
  EXPECT_EQ(room.failure(), Errc::digest_mismatch);
}

TEST(DockerFaults, NoticesWrongSizesAtOnce) {
  for (const std::size_t size : {std::size_t{299'999}, std::size_t{300'001}}) {
    BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int) {
      connection.respond(request, 200, {}, noise(size));
      return true;
    });
    EXPECT_EQ(room.failure(), Errc::size_mismatch) << size;
    EXPECT_EQ(room.requests, 1);
  }
}

TEST(DockerFaults, StopsAtTheSizeOfAnEndlessBody) {
  std::atomic<std::uint64_t> sent{0};
  BlobRoom room([&](FakeRequest&, FakeConnection& connection, int) {
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string block = cat("10000\r\n", std::string(65536, 'x'), "\r\n");
    while (connection.send(block)) sent += block.size();
    return true;
  });
  EXPECT_EQ(room.failure(), Errc::size_mismatch);
  EXPECT_LT(sent, std::uint64_t{64} << 20);
}

TEST(DockerFaults, ResumesAStalledBody) {
  std::string bytes = noise(300'000);
  BlobRoom room(
      [&](FakeRequest&, FakeConnection& connection, int n) {
        if (n > 1) return false;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        connection.send(std::string_view(bytes).substr(0, 100'000));
        connection.hang();
        return true;
      },
      300'000, std::chrono::milliseconds(400));
  EXPECT_EQ(room.read(), bytes);
  EXPECT_GE(room.requests, 2);
}

TEST(DockerFaults, WaitsOutA429AndA503Storm) {
  for (const int status : {429, 500, 502, 503, 504}) {
    BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int n) {
      if (n > 4) return false;
      connection.respond(request, status, {{"Retry-After", "1"}});
      return true;
    });
    EXPECT_EQ(room.read(), room.bytes) << status;
    EXPECT_EQ(room.requests, 5);
  }
}

TEST(DockerFaults, ReportsAStormThatDoesNotEnd) {
  for (const int status : {429, 503}) {
    BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int) {
      connection.respond(request, status);
      return true;
    });
    EXPECT_EQ(room.failure(), status == 429 ? Errc::rate_limited : Errc::unavailable);
    // Who only asks for less is given ten minutes.
    if (status == 429) {
      EXPECT_GE(room.requests, 10);
      EXPECT_LE(room.requests, 30);
    } else {
      EXPECT_EQ(room.requests, 5);
    }
  }
}

/// Stands for a content network: whoever is redirected here must not bring credentials.
struct Elsewhere {
  explicit Elsewhere(FakeServer::Handler handler) : server(std::move(handler)) {}
  [[nodiscard]] bool got_credentials() const {
    for (const FakeRequest& request : server.requests()) {
      if (!request.header("authorization").empty()) return true;
    }
    return false;
  }
  FakeServer server;
};

TEST(DockerFaults, RedirectsTakeNoCredentialsAlong) {
  for (const Auth auth : {Auth::basic, Auth::bearer}) {
    const std::string bytes = noise(100'000);
    Elsewhere elsewhere([&](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, 200, {}, bytes);
    });
    DockerRoom room({.auth = auth}, with_credentials());
    const auto layer = room.blob(bytes);
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (!is_blob(request) || request.header("authorization").empty()) return false;
      connection.respond(request, 307, {{"Location", cat(elsewhere.server.url(), "/x?sig=1")}});
      return true;
    });
    EXPECT_EQ(read_whole(*room.reader(), layer), bytes);
    EXPECT_EQ(elsewhere.server.requests().size(), 1U);
    EXPECT_FALSE(elsewhere.got_credentials());
  }
}

TEST(DockerFaults, AChallengeFromElsewhereGetsNoCredentials) {
  Elsewhere elsewhere([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 401, {{"WWW-Authenticate", "Basic realm=\"give\""}});
  });
  DockerRoom room({}, with_credentials());
  const auto layer = room.blob("content");
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (!is_blob(request)) return false;
    connection.respond(request, 307, {{"Location", cat(elsewhere.server.url(), "/x")}});
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->open(layer); }), Errc::unauthorized);
  EXPECT_FALSE(elsewhere.got_credentials());
}

TEST(DockerFaults, AsksTheRegistryAgainWhenARedirectHasExpired) {
  std::string bytes = noise(300'000);
  std::atomic<int> parts{0};
  Elsewhere elsewhere([&](FakeRequest& request, FakeConnection& connection) {
    if (++parts == 1) {
      send_part(connection, bytes, 0, 150'000, false);
    } else {
      const std::string range = request.header("range");
      const auto from =
          parse_decimal(std::string_view(range).substr(6, range.size() - 7)).value_or(0);
      send_part(connection, bytes, from, bytes.size(), true);
    }
  });
  BlobRoom room([&](FakeRequest& request, FakeConnection& connection, int n) {
    connection.respond(request, 307,
                       {{"Location", cat(elsewhere.server.url(), "/x?signature=", n)}});
    return true;
  });
  EXPECT_EQ(room.read(), bytes);
  EXPECT_EQ(room.requests, 2);
  EXPECT_EQ(elsewhere.server.requests().back().parameter("signature"), "2");
}

TEST(DockerFaults, ReauthenticatesInTheMiddleOfABlob) {
  std::string bytes = noise(300'000);
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  const auto layer = room.blob(bytes);
  std::atomic<bool> cut{false};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (!is_blob(request) || request.header("authorization").empty() || cut) return false;
    cut = true;
    send_part(connection, bytes, 0, 150'000, false);
    room.registry.revoke_tokens();
    return true;
  });
  EXPECT_EQ(read_whole(*room.reader(), layer), bytes);
  EXPECT_EQ(room.registry.count("GET", "/token"), 2U);
}

TEST(DockerFaults, CancelsWhileABlobStalls) {
  std::stop_source stop;
  SessionOptions options;
  options.stop = stop.get_token();
  DockerRoom room({}, options);
  const auto layer = room.blob(noise(100'000));
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (!is_blob(request)) return false;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
    stop.request_stop();
    connection.hang();
    return true;
  });
  EXPECT_THROW((void)read_whole(*room.reader(), layer), Cancelled);
}

/// A registry that answers every request for a manifest itself.
struct ManifestRoom : DockerRoom {
  ManifestRoom(test::FakeHeaders headers, std::string body, int status = 200) {
    registry.set_hook([=](FakeRequest& request, FakeConnection& connection) {
      if (request.path.find("/manifests/") == std::string::npos) return false;
      connection.respond(request, status, headers, body);
      return true;
    });
  }
  Errc failure(const TagOrDigest& reference) {
    return code_of([&] { (void)reader()->resolve(reference); });
  }
};

TEST(DockerFaults, RefusesADigestThatTheRegistryDoesNotKeep) {
  const std::string raw = manifest_text();
  const std::string other = sha256_of("other").str();
  // HEAD says another digest than was asked for.
  {
    ManifestRoom room({{"Content-Type", kType}, {"Docker-Content-Digest", other}}, raw);
    EXPECT_EQ(room.failure(sha256_of(raw)), Errc::digest_mismatch);
  }
  // The bytes are others than the header says, seen by GET.
  {
    ManifestRoom room({{"Content-Type", "text/plain"}, {"Docker-Content-Digest", other}}, raw);
    EXPECT_EQ(room.failure(Tag{"v1"}), Errc::digest_mismatch);
  }
  // HEAD lies and GET gives what it has.
  {
    ManifestRoom room({{"Content-Type", kType}, {"Docker-Content-Digest", other}}, raw);
    const auto found = room.reader()->resolve(Tag{"v1"});
    ASSERT_TRUE(found);
    EXPECT_EQ(code_of([&] { (void)room.reader()->document(*found); }), Errc::digest_mismatch);
  }
}

TEST(DockerFaults, VerifiesADigestOfAnotherAlgorithm) {
  const std::string raw = manifest_text();
  Hasher hasher("sha512");
  hasher.update(raw);
  const Digest digest = hasher.digest();
  ManifestRoom room({{"Content-Type", kType}, {"Docker-Content-Digest", digest.str()}}, raw);
  const auto found = room.reader()->resolve(Tag{"v1"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digest, digest);
  EXPECT_EQ(room.reader()->document(*found).raw, raw);
}

TEST(DockerFaults, RefusesADocumentServedAsAnotherType) {
  const std::string raw = manifest_text();
  ManifestRoom room({{"Content-Type", std::string(oci::kImageIndex)}}, raw);
  EXPECT_EQ(code_of([&] { (void)room.reader()->document(oci::describe(kType, raw)); }),
            Errc::invalid_content);
  // And one whose own mediaType is not what Content-Type says.
  const auto found = room.reader()->resolve(Tag{"v1"});
  ASSERT_TRUE(found);
  EXPECT_EQ(code_of([&] { (void)room.reader()->document(*found); }), Errc::invalid_content);
}

TEST(DockerFaults, RefusesTwoContentTypes) {
  ManifestRoom room({{"Content-Type", kType}, {"Content-Type", std::string(oci::kImageIndex)}},
                    manifest_text());
  EXPECT_EQ(room.failure(Tag{"v1"}), Errc::invalid_content);
}

TEST(DockerFaults, IgnoresParametersOfTheContentType) {
  const std::string raw = manifest_text();
  ManifestRoom room({{"Content-Type", cat(kType, "; charset=utf-8")},
                     {"Docker-Content-Digest", sha256_of(raw).str()}},
                    raw);
  EXPECT_EQ(room.reader()->resolve(Tag{"v1"}), oci::describe(kType, raw));
}

TEST(DockerFaults, KnowsSignedSchema1ByWhatWasSigned) {
  // {"formatLength":19,"formatTail":"fQ"}: the first 19 bytes and "}".
  const std::string signature =
      R"(,"signatures":[{"protected":"eyJmb3JtYXRMZW5ndGgiOjE5LCJmb3JtYXRUYWlsIjoiZlEifQ"}]})";
  const std::string payload = R"({"schemaVersion":1 })";
  const std::string raw = payload.substr(0, 19) + signature;
  ManifestRoom room({{"Content-Type", std::string(oci::kDockerSchema1Signed)},
                     {"Docker-Content-Digest", sha256_of(payload).str()}},
                    raw);
  const auto root = room.reader()->resolve(Tag{"v1"});
  ASSERT_TRUE(root);
  EXPECT_EQ(*root, oci::describe(std::string(oci::kDockerSchema1), payload));
  EXPECT_EQ(room.reader()->document(*root).raw, payload);
}

TEST(DockerFaults, RefusesSchema1OfAnotherDigest) {
  ManifestRoom room({{"Content-Type", std::string(oci::kDockerSchema1)},
                     {"Docker-Content-Digest", sha256_of("x").str()}},
                    R"({"schemaVersion":1})");
  EXPECT_EQ(room.failure(Tag{"v1"}), Errc::digest_mismatch);
}

TEST(DockerFaults, StopsAtFourMebibytesOfAManifest) {
  DockerRoom room;
  std::atomic<std::uint64_t> sent{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/manifests/") == std::string::npos) return false;
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
    const std::string block(65536, ' ');
    while (request.method == "GET" && connection.send(block)) sent += block.size();
    connection.close();
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"v1"}); }), Errc::limit_exceeded);
  EXPECT_LT(sent, std::uint64_t{64} << 20);
  oci::Descriptor huge = oci::describe(kType, "x");
  huge.size = 10'000'000'000;
  EXPECT_EQ(code_of([&] { (void)room.reader()->open(huge); }), Errc::limit_exceeded);
}

TEST(DockerFaults, ReadsAManifestAgainThatWasCut) {
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.put_manifest("test/image", "v1", kType, raw);
  std::atomic<int> count{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "GET" || request.path.find("/manifests/") == std::string::npos ||
        ++count > 2) {
      return false;
    }
    send_part(connection, raw, 0, 20, false);
    return true;
  });
  EXPECT_EQ(room.reader()->document(oci::describe(kType, raw)).raw, raw);
  EXPECT_EQ(count, 3);
}

/// A registry that answers every request for tags itself.
struct TagsRoom : DockerRoom {
  explicit TagsRoom(std::function<test::FakeHeaders(int)> headers,
                    std::string body = R"({"tags":["a"]})") {
    registry.set_hook([this, headers, body](FakeRequest& request, FakeConnection& connection) {
      if (request.path.find("/tags/list") == std::string::npos) return false;
      connection.respond(request, 200, headers(++pages), body);
      return true;
    });
  }
  Errc failure() {
    return code_of([&] { (void)reader()->tags(); });
  }
  std::atomic<int> pages{0};
};

TEST(DockerFaults, NoticesPagesThatGoRound) {
  TagsRoom room([](int) {
    return test::FakeHeaders{{"Link", "</v2/test/image/tags/list?last=a>; rel=\"next\""}};
  });
  EXPECT_EQ(room.failure(), Errc::limit_exceeded);
  EXPECT_EQ(room.pages, 2);
}

TEST(DockerFaults, FollowsNoPageToAnotherServer) {
  Elsewhere elsewhere([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, R"({"tags":["evil"]})");
  });
  for (const std::string& target :
       {elsewhere.server.url(), std::string("http://169.254.169.254"), std::string("//10.0.0.1")}) {
    TagsRoom room([&](int) {
      return test::FakeHeaders{{"Link", cat("<", target, "/v2/x>; rel=\"next\"")}};
    });
    EXPECT_EQ(room.failure(), Errc::denied) << target;
  }
  EXPECT_TRUE(elsewhere.server.requests().empty());
}

TEST(DockerFaults, RefusesTagListsThatAreNone) {
  for (const char* body : {"", "[]", "{\"tags\":{}}", "{\"tags\":\"a\"}", "<html>"}) {
    TagsRoom room([](int) { return test::FakeHeaders{}; }, body);
    EXPECT_EQ(room.failure(), Errc::invalid_content) << body;
  }
}

TEST(DockerFaults, IgnoresLinksThatDoNotLeadOn) {
  for (const char* link : {"</x>; rel=\"prev\"", "</x>", "garbage", "<unclosed; rel=\"next\""}) {
    TagsRoom room([&](int) { return test::FakeHeaders{{"Link", link}}; });
    EXPECT_EQ(room.reader()->tags(), std::vector<std::string>{"a"}) << link;
  }
}

TEST(DockerFaults, ErrorBodiesMayBeAnything) {
  for (const std::string& body :
       {std::string(), std::string("<html>"), std::string("{\"errors\":7}"),
        std::string("{\"errors\":[7]}"), std::string("{\"errors\":[{\"code\":7}]}"),
        std::string(3'000'000, 'x'), std::string(50'000, '[')}) {
    DockerRoom room;
    const auto layer = room.blob("content");
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (!is_blob(request)) return false;
      connection.respond(request, 404, {}, body);
      return true;
    });
    EXPECT_EQ(code_of([&] { (void)room.reader()->open(layer); }), Errc::not_found);
  }
}

TEST(DockerFaults, ReportsARegistryThatIsNotThere) {
  std::string name;
  {
    FakeServer server([](FakeRequest&, FakeConnection&) {});
    name = server.authority();
  }
  const auto session = quick_session({});
  const ImageName image = parse_image_name(cat("docker://", name, "/test/image:v1"));
  EXPECT_EQ(code_of([&] { (void)open_reader(image, *session).reader->resolve(Tag{"v1"}); }),
            Errc::unavailable);
}

}  // namespace
}  // namespace lade::testing
