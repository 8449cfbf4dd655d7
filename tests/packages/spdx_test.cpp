#include "libimage/packages/spdx.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lade::packages {
namespace {

using nlohmann::json;

Inventory inventory() {
  return {.distribution = {"debian", "12", "Debian GNU/Linux 12"},
          .packages = {{.type = "deb",
                        .space = "debian",
                        .name = "bash",
                        .version = "5.2",
                        .supplier = "A B <a@b.example>",
                        .found_in = "/var/lib/dpkg/status"},
                       {.type = "npm",
                        .space = "@s",
                        .name = "b",
                        .version = "1.0",
                        .license = "(MIT OR Apache-2.0)",
                        .found_in = "/x"},
                       {.type = "pypi", .name = "six", .license = "as is", .found_in = "/y"}},
          .remarks = {"/z: not read"}};
}

TEST(SpdxDocument, HasEveryMandatoryMember) {
  const json document =
      json::parse(spdx_document(inventory(), {.name = "app", .created = "2020-01-01T00:00:00Z"}));
  EXPECT_EQ(document.at("spdxVersion"), "SPDX-2.3");
  EXPECT_EQ(document.at("dataLicense"), "CC0-1.0");
  EXPECT_EQ(document.at("SPDXID"), "SPDXRef-DOCUMENT");
  EXPECT_EQ(document.at("creationInfo").at("created"), "2020-01-01T00:00:00Z");
  EXPECT_EQ(document.at("comment"), "/z: not read");
  std::set<std::string> ids = {"SPDXRef-DOCUMENT"};
  for (const json& package : document.at("packages")) {
    EXPECT_TRUE(ids.insert(package.at("SPDXID").get<std::string>()).second);
    for (const char* member : {"name", "downloadLocation", "licenseDeclared", "copyrightText"})
      EXPECT_TRUE(package.contains(member)) << member;
  }
  for (const json& relation : document.at("relationships")) {
    EXPECT_TRUE(ids.contains(relation.at("spdxElementId").get<std::string>()));
    EXPECT_TRUE(ids.contains(relation.at("relatedSpdxElement").get<std::string>()));
  }
}

TEST(SpdxDocument, DeclaresOnlyLicensesThatSpdxKnows) {
  const json packages = json::parse(spdx_document(inventory(), {.name = "app"})).at("packages");
  ASSERT_EQ(packages.size(), 5U);
  EXPECT_EQ(packages[2].at("supplier"), "Person: A B (a@b.example)");
  EXPECT_EQ(packages[2].at("licenseDeclared"), "NOASSERTION");
  EXPECT_EQ(packages[3].at("name"), "@s/b");
  EXPECT_EQ(packages[3].at("licenseDeclared"), "(MIT OR Apache-2.0)");
  EXPECT_EQ(packages[4].at("licenseComments"), "declared as: as is");
  EXPECT_EQ(packages[3].at("externalRefs")[0].at("referenceLocator"), "pkg:npm/%40s/b@1.0");
}

TEST(SpdxDocument, IsTheSameForTheSame) {
  EXPECT_EQ(spdx_document(inventory(), {.name = "a"}), spdx_document(inventory(), {.name = "a"}));
  EXPECT_NE(spdx_document(inventory(), {.name = "a"}), spdx_document(inventory(), {.name = "b"}));
}

}  // namespace
}  // namespace lade::packages
