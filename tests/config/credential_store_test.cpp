#include "libimage/config/credential_store.h"

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/find_credentials.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

namespace fs = std::filesystem;

class CredentialStoring : public testing::Test {
 protected:
  [[nodiscard]] std::string at(const std::string& name) const {
    return cat(room_.path(), "/", name);
  }
  void write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    std::ofstream(at(name)) << text;
    ::chmod(at(name).c_str(), mode);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    return read_file(at(name), 1 << 20);
  }
  /// A helper that keeps what it gets in files of the room.
  void helper(const std::string& name) {
    write(cat("docker-credential-", name),
          cat("#!/bin/sh\ncd ", room_.path(), "\ninput=$(cat)\nf=$(echo \"$input\" | tr / _)\n",
              "case $1 in\nstore) echo \"$input\" > ", name, ".stored;;\n", "erase) test -f ", name,
              ".stored || { echo credentials not found in native keychain; exit 1; }\n",
              "  grep -q \"\\\"ServerURL\\\":\\\"$input\\\"\" ", name,
              ".stored || { echo credentials not found in native keychain; exit 1; }\n", "  rm ",
              name, ".stored;;\n", "list) echo '{\"h.example\":\"u\"}';;\nesac\n"),
          0700);
  }
  [[nodiscard]] std::optional<AuthEntry> find(const std::string& registry,
                                              const std::string& repository = {}) const {
    return find_credentials(
        {.files = {store_.file}, .helpers = store_.helpers, .helper = store_.helper}, registry,
        repository);
  }
  Errc failure(const std::string& key) {
    try {
      (void)store_credentials(store_, key, kEntry);
    } catch (const Error& e) {
      return e.code();
    }
    return Errc::internal;
  }

  TempDir room_{"/tmp"};
  CredentialStore store_{
      .file = cat(room_.path(), "/deep/auth.json"),
      .helper = {.directories = {room_.path()}, .environment = {"PATH=/usr/bin:/bin"}}};
  const AuthEntry kEntry{.username = "user", .password = "pa:ss"};
};

TEST_F(CredentialStoring, MakesAFileThatOnlyItsOwnerReads) {
  EXPECT_EQ(store_credentials(store_, "h.example:5000", kEntry), store_.file);
  EXPECT_EQ(read("deep/auth.json"),
            "{\n\t\"auths\": {\n\t\t\"h.example:5000\": {\n\t\t\t\"auth\": "
            "\"dXNlcjpwYTpzcw==\"\n\t\t}\n\t}\n}\n");
  EXPECT_EQ(fs::status(store_.file).permissions(), fs::perms(0600));
  EXPECT_EQ(fs::status(at("deep")).permissions(), fs::perms(0700));
  EXPECT_EQ(find("h.example:5000"), kEntry);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(at("deep"))) files += entry.exists() ? 1 : 0;
  EXPECT_EQ(files, 1U);
}

TEST_F(CredentialStoring, KeepsWhatOthersWrote) {
  store_.file = at("auth.json");
  write(
      "auth.json",
      R"({"zebra": {"b": 1, "a": [2]}, "auths": {"other.example": {"auth": "dTpw", "email": "e"}}, "HttpHeaders": {"X": "y"}})");
  store_credentials(store_, "h.example/team", kEntry);
  EXPECT_EQ(find("h.example", "team/app"), kEntry);
  EXPECT_FALSE(find("h.example", "other/app"));
  const std::string text = read("auth.json");
  for (const char* part :
       {"\"zebra\": {\n\t\t\"b\": 1,\n\t\t\"a\"", "\"email\": \"e\"", "\"X\": \"y\""}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_EQ(fs::status(at("auth.json")).permissions(), fs::perms(0600));
}

TEST_F(CredentialStoring, ForgetsAllSpellingsOfAKey) {
  store_.file = at("auth.json");
  write("auth.json",
        R"({"auths": {"https://h.example/v1/": {"auth": "dTpw"}, "h.example": {"auth": "dTpw"},
    "h.example/team": {"auth": "dTpw"}}})");
  EXPECT_TRUE(remove_credentials(store_, "h.example"));
  EXPECT_FALSE(find("h.example", "app"));
  EXPECT_TRUE(find("h.example", "team/app"));
  EXPECT_FALSE(remove_credentials(store_, "h.example"));
  EXPECT_TRUE(remove_credentials(store_, "h.example/team"));
}

TEST_F(CredentialStoring, ForgetsNothingWhereThereIsNoFile) {
  EXPECT_FALSE(remove_credentials(store_, "h.example"));
  remove_all_credentials(store_);
  EXPECT_FALSE(fs::exists(store_.file));
}

TEST_F(CredentialStoring, WritesAsDockerReads) {
  store_.format = CredentialStore::Format::docker;
  store_.helpers = {"never-asked"};
  store_credentials(store_, "docker.io", kEntry);
  EXPECT_NE(read("deep/auth.json").find("\"https://index.docker.io/v1/\": {"), std::string::npos);
  EXPECT_EQ(failure("h.example/team"), Errc::unsupported);
  EXPECT_TRUE(remove_credentials(store_, "docker.io"));
}

TEST_F(CredentialStoring, UsesTheHelperOfTheFile) {
  store_.file = at("auth.json");
  helper("keep");
  write("auth.json", R"({"credHelpers": {"h.example": "keep"}})");
  EXPECT_EQ(store_credentials(store_, "h.example", kEntry), "credential helper: keep");
  EXPECT_EQ(read("keep.stored"),
            "{\"Secret\":\"pa:ss\",\"ServerURL\":\"h.example\",\"Username\":\"user\"}\n");
  EXPECT_EQ(read("auth.json"), R"({"credHelpers": {"h.example": "keep"}})");
  EXPECT_TRUE(remove_credentials(store_, "h.example"));
  EXPECT_FALSE(fs::exists(at("keep.stored")));
  EXPECT_FALSE(remove_credentials(store_, "h.example"));
  EXPECT_EQ(store_credentials(store_, "other.example", kEntry), at("auth.json"));
}

TEST_F(CredentialStoring, UsesTheGeneralHelperOfTheFile) {
  store_.file = at("auth.json");
  helper("all");
  write("auth.json", R"({"credsStore": "all"})");
  EXPECT_EQ(store_credentials(store_, "h.example", kEntry), "credential helper: all");
  EXPECT_EQ(store_credentials(store_, "h.example/team", kEntry), at("auth.json"));
  remove_all_credentials(store_);
  EXPECT_FALSE(fs::exists(at("all.stored")));
}

TEST_F(CredentialStoring, UsesTheFirstConfiguredHelperThatWorks) {
  helper("good");
  store_.helpers = {"missing", "good", kAuthFilesHelper};
  EXPECT_EQ(store_credentials(store_, "h.example", kEntry), "credential helper: good");
  EXPECT_EQ(store_credentials(store_, "h.example/team", kEntry), store_.file);
  store_.helpers = {"missing"};
  EXPECT_EQ(failure("h.example"), Errc::not_found);
}

TEST_F(CredentialStoring, LeavesADamagedFileAlone) {
  store_.file = at("auth.json");
  write("auth.json", "{\"auths\": [");
  EXPECT_EQ(failure("h.example"), Errc::invalid_content);
  EXPECT_EQ(read("auth.json"), "{\"auths\": [");
}

TEST_F(CredentialStoring, FollowsALinkToTheFile) {
  write("real.json", "{}");
  fs::create_symlink("real.json", at("auth.json"));
  store_.file = at("auth.json");
  store_credentials(store_, "h.example", kEntry);
  EXPECT_TRUE(fs::is_symlink(at("auth.json")));
  EXPECT_NE(read("real.json").find("h.example"), std::string::npos);
}

TEST_F(CredentialStoring, LosesNothingWhenManyWriteAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] { store_credentials(store_, cat("h", i, ".example"), kEntry); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(AuthFile::read(store_.file)->auths.size(), 8U);
}

TEST_F(CredentialStoring, FindsPlainFieldsAndOldFiles) {
  write("plain.json", R"({"auths": {"h.example": {"username": "u", "password": "p"},
    "https://zz.example/v1": {"auth": "dTpw"}, "zz.example": {"auth": "dXNlcjpwYTpzcw=="}}})");
  write("dockercfg", R"({"https://old.example/v1/": {"auth": "dXNlcjpwYTpzcw==", "email": "e"}})");
  const CredentialSources sources{.files = {at("plain.json")}, .legacy_file = at("dockercfg")};
  EXPECT_EQ(find_credentials(sources, "h.example", "x"),
            (AuthEntry{.username = "u", .password = "p"}));
  EXPECT_EQ(find_credentials(sources, "zz.example", "x"), kEntry);
  EXPECT_EQ(find_credentials(sources, "old.example", "x"), kEntry);
}

TEST_F(CredentialStoring, AsksConfiguredHelpersInOrder) {
  write("docker-credential-hub",
        "#!/bin/sh\nread s\ntest \"$s\" = docker.io || { echo credentials not found in native "
        "keychain; exit 1; }\n"
        "echo '{\"Username\":\"hub\",\"Secret\":\"s\"}'\n",
        0700);
  write("plain.json", R"({"auths": {"h.example": {"auth": "dXNlcjpwYTpzcw=="}}})");
  CredentialSources sources{.files = {at("plain.json")},
                            .helpers = {"missing", "hub", kAuthFilesHelper},
                            .helper = store_.helper};
  EXPECT_EQ(find_credentials(sources, "docker.io", "library/x")->username, "hub");
  EXPECT_EQ(find_credentials(sources, "h.example", "x"), kEntry);
  EXPECT_THROW((void)find_credentials(sources, "none.example", "x"),
               Error);  // one could not be asked
  sources.helpers = {"hub"};
  EXPECT_FALSE(find_credentials(sources, "h.example", "x"));
}

}  // namespace
}  // namespace lade
