#include "libimage/config/auth_file.h"

#include <gtest/gtest.h>

#include "libimage/base/base64.h"
#include "libimage/base/error.h"

namespace lade {
namespace {

Errc refusal(std::string_view json) {
  try {
    (void)AuthFile::parse(json);
  } catch (const Error& e) {
    return e.code();
  }
  return Errc::internal;
}

TEST(Base64, ReadsWhatItWrites) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    EXPECT_EQ(from_base64(to_base64(text)), text);
  }
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(from_base64("Zm8"), "fo");
  for (const char* bad : {"Z", "Zm8=x", "Zm8==", "Zm9v=", "Z m8", "===="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

TEST(AuthFile, ReadsUsersTokensAndHelpers) {
  const AuthFile file = AuthFile::parse(R"({
    "auths": {
      "registry.example:5000/team": {"auth": "dXNlcjpwYTpzcw==", "email": "x"},
      "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
      "azure.example": {"identitytoken": "refresh"},
      "empty.example": {}
    },
    "credHelpers": {"gcr.io": "gcloud"},
    "credsStore": "secretservice",
    "HttpHeaders": {"X": "y"}, "psFormat": "table"})");
  EXPECT_EQ(file.auths.at("registry.example:5000/team"),
            (AuthEntry{.username = "user", .password = "pa:ss"}));
  EXPECT_EQ(file.auths.at("docker.io").username, "hub");
  EXPECT_EQ(file.auths.at("azure.example").identity_token, "refresh");
  EXPECT_FALSE(file.auths.contains("empty.example"));
  EXPECT_EQ(file.cred_helpers.at("gcr.io"), "gcloud");
  EXPECT_EQ(file.creds_store, "secretservice");
}

TEST(AuthFile, StripsThePaddingOfOldVersions) {
  const std::string padded = to_base64(std::string("u:p\0\0", 5));
  EXPECT_EQ(
      AuthFile::parse("{\"auths\":{\"h\":{\"auth\":\"" + padded + "\"}}}").auths.at("h").password,
      "p");
}

TEST(AuthFile, RefusesDamageWithoutRepeatingIt) {
  for (const char* json :
       {"", "[]", "null", "{", "{\"auths\":[]}", "{\"auths\":{\"h\":1}}",
        "{\"auths\":{\"h\":{\"auth\":\"%%%\"}}}", "{\"auths\":{\"h\":{\"auth\":\"bm9jb2xvbg==\"}}}",
        "{\"auths\":{\"h\":{\"auth\":5}}}", "{\"credHelpers\":{\"h\":5}}",
        "{\"credHelpers\":{\"h\":\"../x\"}}", "{\"credsStore\":\"a/b\"}", "{\"credsStore\":[]}"}) {
    EXPECT_EQ(refusal(json), Errc::invalid_content) << json;
  }
  EXPECT_EQ(refusal(std::string(100'000, '[')), Errc::invalid_content);
  try {
    (void)AuthFile::parse("{\"auths\":{\"h\":{\"auth\":\"geheim\"");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find("geheim"), std::string::npos);
  }
}

TEST(AuthKeys, GoFromTheRepositoryUpToTheHost) {
  EXPECT_EQ(auth_keys("h:1", "a/b/c"),
            (std::vector<std::string>{"h:1/a/b/c", "h:1/a/b", "h:1/a", "h:1"}));
  EXPECT_EQ(auth_keys("index.docker.io", "x").back(), "docker.io");
}

TEST(AuthKeys, NeverMatchALookAlike) {
  EXPECT_NE(auth_key("reg.example.com.evil"), auth_key("reg.example.com"));
  EXPECT_NE(auth_key("reg.example.com:5000"), auth_key("reg.example.com"));
  EXPECT_EQ(auth_key("https://reg.example.com/v2/"), "reg.example.com");
  EXPECT_EQ(auth_key("http://Reg.example.com"), "reg.example.com");
}

TEST(AuthFile, SaysNothingForAFileThatIsNotThere) {
  EXPECT_FALSE(AuthFile::read("/nonexistent/auth.json"));
}

}  // namespace
}  // namespace lade
