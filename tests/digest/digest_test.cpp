#include "libimage/digest/digest.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade {
namespace {

const std::string kHex = "5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270";

TEST(Digest, SplitsAlgorithmAndEncoded) {
  const Digest digest = Digest::parse("sha256:" + kHex);
  EXPECT_EQ(digest.str(), "sha256:" + kHex);
  EXPECT_EQ(digest.algorithm(), "sha256");
  EXPECT_EQ(digest.encoded(), kHex);
  EXPECT_EQ(digest.brief(), "sha256:5b0bcabd1ed2");
  EXPECT_TRUE(digest.verifiable());
}

TEST(Digest, AcceptsEveryAlgorithmThatObeysTheGrammar) {
  for (const std::string& good :
       {"sha512:" + kHex + kHex, "sha256+b64:" + kHex, "sha256.foo-bar:" + kHex, std::string("a:b"),
        std::string("a+b.c_d-e:="), "blake3:" + kHex,
        std::string("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"),
        std::string("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564=")}) {
    const auto digest = Digest::try_parse(good);
    ASSERT_TRUE(digest) << good;
    EXPECT_EQ(digest->str(), good);
    EXPECT_EQ(digest->verifiable(), good.starts_with("sha512:"));
  }
}

TEST(Digest, RefusesEverythingElse) {
  for (const std::string& bad : {std::string(),
                                 std::string(":"),
                                 std::string("sha256"),
                                 std::string("sha256:"),
                                 ":" + kHex,
                                 "sha256:" + kHex.substr(1),
                                 "sha256:" + kHex + "0",
                                 "sha512:" + kHex,
                                 "sha256:" + std::string(64, 'A'),
                                 "sha256:" + std::string(64, 'g'),
                                 "SHA256:" + kHex,
                                 "sha256 :" + kHex,
                                 " sha256:" + kHex,
                                 "sha256:" + kHex + " ",
                                 "sha256:" + kHex + "\n",
                                 std::string("sha256:../../../../etc/passwd"),
                                 std::string("a:b/c"),
                                 std::string("a:.."),
                                 std::string("a:b.c"),
                                 std::string("a/b:c"),
                                 std::string("..:c"),
                                 std::string("+a:b"),
                                 std::string("a+:b"),
                                 std::string("a+-b:c"),
                                 std::string("a:b:c"),
                                 std::string("a:\xC3\xA9"),
                                 std::string("a:b\0", 4),
                                 "a:" + std::string(256, 'b'),
                                 std::string(600, 'a') + ":b"}) {
    EXPECT_FALSE(Digest::try_parse(bad)) << quoted(bad);
    try {
      Digest::parse(bad);
      ADD_FAILURE() << quoted(bad);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_content);
      EXPECT_LT(std::string(e.what()).size(), 900U);
    }
  }
}

TEST(Digest, IsASafeFileName) {
  for (const std::string& text : {"sha256:" + kHex, std::string("a+b:c=")}) {
    const Digest digest = Digest::parse(text);
    for (const std::string_view name : {digest.encoded(), digest.algorithm()}) {
      EXPECT_EQ(name.find('/'), std::string_view::npos);
      EXPECT_NE(name, ".");
      EXPECT_NE(name, "..");
    }
  }
}

TEST(Digest, ComparesAndHashesByText) {
  const Digest a = sha256_of("a");
  const Digest b = sha256_of("b");
  EXPECT_EQ(a, Digest::parse(a.str()));
  EXPECT_NE(a, b);
  EXPECT_EQ(a < b, a.str() < b.str());
  EXPECT_EQ(std::hash<Digest>()(a), std::hash<Digest>()(Digest::parse(a.str())));
}

TEST(ChainId, OfOneLayerIsItsDiffId) {
  const DiffId a{sha256_of("a")};
  EXPECT_EQ(chain_id(std::vector<DiffId>{a}).value, a.value);
  EXPECT_EQ(chain_id(std::nullopt, a).value, a.value);
}

TEST(ChainId, HashesTheParentABlankAndTheDiffId) {
  const DiffId a{sha256_of("a")};
  const DiffId b{sha256_of("b")};
  const DiffId c{sha256_of("c")};
  const Digest ab = sha256_of(cat(a.value.str(), " ", b.value.str()));
  const Digest abc = sha256_of(cat(ab.str(), " ", c.value.str()));
  EXPECT_EQ(ab.encoded(), "51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676");
  EXPECT_EQ(chain_id(std::vector<DiffId>{a, b}).value, ab);
  EXPECT_EQ(chain_id(std::vector<DiffId>{a, b, c}).value, abc);
  EXPECT_EQ(chain_id(chain_id(std::vector<DiffId>{a, b}), c).value, abc);
}

TEST(ChainId, DependsOnTheOrder) {
  const DiffId a{sha256_of("a")};
  const DiffId b{sha256_of("b")};
  EXPECT_NE(chain_id(std::vector<DiffId>{a, b}), chain_id(std::vector<DiffId>{b, a}));
}

}  // namespace
}  // namespace lade
