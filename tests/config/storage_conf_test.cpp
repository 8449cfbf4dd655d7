#include "libimage/config/storage_conf.h"

#include <fstream>

#include <gtest/gtest.h>

#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/support/thrown.h"

namespace lade {
namespace {

using testing::code_thrown;

constexpr std::string_view kConf = R"([storage]
driver = "overlay"
runroot = "/run/x"
graphroot = "/graph"
rootless_storage_path = "$HOME/own/$UID"
[storage.options]
additionalimagestores = ["/more"]
ignore_chown_errors = "false"
[storage.options.overlay]
mountopt = "nodev"
ignore_chown_errors = "true"
[storage.options.vfs]
ignore_chown_errors = "0"
)";

Errc code_of(const std::string& text) {
  return code_thrown([&] { (void)parse_storage_conf(text, "f"); });
}

class StorageConfFiles : public ::testing::Test {
 protected:
  TempDir temp_{"/tmp"};
  std::string write(const std::string& name, std::string_view text) const {
    const std::string path = cat(temp_.path(), "/", name);
    std::ofstream(path) << text;
    return path;
  }
  [[nodiscard]] StorageConfSources sources(std::uint32_t user = 0) const {
    return {.user_file = temp_.path() + "/user",
            .system_files = {temp_.path() + "/etc", temp_.path() + "/usr"},
            .user = user,
            .user_graph_root = "/home/u/share/containers/storage",
            .user_run_root = "/run/user/5/containers",
            .variable = [](const std::string& name) -> std::string {
              return name == "HOME" ? "/home/u" : name == "UID" ? "5" : "";
            }};
  }
};

TEST(StorageConf, IsReadWithTheOptionsOfItsDriver) {
  const StorageConf conf = parse_storage_conf(kConf, "f");
  EXPECT_EQ(conf.driver, "overlay");
  EXPECT_EQ(conf.graph_root, "/graph");
  EXPECT_EQ(conf.run_root, "/run/x");
  EXPECT_EQ(conf.rootless_graph_root, "$HOME/own/$UID");
  EXPECT_EQ(conf.image_stores, std::vector<std::string>{"/more"});
  EXPECT_EQ(conf.driver_options, std::vector<std::string>{"overlay.ignore_chown_errors=true"});
  EXPECT_EQ(parse_storage_conf("", "f"), StorageConf{});
  EXPECT_EQ(parse_storage_conf("[storage]\ndriver = 'overlay2'", "f").driver, "overlay");
}

TEST(StorageConf, GivesTheOptionsOfAnotherDriverThatIsWanted) {
  const StorageConf conf = parse_storage_conf(kConf, "f", "vfs");
  EXPECT_EQ(conf.driver, "vfs");
  EXPECT_EQ(conf.driver_options, std::vector<std::string>{"vfs.ignore_chown_errors=0"});
  EXPECT_EQ(parse_storage_conf(kConf, "f", "btrfs").driver_options,
            std::vector<std::string>{"btrfs.ignore_chown_errors=false"});
}

TEST(StorageConf, RefusesOtherTypes) {
  for (const char* text :
       {"[storage]\ndriver = 1", "[storage", "storage = 1", "[[storage]]\n[[storage]]",
        "[storage]\noptions = 'x'", "[storage.options]\nadditionalimagestores = '/x'"}) {
    EXPECT_EQ(code_of(text), Errc::invalid_content) << text;
  }
}

TEST(StorageConf, RefusesWhatWouldPutImagesElsewhereOrChangeThem) {
  for (const char* text :
       {"[storage]\nimagestore = '/x'", "[storage.options]\nremap-uids = '0:1:2'",
        "[storage.options]\nremap-user = 'u'", "[storage]\ndriver_priority = ['vfs']"}) {
    EXPECT_EQ(code_of(text), Errc::unsupported) << text;
  }
  const char* named = "[storage]\ndriver = 'overlay'\ndriver_priority = ['vfs']\nimagestore = ''";
  EXPECT_EQ(parse_storage_conf(named, "f").driver, "overlay");
}

TEST_F(StorageConfFiles, DefaultsHoldWithoutAny) {
  EXPECT_EQ(find_storage(sources()).graph_root, "/var/lib/containers/storage");
  EXPECT_EQ(find_storage(sources()).run_root, "/run/containers/storage");
  EXPECT_EQ(find_storage(sources(5)).graph_root, "/home/u/share/containers/storage");
  EXPECT_EQ(find_storage(sources(5)).run_root, "/run/user/5/containers");
}

TEST_F(StorageConfFiles, TheFirstThatIsThereCounts) {
  write("usr", "[storage]\ngraphroot = '/usr'\n");
  EXPECT_EQ(find_storage(sources()).graph_root, "/usr");
  write("etc", "[storage]\ngraphroot = '/etc'\n");
  EXPECT_EQ(find_storage(sources()).graph_root, "/etc");
  write("user", "[storage]\ngraphroot = '/user'\n");
  EXPECT_EQ(find_storage(sources()).graph_root, "/user");
  StorageConfSources from = sources();
  from.explicit_file = write("explicit", "[storage]\ngraphroot = '/explicit'\n");
  EXPECT_EQ(find_storage(from).graph_root, "/explicit");
  from.explicit_file = temp_.path() + "/missing";
  EXPECT_EQ(code_thrown([&] { (void)find_storage(from); }), Errc::not_found);
}

TEST_F(StorageConfFiles, RootsStoreIsNotAUsers) {
  write("etc", "[storage]\ndriver = 'vfs'\ngraphroot = '/graph'\nrunroot = '/run/x'\n");
  StorageConf conf = find_storage(sources(5));
  EXPECT_EQ(conf.graph_root, "/home/u/share/containers/storage");
  EXPECT_EQ(conf.run_root, "/run/user/5/containers");
  EXPECT_EQ(conf.driver, "vfs");
  write("etc", kConf);
  conf = find_storage(sources(5));
  EXPECT_EQ(conf.graph_root, "/home/u/own/5");
  EXPECT_TRUE(conf.image_stores.empty());
  EXPECT_EQ(conf.driver_options, std::vector<std::string>{"overlay.ignore_chown_errors=true"});
}

TEST_F(StorageConfFiles, AUsersOwnFileSaysWhereTheStoreIs) {
  write("user", kConf);
  EXPECT_EQ(find_storage(sources(5)).graph_root, "/graph");
  write("user", "[storage]\nrootless_storage_path = '${HOME}/$UID'\n");
  EXPECT_EQ(find_storage(sources(5)).graph_root, "/home/u/5");
  EXPECT_EQ(find_storage(sources(0)).graph_root, "/var/lib/containers/storage");
}

TEST_F(StorageConfFiles, TheEnvironmentGoesBeforeThem) {
  StorageConfSources from = sources();
  from.driver = "vfs";
  from.driver_options = "a=b,c=d";
  EXPECT_EQ(find_storage(from).driver, "vfs");
  write("etc", kConf);
  const StorageConf conf = find_storage(from);
  EXPECT_EQ(conf.driver, "vfs");
  EXPECT_EQ(conf.driver_options,
            (std::vector<std::string>{"vfs.ignore_chown_errors=0", "a=b", "c=d"}));
}

TEST_F(StorageConfFiles, PathsAreAbsolute) {
  for (const char* text : {"[storage]\ngraphroot = 'a'", "[storage]\nrunroot = '$NOTHING.'",
                           "[storage]\ngraphroot = \"/a\\u0000\"",
                           "[storage.options]\nadditionalimagestores = ['a']"}) {
    write("etc", text);
    EXPECT_EQ(code_thrown([&] { (void)find_storage(sources()); }), Errc::invalid_content) << text;
  }
}

TEST(StorageConf, PathsHoldVariables) {
  const auto variable = [](const std::string& name) { return cat("<", name, ">"); };
  EXPECT_EQ(expanded_path("/a/$HOME/${UID}x$", variable), "/a/<HOME>/<UID>x$");
  EXPECT_EQ(expanded_path("${open", variable), "${open");
  EXPECT_EQ(expanded_path("$-${}", variable), "$-${}");
}

}  // namespace
}  // namespace lade
