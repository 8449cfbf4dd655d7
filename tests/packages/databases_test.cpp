#include "libimage/packages/databases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"

#include "tests/packages/map_tree.h"

namespace lade::packages {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> urls(const std::vector<Package>& packages) {
  std::vector<std::string> out;
  for (const Package& package : packages) out.push_back(package.url());
  return out;
}

constexpr std::string_view kStatus = R"(Package: libc6
Status: install ok installed
Priority: optional
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u4
Description: GNU C Library
 Package: not-a-field
Homepage: https://www.gnu.org/software/libc/libc.html

Package: removed
Status: deinstall ok config-files
Version: 1

Package: bash
Status: install ok installed
Version: 5.2.15-2+b2
Architecture: amd64
)";

TEST(DpkgStatus, ListsWhatIsInstalledAndNothingElse) {
  const std::vector<Package> found = parse_dpkg_status(kStatus);
  EXPECT_THAT(urls(found), ElementsAre("pkg:deb/libc6@2.36-9%2Bdeb12u4?arch=amd64&upstream=glibc",
                                       "pkg:deb/bash@5.2.15-2%2Bb2?arch=amd64"));
  EXPECT_EQ(found[0].supplier, "GNU Libc Maintainers <debian-glibc@lists.debian.org>");
  EXPECT_EQ(found[0].homepage, "https://www.gnu.org/software/libc/libc.html");
}

TEST(DpkgStatus, NeedsNoStatusInImagesWithoutDpkg) {
  EXPECT_THAT(urls(parse_dpkg_status("Package: tzdata\nVersion: 2024a-0+deb12u1\n")),
              ElementsAre("pkg:deb/tzdata@2024a-0%2Bdeb12u1"));
}

TEST(DpkgStatus, PassesOverWhatIsNoText) {
  EXPECT_THAT(parse_dpkg_status("Package: a\xff\nVersion: 1\n"), IsEmpty());
  EXPECT_THAT(parse_dpkg_status(cat("Package: ", std::string(5000, 'a'), "\n")), IsEmpty());
  EXPECT_THAT(parse_dpkg_status(std::string(1000, '\n')), IsEmpty());
}

TEST(ApkInstalled, ReadsPackagesBetweenTheirFiles) {
  const std::vector<Package> found = parse_apk_installed(
      "C:Q1abc=\nP:busybox\nV:1.36.1-r5\nA:x86_64\nL:GPL-2.0-only\no:busybox\nm:A <a@b.example>\n"
      "F:bin\nR:busybox\na:0:0:755\n\nP:busybox-binsh\nV:1.36.1-r5\nA:x86_64\no:busybox\n\n");
  EXPECT_THAT(urls(found),
              ElementsAre("pkg:apk/busybox@1.36.1-r5?arch=x86_64",
                          "pkg:apk/busybox-binsh@1.36.1-r5?arch=x86_64&upstream=busybox"));
  EXPECT_EQ(found[0].license, "GPL-2.0-only");
}

TEST(RpmDatabase, IsReadAsRpmWroteIt) {
  OwnedFile database(read_file(cat(LADE_SOURCE_DIR, "/testdata/packages/rpmdb.sqlite"), 1U << 20U));
  const std::vector<Package> found = read_rpm_database(database);
  EXPECT_THAT(urls(found),
              testing::UnorderedElementsAre(
                  "pkg:rpm/tool@1.2-3?arch=noarch&epoch=1", "pkg:rpm/library@0.9-1?arch=noarch",
                  "pkg:rpm/library-extra@0.9-1?arch=noarch&upstream=library"));
  for (const Package& package : found) {
    if (package.name != "tool") continue;
    EXPECT_EQ(package.license, "MIT");
    EXPECT_EQ(package.supplier, "Example");
    EXPECT_EQ(package.version, "1:1.2-3");
  }
}

TEST(RpmHeader, RefusesWhatIsCutShort) {
  EXPECT_THROW(parse_rpm_header(""), Error);
  EXPECT_THROW(parse_rpm_header(std::string_view("\0\0\0\1\0\0\0\0", 8)), Error);
  EXPECT_THROW(parse_rpm_header("\xff\xff\xff\xff\0\0\0\0"), Error);
}

TEST(PackageJson, GivesNameVersionAndLicense) {
  const auto plain = parse_package_json(
      R"({"name":"left-pad","version":"1.3.0","license":"WTFPL","author":{"name":"azer"}})");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->url(), "pkg:npm/left-pad@1.3.0");
  EXPECT_EQ(plain->license, "WTFPL");
  EXPECT_EQ(plain->supplier, "azer");
  const auto scoped =
      parse_package_json(R"({"name":"@types/node","version":"20.1.0","license":{"type":"MIT"}})");
  EXPECT_EQ(scoped.value().url(), "pkg:npm/%40types/node@20.1.0");
  EXPECT_EQ(scoped->license, "MIT");
  EXPECT_FALSE(parse_package_json(R"({"type":"module"})"));
  EXPECT_THROW(parse_package_json("[]"), Error);
  EXPECT_THROW(parse_package_json(std::string(100'000, '[')), Error);
}

TEST(PackageLock, ListsWhatItInstallsInEveryVersion) {
  EXPECT_THAT(urls(parse_package_lock(R"({"lockfileVersion":3,"packages":{
      "":{"name":"app","version":"1.0.0"},
      "node_modules/a":{"version":"1.0.0","license":"ISC"},
      "node_modules/a/node_modules/@s/b":{"version":"2.0.0"},
      "node_modules/alias":{"name":"real","version":"3.0.0"},
      "node_modules/linked":{"link":true}}})")),
              testing::UnorderedElementsAre("pkg:npm/a@1.0.0", "pkg:npm/%40s/b@2.0.0",
                                            "pkg:npm/real@3.0.0"));
  EXPECT_THAT(urls(parse_package_lock(R"({"lockfileVersion":1,"dependencies":{
      "a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}}}})")),
              ElementsAre("pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"));
}

TEST(PythonMetadata, IsReadUpToTheDescription) {
  const auto found = parse_python_metadata(
      "Metadata-Version: 2.1\nName: Zope.Interface_x\nVersion: 6.0\nLicense: ZPL 2.1\n\nName: "
      "no\n");
  EXPECT_EQ(found.value().url(), "pkg:pypi/zope-interface-x@6.0");
  EXPECT_EQ(found->license, "ZPL 2.1");
  EXPECT_FALSE(parse_python_metadata("Version: 1\n"));
}

TEST(GoBinary, ListsModulesReplacementsAndTheToolchain) {
  OwnedFile program(
      go_program("go1.22.1",
                 "path\texample.org/app\nmod\texample.org/app\t(devel)\t\n"
                 "dep\tgithub.com/a/b\tv1.2.3\th1:x=\n"
                 "dep\tgithub.com/old/c\tv0.1.0\n=>\tgithub.com/new/c\tv0.2.0\th1:y=\n"
                 "build\t-compiler=gc\n"));
  EXPECT_THAT(urls(read_go_binary(program)),
              ElementsAre("pkg:golang/example.org/app", "pkg:golang/github.com/a/b@v1.2.3",
                          "pkg:golang/github.com/new/c@v0.2.0", "pkg:golang/stdlib@1.22.1"));
}

TEST(GoBinary, OfAPeerIsRead) {
  OwnedFile program(read_file("/usr/bin/skopeo", std::uint64_t{200} << 20U));
  const std::vector<Package> found = read_go_binary(program);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back().name, "stdlib");
  EXPECT_TRUE(found.back().version.starts_with("1."));
}

TEST(GoBinary, IsNothingElse) {
  OwnedFile text(std::string(5000, 'x'));
  EXPECT_THAT(read_go_binary(text), IsEmpty());
  OwnedFile elf(read_file("/bin/busybox", std::uint64_t{16} << 20U));
  EXPECT_THAT(read_go_binary(elf), IsEmpty());
  OwnedFile old(go_program("go1.16", "", 0));
  EXPECT_THROW(read_go_binary(old), Error);
  const std::string whole = go_program("go1.22.1", "mod\ta\tv1\n");
  for (std::size_t size = 64; size < whole.size(); ++size) {
    OwnedFile cut(whole.substr(0, size));
    try {
      (void)read_go_binary(cut);
    } catch (const Error&) {  // refused
      continue;
    }
  }
}

TEST(OsRelease, IsUnquoted) {
  const Distribution found = parse_os_release(
      "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID='12'\nID=debian\n");
  EXPECT_EQ(found, (Distribution{"debian", "12", "Debian GNU/Linux 12 (bookworm)"}));
  EXPECT_EQ(found.label(), "debian-12");
}

}  // namespace
}  // namespace lade::packages
