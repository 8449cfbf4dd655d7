#include "libimage/config/credential_helper.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/find_credentials.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

class CredentialHelper : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& content, mode_t mode = 0600) {
    const std::string path = cat(dir_.path(), "/", name);
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
  }
  void helper(const std::string& name, const std::string& script) {
    write(cat("docker-credential-", name), cat("#!/bin/sh\n", script, "\n"), 0700);
  }
  Errc failure(const std::string& name) {
    try {
      (void)ask_credential_helper(name, "h", options_);
    } catch (const Error& e) {
      return e.code();
    }
    return Errc::internal;
  }
  std::optional<AuthEntry> find(const std::string& registry, const std::string& repository = "r") {
    return find_credentials(
        {.files = {cat(dir_.path(), "/first.json"), cat(dir_.path(), "/second.json")},
         .helper = options_},
        registry, repository);
  }

  TempDir dir_{"/tmp"};
  HelperOptions options_{.directories = {"/nonexistent", dir_.path()},
                         .environment = {"PATH=/usr/bin:/bin", "GREETING=hello"}};
};

TEST_F(CredentialHelper, GetsTheServerOnItsInput) {
  helper("a",
         "read s; echo \"{\\\"ServerURL\\\":\\\"$s\\\",\\\"Username\\\":\\\"$1 $s $GREETING\\\","
         "\\\"Secret\\\":\\\"pw\\\"}\"");
  EXPECT_EQ(ask_credential_helper("a", "reg.example:5000", options_),
            (AuthEntry{.username = "get reg.example:5000 hello", .password = "pw"}));
}

TEST_F(CredentialHelper, SeesOnlyTheEnvironmentThatItIsGiven) {
  ::setenv("LADE_TEST_SECRET", "x", 1);
  helper("env", "echo \"{\\\"Username\\\":\\\"-$LADE_TEST_SECRET-\\\",\\\"Secret\\\":\\\"\\\"}\"");
  EXPECT_EQ(ask_credential_helper("env", "h", options_)->username, "--");
}

TEST_F(CredentialHelper, MayGiveAnIdentityToken) {
  helper("a", "echo '{\"Username\":\"<token>\",\"Secret\":\"refresh\"}'");
  EXPECT_EQ(ask_credential_helper("a", "h", options_), (AuthEntry{.identity_token = "refresh"}));
}

TEST_F(CredentialHelper, MayHaveNothing) {
  helper("a", "echo 'credentials not found in native keychain'; exit 1");
  EXPECT_FALSE(ask_credential_helper("a", "h", options_));
}

TEST_F(CredentialHelper, FailuresAreErrors) {
  helper("fails", "echo locked; exit 3");
  helper("garbage", "echo hello");
  helper("partial", "echo '{\"Username\":\"u\"}'");
  helper("killed", "kill -9 $$");
  helper("endless", "exec yes");
  EXPECT_EQ(failure("fails"), Errc::command_failed);
  EXPECT_EQ(failure("garbage"), Errc::invalid_content);
  EXPECT_EQ(failure("partial"), Errc::invalid_content);
  EXPECT_EQ(failure("killed"), Errc::command_failed);
  EXPECT_EQ(failure("endless"), Errc::limit_exceeded);
  EXPECT_EQ(failure("missing"), Errc::not_found);
}

TEST_F(CredentialHelper, IsEndedWhenItDoesNotAnswer) {
  helper("hangs", "exec sleep 1000");
  options_.timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(failure("hangs"), Errc::command_failed);
}

TEST_F(CredentialHelper, IgnoresAHelperThatReadsNothing) {
  helper("deaf", "exec <&-; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
  EXPECT_EQ(ask_credential_helper("deaf", std::string(4000, 'h'), options_)->username, "u");
}

TEST_F(CredentialHelper, FirstFileWithAnAnswerCounts) {
  write("second.json", R"({"auths":{"h":{"auth":"YTpi"},"h2/ns":{"auth":"Yzpk"}}})");
  EXPECT_EQ(find("h")->username, "a");
  write("first.json", R"({"auths":{"h":{"auth":"eDp5"}}})");
  EXPECT_EQ(find("h")->username, "x");
  EXPECT_EQ(find("h2", "ns/repo")->username, "c");
  EXPECT_FALSE(find("h2", "nsx/repo"));
  EXPECT_FALSE(find("h2", "other"));
  EXPECT_FALSE(find("h.evil"));
}

TEST_F(CredentialHelper, TheRegistrysHelperComesBeforeTheGeneralOneBeforeEntries) {
  helper("own", "echo '{\"Username\":\"own\",\"Secret\":\"s\"}'");
  helper("general",
         "read s; [ $s = none ] && { echo credentials not found; exit 1; }; "
         "echo \"{\\\"Username\\\":\\\"$s\\\",\\\"Secret\\\":\\\"s\\\"}\"");
  write("first.json", R"({"auths":{"h":{"auth":"YTpi"},"none":{"auth":"YTpi"}},
                          "credHelpers":{"h":"own"},"credsStore":"general"})");
  EXPECT_EQ(find("h")->username, "own");
  EXPECT_EQ(find("k")->username, "k");
  EXPECT_EQ(find("docker.io")->username, "https://index.docker.io/v1/");
  EXPECT_EQ(find("none")->username, "a");
}

TEST_F(CredentialHelper, AMissingHelperIsNotPassedOver) {
  write("first.json", R"({"auths":{"h":{"auth":"YTpi"}},"credHelpers":{"h":"gone"}})");
  EXPECT_THROW((void)find("h"), Error);
}

}  // namespace
}  // namespace lade
