#include "libimage/transports/docker_auth.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "libimage/transports/docker_challenge.h"

#include "tests/transports/docker_room.h"

namespace lade::testing {
namespace {

using docker::Challenge;
using docker::parse_challenges;
using test::FakeConnection;
using test::FakeRequest;
using Auth = test::FakeRegistryOptions::Auth;

const std::string kType(oci::kImageManifest);

TEST(Challenge, ReadsOneAndSeveral) {
  EXPECT_EQ(
      parse_challenges(R"(Bearer realm="https://a/t",service="s",scope="x:y:pull,push")"),
      (std::vector<Challenge>{
          {"bearer", {{"realm", "https://a/t"}, {"service", "s"}, {"scope", "x:y:pull,push"}}}}));
  const auto several =
      parse_challenges(R"(Negotiate, NTLM abc==, Basic realm="a \"b\"" , BEARER Realm = t, x=y)");
  ASSERT_EQ(several.size(), 4U);
  EXPECT_EQ(several[1].scheme, "ntlm");
  EXPECT_EQ(several[2].parameter("realm"), "a \"b\"");
  EXPECT_EQ(several[3].parameter("realm"), "t");
  EXPECT_EQ(several[3].parameter("x"), "y");
}

TEST(Challenge, SurvivesDamage) {
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges("=x").empty());
  EXPECT_TRUE(parse_challenges("a=b").empty());
  EXPECT_EQ(parse_challenges(R"(Bearer realm="open)").size(), 1U);
  EXPECT_EQ(parse_challenges(R"(Bearer realm="a",realm="b")")[0].parameter("realm"), "a");
  EXPECT_EQ(parse_challenges("Bearer \xff").size(), 1U);
  EXPECT_EQ(parse_challenges(",,, ,Basic,,").size(), 1U);
}

TEST(Scopes, PutTheDemandedOnesFirstAndMergeActions) {
  EXPECT_EQ(docker::merged({"repository:b:push"}, {"repository:a:pull", "repository:b:pull"}),
            (docker::Scopes{"repository:b:pull,push", "repository:a:pull"}));
  EXPECT_EQ(docker::merged({}, {"repository:h:5000/a:pull"}),
            (docker::Scopes{"repository:h:5000/a:pull"}));
}

TEST(SideUrl, NeverLeadsDownOrInside) {
  const auto leads = [](const char* base, const char* url) {
    return code_of([&] { docker::check_side_url(Url::parse(base), Url::parse(url)); }) ==
           Errc::internal;  // nothing thrown
  };
  EXPECT_TRUE(leads("https://registry.example/", "https://auth.example/token"));
  EXPECT_TRUE(leads("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"));
  EXPECT_TRUE(leads("http://localhost:5000/", "http://127.0.0.1:5001/token"));
  EXPECT_TRUE(leads("https://10.0.0.5/", "https://10.0.0.5:8443/token"));
  EXPECT_FALSE(leads("https://registry.example/", "http://registry.example/token"));
  EXPECT_FALSE(leads("https://registry.example/", "https://169.254.169.254/latest"));
  EXPECT_FALSE(leads("https://registry.example/", "https://127.0.0.1/"));
  EXPECT_FALSE(leads("https://registry.example/", "https://localhost/"));
  EXPECT_FALSE(leads("https://registry.example/", "https://[::1]/"));
  EXPECT_FALSE(leads("http://127.0.0.1:5000/", "http://169.254.169.254/latest"));
  EXPECT_FALSE(leads("https://10.0.0.5/", "https://10.0.0.6/token"));
}

TEST(DockerAuth, AnswersABasicChallenge) {
  DockerRoom room({.auth = Auth::basic}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
  const std::string bytes = noise(3'000'000);
  const auto blob = room.writer()->start_blob({});
  blob->write(bytes_of(bytes));
  EXPECT_EQ(blob->commit("a/b").size, bytes.size());
}

TEST(DockerAuth, AnswersABearerChallengeAndKeepsTheToken) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  const auto reader = room.reader();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(reader->resolve(Tag{"v1"}));
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
  EXPECT_EQ(room.registry.count("GET", "/token"), 1U);
  const auto requests = room.registry.requests();
  const auto token = std::find_if(requests.begin(), requests.end(),
                                  [](const FakeRequest& r) { return r.path == "/token"; });
  EXPECT_EQ(token->parameter("scope"), "repository:test/image:pull");
  EXPECT_EQ(token->parameter("service"), "fake");
  EXPECT_EQ(token->parameter("account"), "user");
}

TEST(DockerAuth, AsksForOneTokenHoweverManyThreadsNeedIt) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  std::atomic<int> found{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { found += room.reader()->resolve(Tag{"v1"}) ? 1 : 0; });
    }
  }
  EXPECT_EQ(found, 8);
  EXPECT_EQ(room.registry.count("GET", "/token"), 1U);
}

TEST(DockerAuth, PullsAnonymouslyWithAToken) {
  DockerRoom room({.auth = Auth::bearer, .anonymous_pull = true});
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
  const std::string bytes = "content";
  std::string message;
  EXPECT_EQ(code_of(
                [&] {
                  const auto blob = room.writer()->start_blob({});
                  blob->write(bytes_of(bytes));
                  (void)blob->commit("a/b");
                },
                &message),
            Errc::unauthorized);
  EXPECT_NE(message.find("401 UNAUTHORIZED: authentication required"), std::string::npos)
      << message;
  EXPECT_NE(message.find("(no credentials for it were given or found)"), std::string::npos)
      << message;
}

TEST(DockerAuth, SaysThatCredentialsAreWrong) {
  for (const Auth auth : {Auth::basic, Auth::bearer}) {
    DockerRoom room({.auth = auth}, with_credentials("user", "wrong"));
    std::string message;
    EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"v1"}); }, &message),
              Errc::unauthorized);
    EXPECT_EQ(message.find("wrong"), std::string::npos) << message;
    EXPECT_NE(message.find("credentials for it were refused"), std::string::npos) << message;
    EXPECT_LE(room.registry.requests().size(), 4U);  // it does not hammer
  }
}

TEST(DockerAuth, SendsAnIdentityTokenByPost) {
  SessionOptions options;
  options.credentials = [](const std::string&, const std::string&) {
    return Credentials{.identity_token = "refresh"};
  };
  DockerRoom room({.auth = Auth::bearer, .identity_token = "refresh"}, options);
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
  EXPECT_EQ(room.registry.count("POST", "/token"), 1U);
}

TEST(DockerAuth, GetsANewTokenWhenTheOldOneIsNoLongerTaken) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  const auto reader = room.reader();
  EXPECT_TRUE(reader->resolve(Tag{"v1"}));
  room.registry.revoke_tokens();
  EXPECT_TRUE(reader->resolve(Tag{"v1"}));
  EXPECT_EQ(room.registry.count("GET", "/token"), 2U);
}

TEST(DockerAuth, AsksForBothRepositoriesOfAMount) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_blob("other/image", "content");
  EXPECT_TRUE(room.writer()->try_mount(oci::describe("a/b", "content"),
                                       {room.registry.name(), "other/image"}));
  bool both = false;
  for (const FakeRequest& request : room.registry.requests()) {
    const auto scope = request.query.find("scope");
    both = both || (scope != request.query.end() && scope->second.size() == 2);
  }
  EXPECT_TRUE(both);
}

TEST(DockerAuth, LearnsFromThePingWhereTheAnswerHasNoChallenge) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path.find("/manifests/") == std::string::npos) return false;
    if (!request.header("authorization").empty()) return false;
    connection.respond(request, 401);
    return true;
  });
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
}

TEST(DockerAuth, AsksForTheScopeThatTheRegistryDemands) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.put_manifest("test/image", "v1", kType, manifest_text());
  std::atomic<int> refusals{0};
  room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
    const bool manifest = request.path.find("/manifests/") != std::string::npos;
    if (!manifest || request.header("authorization").empty() || refusals++ > 0) return false;
    connection.respond(
        request, 401,
        {{"WWW-Authenticate", cat("Bearer realm=\"http://127.0.0.1:", request.port,
                                  "/token\",service=\"fake\",scope=\"registry:catalog:*\","
                                  "error=\"insufficient_scope\"")}});
    return true;
  });
  EXPECT_TRUE(room.reader()->resolve(Tag{"v1"}));
  const auto requests = room.registry.requests();
  const auto last = std::find_if(requests.rbegin(), requests.rend(),
                                 [](const FakeRequest& r) { return r.path == "/token"; });
  EXPECT_EQ(last->query.at("scope"),
            (std::vector<std::string>{"registry:catalog:*", "repository:test/image:pull"}));
}

/// The registry names `realm`; whoever serves it writes down what it got.
struct Realm {
  explicit Realm(const std::string& realm) : room({}, with_credentials()) {
    room.registry.set_hook([realm](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, 401, {{"WWW-Authenticate", cat("Bearer realm=\"", realm, "\"")}});
      return true;
    });
  }
  Errc resolve() {
    return code_of([&] { (void)room.reader()->resolve(Tag{"v1"}); });
  }
  DockerRoom room;
};

TEST(DockerAuth, RefusesRealmsThatAreTraps) {
  for (const char* realm : {"http://169.254.169.254/latest/meta-data", "http://10.0.0.1/",
                            "https://192.168.1.1/token"}) {
    EXPECT_EQ(Realm(realm).resolve(), Errc::denied) << realm;
  }
  for (const char* realm : {"", "file:///etc/passwd", "/token", "gopher://x/", "http://\x7f/"}) {
    EXPECT_EQ(Realm(realm).resolve(), Errc::invalid_content) << realm;
  }
}

TEST(DockerAuth, SurvivesTokenServersThatMisbehave) {
  const std::vector<std::string> bodies = {"",
                                           "{}",
                                           "[]",
                                           "null",
                                           "\"x\"",
                                           R"({"token":""})",
                                           R"({"token":7})",
                                           R"({"token":"a\r\nEvil: 1"})",
                                           R"({"token":"a b"})",
                                           std::string(2'000'000, 'x'),
                                           std::string(100'000, '[')};
  for (const std::string& body : bodies) {
    test::FakeServer tokens([&](FakeRequest& request, FakeConnection& connection) {
      connection.respond(request, 200, {}, body);
    });
    const Errc code = Realm(cat(tokens.url(), "/token")).resolve();
    EXPECT_TRUE(code == Errc::invalid_content || code == Errc::limit_exceeded)
        << body.substr(0, 50);
  }
}

TEST(DockerAuth, TakesOddExpiriesForTheLeast) {
  for (const char* expires : {"0", "-5", "1e300", "\"x\"", "null", "1"}) {
    DockerRoom room({.auth = Auth::bearer}, with_credentials());
    room.registry.put_manifest("test/image", "v1", kType, manifest_text());
    std::string token;
    room.registry.set_hook([&](FakeRequest& request, FakeConnection& connection) {
      if (request.path == "/token") {
        connection.respond(request, 200, {},
                           cat("{\"access_token\":\"abc\",\"expires_in\":", expires, "}"));
        return true;
      }
      if (request.header("authorization") != "Bearer abc") return false;
      connection.respond(request, 404);
      return true;
    });
    const auto reader = room.reader();
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(reader->resolve(Tag{"v1"}));
    EXPECT_EQ(room.registry.count("GET", "/token"), 1U) << expires;
  }
}

TEST(DockerAuth, GivesUpOnARegistryThatIsNeverContent) {
  DockerRoom room({.auth = Auth::bearer}, with_credentials());
  room.registry.set_hook([](FakeRequest& request, FakeConnection& connection) {
    if (request.path == "/token") return false;
    connection.respond(
        request, 401,
        {{"WWW-Authenticate", cat("Bearer realm=\"http://127.0.0.1:", request.port, "/token\"")}});
    return true;
  });
  EXPECT_EQ(code_of([&] { (void)room.reader()->resolve(Tag{"v1"}); }), Errc::unauthorized);
  EXPECT_LE(room.registry.requests().size(), 10U);
}

TEST(DockerAuth, AsksForTheCredentialsOfThatRegistryAndRepositoryOnly) {
  std::vector<std::string> asked;
  SessionOptions options;
  options.credentials = [&](const std::string& registry, const std::string& repository) {
    asked.push_back(cat(registry, " ", repository));
    return Credentials{.username = "user", .password = "secret"};
  };
  DockerRoom room({.auth = Auth::basic}, options);
  const auto reader = room.reader();
  for (int i = 0; i < 3; ++i) (void)reader->resolve(Tag{"v1"});
  EXPECT_EQ(asked, std::vector<std::string>{cat(room.registry.name(), " test/image")});
}

}  // namespace
}  // namespace lade::testing
