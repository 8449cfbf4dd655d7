#include "libimage/packages/find_packages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/packages/map_tree.h"

namespace lade::packages {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Inventory inventory(std::map<std::string, std::string> files, const FindLimits& limits = {}) {
  MapTree tree(std::move(files));
  return find_packages(tree, limits);
}

std::vector<std::string> found(const Inventory& inventory) {
  std::vector<std::string> out;
  for (const Package& package : inventory.packages)
    out.push_back(cat(package.url(), " ", package.found_in));
  return out;
}

TEST(FindPackages, FindsEachKindWhereItIs) {
  const Inventory got = inventory(
      {{"etc/os-release", "ID=debian\nVERSION_ID=12\n"},
       {"var/lib/dpkg/status", "Package: bash\nStatus: install ok installed\nVersion: 5\n"},
       {"var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 1\n"},
       {"lib/apk/db/installed", "P:musl\nV:1.2\n\n"},
       {"app/node_modules/a/package.json", R"({"name":"a","version":"1.0.0"})"},
       {"app/node_modules/@s/b/package.json", R"({"name":"@s/b","version":"2.0.0"})"},
       {"app/node_modules/a/test/package.json", R"({"name":"no","version":"0"})"},
       {"app/package.json", R"({"name":"no","version":"0"})"},
       {"app/package-lock.json",
        R"({"packages":{"node_modules/a":{"version":"1.0.0"},"node_modules/c":{"version":"3.0.0"}}})"},
       {"usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA",
        "Name: six\nVersion: 1.16.0\n"},
       {"usr/lib/python3/dist-packages/old.egg-info", "Name: old\nVersion: 1\n"},
       {"usr/bin/program",
        go_program("go1.22.1", "mod\ta.example/b\tv1.0.0\n") + std::string(4096, ' ')},
       {"proc/1/METADATA", "Name: no\nVersion: 1\n"}});
  EXPECT_THAT(found(got),
              ElementsAre("pkg:apk/debian/musl@1.2?distro=debian-12 /lib/apk/db/installed",
                          "pkg:deb/debian/bash@5?distro=debian-12 /var/lib/dpkg/status",
                          "pkg:deb/debian/tzdata@1?distro=debian-12 /var/lib/dpkg/status.d/tzdata",
                          "pkg:golang/a.example/b@v1.0.0 /usr/bin/program",
                          "pkg:golang/stdlib@1.22.1 /usr/bin/program",
                          "pkg:npm/%40s/b@2.0.0 /app/node_modules/@s/b/package.json",
                          "pkg:npm/a@1.0.0 /app/node_modules/a/package.json",
                          "pkg:npm/c@3.0.0 /app/package-lock.json",
                          "pkg:pypi/old@1 /usr/lib/python3/dist-packages/old.egg-info",
                          "pkg:pypi/six@1.16.0 "
                          "/usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA"));
  EXPECT_THAT(got.remarks, IsEmpty());
}

TEST(FindPackages, SaysWhatItCouldNotRead) {
  const Inventory got = inventory({{"var/lib/rpm/Packages", "x"},
                                   {"usr/lib/sysimage/rpm/Packages.db", "x"},
                                   {"usr/lib/sysimage/rpm/rpmdb.sqlite", "damaged"},
                                   {"a/node_modules/b/package.json", "{"}});
  EXPECT_THAT(got.packages, IsEmpty());
  EXPECT_THAT(got.remarks, ElementsAre(HasSubstr("/a/node_modules/b/package.json: not a JSON"),
                                       HasSubstr("Packages.db: RPM database of the ndb format"),
                                       HasSubstr("rpmdb.sqlite: SQLite database: cut short"),
                                       HasSubstr("Packages: RPM database of the Berkeley DB")));
}

TEST(FindPackages, ReadsAnRpmDatabase) {
  const Inventory got =
      inventory({{"etc/os-release", "ID=fedora\nVERSION_ID=40\n"},
                 {"usr/lib/sysimage/rpm/rpmdb.sqlite",
                  read_file(cat(LADE_SOURCE_DIR, "/testdata/packages/rpmdb.sqlite"), 1U << 20U)}});
  ASSERT_EQ(got.packages.size(), 3U);
  EXPECT_EQ(got.packages[2].url(),
            "pkg:rpm/fedora/tool@1.2-3?arch=noarch&distro=fedora-40&epoch=1");
}

TEST(FindPackages, HasLimits) {
  EXPECT_THROW(inventory({{"a", ""}, {"b", ""}}, {.max_entries = 1}), Error);
  const Inventory got = inventory({{"a/b/c/d", ""}}, {.max_depth = 1});
  EXPECT_THAT(got.remarks, ElementsAre("/a/b: too deep, not looked at"));
}

}  // namespace
}  // namespace lade::packages
