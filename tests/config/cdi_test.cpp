#include "libimage/config/cdi.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kHead = "cdiVersion: 0.6.0\nkind: vendor.com/class\n";

std::string failure_of(const std::string& text) {
  try {
    (void)CdiSpec::parse(kHead + text);
    return "parsed";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Cdi, ReadsEveryFieldOfADevice) {
  const CdiSpec spec = CdiSpec::parse(
      R"({"cdiVersion":"0.6.0","kind":"vendor.com/class","annotations":{"a":"b"},
 "containerEdits":{"env":["A=b"]},
 "devices":[{"name":"x:0","annotations":{},"containerEdits":{"additionalGids":[5],
  "deviceNodes":[{"path":"/dev/x","hostPath":"/dev/y","type":"c","major":1,"minor":2,
   "fileMode":384,"uid":3,"gid":4,"permissions":"rw"}],
  "mounts":[{"hostPath":"/a","containerPath":"/b","options":["ro"]}],
  "hooks":[{"hookName":"createContainer","path":"/h","args":["h"],"env":["E=f"],"timeout":9}]}}]})");
  EXPECT_EQ(spec.kind, "vendor.com/class");
  EXPECT_THAT(spec.edits.env, ElementsAre("A=b"));
  const CdiEdits& edits = spec.devices.at("x:0");
  EXPECT_EQ(edits.device_nodes.at(0),
            (CdiDeviceNode{"/dev/x", "/dev/y", "c", 1, 2, 384, 3, 4, "rw"}));
  EXPECT_EQ(edits.mounts.at(0), (CdiMount{"/a", "/b", "", {"ro"}}));
  EXPECT_EQ(edits.hooks.at(0), (CdiHook{"createContainer", "/h", {"h"}, {"E=f"}, 9}));
  EXPECT_THAT(edits.additional_gids, ElementsAre(5U));
}

TEST(Cdi, RefusesWhatIsNoSpecification) {
  EXPECT_THAT(failure_of("devices: [{name: x, containerEdits: {deviceNodes: [{path: dev}]}}]\n"),
              HasSubstr("line 3: 'path' must be an absolute path"));
  EXPECT_THAT(failure_of("devices: [{name: ../x}]\n"), HasSubstr("without a name"));
  EXPECT_THAT(failure_of("devices: [{name: x}, {name: x}]\n"), HasSubstr("twice"));
  EXPECT_THAT(failure_of("containerEdits: {env: [A]}\n"), HasSubstr("NAME=VALUE"));
  EXPECT_THAT(failure_of("containerEdits: {intelRdt: {closID: x}}\n"),
              HasSubstr("not implemented"));
  EXPECT_THAT(failure_of("surprise: 1\n"), HasSubstr("is unknown"));
  EXPECT_THROW((void)CdiSpec::parse(""), Error);
  EXPECT_THROW((void)CdiSpec::parse("kind: a/b\n"), Error);
}

TEST(Cdi, NamesAreVendorClassAndDevice) {
  EXPECT_TRUE(is_cdi_name("vendor.com/class=x"));
  EXPECT_TRUE(is_cdi_name("vendor.com/class=*"));
  for (const char* text : {"/dev/x", "vendor.com/class", "vendor=x", "a/b=", "a/b=../x", "a/b/c=x"})
    EXPECT_FALSE(is_cdi_name(text)) << text;
}

TEST(CdiRegistry, TheLaterDirectoryDecides) {
  const TempDir early("/tmp", "lade-cdi-");
  const TempDir late("/tmp", "lade-cdi-");
  const auto write = [](const TempDir& dir, const char* name, const std::string& value) {
    std::ofstream(dir.path() + "/" + name)
        << kHead << "devices: [{name: x, containerEdits: {env: [V=" << value << "]}}]\n";
  };
  write(early, "a.yaml", "early");
  write(early, "ignored.txt", "none");
  EXPECT_THAT(CdiRegistry::read({early.path(), "/nowhere"}).find("vendor.com/class=x")->env,
              ElementsAre("V=early"));
  write(late, "b.yml", "late");
  const CdiRegistry both = CdiRegistry::read({early.path(), late.path()});
  EXPECT_THAT(both.find("vendor.com/class=*")->env, ElementsAre("V=late"));
  EXPECT_THAT(both.find("vendor.com/class")->env, ElementsAre("V=late"));
  EXPECT_FALSE(both.find("vendor.com/class=y"));
  write(late, "c.yaml", "again");
  EXPECT_THROW((void)CdiRegistry::read({late.path()}).find("vendor.com/class=x"), Error);
}

}  // namespace
}  // namespace lade
