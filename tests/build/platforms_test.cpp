// Builds for several platforms: one graph, an index, what cannot run here.
#include "libimage/build/emulation.h"
#include "libimage/name/platform.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Platforms : public BuildTest {
 protected:
  static constexpr const char* kArm = "linux/arm64";
  BuildResult build_for(const std::vector<std::string>& platforms, const std::string& text) {
    return build(text, [&](BuildOptions& options) { for_platforms(options, platforms); });
  }
  static void for_platforms(BuildOptions& options, const std::vector<std::string>& platforms) {
    for (const std::string& platform : platforms)
      options.platforms.push_back(parse_platform(platform));
  }
};

TEST_F(Platforms, EachHasItsImageAndAnIndexListsThem) {
  file("f", "x");
  const BuildResult result = build_for({"linux/amd64", "linux/arm64", "linux/arm64/v8"},
                                       "FROM scratch\nARG TARGETARCH\nLABEL a=$TARGETARCH\n"
                                       "COPY f /f\n");
  ASSERT_EQ(result.images.size(), 2U);
  EXPECT_EQ(result.images[0].config.architecture, "amd64");
  EXPECT_EQ(result.images[1].config.config->labels.at("a"), "arm64");
  ASSERT_TRUE(result.index.has_value());
  const auto& index = std::get<oci::Index>(result.index->parsed);
  ASSERT_EQ(index.manifests.size(), 2U);
  EXPECT_EQ(oci::to_string(index.manifests[1].platform.value()), kArm);
  EXPECT_EQ(store_.images().resolve(Tag{"localhost/test:latest"})->digest,
            result.root().descriptor.digest);
  EXPECT_FALSE(build_for({kArm}, "FROM scratch\nLABEL a=b\n").index.has_value());
}

TEST_F(Platforms, AStageForTheBuildersPlatformRunsOnceForAll) {
  const std::string host = oci::to_string(host_platform());
  const std::string base = shell_base();
  const std::string text = "FROM --platform=$BUILDPLATFORM scratch AS base\n" +
                           base.substr(base.find('\n') + 1) +
                           "RUN echo x > /made\nFROM scratch\nCOPY --from=base /made /made\n";
  const BuildResult result = build_for({host, "linux/s390x"}, text);
  EXPECT_EQ(result.steps, 5U);  // 3 of the stage, one COPY for each platform
  EXPECT_EQ(result.images[1].config.architecture, "s390x");
  EXPECT_EQ(result.images[0].config.diff_ids, result.images[1].config.diff_ids);
}

TEST_F(Platforms, AStageThatLooksAtTheTargetRunsForEach) {
  const std::string text =
      "FROM --platform=$BUILDPLATFORM scratch AS made\nARG TARGETARCH\n"
      "COPY <<EOF /arch\n$TARGETARCH\nEOF\nFROM scratch\nCOPY --from=made /arch /arch\n";
  const BuildResult result = build_for({"linux/amd64", kArm}, text);
  EXPECT_NE(result.images[0].config.diff_ids, result.images[1].config.diff_ids);
}

TEST_F(Platforms, ATriggerThatLooksAtTheTargetKeepsItsStagesApart) {
  const BuildResult result =
      build_for({"linux/amd64", kArm},
                "FROM --platform=$BUILDPLATFORM scratch AS base\nONBUILD ARG TARGETARCH\n"
                "FROM --platform=$BUILDPLATFORM base\nLABEL a=$TARGETARCH\n");
  EXPECT_EQ(result.images[1].config.config->labels.at("a"), "arm64");
}

TEST_F(Platforms, SoDoesATriggerOfABaseOfAnotherBuild) {
  build("FROM scratch\nONBUILD ARG TARGETARCH\nONBUILD LABEL a=$TARGETARCH\n",
        [](BuildOptions& options) { options.names = {"triggers"}; });
  const std::string text = "FROM --platform=" + oci::to_string(host_platform()) +
                           " triggers AS made\nFROM made\nLABEL b=$TARGETARCH\n";
  const BuildResult result = build_for({"linux/amd64", kArm, "linux/arm64/v9"}, text);
  ASSERT_EQ(result.images.size(), 3U);
  EXPECT_EQ(result.images[0].config.config->labels.at("b"), "amd64");
  EXPECT_EQ(result.images[1].config.config->labels.at("a"), "arm64");
  EXPECT_EQ(result.images[2].config.config->labels.at("a"), "arm64");
}

TEST_F(Platforms, ARunThatThisMachineCannotExecuteIsRefusedBeforeItStarts) {
  const std::string foreign = host_platform().architecture == "s390x" ? "arm64" : "s390x";
  const Error e = error_of(shell_base() + "RUN true\n", [&](BuildOptions& options) {
    for_platforms(options, {"linux/" + foreign});
    options.binfmt_dir = room_.path();
  });
  EXPECT_EQ(e.code(), Errc::unsupported);
  EXPECT_THAT(e.what(), HasSubstr("cannot execute programs of linux/" + foreign));
  EXPECT_THAT(e.what(), HasSubstr("qemu-user-static"));
}

TEST_F(Platforms, AnInterpreterMustBeRegisteredEnabledAndReachable) {
  const auto write = [&](const std::string& name, const std::string& text) {
    const DirFd room = open_dir(room_.path());
    AtomicFile out(room, name, 0644);
    out.write(bytes_of(text));
    out.commit();
  };
  const auto why = [&]() -> std::string {
    try {
      require_emulation(parse_platform("linux/arm64"), parse_platform("linux/amd64"), room_.path());
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const std::string magic =
      "offset 0\nmagic 7f454c460201010000000000000000000200b700\n"
      "mask ffffffffffffff00fffffffffffffffffeffffff\n";
  EXPECT_THAT(why(), HasSubstr("not mounted"));
  write("status", "disabled\n");
  EXPECT_THAT(why(), HasSubstr("disabled"));
  write("status", "enabled\n");
  EXPECT_THAT(why(), HasSubstr("no interpreter for arm64"));
  write("qemu-a", "enabled\ninterpreter /usr/bin/qemu\nflags: OC\n" + magic);
  EXPECT_THAT(why(), HasSubstr("without flag F"));
  write("qemu-a", "enabled\ninterpreter /usr/bin/qemu\nflags: OCF\n" + magic);
  EXPECT_EQ(why(), "");
  EXPECT_TRUE(registers_architecture(magic, "arm64"));
  EXPECT_FALSE(registers_architecture(magic, "amd64"));
  EXPECT_FALSE(registers_architecture("magic 7f4", "arm64"));
  EXPECT_FALSE(registers_architecture("offset 9999\nmagic 7f\n", "arm64"));
}

}  // namespace
}  // namespace lade::build
