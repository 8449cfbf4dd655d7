#include "libimage/runtime/config_json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/validate.h"

namespace lade::runtime {
namespace {

using namespace sandbox;
using ::testing::HasSubstr;

std::string specification_example() {
  return read_file(cat(LADE_SOURCE_DIR, "/fuzz/corpus/runtime_config/specification.json"),
                   1U << 20U);
}

template <typename Body>
std::string failure(const Body& body) {
  try {
    body();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

std::string parse_failure(const std::string& json) {
  return failure([&] { (void)parse_config(json); });
}

TEST(ConfigJson, ReadsEveryFieldOfTheSpecificationsExample) {
  const RuntimeConfig config = parse_config(specification_example());
  EXPECT_EQ(config.process.args, std::vector<std::string>{"sh"});
  EXPECT_TRUE(config.process.capabilities.ambient.contains("CAP_NET_BIND_SERVICE"));
  EXPECT_TRUE(config.process.no_new_privileges);
  EXPECT_EQ(config.hooks.prestart.size(), 2U);
  EXPECT_EQ(config.hooks.poststart.at(0).timeout, 5U);
  EXPECT_EQ(config.devices.at(1).file_mode, 432U);
  EXPECT_EQ(config.uid_mappings.at(0).host_id, 1000U);
  EXPECT_EQ(config.sysctl.at("net.core.somaxconn"), "256");
  const Resources& resources = *config.resources;
  EXPECT_EQ(resources.pids->limit, 32771);
  EXPECT_EQ(resources.memory->limit, 536870912);
  EXPECT_EQ(resources.cpu->cpus, "2-3");
  EXPECT_EQ(resources.devices.at(1).major, 10);
  EXPECT_EQ(resources.block_io->read_bps.at(0).rate, 600U);
  EXPECT_EQ(resources.hugepage_limits.at(0).page_size, "2MB");
  EXPECT_EQ(resources.unknown.count("network"), 1U);
  EXPECT_EQ(config.rootfs_propagation, "slave");
  EXPECT_EQ(config.seccomp->default_action, SeccompAction::allow);
  EXPECT_EQ(config.seccomp->rules.at(0).names.size(), 2U);
  EXPECT_EQ(config.namespaces.count(Namespace::user), 1U);
  EXPECT_EQ(config.mount_label, "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811");
  EXPECT_EQ(config.annotations.at("com.example.key1"), "value1");
}

TEST(ConfigJson, WritesWhatItReads) {
  for (const RuntimeConfig& config : {parse_config(specification_example()), default_config()}) {
    const std::string text = serialise(config);
    EXPECT_EQ(parse_config(text), config);
    EXPECT_EQ(serialise(parse_config(text)), text);
  }
}

TEST(ConfigJson, KeepsWhatItDoesNotKnow) {
  const RuntimeConfig config = parse_config(
      R"({"ociVersion":"1.0.2","root":{"path":"r"},"linux":{"later":[1,{"a":null}]},"vm":{"b":1e3},)"
      R"("mounts":[{"destination":"/x","new":"y"}]})");
  const std::string text = serialise(config);
  EXPECT_THAT(text, HasSubstr(R"("later":[1,{"a":null}])"));
  EXPECT_THAT(text, HasSubstr(R"("vm":{"b":1e3})"));
  EXPECT_THAT(text, HasSubstr(R"("new":"y")"));
}

TEST(ConfigJson, NamesWhatIsWrongByItsPlace) {
  const auto with_linux = [](const std::string& members) {
    return parse_failure(cat(R"({"ociVersion":"1.0.2","linux":{)", members, "}}"));
  };
  EXPECT_THAT(parse_failure("{"), HasSubstr("config.json: not valid JSON"));
  EXPECT_THAT(parse_failure("{}"), HasSubstr("ociVersion: is missing"));
  EXPECT_THAT(parse_failure(R"({"ociVersion":"2.0.0"})"), HasSubstr("'2.0.0' is not 1.x"));
  EXPECT_THAT(parse_failure(R"({"ociVersion":"1.0.2","process":{"cwd":"/"}})"),
              HasSubstr("user: is missing"));
  EXPECT_THAT(
      parse_failure(R"({"ociVersion":"1.0.2","process":{"cwd":1,"user":{"uid":0,"gid":0}}})"),
      HasSubstr("process.cwd: is a number, not a string"));
  EXPECT_THAT(parse_failure(R"({"ociVersion":"1.0.2","hostname":"a","hostname":"b"})"),
              HasSubstr("'hostname' occurs twice"));
  EXPECT_THAT(with_linux(R"("resources":{"pids":{"limit":1e3}})"),
              HasSubstr("linux.resources.pids.limit: is 1e3, not an integer"));
  EXPECT_THAT(with_linux(R"("uidMappings":[{"containerID":0,"hostID":4294967296,"size":1}])"),
              HasSubstr("linux.uidMappings[0].hostID: is 4294967296"));
  EXPECT_THAT(with_linux(R"("namespaces":[{"type":"pid"},{"type":"pid"}])"),
              HasSubstr("pid is given twice"));
  EXPECT_THAT(with_linux(R"("namespaces":[{"type":"weather"}])"),
              HasSubstr("'weather' is unknown"));
  EXPECT_THAT(with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_NOTIFY"})"),
              HasSubstr("SCMP_ACT_NOTIFY is not supported"));
  EXPECT_THAT(parse_failure(std::string(100, '[')), HasSubstr("config.json"));
}

TEST(ConfigJson, RefusesWhatOnlyTheBuiltInRunnerDoes) {
  RuntimeConfig config = default_config();
  config.root.overlay = OverlayRoot{{"a"}, "b", "c"};
  EXPECT_THAT(failure([&] { (void)serialise(config); }), HasSubstr("overlay"));
  config.root = {.path = "r"};
  config.mounts.push_back({.destination = "/secret", .type = "content", .content = "x"});
  EXPECT_THAT(failure([&] { (void)serialise(config); }), HasSubstr("'/secret'"));
}

TEST(Validate, RefusesByNameWhatIsNotDone) {
  const auto refusal = [](const auto& change) {
    RuntimeConfig config = default_config();
    config.process.args = {"sh"};
    config.root.path = "/r";
    change(config);
    return failure([&] { validate(config); });
  };
  using C = RuntimeConfig;
  EXPECT_EQ(refusal([](C&) {}), "");
  EXPECT_THAT(refusal([](C& c) { c.unknown_linux["intelRdt"] = "{}"; }),
              HasSubstr("linux.intelRdt"));
  EXPECT_THAT(refusal([](C& c) { c.resources.emplace().unknown["rdma"] = "{}"; }),
              HasSubstr("linux.resources.rdma is not supported"));
  EXPECT_THAT(refusal([](C& c) { c.seccomp->listener_path = "/x"; }),
              HasSubstr("linux.seccomp.listenerPath is not supported"));
  EXPECT_THAT(refusal([](C& c) { c.seccomp->flags = {"SECCOMP_FILTER_FLAG_NEW"}; }),
              HasSubstr("SECCOMP_FILTER_FLAG_NEW"));
  EXPECT_THAT(refusal([](C& c) { c.namespaces.erase(Namespace::mount); }),
              HasSubstr("mount namespace"));
  EXPECT_THAT(refusal([](C& c) { c.sysctl["vm.swappiness"] = "1"; }), HasSubstr("vm.swappiness"));
  EXPECT_THAT(refusal([](C& c) { c.process.capabilities.ambient = {"CAP_KILL"}; }),
              HasSubstr("capabilities.ambient"));
  EXPECT_THAT(refusal([](C& c) { c.devices = {{.path = "/dev/x", .type = "d"}}; }),
              HasSubstr("linux.devices: '/dev/x': no type 'd'"));
  EXPECT_THAT(refusal([](C& c) { c.hooks.prestart = {{.path = "relative"}}; }),
              HasSubstr("hooks.prestart: path 'relative' is not an absolute path"));
  EXPECT_THAT(refusal([](C& c) { c.rootfs_propagation = "sideways"; }), HasSubstr("'sideways'"));
}

}  // namespace
}  // namespace lade::runtime
