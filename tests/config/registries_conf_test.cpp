#include "libimage/config/registries_conf.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

namespace fs = std::filesystem;
using PullFrom = RegistriesConf::PullFrom;

std::string refusal(const std::string& text) {
  try {
    (void)RegistriesConf::parse(text, "FILE");
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

TEST(RegistriesConf, ReadsEveryKey) {
  const RegistriesConf conf = RegistriesConf::parse(R"(
unqualified-search-registries = ["registry.example", "docker.io/"]
short-name-mode = "disabled"
credential-helpers = ["pass", "containers-auth.json"]
additional-layer-store-auth-helper = "ignored"
[aliases]
"app" = "registry.example/team/app"
"hub" = "docker.io/hub"
"gone" = ""
[[registry]]
prefix = "a.example/x"
location = "b.example/y/"
insecure = true
[[registry.mirror]]
location = "m.example"
insecure = true
[[registry.mirror]]
location = "d.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "t.example"
pull-from-mirror = "tag-only"
[[registry]]
location = "only.example"
mirror-by-digest-only = true
blocked = true
[[registry.mirror]]
location = "m2.example"
[[registry]]
prefix = "*.wild.example"
)",
                                                    "F");
  EXPECT_EQ(conf.search_registries, (std::vector<std::string>{"registry.example", "docker.io"}));
  EXPECT_EQ(conf.search_file, "F");
  EXPECT_EQ(conf.short_names, RegistriesConf::ShortNames::disabled);
  EXPECT_EQ(conf.credential_helpers, (std::vector<std::string>{"pass", "containers-auth.json"}));
  EXPECT_EQ(conf.aliases.at("app").name, "registry.example/team/app");
  EXPECT_EQ(conf.aliases.at("hub").name, "docker.io/library/hub");
  EXPECT_EQ(conf.aliases.at("gone").name, "");
  ASSERT_EQ(conf.rules.size(), 3U);
  EXPECT_EQ(conf.rules[0].prefix, "*.wild.example");
  EXPECT_EQ(conf.rules[1], (RegistriesConf::Rule{
                               .prefix = "a.example/x",
                               .location = "b.example/y",
                               .insecure = true,
                               .mirrors = {{.location = "m.example", .insecure = true},
                                           {.location = "d.example", .serves = PullFrom::digests},
                                           {.location = "t.example", .serves = PullFrom::tags}},
                               .file = "F"}));
  EXPECT_EQ(conf.rules[2].prefix, "only.example");
  EXPECT_TRUE(conf.rules[2].blocked);
  EXPECT_EQ(conf.rules[2].mirrors[0].serves, PullFrom::digests);
}

TEST(RegistriesConf, IgnoresKeysOfOtherTools) {
  EXPECT_EQ(RegistriesConf::parse(
                "future = 1\n[table]\nx = [1]\n[[registry]]\nlocation='a.b'\nq=2\n", "F")
                .rules.size(),
            1U);
}

TEST(RegistriesConf, RefusesWhatIsWrongByFileAndKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"x = ", "FILE: line 1: "},
      {"unqualified-search-registries = 'a.b'",
       "FILE: unqualified-search-registries is not an array"},
      {"unqualified-search-registries = [1]", "is not an array of texts"},
      {"unqualified-search-registries = ['a.b/c']", "'a.b/c' is not a host"},
      {"unqualified-search-registries = ['https://a.b']", "is not a host"},
      {"unqualified-search-registries = ['']", "is not a host"},
      {"short-name-mode = 'maybe'", "FILE: short-name-mode: invalid short-name mode: 'maybe'"},
      {"credential-helpers = ['../x']", "FILE: credential-helpers: '../x' is not a plain name"},
      {"registry = 1", "FILE: registry is neither a table nor an array of tables"},
      {"[[registry]]\nblocked = true", "both location and prefix are unset"},
      {"[[registry]]\nlocation = 'a.b'\nblocked = 'true'",
       "FILE: registry[1].blocked is neither true nor false"},
      {"[[registry]]\nlocation = 1", "FILE: registry[1].location is not a text"},
      {"[[registry]]\nlocation = 'https://a.b'", "URI schemes are not supported"},
      {"[[registry]]\nprefix = 'a.b'", "location is unset and prefix 'a.b' is not in the format"},
      {"[[registry]]\nprefix = '*.a.b/c'", "wildcarded prefix '*.a.b/c'"},
      {"[[registry]]\nprefix = '*.a.b:5'", "wildcarded prefix '*.a.b:5'"},
      {"[[registry]]\nlocation = 'a.b'\npull-from-mirror = 'all'", "non-mirror registry"},
      {"[[registry]]\nlocation = 'a.b'\n[[registry.mirror]]\ninsecure = true",
       "FILE: registry[1].mirror[1].location: mirror location is unset"},
      {"[[registry]]\nlocation = 'a.b'\n[[registry.mirror]]\nlocation='m.b'\npull-from-mirror='x'",
       "'x' is none of all, digest-only, tag-only"},
      {"[[registry]]\nlocation = 'a.b'\nmirror-by-digest-only=true\n[[registry.mirror]]\n"
       "location='m.b'\npull-from-mirror='all'",
       "cannot be set together with mirror-by-digest-only"},
      {"[[registry]]\nlocation='a.b'\nproxy='http://p'",
       "FILE: registry[1].proxy is not supported"},
      {"[[registry]]\nlocation='a.b'\ninsecure=true\n[[registry]]\nprefix='c.d'\nlocation='a.b'",
       "registry 'a.b' is defined multiple times with conflicting 'insecure' setting"},
      {"[[registry]]\nlocation='a.b'\nblocked=true\n[[registry]]\nprefix='c.d'\nlocation='a.b'",
       "registry 'a.b' is defined multiple times with conflicting 'blocked' setting"},
      {"[aliases]\n'a.b/c' = 'a.b/c'", "'a.b/c' is not a short name"},
      {"[aliases]\n'app:1' = 'a.b/c'", "'app:1' is not a short name"},
      {"[aliases]\napp = 'other'", "'other' is not a registry with a repository"},
      {"[aliases]\napp = 'a.b/c:1'", "'a.b/c:1' is not a registry with a repository"},
      {"[aliases]\napp = 1", "FILE: aliases.app is not a text"},
      {"[registries.search]\nregistries = ['a.b']",
       "FILE: registries.conf must be in v2 format but is in v1"},
      {"[registries.block]\nregistries = []",
       "FILE: registries.conf must be in v2 format but is in v1"},
  };
  for (const auto& [text, reason] : cases) {
    EXPECT_NE(refusal(text).find(reason), std::string::npos) << text << "\n" << refusal(text);
  }
}

TEST(RegistriesConf, BoundsSizeAndDepth) {
  EXPECT_NE(refusal(std::string(kMaxRegistriesConfBytes + 1, '#')).find("larger than"),
            std::string::npos);
  std::string dots = "a";
  for (int i = 0; i < 300; ++i) dots += ".a";
  EXPECT_NE(refusal(dots + " = 1").find("more than 256 dots"), std::string::npos);
  EXPECT_FALSE(refusal("a = " + std::string(50'000, '[')).empty());
}

TEST(RegistriesConf, TheFirstOfTwoRulesForOnePrefixCounts) {
  const RegistriesConf conf = RegistriesConf::parse(
      "[[registry]]\nprefix='p.b'\nlocation='one.b'\n[[registry]]\nprefix='p.b'\nlocation='two.b'"
      "\n",
      "F");
  ASSERT_EQ(conf.rules.size(), 1U);
  EXPECT_EQ(conf.rules[0].location, "one.b");
}

TEST(RegistriesConf, LaterFilesReplaceRulesAliasesAndLists) {
  RegistriesConf conf = RegistriesConf::parse(
      "unqualified-search-registries=['a.b']\nshort-name-mode='enforcing'\n"
      "[aliases]\none='a.b/one'\ntwo='a.b/two'\n"
      "[[registry]]\nlocation='x.b'\nblocked=true\n[[registry]]\nlocation='y.b'\n",
      "first");
  conf.merge(RegistriesConf::parse(
      "unqualified-search-registries=[]\n[aliases]\ntwo=''\nthree='a.b/three'\n"
      "[[registry]]\nlocation='x.b'\n[[registry]]\nlocation='a.b'\n",
      "second"));
  ASSERT_EQ(conf.rules.size(), 3U);
  EXPECT_EQ(conf.rules[0].prefix, "a.b");
  EXPECT_FALSE(conf.rules[1].blocked);
  EXPECT_EQ(conf.rules[1].file, "second");
  EXPECT_EQ(conf.rules[2].file, "first");
  EXPECT_TRUE(conf.search_registries->empty());
  EXPECT_EQ(conf.short_names, RegistriesConf::ShortNames::enforcing);
  EXPECT_EQ(conf.aliases.at("one").file, "first");
  EXPECT_EQ(conf.aliases.at("two").name, "");
  EXPECT_EQ(conf.aliases.at("three").file, "second");
}

TEST(RegistriesConf, PrefixesEndWhereComponentsDo) {
  struct Case {
    const char* prefix;
    const char* name;
    std::optional<std::size_t> covered;
  };
  const Case cases[] = {
      {"a.b", "a.b/c:1", 3},
      {"a.b", "a.b", 3},
      {"a.b", "a.b:5000/c:1", 3},
      {"a.b", "a.bc/c:1", std::nullopt},
      {"a.b", "x.a.b/c:1", std::nullopt},
      {"a.b:5000", "a.b/c:1", std::nullopt},
      {"a.b/c", "a.b/c:1", 5},
      {"a.b/c", "a.b/c/d:1", 5},
      {"a.b/c", "a.b/cd:1", std::nullopt},
      {"a.b/c:1", "a.b/c:1", 7},
      {"a.b/c:1", "a.b/c:10", std::nullopt},
      {"a.b/c:1", "a.b/c:1@sha256:aa", 7},
      {"a.b/c", "a.b/c@sha256:aa", 5},
      {"*.a.b", "x.a.b/c:1", 5},
      {"*.a.b", "y.x.a.b:5000/c:1", 7},
      {"*.a.b", "a.b/c:1", std::nullopt},
      {"*.a.b", "xa.b/c:1", std::nullopt},
      {"*.a.b", "x.a.b.evil/c:1", std::nullopt},
      {"*.a.b", "evil/x.a.b:1", std::nullopt},
      {"", "a.b/c", std::nullopt},
  };
  for (const Case& c : cases)
    EXPECT_EQ(covered_by(c.prefix, c.name), c.covered) << c.prefix << " " << c.name;
}

TEST(RegistriesConf, TheLongestPrefixCounts) {
  const RegistriesConf conf = RegistriesConf::parse(
      "[[registry]]\nlocation='a.b'\n[[registry]]\nlocation='a.b/c'\n[[registry]]\nlocation='a.b/c/"
      "d'\n"
      "[[registry]]\nprefix='*.b'\n[[registry]]\nprefix='*.x.b'\n",
      "F");
  const auto prefix_of = [&](const char* name) {
    const auto* rule = conf.rule_for(name);
    return rule == nullptr ? std::string() : rule->prefix;
  };
  EXPECT_EQ(prefix_of("a.b/c/d/e:1"), "a.b/c/d");
  EXPECT_EQ(prefix_of("a.b/c/de:1"), "a.b/c");
  EXPECT_EQ(prefix_of("a.b/x:1"), "a.b");
  EXPECT_EQ(prefix_of("q.b/x:1"), "*.b");
  EXPECT_EQ(prefix_of("q.x.b/x:1"), "*.x.b");
  EXPECT_EQ(prefix_of("q.c/x:1"), "");
}

class RegistriesConfFiles : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text = "") {
    const fs::path path = fs::path(room_.path()) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  [[nodiscard]] std::string at(const std::string& name) const {
    return cat(room_.path(), "/", name);
  }
  RegistriesConfPaths paths(unsigned user = 0) {
    return {
        .user_directory = at("home"), .system_directories = {at("etc"), at("usr")}, .user = user};
  }

  TempDir room_{"/tmp"};
};

TEST_F(RegistriesConfFiles, NoneIsNoError) {
  EXPECT_TRUE(registries_conf_files(paths()).empty());
  EXPECT_EQ(load_registries_conf(paths()), RegistriesConf{});
}

TEST_F(RegistriesConfFiles, TheFirstMainFileCountsAlone) {
  const std::string usr = write("usr/registries.conf");
  EXPECT_EQ(registries_conf_files(paths()), std::vector<std::string>{usr});
  const std::string etc = write("etc/registries.conf");
  EXPECT_EQ(registries_conf_files(paths()), std::vector<std::string>{etc});
  const std::string home = write("home/registries.conf");
  EXPECT_EQ(registries_conf_files(paths()), std::vector<std::string>{home});
}

TEST_F(RegistriesConfFiles, DropInsAreReadByNameAndTheUsersWins) {
  write("usr/registries.conf.d/10-a.conf");
  const std::string etc_a = write("etc/registries.conf.d/10-a.conf");
  write("etc/registries.conf.d/30-c.conf");
  write("etc/registries.conf.d/readme.txt");
  fs::create_directories(at("etc/registries.conf.d/40-d.conf"));
  fs::create_symlink("/nonexistent", at("etc/registries.conf.d/50-e.conf"));
  const std::string usr_b = write("usr/registries.conf.d/20-b.conf");
  const std::string home_c = write("home/registries.conf.d/30-c.conf");
  const std::string main = write("etc/registries.conf");
  EXPECT_EQ(registries_conf_files(paths()), (std::vector<std::string>{main, etc_a, usr_b, home_c}));
}

TEST_F(RegistriesConfFiles, RootAndUsersHaveDirectoriesOfTheirOwn) {
  const std::string rootful = write("etc/registries.rootful.conf.d/1.conf");
  const std::string rootless = write("usr/registries.rootless.conf.d/1.conf");
  const std::string own = write("etc/registries.rootless.conf.d/1000/2.conf");
  EXPECT_EQ(registries_conf_files(paths(0)), std::vector<std::string>{rootful});
  EXPECT_EQ(registries_conf_files(paths(1000)), (std::vector<std::string>{rootless, own}));
  EXPECT_EQ(registries_conf_files(paths(7)), std::vector<std::string>{rootless});
}

TEST_F(RegistriesConfFiles, VariablesAndOptionsTakeTheirPlace) {
  write("etc/registries.conf");
  const std::string drop_in = write("etc/registries.conf.d/1.conf");
  const std::string given = write("given.conf");
  const std::string last = write("last.conf");
  RegistriesConfPaths wanted = paths();
  wanted.only_file = given;
  wanted.override_file = last;
  EXPECT_EQ(registries_conf_files(wanted), (std::vector<std::string>{given, last}));
  wanted.only_file = "/nonexistent";
  EXPECT_THROW((void)registries_conf_files(wanted), Error);
  wanted.main_file = given;  // stronger than the variable, and drop-ins still count
  EXPECT_EQ(registries_conf_files(wanted), (std::vector<std::string>{given, drop_in, last}));
  wanted.main_file = "/nonexistent";
  EXPECT_THROW((void)registries_conf_files(wanted), Error);
  wanted.main_file = given;
  wanted.override_file = "/nonexistent";
  EXPECT_THROW((void)registries_conf_files(wanted), Error);
}

TEST_F(RegistriesConfFiles, RecordedShortNamesComeLast) {
  write("etc/registries.conf", "[aliases]\na='a.b/a'\nb='a.b/b'\n");
  RegistriesConfPaths wanted = paths();
  wanted.aliases_file = at("cache/aliases.conf");
  EXPECT_EQ(load_registries_conf(wanted).aliases.at("a").name, "a.b/a");
  write("cache/aliases.conf", "[aliases]\na='c.d/a'\n[[registry]]\nlocation='no.b'\n");
  const RegistriesConf conf = load_registries_conf(wanted);
  EXPECT_EQ(conf.aliases.at("a").name, "c.d/a");
  EXPECT_EQ(conf.aliases.at("b").name, "a.b/b");
  EXPECT_TRUE(conf.rules.empty());
}

TEST_F(RegistriesConfFiles, MistakesNameTheirFile) {
  const std::string bad = write("etc/registries.conf.d/1.conf", "x = ");
  try {
    (void)load_registries_conf(paths());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(bad), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace lade
