#include "libimage/config/sync_config.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade {
namespace {

TEST(SyncConfig, ReadsWhatSkopeoSyncReads) {
  const SyncConfig config = SyncConfig::parse(R"(
registry.example:5000:
  images:
    busybox: []
    redis:
      - "1.0"
      - 2.10
      - sha256:0000000000000000000000000000000011111111111111111111111111111111
    all:
  images-by-tag-regex:
    nginx: ^1\.13\.[12]-alpine-perl$
  images-by-semver:
    alpine: ">= 3.12.0"
  credentials:
    username: john
    password: this is a secret
  tls-verify: true
  cert-dir: /home/john/certs
docker.io:
  tls-verify: no
  images:
    library/debian: [latest]
)");
  ASSERT_EQ(config.registries.size(), 2U);
  const SyncRegistry& first = config.registries[0];
  EXPECT_EQ(first.name, "registry.example:5000");
  using Tags = std::vector<std::string>;
  EXPECT_EQ(first.images.at("busybox"), Tags());
  EXPECT_EQ(first.images.at("all"), Tags());
  EXPECT_EQ(first.images.at("redis"),
            (Tags{"1.0", "2.10",
                  "sha256:0000000000000000000000000000000011111111111111111111111111111111"}));
  EXPECT_EQ(first.images_by_tag_regex.at("nginx"), "^1\\.13\\.[12]-alpine-perl$");
  EXPECT_EQ(first.images_by_semver.at("alpine"), ">= 3.12.0");
  ASSERT_TRUE(first.credentials);
  EXPECT_EQ(first.credentials->username, "john");
  EXPECT_EQ(first.credentials->password, "this is a secret");
  EXPECT_EQ(first.tls_verify, true);
  EXPECT_EQ(first.cert_dir, "/home/john/certs");
  EXPECT_EQ(config.registries[1].tls_verify, false);
  EXPECT_FALSE(config.registries[1].credentials);
  EXPECT_TRUE(config.unknown.empty());
}

TEST(SyncConfig, TakesAnEmptyFileForNothing) {
  EXPECT_TRUE(SyncConfig::parse("").registries.empty());
  EXPECT_EQ(SyncConfig::parse("registry.example:\n").registries.size(), 1U);
}

TEST(SyncConfig, ReportsMembersThatMeanNothing) {
  const SyncConfig config =
      SyncConfig::parse("r.example:\n  image:\n    a: []\n  credentials:\n    user: x\n");
  EXPECT_EQ(config.unknown, (std::vector<std::string>{"r.example: 'image' (line 3)",
                                                      "r.example: 'user' (line 5)"}));
  EXPECT_FALSE(config.registries[0].credentials);
}

TEST(SyncConfig, RefusesOtherShapesWithTheLine) {
  struct Row {
    const char* yaml;
    const char* message;
  };
  const Row table[] = {
      {"- a\n", "the file must be a mapping of registries"},
      {"just text\n", "the file must be a mapping of registries"},
      {"r.example: [a]\n", "line 1: 'r.example' must be a mapping"},
      {"r.example:\n  images: [a]\n", "line 2: 'images' must be a mapping"},
      {"r.example:\n  images:\n    a: latest\n", "line 3: 'a' must be a list"},
      {"r.example:\n  images:\n    a: [[b]]\n", "line 3: 'a' must be a text"},
      {"r.example:\n  images:\n    a: [~]\n", "line 3: 'a' must be a text"},
      {"r.example:\n  images-by-semver:\n    a: [1]\n", "line 3: 'a' must be a text"},
      {"r.example:\n  tls-verify: maybe\n", "line 2: 'tls-verify' must be true or false"},
      {"r.example:\n  credentials: x\n", "line 2: 'credentials' must be a mapping"},
      {"r.example:\n  cert-dir: [x]\n", "line 2: 'cert-dir' must be a text"},
  };
  for (const Row& row : table) {
    try {
      (void)SyncConfig::parse(row.yaml);
      ADD_FAILURE() << row.yaml;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_content);
      EXPECT_STREQ(e.what(), row.message);
    }
  }
}

}  // namespace
}  // namespace lade
