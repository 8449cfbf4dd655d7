#include "libimage/http/url.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/http/headers.h"

namespace lade {
namespace {

TEST(Url, ReadsItsParts) {
  const Url url = Url::parse("HTTPS://user:pw@Reg.Example.com:8443/v2/a%20b?n=1&x=/y#frag");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.host, "reg.example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.path, "/v2/a%20b");
  EXPECT_EQ(url.query, "n=1&x=/y");
  EXPECT_EQ(url.str(), "https://reg.example.com:8443/v2/a%20b?n=1&x=/y");
}

TEST(Url, NeverPrintsUserinfoOrQuery) {
  const Url url = Url::parse("https://user:secret@h/p?X-Amz-Signature=secret");
  EXPECT_EQ(url.redacted(), "https://h/p");
  EXPECT_EQ(url.str().find("user"), std::string::npos);
}

TEST(Url, OriginAlwaysNamesThePort) {
  EXPECT_EQ(Url::parse("https://h/a").origin(), "https://h:443");
  EXPECT_EQ(Url::parse("https://h:443/b").origin(), Url::parse("https://h").origin());
  EXPECT_NE(Url::parse("http://h").origin(), Url::parse("https://h").origin());
  EXPECT_NE(Url::parse("https://h:444").origin(), Url::parse("https://h").origin());
}

TEST(Url, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "h", "ftp://h/", "file:///etc/passwd", "http://", "http://:80/", "http://a b/",
        "http://h/a b", "http://h\r\nX: y/", "http://h:0/", "http://h:65536/", "http://h:8x/",
        "http://[::1/", "http://[zz]/", "http://h\\@evil/", "http://h/\x80", "://h",
        "http://h%2fe/", "http:/h/"}) {
    EXPECT_FALSE(Url::try_parse(text)) << text;
  }
  EXPECT_FALSE(Url::try_parse("http://h/" + std::string(kMaxUrlBytes, 'a')));
}

TEST(Url, TakesTheHostAfterTheLastAt) {
  EXPECT_EQ(Url::parse("http://good.example@evil.example/").host, "evil.example");
  EXPECT_EQ(Url::parse("http://a@b@c/").host, "c");
}

TEST(Url, ResolvesReferencesAsRfc3986Says) {
  const Url base = Url::parse("http://a/b/c/d;p?q");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../../../g", "http://a/g"},
      {"/./g/../h", "http://a/h"},
      {"https://x:1/y?z", "https://x:1/y?z"},
      {"g?y/../x", "http://a/b/c/g?y/../x"}};
  for (const auto& [reference, expected] : cases) {
    EXPECT_EQ(base.resolve(reference).str(), expected) << reference;
  }
}

TEST(Url, ResolvingRefusesOtherSchemes) {
  const Url base = Url::parse("https://a/b");
  for (const char* reference : {"file:///etc/passwd", "javascript:x", "gopher://a", "data:,x"}) {
    EXPECT_THROW((void)base.resolve(reference), Error) << reference;
  }
}

TEST(Url, AddsParametersBehindTheQueryThatIsThere) {
  EXPECT_EQ(Url::parse("http://h/u?_state=x%3D").with_parameter("digest", "sha256:ab").query,
            "_state=x%3D&digest=sha256%3Aab");
  EXPECT_EQ(Url::parse("http://h/u").with_parameter("n", "1").query, "n=1");
}

TEST(Url, KnowsInternalHosts) {
  for (const char* host :
       {"127.0.0.1", "127.1", "0x7f000001", "2130706433", "localhost", "a.localhost", "[::1]",
        "10.0.0.1", "172.16.9.9", "192.168.0.1", "169.254.169.254", "[fe80::1]", "[fd00::1]",
        "[::ffff:10.0.0.1]", "0.0.0.0", "100.64.0.1", "224.0.0.1"}) {
    EXPECT_TRUE(Url::parse(std::string("http://") + host + "/").is_internal()) << host;
  }
  for (const char* host :
       {"8.8.8.8", "example.com", "172.32.0.1", "[2001:db8::1]", "localhost.com"}) {
    EXPECT_FALSE(Url::parse(std::string("http://") + host + "/").is_internal()) << host;
  }
  EXPECT_FALSE(Url::parse("http://10.0.0.1/").is_loopback());
}

TEST(Headers, CompareNamesWithoutCaseAndKeepRepeats) {
  Headers headers{{"Link", "a"}, {"link", "b"}, {"Content-Type", "Application/JSON; charset=x"}};
  EXPECT_EQ(headers.first("LINK"), "a");
  EXPECT_EQ(headers.all("Link").size(), 2U);
  EXPECT_EQ(headers.content_type(), "application/json");
  headers.remove("LINK");
  EXPECT_FALSE(headers.first("link"));
}

TEST(Headers, RefuseLineBreaks) {
  Headers headers;
  EXPECT_THROW(headers.add("A", "b\r\nC: d"), Error);
  EXPECT_THROW(headers.set("A\n", "b"), Error);
}

}  // namespace
}  // namespace lade
