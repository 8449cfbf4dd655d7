// Answers that no registry should give, and some do: the right bytes or a clear error, never wrong
// success, a hang or credentials for others. The conformance suite of the client is this file and
// its neighbours, a case each with its name: docker_faults (reading), docker_upload_faults
// (writing), docker_continue (what breaks and goes on), docker_auth (challenges and tokens),
// docker_registry (catalogs, tags, deletion, limits) and tests/http/http_faults (the protocol
// itself).
#include <atomic>
#include <set>

#include <gtest/gtest.h>

#include "libimage/transports/docker_repository.h"

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using test::FakeConnection;
using test::FakeRequest;
using test::FakeServer;
using Auth = test::FakeRegistryOptions::Auth;

const std::string kType(oci::kImageManifest);

/// One way to answer every request for a blob.
struct BlobCase {
  const char* name;
  /// Sends the answer; `bytes` is the blob.
  void (*answer)(FakeRequest&, FakeConnection&, const std::string& bytes);
  std::set<Errc> codes;  ///< of the error; empty: the right bytes
};

std::string plain_head(std::size_t length) {
  return cat("HTTP/1.1 200 OK\r\nContent-Length: ", length, "\r\n");
}

void send_and_close(FakeConnection& connection, const std::string& bytes) {
  connection.send(bytes);
  connection.close();
}

const BlobCase kBlobCases[] = {
    {"ChunkSizesThatAreNoNumbers",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", bytes));
     },
     {Errc::unavailable, Errc::io}},
    {"AChunkThatIsShorterThanItSays",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(
           c, cat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFF\r\n", bytes));
     },
     {Errc::unavailable, Errc::size_mismatch}},
    {"AnEndlessChunkedBody",
     [](FakeRequest&, FakeConnection& c, const std::string&) {
       c.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
       const std::string chunk = cat("10000\r\n", std::string(65536, 'x'), "\r\n");
       while (c.send(chunk)) {
       }
     },
     {Errc::size_mismatch, Errc::digest_mismatch}},
    {"TrailersBehindTheBody",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n",
                             bytes, "\r\n0\r\nX-Trailer: 1\r\nDocker-Content-Digest: no\r\n\r\n"));
     },
     {}},
    {"TwoLengthsThatDiffer",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: ",
                             bytes.size(), "\r\n\r\n", bytes));
     },
     {Errc::size_mismatch, Errc::unavailable, Errc::invalid_content, Errc::io}},
    {"ANegativeLength",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", bytes));
     },
     {Errc::invalid_content, Errc::unavailable, Errc::io}},
    {"ALengthThatIsTooLong",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat(plain_head(bytes.size() * 2), "\r\n", bytes));
     },
     {Errc::size_mismatch, Errc::unavailable}},
    {"ALengthThatNoNumberHolds",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(
           c, cat("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n", bytes));
     },
     {}},
    {"MoreThanItsLength",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat(plain_head(bytes.size()), "\r\n", bytes, "and more"));
     },
     {}},
    {"NoLengthAtAll",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes));
     },
     {}},
    {"APageForPeople",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 200, {{"Content-Type", "text/html"}}, "<html>Please log in</html>");
     },
     {Errc::size_mismatch}},
    {"AnEncodingThatNobodyAskedFor",
     [](FakeRequest& r, FakeConnection& c, const std::string& bytes) {
       c.respond(r, 200, {{"Content-Encoding", "gzip"}}, bytes);
     },
     {}},
    {"NoContent",
     [](FakeRequest& r, FakeConnection& c, const std::string&) { c.respond(r, 204); },
     {Errc::invalid_content}},
    {"APartThatNobodyAskedFor",
     [](FakeRequest& r, FakeConnection& c, const std::string& bytes) {
       c.respond(r, 206, {{"Content-Range", cat("bytes 0-9/", bytes.size())}}, bytes.substr(0, 10));
     },
     {Errc::invalid_content}},
    {"ARedirectToNowhere",
     [](FakeRequest& r, FakeConnection& c, const std::string&) { c.respond(r, 302); },
     {Errc::invalid_content}},
    {"ARedirectToAFile",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 302, {{"Location", "file:///etc/passwd"}});
     },
     {Errc::invalid_content, Errc::denied}},
    {"ARedirectToTheMetadataService",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 307, {{"Location", "http://169.254.169.254/latest/meta-data/"}});
     },
     {Errc::denied, Errc::unavailable}},
    {"ARedirectToItself",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 307, {{"Location", r.target}});
     },
     {Errc::limit_exceeded}},
    {"TwoRedirectsInOne",
     [](FakeRequest& r, FakeConnection& c, const std::string& bytes) {
       if (r.path == "/there") return c.respond(r, 200, {}, bytes);
       c.respond(r, 307, {{"Location", "/there"}, {"Location", "http://127.0.0.1:1/"}});
     },
     {}},
    {"InterimAnswersWithoutNumber",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       for (int i = 0; i < 500; ++i) c.send("HTTP/1.1 103 Early Hints\r\n\r\n");
       send_and_close(c, cat(plain_head(bytes.size()), "\r\n", bytes));
     },
     {}},
    {"HeadersThatAreNone",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       send_and_close(c, cat(plain_head(bytes.size()), "no colon here\r\n: empty\r\n\r\n", bytes));
     },
     {Errc::invalid_content}},
    {"HugeHeaders",
     [](FakeRequest&, FakeConnection& c, const std::string& bytes) {
       c.send(plain_head(bytes.size()));
       for (int i = 0; i < 40 && c.send(cat("X-", i, ": ", std::string(4000, 'x'), "\r\n")); ++i) {
       }
       send_and_close(c, "\r\n");
     },
     {Errc::limit_exceeded}},
    {"ADigestOfSomethingElse",
     [](FakeRequest& r, FakeConnection& c, const std::string& bytes) {
       c.respond(r, 200, {{"Docker-Content-Digest", sha256_of("other").str()}}, bytes);
     },
     {}},
    {"AnErrorWithoutEnd",
     [](FakeRequest&, FakeConnection& c, const std::string&) {
       c.send("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n");
       const std::string chunk = cat("10000\r\n", std::string(65536, 'x'), "\r\n");
       while (c.send(chunk)) {
       }
     },
     {Errc::denied}},
    {"AnErrorWithControlCharacters",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 403, {},
                 "{\"errors\":[{\"code\":\"\\u001b[2J\",\"message\":\"\\r\\n\\u0000x\"}]}");
     },
     {Errc::denied}},
    {"ARefusalWithoutAChallenge",
     [](FakeRequest& r, FakeConnection& c, const std::string&) { c.respond(r, 401); },
     {Errc::unauthorized}},
    {"ChallengesOnly",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 401, {{"WWW-Authenticate", "Negotiate"}, {"WWW-Authenticate", "NTLM"}});
     },
     {Errc::unauthorized}},
    {"LegalReasons",
     [](FakeRequest& r, FakeConnection& c, const std::string&) { c.respond(r, 451); },
     {Errc::denied}},
    {"AClosedConnectionForEver",
     [](FakeRequest&, FakeConnection& c, const std::string&) { c.close(); },
     {Errc::unavailable}},
    {"SomethingThatIsNotHttp",
     [](FakeRequest&, FakeConnection& c, const std::string&) {
       send_and_close(c, "SSH-2.0-OpenSSH_9.2\r\n");
     },
     {Errc::unavailable, Errc::invalid_content, Errc::io}},
};

class DockerQuirks : public ::testing::TestWithParam<BlobCase> {};

TEST_P(DockerQuirks, EndInTheRightBytesOrAClearError) {
  const BlobCase& quirk = GetParam();
  DockerRoom room;
  const std::string bytes = noise(100'000);
  const auto blob = room.blob(bytes);
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/blobs/") == std::string::npos && request.path != "/there") return false;
    quirk.answer(request, connection, bytes);
    return true;
  });
  std::string read;
  std::string message;
  const Errc code = code_of([&] { read = read_whole(*room.reader(), blob); }, &message);
  if (code == Errc::internal) {
    EXPECT_EQ(read, bytes);
    EXPECT_TRUE(quirk.codes.empty()) << "no error";
  } else {
    EXPECT_TRUE(quirk.codes.contains(code)) << static_cast<int>(code) << ": " << message;
    EXPECT_EQ(message.find_first_of("\r\n\x1b"), std::string::npos) << message;
    EXPECT_LT(message.size(), 2000U);
  }
}

INSTANTIATE_TEST_SUITE_P(Blobs, DockerQuirks, ::testing::ValuesIn(kBlobCases),
                         [](const auto& each) { return std::string(each.param.name); });

/// One way to answer every request for a manifest.
struct ManifestCase {
  const char* name;
  void (*answer)(FakeRequest&, FakeConnection&, const std::string& raw);
  std::set<Errc> codes;  ///< of the error; empty: the right document
};

const ManifestCase kManifestCases[] = {
    {"AHeadThatLiesAboutTheSize",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       c.respond(r, 200,
                 {{"Content-Type", kType},
                  {"Content-Length", r.method == "HEAD" ? "7" : cat(raw.size())},
                  {"Docker-Content-Digest", sha256_of(raw).str()}},
                 raw);
     },
     {Errc::size_mismatch}},
    {"AHeadThatLiesAboutTheDigest",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       c.respond(r, 200,
                 {{"Content-Type", kType},
                  {"Content-Length", cat(raw.size())},
                  {"Docker-Content-Digest", sha256_of(r.method).str()}},
                 raw);
     },
     {Errc::digest_mismatch}},
    {"ADigestThatIsNone",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       c.respond(r, 200, {{"Content-Type", kType}, {"Docker-Content-Digest", "sha256:xyz"}}, raw);
     },
     {}},
    {"AnEndlessManifest",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       if (r.method == "HEAD") return c.respond(r, 405);
       c.send(cat("HTTP/1.1 200 OK\r\nContent-Type: ", kType,
                  "\r\nTransfer-Encoding: chunked\r\n\r\n"));
       const std::string chunk = cat("10000\r\n", std::string(65536, ' '), "\r\n");
       while (c.send(chunk)) {
       }
     },
     {Errc::limit_exceeded}},
    {"AManifestThatIsNoJson",
     [](FakeRequest& r, FakeConnection& c, const std::string&) {
       c.respond(r, 200, {{"Content-Type", kType}}, "{\"schemaVersion\":2,");
     },
     {Errc::invalid_content}},
    {"ATypeThatTheBodyDenies",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       c.respond(r, 200, {{"Content-Type", std::string(oci::kImageIndex)}}, raw);
     },
     {Errc::invalid_content}},
    {"AHeadThatIsForbiddenThoughGetIsNot",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       if (r.method == "HEAD") return c.respond(r, 403);
       c.respond(r, 200, {{"Content-Type", kType}}, raw);
     },
     {}},
    {"AServerErrorAtFirst",
     [](FakeRequest& r, FakeConnection& c, const std::string& raw) {
       static std::atomic<int> count = 0;
       if (++count < 4) return c.respond(r, count == 2 ? 522 : 499);
       c.respond(r, 200, {{"Content-Type", kType}}, raw);
     },
     {}},
};

class DockerManifestQuirks : public ::testing::TestWithParam<ManifestCase> {};

TEST_P(DockerManifestQuirks, EndInTheRightDocumentOrAClearError) {
  const ManifestCase& quirk = GetParam();
  DockerRoom room;
  const std::string raw = manifest_text();
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/manifests/") == std::string::npos) return false;
    quirk.answer(request, connection, raw);
    return true;
  });
  std::string read;
  const Errc code = code_of([&] {
    const auto reader = room.reader();
    const auto descriptor = reader->resolve(Tag{"latest"});
    ASSERT_TRUE(descriptor);
    read = reader->document(*descriptor).raw;
  });
  if (code == Errc::internal) {
    EXPECT_EQ(read, raw);
    EXPECT_TRUE(quirk.codes.empty()) << "no error";
  } else {
    EXPECT_TRUE(quirk.codes.contains(code)) << static_cast<int>(code);
  }
}

INSTANTIATE_TEST_SUITE_P(Manifests, DockerManifestQuirks, ::testing::ValuesIn(kManifestCases),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(DockerReferrersQuirks, EndWherePagesGoRound) {
  DockerRoom room;
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/referrers/") == std::string::npos) return false;
    connection.respond(request, 200, {{"Link", cat("<", request.target, ">; rel=\"next\"")}},
                       R"({"schemaVersion":2,"manifests":[]})");
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->referrers(sha256_of("x")); }), Errc::limit_exceeded);
}

TEST(DockerReferrersQuirks, TakeEveryRefusalOfTheApiForItsAbsence) {
  for (const int status : {400, 404, 405, 501}) {
    DockerRoom room;
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.path.find("/referrers/") == std::string::npos) return false;
      connection.respond(request, status);
      return true;
    });
    EXPECT_TRUE(room.reader()->referrers(sha256_of("x"))->empty()) << status;
  }
}

TEST(DockerReferrersQuirks, AreWrittenAgainWhereAnotherWriterTookTheTag) {
  DockerRoom room({.referrers_api = false});
  const Digest subject = sha256_of("subject");
  const auto text = [&](const std::string& seed) {
    return cat(R"({"schemaVersion":2,"mediaType":")", kType,
               R"(","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":")",
               sha256_of(seed).str(), R"(","size":2},"layers":[],"subject":{"mediaType":")", kType,
               R"(","digest":")", subject.str(), R"(","size":7}})");
  };
  const std::string tag = docker::referrers_tag(subject).value;
  const std::string empty =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
  std::atomic<int> lists = 0;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.method != "PUT" || !request.path.ends_with(tag) || ++lists > 1) return false;
    connection.read_body(request);  // stored, and replaced by another writer at once
    room.registry.put_manifest("test/image", tag, std::string(oci::kImageIndex), empty);
    connection.respond(request, 201);
    return true;
  });
  const std::string raw = text("a");
  const auto writer = room.writer();
  writer->put_manifest(oci::describe(kType, raw), raw);
  writer->finish();
  EXPECT_EQ(lists, 2);
  EXPECT_EQ(room.reader()->referrers(subject)->size(), 1U);
}

/// A registry that leads to another server by every kind of answer, and that server.
TEST(DockerCredentials, GoToNoOtherOriginWhateverLeadsThere) {
  const std::string bytes = noise(3'000'000);
  FakeServer elsewhere([&](FakeRequest& request, FakeConnection& connection) {
    connection.read_body(request);
    connection.respond(request, request.method == "GET" ? 200 : 201,
                       {{"WWW-Authenticate", "Basic realm=\"give\""}}, bytes);
  });
  for (const Auth auth : {Auth::basic, Auth::bearer}) {
    SessionOptions options = with_credentials();
    DockerRoom room({.auth = auth}, std::move(options));
    const auto blob = room.blob(bytes);
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.header("authorization").empty() || request.path == "/token") return false;
      const bool upload = request.path.find("/uploads/") != std::string::npos;
      const bool content = request.path.find("/blobs/sha") != std::string::npos;
      const bool list = request.path.find("/tags/") != std::string::npos;
      if (!upload && !content && !list) return false;
      connection.read_body(request);
      if (list) {
        connection.respond(request, 200,
                           {{"Link", cat("<", elsewhere.url(), "/next>; rel=\"next\"")}},
                           R"({"tags":["a"]})");
      } else {
        connection.respond(request, upload ? 202 : 307, {{"Location", cat(elsewhere.url(), "/x")}});
      }
      return true;
    });
    EXPECT_EQ(read_whole(*room.reader(), blob), bytes);
    (void)code_of([&] { (void)room.reader()->tags(); });
    (void)code_of([&] {
      const auto writer = room.writer("other/image");
      const auto upload = writer->start_blob({.expected = blob});
      upload->write(bytes_of(bytes));
      (void)upload->commit(blob.media_type);
    });
  }
  EXPECT_GT(elsewhere.requests().size(), 3U);
  expect_no_credentials(elsewhere);
}

TEST(DockerCredentials, AreNotSentAgainToATokenServerThatRedirects) {
  FakeServer elsewhere([](FakeRequest& request, FakeConnection& connection) {
    connection.respond(request, 200, {}, R"({"token":"token-from-elsewhere"})");
  });
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path != "/token") return false;
    connection.respond(request, 302, {{"Location", cat(elsewhere.url(), "/token")}});
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"latest"}); }), Errc::unauthorized);
  expect_no_credentials(elsewhere);
}

TEST(DockerForeignLayers, AreFetchedWithoutCredentialsWhereTheRegistryHasNone) {
  const std::string bytes = noise(100'000);
  FakeServer elsewhere([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/gone") return connection.respond(request, 404);
    connection.respond(request, 200, {}, bytes);
  });
  DockerRoom room({.auth = Auth::basic}, with_credentials());
  auto layer = oci::describe("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", bytes);
  layer.urls = {"http://169.254.169.254/x", "file:///etc/passwd", cat(elsewhere.url(), "/gone"),
                cat(elsewhere.url(), "/layer")};
  EXPECT_EQ(read_whole(*room.reader(), layer), bytes);
  EXPECT_EQ(elsewhere.requests().size(), 2U);
  expect_no_credentials(elsewhere);
  layer.urls.pop_back();
  EXPECT_EQ(code_of([&] { (void)read_whole(*room.reader(), layer); }), Errc::not_found);
  layer = oci::describe(layer.media_type, noise(100'000, 2));
  layer.urls = {cat(elsewhere.url(), "/layer")};
  EXPECT_EQ(code_of([&] { (void)read_whole(*room.reader(), layer); }), Errc::digest_mismatch);
}

TEST(DockerTokens, AreBounded) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path != "/token") return false;
    connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = cat("10000\r\n", std::string(65536, ' '), "\r\n");
    while (connection.send(chunk)) {
    }
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"latest"}); }), Errc::limit_exceeded);
}

TEST(DockerTokens, OutliveAStormOfTheTokenServer) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "latest", kType, manifest_text());
  std::atomic<int> asked = 0;
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    if (request.path != "/token" || ++asked > 3) return false;
    connection.respond(request, asked == 2 ? 429 : 503);
    return true;
  });
  EXPECT_TRUE(room.reader()->resolve(Tag{"latest"}));
}

}  // namespace
}  // namespace lade::testing
