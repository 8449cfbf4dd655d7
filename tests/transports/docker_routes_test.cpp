#include <gtest/gtest.h>

#include "libimage/transports/registry.h"

#include "docker_room.h"

namespace lade::testing {
namespace {

using Serves = RegistryEndpoint::Serves;

/// Three registries: the one that is named, and two mirrors with other paths.
class DockerRoutes : public ::testing::Test {
 protected:
  DockerRoutes() {
    options_.observer = &warnings_;
    options_.route = [this](const Reference& reference) {
      asked_.push_back(reference);
      return route_;
    };
    route_.location = {.registry = main_.name(), .repository = "real/app"};
  }

  void mirrors(Serves first = Serves::all, Serves second = Serves::all) {
    route_.mirrors = {{.registry = one_.name(), .repository = "m1/app", .serves = first},
                      {.registry = two_.name(), .repository = "m2/app", .serves = second}};
  }
  Session& session() {
    if (!session_) session_ = quick_session(options_);
    return *session_;
  }
  OpenedReader open(const std::string& rest = "app:1") {
    return open_reader(parse_image_name("docker://named.example/" + rest), session());
  }
  /// The same image in a registry.
  oci::Descriptor put(test::FakeRegistry& registry, const std::string& repository,
                      const std::string& tag = "1") {
    const std::string raw = manifest_text();
    registry.put_blob(repository, "a");
    registry.put_blob(repository, "{}a");
    registry.put_manifest(repository, tag, std::string(oci::kImageManifest), raw);
    return oci::describe(std::string(oci::kImageManifest), raw);
  }
  static test::FakeRegistry::Hook refusing(int status) {
    return [status](test::FakeRequest& request, test::FakeConnection& connection) {
      if (request.path == "/v2/") return false;
      connection.respond(request, status);
      return true;
    };
  }

  test::FakeRegistry main_;
  test::FakeRegistry one_;
  test::FakeRegistry two_;
  WarningCollector warnings_;
  SessionOptions options_;
  RegistryRoute route_;
  std::vector<Reference> asked_;
  std::unique_ptr<Session> session_;
};

TEST_F(DockerRoutes, ReadAtTheLocation) {
  const oci::Descriptor image = put(main_, "real/app");
  OpenedReader opened = open();
  EXPECT_EQ(opened.reader->resolve(opened.reference)->digest, image.digest);
  EXPECT_EQ(opened.reader->document(image).descriptor.digest, image.digest);
  EXPECT_EQ(opened.reader->origin(), (Origin{main_.name(), "real/app"}));
  EXPECT_EQ(opened.reader->tags(), std::vector<std::string>{"1"});
  ASSERT_EQ(asked_.size(), 1U);
  EXPECT_EQ(asked_[0].str(), "named.example/app:1");
}

TEST_F(DockerRoutes, WriteListAndDeleteAtTheLocation) {
  mirrors();
  OpenedWriter to = open_writer(parse_image_name("docker://named.example/app:1"), session());
  const std::string raw = manifest_text();
  const oci::Descriptor image = oci::describe(std::string(oci::kImageManifest), raw);
  auto blob =
      to.writer->start_blob({.expected = oci::describe(std::string(oci::kImageLayer), "a")});
  blob->write(bytes_of("a"));
  (void)blob->commit(std::string(oci::kImageLayer));
  to.writer->put_manifest(image, raw);
  to.writer->tag({"1"}, image);
  EXPECT_TRUE(main_.manifest("real/app", "1"));
  std::vector<std::string> tags;
  visit_tags("named.example", "app", session(), {}, [&](const std::string& tag) {
    tags.push_back(tag);
    return true;
  });
  EXPECT_EQ(tags, std::vector<std::string>{"1"});
  EXPECT_EQ(open().reader->tags(), tags);
  EXPECT_TRUE(one_.requests().empty());
  EXPECT_TRUE(two_.requests().empty());
}

TEST_F(DockerRoutes, AskTheFirstMirrorThatHasTheImage) {
  mirrors();
  const oci::Descriptor image = put(two_, "m2/app");
  OpenedReader opened = open();
  EXPECT_EQ(opened.reader->resolve(opened.reference)->digest, image.digest);
  EXPECT_EQ(read_whole(*opened.reader, image), manifest_text());
  EXPECT_EQ(read_whole(*opened.reader, oci::describe(std::string(oci::kImageLayer), "a")), "a");
  EXPECT_GT(one_.count("HEAD", "/v2/m1/app/manifests/1"), 0U);
  EXPECT_EQ(one_.count("GET", "/blobs/"), 0U);  // what served the image serves its blobs
  EXPECT_TRUE(main_.requests().empty());
  EXPECT_EQ(opened.reader->origin(), (Origin{main_.name(), "real/app"}));  // mounts are there
}

TEST_F(DockerRoutes, FallBackToTheLocation) {
  mirrors();
  one_.set_hook(refusing(503));
  two_.set_hook(refusing(403));
  const oci::Descriptor image = put(main_, "real/app");
  OpenedReader opened = open();
  EXPECT_EQ(opened.reader->resolve(opened.reference)->digest, image.digest);
  const std::size_t asked = one_.requests().size() + two_.requests().size();
  EXPECT_EQ(read_whole(*opened.reader, image), manifest_text());
  EXPECT_EQ(one_.requests().size() + two_.requests().size(), asked);  // given up for good
}

TEST_F(DockerRoutes, NameEveryFailure) {
  mirrors();
  one_.set_hook(refusing(503));
  two_.set_hook(refusing(403));
  main_.set_hook(refusing(403));
  OpenedReader opened = open();
  std::string message;
  EXPECT_EQ(code_of([&] { (void)opened.reader->resolve(opened.reference); }, &message),
            Errc::denied);
  const std::size_t first = message.find("(Mirrors also failed: [" + one_.name() + "/m1/app: ");
  const std::size_t second = message.find("[" + two_.name() + "/m2/app: ");
  const std::size_t last = message.find("): " + main_.name() + "/real/app: ");
  EXPECT_LT(first, second) << message;
  EXPECT_LT(second, last) << message;
  EXPECT_NE(last, std::string::npos) << message;
}

TEST_F(DockerRoutes, SayThatAnImageIsNowhere) {
  mirrors();
  OpenedReader opened = open();
  EXPECT_FALSE(opened.reader->resolve(opened.reference));
  one_.set_hook(refusing(403));
  OpenedReader again = open();
  EXPECT_EQ(code_of([&] { (void)again.reader->resolve(again.reference); }), Errc::not_found);
}

TEST_F(DockerRoutes, AskMirrorsOnlyForWhatTheyServe) {
  mirrors(Serves::digests, Serves::tags);
  const oci::Descriptor image = put(main_, "real/app");
  put(one_, "m1/app");
  put(two_, "m2/app");
  OpenedReader by_tag = open();
  EXPECT_TRUE(by_tag.reader->resolve(by_tag.reference));
  (void)read_whole(*by_tag.reader, image);
  EXPECT_TRUE(one_.requests().empty());
  EXPECT_GT(two_.requests().size(), 0U);
  const std::size_t before = two_.requests().size();
  OpenedReader by_digest = open("app@" + image.digest.str());
  EXPECT_TRUE(by_digest.reader->resolve(by_digest.reference));
  (void)read_whole(*by_digest.reader, image);
  EXPECT_GT(one_.requests().size(), 0U);
  EXPECT_EQ(two_.requests().size(), before);
  EXPECT_TRUE(main_.requests().empty());
}

TEST_F(DockerRoutes, GoOnInTheMiddleOfABlob) {
  mirrors();
  const std::string bytes = noise(3 << 20);
  const oci::Descriptor blob = oci::describe(std::string(oci::kImageLayer), bytes);
  two_.put_blob("m2/app", bytes);
  one_.put_blob("m1/app", bytes);
  one_.set_hook([&](test::FakeRequest& request, test::FakeConnection& connection) {
    if (request.path.find("/blobs/") == std::string::npos) return false;
    if (request.headers.contains("range")) {  // gone for good after its first bytes
      connection.respond(request, 403);
      return true;
    }
    connection.send(cat("HTTP/1.1 200 OK\r\nContent-Length: ", bytes.size(), "\r\n\r\n"));
    connection.send(std::string_view(bytes).substr(0, 1 << 20));
    connection.reset();
    return true;
  });
  EXPECT_EQ(read_whole(*open().reader, blob), bytes);
  EXPECT_EQ(two_.count("GET", "/v2/m2/app/blobs/"), 1U);
  EXPECT_TRUE(two_.requests().back().headers.contains("range"));
}

TEST_F(DockerRoutes, ThrowWrongBytesOfAMirrorAwayAndAskTheNext) {
  mirrors();
  const oci::Descriptor image = put(one_, "m1/app");
  put(two_, "m2/app");
  put(main_, "real/app");
  const auto lying = [](test::FakeRequest& request, test::FakeConnection& connection) {
    const bool blob = request.path.find("/blobs/") != std::string::npos;
    if (blob) connection.respond(request, 200, {}, "b");
    return blob;
  };
  one_.set_hook(lying);
  two_.set_hook(lying);
  OpenedReader opened = open();
  EXPECT_TRUE(opened.reader->resolve(opened.reference));
  const oci::Descriptor blob = oci::describe(std::string(oci::kImageLayer), "a");
  std::string message;
  for (int mirror = 0; mirror < 2; ++mirror) {
    EXPECT_EQ(code_of([&] { (void)read_whole(*opened.reader, blob); }, &message),
              Errc::unavailable);
    EXPECT_NE(message.find("; it will be read anew"), std::string::npos) << message;
  }
  EXPECT_EQ(read_whole(*opened.reader, blob), "a");
  EXPECT_EQ(read_whole(*opened.reader, blob), "a");
  EXPECT_EQ(one_.count("GET", "/blobs/"), 1U);
  EXPECT_EQ(two_.count("GET", "/blobs/"), 1U);
  EXPECT_EQ(read_whole(*opened.reader, image), manifest_text());
  main_.set_hook(lying);  // nobody else is left
  EXPECT_EQ(code_of([&] { (void)read_whole(*opened.reader, blob); }), Errc::digest_mismatch);
}

TEST_F(DockerRoutes, InsecureHoldsForTheHostThatServesTheName) {
  route_.location = {.registry = "docker.io", .repository = "library/app", .insecure = true};
  (void)open();
  const auto client = session().shared<HttpClient>(
      cat(docker::kHttpClientKey, "/insecure/registry-1.docker.io"),
      []() -> std::shared_ptr<HttpClient> { throw Error(Errc::internal, "no such client"); });
  const auto verified = [&](const char* url) {
    return client->options().tls_for(Url::parse(url)).verify == TlsOptions::Verify::yes;
  };
  EXPECT_FALSE(verified("https://registry-1.docker.io/v2/"));
  EXPECT_TRUE(verified("https://auth.docker.io/token"));
}

TEST_F(DockerRoutes, TakeMissingBlobsFromElsewhere) {
  mirrors();
  const oci::Descriptor image = put(main_, "real/app");
  one_.put_manifest("m1/app", "1", std::string(oci::kImageManifest), manifest_text());
  OpenedReader opened = open();
  EXPECT_TRUE(opened.reader->resolve(opened.reference));
  EXPECT_EQ(read_whole(*opened.reader, oci::describe(std::string(oci::kImageLayer), "a")), "a");
  EXPECT_EQ(opened.reader->size_of(sha256_of("a")), 1U);
  EXPECT_FALSE(opened.reader->size_of(sha256_of("none")));
  EXPECT_EQ(code_of([&] {
              (void)read_whole(*opened.reader,
                               oci::describe(std::string(oci::kImageLayer), "none"));
            }),
            Errc::not_found);
}

TEST_F(DockerRoutes, RefuseWhatIsBlocked) {
  route_.location.blocked_by = "registry named.example is blocked in FILE";
  std::string message;
  EXPECT_EQ(code_of([&] { (void)open(); }, &message), Errc::denied);
  EXPECT_EQ(message, route_.location.blocked_by);
  EXPECT_EQ(code_of([&] {
              (void)open_writer(parse_image_name("docker://named.example/app:1"), session());
            }),
            Errc::denied);
  EXPECT_EQ(code_of([&] {
              visit_tags("named.example", "app", session(), {},
                         [](const std::string&) { return true; });
            }),
            Errc::denied);
  EXPECT_EQ(code_of([&] { check_credentials("named.example", session()); }), Errc::denied);
  EXPECT_TRUE(main_.requests().empty());
}

TEST_F(DockerRoutes, ReadABlockedRegistryThroughItsMirrors) {
  mirrors();
  route_.location.blocked_by = "registry named.example is blocked in FILE";
  route_.mirrors[0].blocked_by = "registry one is blocked in FILE";
  put(two_, "m2/app");
  OpenedReader opened = open();
  EXPECT_TRUE(opened.reader->resolve(opened.reference));
  EXPECT_TRUE(one_.requests().empty());
  EXPECT_TRUE(main_.requests().empty());
}

TEST_F(DockerRoutes, LookCredentialsUpForEachPlace) {
  mirrors();
  std::vector<std::string> looked_up;
  options_.credentials = [&](const std::string& registry, const std::string& repository) {
    looked_up.push_back(registry + "/" + repository);
    return std::optional<Credentials>();
  };
  const auto demand = [](test::FakeRequest& request, test::FakeConnection& connection) {
    connection.respond(request, 401, {{"WWW-Authenticate", "Basic realm=\"r\""}});
    return true;
  };
  for (test::FakeRegistry* registry : {&one_, &two_, &main_}) registry->set_hook(demand);
  OpenedReader opened = open();
  EXPECT_EQ(code_of([&] { (void)opened.reader->resolve(opened.reference); }), Errc::unauthorized);
  for (const std::string& place :
       {one_.name() + "/m1/app", two_.name() + "/m2/app", main_.name() + "/real/app"}) {
    EXPECT_NE(std::find(looked_up.begin(), looked_up.end(), place), looked_up.end()) << place;
  }
}

TEST_F(DockerRoutes, GiveWhatWasTypedOnlyToTheNamedRegistry) {
  test::FakeRegistry named({.auth = test::FakeRegistryOptions::Auth::basic});
  mirrors();
  route_.location = {.registry = named.name(), .repository = "real/app"};
  options_.given_credentials = Credentials{.username = "user", .password = "secret"};
  const auto demand = [](test::FakeRequest& request, test::FakeConnection& connection) {
    connection.respond(request, 401, {{"WWW-Authenticate", "Basic realm=\"r\""}});
    return true;
  };
  one_.set_hook(demand);
  two_.set_hook(demand);
  put(named, "real/app");
  OpenedReader opened =
      open_reader(parse_image_name("docker://" + named.name() + "/app:1"), session());
  EXPECT_TRUE(opened.reader->resolve(opened.reference));
  for (test::FakeRegistry* registry : {&one_, &two_}) {
    for (const test::FakeRequest& request : registry->requests()) {
      EXPECT_EQ(request.header("authorization"), "");
    }
  }
}

TEST_F(DockerRoutes, SendARegistryTokenAsItIs) {
  main_.set_hook([](test::FakeRequest& request, test::FakeConnection& connection) {
    if (request.header("authorization") == "Bearer opaque") return false;
    connection.respond(request, 401,
                       {{"WWW-Authenticate", "Bearer realm=\"http://127.0.0.1:1/\""}});
    return true;
  });
  put(main_, "app");
  options_.route = {};
  options_.given_credentials = Credentials{.registry_token = "opaque"};
  OpenedReader opened =
      open_reader(parse_image_name("docker://" + main_.name() + "/app:1"), session());
  EXPECT_TRUE(opened.reader->resolve(opened.reference));
  session_.reset();
  options_.given_credentials->registry_token = "stale";
  OpenedReader stale =
      open_reader(parse_image_name("docker://" + main_.name() + "/app:1"), session());
  EXPECT_EQ(code_of([&] { (void)stale.reader->resolve(stale.reference); }), Errc::unauthorized);
}

TEST(CheckCredentials, AsksTheRegistry) {
  using Auth = test::FakeRegistryOptions::Auth;
  for (const Auth auth : {Auth::none, Auth::basic, Auth::bearer}) {
    for (const std::string password : {"secret", "wrong"}) {
      DockerRoom room({.auth = auth},
                      {.given_credentials = Credentials{.username = "user", .password = password}});
      const Errc code = code_of([&] { check_credentials(room.registry.name(), *room.session); });
      const bool refused = password == "wrong" && auth != Auth::none;
      EXPECT_EQ(code, refused ? Errc::unauthorized : Errc::internal) << password;
    }
  }
}

}  // namespace
}  // namespace lade::testing
