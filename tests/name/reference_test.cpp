#include "libimage/name/reference.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;

struct Good {
  std::string text, registry, repository, tag, digest;
};

TEST(Reference, SplitsNamesAsDockerDoes) {
  const Good table[] = {
      {"debian", "docker.io", "library/debian", "", ""},
      {"debian:12", "docker.io", "library/debian", "12", ""},
      {"debian@" + kDigest, "docker.io", "library/debian", "", kDigest},
      {"debian:12@" + kDigest, "docker.io", "library/debian", "12", kDigest},
      {"user/app", "docker.io", "user/app", "", ""},
      {"docker.io/debian", "docker.io", "library/debian", "", ""},
      {"docker.io/user/app:1", "docker.io", "user/app", "1", ""},
      {"index.docker.io/debian", "docker.io", "library/debian", "", ""},
      {"quay.io/debian", "quay.io", "debian", "", ""},
      {"localhost/app", "localhost", "app", "", ""},
      {"localhost:5000/a/b/c:v1.0_x-y", "localhost:5000", "a/b/c", "v1.0_x-y", ""},
      {"127.0.0.1:5000/app", "127.0.0.1:5000", "app", "", ""},
      {"[::1]:5000/app:t", "[::1]:5000", "app", "t", ""},
      {"[fe80::1]/app", "[fe80::1]", "app", "", ""},
      {"MyHost/app", "MyHost", "app", "", ""},
      {"my-host.example.com:65535/x", "my-host.example.com:65535", "x", "", ""},
      {"host:80/x@sha512:" + std::string(128, 'b'), "host:80", "x", "",
       "sha512:" + std::string(128, 'b')},
      {"a.b_c__d-e---f/g", "a.b_c__d-e---f", "g", "", ""},
      {"u/a.b_c__d-e---f0", "docker.io", "u/a.b_c__d-e---f0", "", ""},
      {"0/1:2", "docker.io", "0/1", "2", ""},
      {"x:_", "docker.io", "library/x", "_", ""},
      {"x:" + std::string(128, 'T'), "docker.io", "library/x", std::string(128, 'T'), ""},
      {"x@blake3:" + kHex, "docker.io", "library/x", "", "blake3:" + kHex},
  };
  for (const Good& good : table) {
    SCOPED_TRACE(good.text);
    if (good.text.starts_with("a.b_c")) {  // a first component with a dot is a host, with no '_'
      EXPECT_FALSE(Reference::try_parse(good.text));
      continue;
    }
    const Reference reference = Reference::parse(good.text);
    EXPECT_EQ(reference.registry, good.registry);
    EXPECT_EQ(reference.repository, good.repository);
    EXPECT_EQ(reference.tag ? reference.tag->value : "", good.tag);
    EXPECT_EQ(reference.digest ? reference.digest->str() : "", good.digest);
    EXPECT_EQ(Reference::parse(reference.str()), reference);
  }
}

TEST(Reference, NamesTheRuleThatATextBreaks) {
  const struct {
    std::string text, message;
  } table[] = {
      {"", "the name is empty"},
      {"Debian", "a repository's name is lower case: 'debian'?"},
      {"user/App:1", "lower case: 'user/app'?"},
      {"quay.io/User/App", "lower case: 'user/app'?"},
      {"https://quay.io/x", "has no 'scheme://' before it"},
      {"docker://x", "has no 'scheme://' before it"},
      {kHex, "64 hex digits are a digest"},
      {"x:", "the tag after ':' is empty"},
      {"x:-a", "tag '-a'"},
      {"x:.a", "tag '.a'"},
      {"x:a b", "tag 'a b'"},
      {"x:a/b", "port 'a' of the registry: a number from 1 to 65535"},
      {"x:" + std::string(129, 't'), "at most 128 characters, this one 129"},
      {"x@", "digest ''"},
      {"x@sha256:" + kHex.substr(1), "64 lower-case hex digits"},
      {"x@sha256:" + std::string(64, 'A'), "64 lower-case hex digits"},
      {"x@sha256:../../etc", "digest 'sha256:../../etc'"},
      {"x@" + kDigest + "@" + kDigest, "digest"},
      {"x@" + kDigest + ":tag", "digest"},
      {"@" + kDigest, "the repository's name is empty"},
      {":tag", "the repository's name is empty"},
      {"/x", "an empty component"},
      {"x/", "an empty component"},
      {"quay.io/", "the repository's name is empty"},
      {"a//b", "an empty component"},
      {"..", "component '..'"},
      {"../x", "registry '..'"},
      {"u/..", "component '..'"},
      {"quay.io/../x", "component '..'"},
      {"-a", "component '-a'"},
      {"a-", "component 'a-'"},
      {"a..b", "component 'a..b'"},
      {"a___b", "component 'a___b'"},
      {"a._b", "component 'a._b'"},
      {"u/a b", "component 'a b'"},
      {"u/\xC3\xA9", "component '\xC3\xA9'"},
      {"u/a\x1b[2J", R"(component 'a\x1b[2J')"},
      {std::string("u/a\0", 4), R"('a\x00')"},
      {"my_host.x/y", "registry 'my_host.x': a host name or address"},
      {"host:0/x", "port '0'"},
      {"host:65536/x", "port '65536'"},
      {"host:/x", "port ''"},
      {"host:+1/x", "port '+1'"},
      {"host:000080/x", "port '000080'"},
      {"-h.x/y", "registry '-h.x'"},
      {"h..x/y", "registry 'h..x'"},
      {"[::g]:1/x", "registry '[::g]:1'"},
      {"a:1:2/x", "registry 'a:1:2'"},
      {"user@host.x/y", "digest 'host.x/y'"},
      {"quay.io/" + std::string(248, 'a'), "have 256 characters, more than 255"},
  };
  for (const auto& [text, message] : table) {
    SCOPED_TRACE(text);
    try {
      Reference::parse(text);
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      EXPECT_EQ(std::string(e.what()).rfind("invalid reference ", 0), 0U) << e.what();
      EXPECT_NE(std::string(e.what()).find(message), std::string::npos) << e.what();
    }
    EXPECT_FALSE(Reference::try_parse(text));
  }
}

TEST(Reference, AcceptsTheLongestName) {
  EXPECT_TRUE(Reference::try_parse("quay.io/" + std::string(247, 'a')));
}

TEST(Reference, AsksForDigestThenTagThenLatest) {
  EXPECT_EQ(to_string(Reference::parse("x:1@" + kDigest).target()), kDigest);
  EXPECT_EQ(to_string(Reference::parse("x:1").target()), "1");
  EXPECT_EQ(to_string(Reference::parse("x").target()), "latest");
}

TEST(Tag, ObeysTheGrammar) {
  for (const char* good : {"a", "A", "_", "0", "v1.2-3_4", "latest"}) EXPECT_TRUE(is_tag(good));
  for (const char* bad :
       {"", ".", "-", ".a", "-a", "a b", "a/b", "a:b", "a+b", "\xC3\xA9", "a\n"}) {
    EXPECT_FALSE(is_tag(bad)) << bad;
  }
  EXPECT_TRUE(is_tag(std::string(128, 'a')));
  EXPECT_FALSE(is_tag(std::string(129, 'a')));
}

}  // namespace
}  // namespace lade
