#include "libimage/oci/image_config.h"

#include "libimage/base/text.h"
#include "libimage/oci/document.h"

#include "tests/oci/expect.h"

namespace lade::oci {
namespace {

#define LADE_ID "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define LADE_ROOTFS R"("rootfs":{"type":"layers","diff_ids":[")" LADE_ID R"("]})"

ImageConfig with_config(std::string_view members) {
  return parse_image_config(cat(R"({"config":{)", members, "}," LADE_ROOTFS "}"));
}

TEST(ImageConfig, ReadsEveryMember) {
  const ImageConfig config = parse_image_config(
      R"({"created":"2015-10-31T22:22:56.015925234Z","author":"A <a@example.com>",)"
      R"("architecture":"arm","os":"linux","os.version":"1","os.features":["f"],"variant":"v7",)"
      R"("config":{"User":"1:1","ExposedPorts":{"8080/tcp":{}},"Env":["A=b"],"Entrypoint":["/sh"],)"
      R"("Cmd":["-c"],"Volumes":{"/data":{}},"WorkingDir":"/w","Labels":{"l":"v"},)"
      R"("StopSignal":"SIGKILL","ArgsEscaped":true,"Memory":2048,)"
      R"("Healthcheck":{"Test":["CMD","x"],"Interval":1,"Timeout":2,"StartPeriod":3,)"
      R"("StartInterval":4,"Retries":5,"h":0},"Shell":["/bash"],"OnBuild":["RUN x"]},)" LADE_ROOTFS
      R"(,"history":[{"created":"c","author":"a","created_by":"b","comment":"d",)"
      R"("empty_layer":true,"x":1},{}],"docker_version":"1.2"})");
  EXPECT_EQ(config.created, "2015-10-31T22:22:56.015925234Z");
  EXPECT_EQ(config.author, "A <a@example.com>");
  EXPECT_EQ(config.platform(), (Platform{.architecture = "arm",
                                         .os = "linux",
                                         .os_version = "1",
                                         .os_features = {"f"},
                                         .variant = "v7"}));
  const ExecutionConfig execution{.user = "1:1",
                                  .exposed_ports = {"8080/tcp"},
                                  .env = {"A=b"},
                                  .entrypoint = std::vector<std::string>{"/sh"},
                                  .cmd = std::vector<std::string>{"-c"},
                                  .volumes = {"/data"},
                                  .working_dir = "/w",
                                  .labels = {{"l", "v"}},
                                  .stop_signal = "SIGKILL",
                                  .args_escaped = true,
                                  .healthcheck = Healthcheck{.test = {"CMD", "x"},
                                                             .interval = 1,
                                                             .timeout = 2,
                                                             .start_period = 3,
                                                             .start_interval = 4,
                                                             .retries = 5,
                                                             .unknown = {{"h", "0"}}},
                                  .shell = std::vector<std::string>{"/bash"},
                                  .on_build = std::vector<std::string>{"RUN x"},
                                  .unknown = {{"Memory", "2048"}}};
  EXPECT_EQ(config.config, execution);
  ASSERT_EQ(config.diff_ids.size(), 1U);
  EXPECT_EQ(config.diff_ids[0].value.str(), LADE_ID);
  ASSERT_EQ(config.history.size(), 2U);
  EXPECT_EQ(config.history[0], (HistoryEntry{.created = "c",
                                             .author = "a",
                                             .created_by = "b",
                                             .comment = "d",
                                             .empty_layer = true,
                                             .unknown = {{"x", "1"}}}));
  EXPECT_EQ(config.history[1], HistoryEntry());
  EXPECT_EQ(config.unknown, (UnknownMembers{{"docker_version", "\"1.2\""}}));
}

TEST(ImageConfig, ComesOutAsItWentInWhereItIsCanonical) {
  const std::string text =
      R"({"created":"t","author":"a","architecture":"amd64","os":"linux","os.version":"1",)"
      R"("os.features":["f"],"variant":"v2","config":{"User":"u","ExposedPorts":{"1/tcp":{}},)"
      R"("Env":["A=b"],"Entrypoint":[],"Cmd":["x"],"Volumes":{"/d":{}},"WorkingDir":"/",)"
      R"("Labels":{"l":"v"},"StopSignal":"9","ArgsEscaped":false,"Healthcheck":{"Test":["NONE"]},)"
      R"("Shell":["s"],"OnBuild":[],"Hostname":""},"rootfs":{"type":"layers","diff_ids":[")" LADE_ID
      R"("],"base":"x"},"history":[{"created":"t","created_by":"b","empty_layer":true}],)"
      R"("container":{"a":[1.0]}})";
  EXPECT_EQ(serialise(parse_image_config(text)), text);
}

TEST(ImageConfig, WritesTheSameBytesForTheSameValue) {
  const std::string once = serialise(with_config(R"("Labels":{"b":"2","a":"1"},"Env":null)"));
  EXPECT_EQ(serialise(with_config(R"("Labels":{"a":"1","b":"2"})")), once);
  EXPECT_EQ(serialise(parse_image_config(once)), once);
}

TEST(ImageConfig, TakesNullForAnAbsentOptionalMember) {
  const ImageConfig config = parse_image_config(
      R"({"created":null,"author":null,"architecture":null,"os":null,"os.version":null,)"
      R"("os.features":null,"variant":null,"config":null,"history":null,)" LADE_ROOTFS "}");
  EXPECT_EQ(config, parse_image_config("{" LADE_ROOTFS "}"));
  EXPECT_FALSE(config.config);
  EXPECT_EQ(with_config(R"("User":null,"ExposedPorts":null,"Env":null,"Entrypoint":null,)"
                        R"("Cmd":null,"Volumes":null,"WorkingDir":null,"Labels":null,)"
                        R"("StopSignal":null,"ArgsEscaped":null,"Healthcheck":null,"Shell":null,)"
                        R"("OnBuild":null)")
                .config,
            ExecutionConfig());
}

TEST(ImageConfig, TellsAnEmptyEntrypointFromNone) {
  EXPECT_EQ(with_config(R"("Entrypoint":[])").config->entrypoint, std::vector<std::string>());
  EXPECT_EQ(with_config("").config->entrypoint, std::nullopt);
}

TEST(ImageConfig, MayHaveNoLayers) {
  EXPECT_TRUE(parse_image_config(R"({"rootfs":{"type":"layers"}})").diff_ids.empty());
  EXPECT_TRUE(
      parse_image_config(R"({"rootfs":{"type":"layers","diff_ids":null}})").diff_ids.empty());
}

#define LADE_WITH(members) R"({"config":{)" members "}," LADE_ROOTFS "}"
constexpr Bad kBad[] = {
    {"", "config: not valid JSON"},
    {"invalid JSON", "config: not valid JSON"},
    {"[]", "config: is an array, not an object"},
    {"{}", "config: rootfs: is missing"},
    {R"({"rootfs":null})", "config: rootfs: is null"},
    {R"({"rootfs":[]})", "config: rootfs: is an array"},
    {R"({"rootfs":{"diff_ids":[]}})", "config: rootfs.type: is missing"},
    {R"({"rootfs":{"type":"tree","diff_ids":[]}})", "rootfs.type: is 'tree', not 'layers'"},
    {R"({"rootfs":{"type":1,"diff_ids":[]}})", "rootfs.type: is a number"},
    {R"({"rootfs":{"type":"layers","diff_ids":{}}})", "rootfs.diff_ids: is an object"},
    {R"({"rootfs":{"type":"layers","diff_ids":[null]}})", "rootfs.diff_ids[0]: is null"},
    {R"({"rootfs":{"type":"layers","diff_ids":[")" LADE_ID R"(","sha256:../x"]}})",
     "rootfs.diff_ids[1]: invalid digest 'sha256:../x'"},
    {R"({"rootfs":{"type":"layers","diff_ids":[],"diff_ids":[]}})",
     "config: rootfs: member 'diff_ids' occurs twice"},
    {R"({"rootfs":{"type":"layers","Type":"tree"}})", "rootfs.Type: differs from 'type'"},
    {R"({"os":123,)" LADE_ROOTFS "}", "config: os: is a number, not a string"},
    {R"({"architecture":[],)" LADE_ROOTFS "}", "architecture: is an array"},
    {R"({"variant":123,)" LADE_ROOTFS "}", "variant: is a number"},
    {R"({"created":1,)" LADE_ROOTFS "}", "created: is a number"},
    {R"({"os.features":"x",)" LADE_ROOTFS "}", "os.features: is a string, not an array"},
    {R"({"OS":"linux",)" LADE_ROOTFS "}", "OS: differs from 'os'"},
    {R"({"config":[],)" LADE_ROOTFS "}", "config: config: is an array"},
    {LADE_WITH(R"("User":1234)"), "config: config.User: is a number, not a string"},
    {LADE_WITH(R"("User":"a\u0000b")"), "config.User: holds the character U+0000"},
    {LADE_WITH(R"("Env":[7353])"), "config.Env[0]: is a number"},
    {LADE_WITH(R"("Env":"A=b")"), "config.Env: is a string, not an array"},
    {LADE_WITH(R"("Env":{"A":"b"})"), "config.Env: is an object"},
    {LADE_WITH(R"("Cmd":"sh")"), "config.Cmd: is a string, not an array"},
    {LADE_WITH(R"("Cmd":[null])"), "config.Cmd[0]: is null"},
    {LADE_WITH(R"("Entrypoint":{})"), "config.Entrypoint: is an object"},
    {LADE_WITH(R"("Volumes":["/a"])"), "config.Volumes: is an array, not an object"},
    {LADE_WITH(R"("Volumes":{"/a":1})"), "config.Volumes['/a']: is a number, not an object"},
    {LADE_WITH(R"("ExposedPorts":"80")"), "config.ExposedPorts: is a string"},
    {LADE_WITH(R"("Labels":{"a":1})"), "config.Labels['a']: is a number"},
    {LADE_WITH(R"("ArgsEscaped":"yes")"), "config.ArgsEscaped: is a string, not a boolean"},
    {LADE_WITH(R"("Healthcheck":[])"), "config.Healthcheck: is an array"},
    {LADE_WITH(R"("Healthcheck":{"Interval":1.5})"), "config.Healthcheck.Interval: is 1.5"},
    {LADE_WITH(R"("Healthcheck":{"Test":"x"})"), "config.Healthcheck.Test: is a string"},
    {LADE_WITH(R"("Shell":"sh")"), "config.Shell: is a string"},
    {LADE_WITH(R"("env":["A=b"])"), "config.env: differs from 'Env'"},
    {LADE_WITH(R"("Env":[],"ENV":[])"), "config.ENV: differs from 'Env'"},
    {R"({"history":"x",)" LADE_ROOTFS "}", "history: is a string, not an array"},
    // GHSA-qx3x and CVE-2024-36620: a null in the history crashed builders.
    {R"({"history":[null],)" LADE_ROOTFS "}", "config: history[0]: is null, not an object"},
    {R"({"history":[{},{"created_by":1}],)" LADE_ROOTFS "}", "history[1].created_by: is a number"},
    {R"({"history":[{"empty_layer":1}],)" LADE_ROOTFS "}",
     "history[0].empty_layer: is a number, not a boolean"},
};

TEST(ImageConfig, RefusesWhatTheSpecificationForbids) {
  for (const Bad& bad : kBad) {
    expect_refused(bad, [](std::string_view text) { parse_image_config(text); });
  }
}

TEST(ImageConfig, BoundsItsLists) {
  std::string history = "{}";
  for (std::size_t i = 0; i < kMaxHistory; ++i) history += ",{}";
  expect_refused({cat(R"({"history":[)", history, "]," LADE_ROOTFS "}"), "history: has 10001 items",
                  Errc::limit_exceeded},
                 [](std::string_view text) { parse_image_config(text); });
  std::string diff_ids = "\"" LADE_ID "\"";
  for (std::size_t i = 0; i < kMaxDescriptors; ++i) diff_ids += ",\"" LADE_ID "\"";
  expect_refused({cat(R"({"rootfs":{"type":"layers","diff_ids":[)", diff_ids, "]}}"),
                  "more than 10000 layers", Errc::limit_exceeded},
                 [](std::string_view text) { parse_image_config(text); });
  expect_refused({std::string(kMaxConfigBytes + 1, ' '), "bytes, more than", Errc::limit_exceeded},
                 [](std::string_view text) { parse_image_config(text); });
}

}  // namespace
}  // namespace lade::oci
