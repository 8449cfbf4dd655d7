// Whole builds: configs, histories, stages, the cache, failures.
#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::Pair;

using Building = BuildTest;

TEST_F(Building, MetadataInstructionsEditTheConfigAndLeaveAHistoryLineEach) {
  const BuildResult result = build(
      "FROM scratch\nARG V=1\nENV A=\"x $V\" B=y\nLABEL l.a=1 \"l b\"=$A\nEXPOSE 80 90-91/udp "
      "127.0.0.1:1:2\n"
      "VOLUME /v [\nUSER web:staff\nSTOPSIGNAL SIGINT\nWORKDIR /\nSHELL [\"/bin/bash\", \"-c\"]\n"
      "ENTRYPOINT [\"/e\"]\nCMD run $it\nHEALTHCHECK --interval=1m30s --retries=3 CMD "
      "check\nMAINTAINER me\n");
  const oci::ExecutionConfig& config = result.config.config.value();
  EXPECT_THAT(config.env, ElementsAre(HasSubstr("PATH=/usr/local/sbin"), "A=x 1", "B=y"));
  EXPECT_THAT(config.labels, ElementsAre(Pair("l b", "x 1"), Pair("l.a", "1")));
  EXPECT_THAT(config.exposed_ports, ElementsAre("2/tcp", "80/tcp", "90/udp", "91/udp"));
  EXPECT_THAT(config.volumes, ElementsAre("/v", "["));
  EXPECT_EQ(config.user, "web:staff");
  EXPECT_EQ(config.stop_signal, "SIGINT");
  EXPECT_EQ(config.working_dir, "/");
  EXPECT_THAT(config.entrypoint.value(), ElementsAre("/e"));
  EXPECT_THAT(config.cmd.value(), ElementsAre("/bin/bash", "-c", "run $it"));
  EXPECT_THAT(config.healthcheck->test, ElementsAre("CMD-SHELL", "check"));
  EXPECT_EQ(config.healthcheck->interval, 90'000'000'000);
  EXPECT_EQ(result.config.author, "me");
  EXPECT_EQ(result.config.created, "2023-11-14T22:13:20Z");
  EXPECT_THAT(history(result),
              ElementsAre("ARG V=1 (no layer)", "ENV A=x 1 B=y (no layer)",
                          "LABEL l.a=1 l b=x 1 (no layer)",
                          "EXPOSE [2/tcp 80/tcp 90/udp 91/udp] (no layer)",
                          "VOLUME [/v [] (no layer)", "USER web:staff (no layer)",
                          "STOPSIGNAL SIGINT (no layer)", "WORKDIR / (no layer)",
                          "SHELL [/bin/bash -c] (no layer)", "ENTRYPOINT [\"/e\"] (no layer)",
                          "CMD [\"/bin/bash\" \"-c\" \"run $it\"] (no layer)",
                          "HEALTHCHECK --interval=1m30s --retries=3 CMD check (no layer)",
                          "MAINTAINER me (no layer)"));
}

TEST_F(Building, EntrypointClearsOnlyTheBasesCmd) {
  build("FROM scratch\nCMD [\"base\"]", [](BuildOptions& o) { o.names = {"b"}; });
  EXPECT_FALSE(build("FROM b\nENTRYPOINT [\"e\"]").config.config->cmd.has_value());
  EXPECT_THAT(build("FROM b\nCMD [\"own\"]\nENTRYPOINT [\"e\"]").config.config->cmd.value(),
              ElementsAre("own"));
  EXPECT_FALSE(
      build("FROM b\nENTRYPOINT [\"e\"]\nENTRYPOINT []").config.config->entrypoint.has_value());
}

TEST_F(Building, ArgumentsComeFromTheCommandLineTheDefaultOrTheFilesTop) {
  const auto labels = [&](const std::string& text, std::map<std::string, std::string> args = {}) {
    return build(text, [&](BuildOptions& o) { o.build_args = std::move(args); })
        .config.config->labels;
  };
  const std::string text =
      "ARG G=global\nARG BASE=scra\nFROM ${BASE}tch\nARG G\nARG D=default$G E F=\nLABEL x=\"$G $D "
      "${E-unset} ${F-unset}\"";
  EXPECT_THAT(labels(text), ElementsAre(Pair("x", "global defaultglobal unset ")));
  EXPECT_THAT(labels(text, {{"G", "g"}, {"D", "d"}, {"E", "e"}}), ElementsAre(Pair("x", "g d e ")));
  EXPECT_THAT(labels("ARG G=1\nFROM scratch\nLABEL x=\"[$G]\""), ElementsAre(Pair("x", "[]")));
  EXPECT_THAT(labels("FROM scratch\nENV A=env\nARG A=arg\nLABEL x=$A\nENV A=again\nLABEL y=$A"),
              ElementsAre(Pair("x", "arg"), Pair("y", "again")));
  EXPECT_THAT(labels("FROM scratch\nARG TARGETOS\nARG BUILDOS=none\nLABEL x=$TARGETOS"),
              ElementsAre(Pair("x", "linux")));
  labels("FROM scratch", {{"UNUSED", "1"}});
  EXPECT_THAT(observer_.warnings(), HasSubstr("'UNUSED'"));
  EXPECT_THAT(error_of("FROM scratch\nARG A\nLABEL x=\"${A:?set it}\"").what(),
              HasSubstr("A: set it"));
}

TEST_F(Building, OneInstructionSeesTheEnvironmentFromBeforeIt) {
  EXPECT_THAT(build("FROM scratch\nENV a=1\nENV a=2 b=$a").config.config->env, Contains("b=1"));
}

TEST_F(Building, StagesInheritOneAnotherAndTheUnneededAreNotBuilt) {
  file("f", "x");
  const std::string text =
      "FROM scratch AS a\nENV E=1\nCOPY f /a\nFROM no-such-image AS never\nRUN false\nFROM a AS "
      "b\nLABEL e=$E\nFROM scratch\nCOPY --from=b /a /c\n";
  EXPECT_THAT(tree(build(text)), ElementsAre(Key("c")));
  const BuildResult b = build(text, [](BuildOptions& o) { o.target = "B"; });
  EXPECT_THAT(b.config.config->labels, ElementsAre(Pair("e", "1")));
  EXPECT_THAT(tree(b), ElementsAre(Key("a")));
  EXPECT_EQ(build(text, [](BuildOptions& o) { o.target = "2"; }).manifest.raw, b.manifest.raw);
  EXPECT_THAT(error_of(text, [](BuildOptions& o) { o.target = "nevr"; }).what(),
              HasSubstr("did you mean never?"));
  EXPECT_THAT(
      error_of("FROM scratch AS a\nCOPY --from=b / /\nFROM scratch AS b\nCOPY --from=a / /").what(),
      HasSubstr("comes later"));
  EXPECT_THAT(error_of("FROM scratch AS a\nCOPY --from=a / /").what(), HasSubstr("from itself"));
}

TEST_F(Building, TriggersRunInTheNextBuildOnce) {
  file("f", "x");
  build("FROM scratch\nONBUILD COPY f /triggered\nONBUILD ENV T=1",
        [](BuildOptions& o) { o.names = {"base"}; });
  const BuildResult child =
      build("FROM base\nLABEL t=$T", [](BuildOptions& o) { o.names = {"child"}; });
  EXPECT_THAT(tree(child), ElementsAre(Key("triggered")));
  EXPECT_THAT(child.config.config->labels, ElementsAre(Pair("t", "1")));
  EXPECT_FALSE(child.config.config->on_build.has_value());
  EXPECT_EQ(build("FROM child").manifest.raw.size(), child.manifest.raw.size());
  EXPECT_THAT(error_of("FROM scratch\nONBUILD FROM x").what(),
              HasSubstr("ONBUILD cannot hold FROM"));
}

TEST_F(Building, TriggersMayReadStagesImagesAndContextsThatNothingElseNeeds) {
  file("f", "x");
  build("FROM scratch\nCOPY f /image", [](BuildOptions& o) { o.names = {"other"}; });
  build(
      "FROM scratch\nONBUILD COPY --from=assets /asset /\nONBUILD COPY --from=other /image /\n"
      "ONBUILD COPY --from=named f /named\n",
      [](BuildOptions& o) { o.names = {"base"}; });
  const auto named = [&](BuildOptions& o) { o.contexts = {{"named", context_path()}}; };
  const BuildResult child =
      build("FROM scratch AS assets\nCOPY f /asset\nFROM base\nLABEL a=b\n", named);
  EXPECT_THAT(tree(child), ElementsAre(Key("asset"), Key("image"), Key("named")));
  EXPECT_EQ(child.steps, 4U);
  EXPECT_THAT(error_of("FROM base\nLABEL a=b\nFROM scratch AS assets\n",
                       [&](BuildOptions& o) {
                         named(o);
                         o.target = "0";
                       })
                  .what(),
              HasSubstr("comes later"));
}

TEST_F(Building, AConfigIsNotLargerThanAnyoneReads) {
  std::string text =
      cat("FROM scratch\nENV A=", std::string(60'000, 'a'), "\nENV B=$A$A$A$A$A$A$A$A$A$A\n");
  EXPECT_EQ(build(text).config.config->env.size(), 3U);
  for (int i = 0; i < 5000; ++i) text += cat("LABEL b", i, "=$B\n");
  const Error error = error_of(text);
  EXPECT_EQ(error.code(), Errc::limit_exceeded);
  EXPECT_THAT(error.what(), HasSubstr("configuration"));
}

TEST_F(Building, RunSeesItsEnvironmentDirectoryAndUser) {
  file("passwd", "web:x:33:44:Web:/home/web:/bin/sh\n");
  file("group", "staff:x:50:web\n");
  const BuildResult result = build(
      shell_base() +
      "COPY passwd group /etc/\nARG X=1\nENV E=2\nUSER web\nWORKDIR /w\nRUN /bin/busybox env | "
      "/bin/busybox sort > env; "
      "/bin/busybox id > id; /bin/busybox pwd > pwd\nRUN [\"/bin/busybox\", \"touch\", \"$X\"]\n");
  RootFs root = root_of(result);
  EXPECT_EQ(root.read_small("w/env", 4096).value(),
            "E=2\nHOME=/home/web\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
            "bin\nPWD=/w\nSHLVL=1\nX=1\n");
  EXPECT_THAT(root.read_small("w/id", 4096).value(),
              HasSubstr("uid=33(web) gid=44 groups=44,50(staff)"));
  EXPECT_EQ(root.read_small("w/pwd", 4096).value(), "/w\n");
  EXPECT_EQ(root.lookup("w")->uid, 33U);
  EXPECT_TRUE(root.lookup("w/$X").has_value());
  EXPECT_THAT(history(result), Contains("RUN |1 X=1 /bin/busybox touch $X"));
}

TEST_F(Building, RunTakesHeredocs) {
  const BuildResult result = build(shell_base() +
                                   "RUN <<EOF\necho one > /a\necho $0 >> /a\nEOF\n"
                                   "RUN <<EOF /bin/busybox cat > /b\ntext $HOME\nEOF\n"
                                   "RUN <<EOF\n#!/bin/busybox sh\necho $0 > /c\nEOF\n");
  RootFs root = root_of(result);
  EXPECT_EQ(root.read_small("a", 4096).value(), "one\n/bin/sh\n");
  EXPECT_EQ(root.read_small("b", 4096).value(), "text /root\n");
  EXPECT_EQ(root.read_small("c", 4096).value(), "/dev/pipes/EOF\n");
}

TEST_F(Building, AStepThatChangesNothingMakesNoLayer) {
  const BuildResult result = build(shell_base() + "RUN true\n");
  EXPECT_EQ(history(result).back(), "RUN /bin/sh -c true (no layer)");
  EXPECT_EQ(result.config.diff_ids.size(), 2U);
}

TEST_F(Building, AFailingStepIsNamedWithItsPlaceAndStatus) {
  const Error e = error_of(shell_base() + "RUN echo before; exit 7\nLABEL a=b\n");
  EXPECT_EQ(e.code(), Errc::command_failed);
  EXPECT_EQ(std::get<ExitDetail>(e.detail()).status, 7);
  EXPECT_THAT(e.what(), HasSubstr("Containerfile:4: RUN echo before; exit 7: "));
  EXPECT_THAT(e.what(), HasSubstr("\n> 4 | RUN echo before; exit 7\n  5 | LABEL a=b"));
  EXPECT_EQ(observer_.output(), "before\n");
  EXPECT_FALSE(store_.images().resolve(Tag{"localhost/test:latest"}).has_value());
}

TEST_F(Building, TheSecondTimeEveryStepComesFromTheCache) {
  file("f", "x");
  const std::string text = shell_base() +
                           "WORKDIR /w\nCOPY f .\nADD f /g\nRUN cat f > out\nRUN true\n"
                           "FROM scratch\nCOPY --from=base /w /w\nCOPY <<EOF /h\n1\nEOF\n";
  const BuildResult first = build(text);
  EXPECT_EQ(first.cached_steps, 0U);
  const BuildResult again = build(text, [](BuildOptions& o) {
    o.clock = [] { return Timestamp{1'800'000'000, 0}; };
  });
  EXPECT_EQ(again.steps, 9U);
  EXPECT_EQ(again.cached_steps, 9U);
  EXPECT_EQ(again.config.diff_ids, first.config.diff_ids);
  EXPECT_NE(again.config.created, first.config.created);
}

TEST_F(Building, TheCacheAsksForContentNotForTime) {
  file("d/f", "x");
  file("d/g", "y");
  const std::string text = "FROM scratch\nCOPY d /d\n";
  build(text);
  touch("d/f", {1'500'000'000, 0});
  EXPECT_EQ(build(text).cached_steps, 1U);
  file("d/f", "z");
  EXPECT_EQ(build(text).cached_steps, 0U);
  EXPECT_EQ(build(text).cached_steps, 1U);
  ASSERT_EQ(::chmod(cat(context_path(), "/d/f").c_str(), 0600), 0);
  EXPECT_EQ(build(text).cached_steps, 0U);
  file("d/h", "");
  EXPECT_EQ(build(text).cached_steps, 0U);
  EXPECT_EQ(build(text, [](BuildOptions& o) { o.no_cache = true; }).cached_steps, 0U);
}

TEST_F(Building, AnotherStagesContentIsWhatItsCopiesDependOn) {
  file("f", "x");
  file("g", "1");
  const auto text = [](const std::string& mode) {
    return cat("FROM scratch AS a\nCOPY f /f\nCOPY ", mode,
               "g /g\nFROM scratch\nCOPY --from=a /f /f\n");
  };
  build(text(""));
  const BuildResult changed = build(text("--chmod=600 "));  // another stage, the same file
  EXPECT_EQ(changed.steps, 3U);
  EXPECT_EQ(changed.cached_steps, 2U);
}

TEST_F(Building, ArgumentsAndEnvironmentOfARunAreInItsKeyButProxiesAreNot) {
  const std::string text = shell_base() + "ARG A\nRUN echo $A $http_proxy > /out\n";
  const auto with = [&](std::map<std::string, std::string> args) {
    return build(text, [&](BuildOptions& o) { o.build_args = std::move(args); });
  };
  with({{"A", "1"}, {"http_proxy", "p"}});
  EXPECT_EQ(with({{"A", "1"}, {"http_proxy", "q"}}).cached_steps, 3U);
  EXPECT_EQ(with({{"A", "2"}}).cached_steps, 2U);
}

TEST_F(Building, TheSameInputsGiveTheSameBytesWithAnEpoch) {
  file("f", "x");
  touch("f", {1'650'000'000, 123});
  const std::string text = shell_base() +
                           "WORKDIR /w\nCOPY f /d/\nRUN date > /out; rm /out; touch /new\nFROM "
                           "scratch\nCOPY --from=base / /\n";
  const auto with_jobs = [&](unsigned jobs) {
    return build(text, [&](BuildOptions& o) {
      o.no_cache = true;
      o.jobs = jobs;
      o.source_date_epoch = Timestamp{1'600'000'001, 0};
    });
  };
  const BuildResult one = with_jobs(1);
  const BuildResult two = with_jobs(2);
  EXPECT_EQ(one.manifest.raw, two.manifest.raw);
  EXPECT_EQ(one.config.created, "2020-09-13T12:26:41Z");
  EXPECT_EQ(root_of(one).lookup("new")->mtime, (Timestamp{1'600'000'001, 0}));
}

TEST_F(Building, DockersFormatHasItsMediaTypes) {
  file("f", "x");
  build("FROM scratch\nCOPY f /a", [](BuildOptions& o) { o.names = {"base"}; });
  const BuildResult result =
      build("FROM base\nCOPY f /b", [](BuildOptions& o) { o.family = oci::Family::docker; });
  const auto& manifest = std::get<oci::Manifest>(result.manifest.parsed);
  EXPECT_EQ(manifest.media_type, oci::kDockerManifest);
  EXPECT_EQ(manifest.config.media_type, oci::kDockerConfig);
  EXPECT_EQ(manifest.layers.size(), 2U);
  for (const oci::Descriptor& layer : manifest.layers)
    EXPECT_EQ(layer.media_type, oci::kDockerLayerGzip);
}

TEST_F(Building, NamesBecomeFullAndPointToTheImage) {
  const BuildResult result = build("FROM scratch\nLABEL a=b", [](BuildOptions& o) {
    o.names = {"one", "me/two:3", "quay.io/x/y"};
  });
  EXPECT_THAT(result.names,
              ElementsAre("localhost/one:latest", "localhost/me/two:3", "quay.io/x/y:latest"));
  for (const std::string& name : result.names)
    EXPECT_EQ(store_.images().resolve(Tag{name})->digest, result.manifest.descriptor.digest);
  EXPECT_EQ(error_of("FROM scratch", [](BuildOptions& o) { o.names = {"No Name"}; }).code(),
            Errc::invalid_argument);
}

TEST_F(Building, NetworkNoneHasOnlyALoopback) {
  const BuildResult result =
      build(shell_base() + "RUN --network=none /bin/busybox ls /sys/class/net > /n\n");
  EXPECT_EQ(root_of(result).read_small("n", 4096).value(), "lo\n");
}

TEST_F(Building, TheContainerfileIsFoundInTheContextOrWhereItIsSaid) {
  const auto label = [&](const std::string& path) {
    return build("",
                 [&](BuildOptions& o) {
                   o.containerfile_text.reset();
                   o.containerfile = path;
                 })
        .config.config->labels;
  };
  file("Dockerfile", "FROM scratch\nLABEL is=dockerfile\n");
  EXPECT_THAT(label(""), ElementsAre(Pair("is", "dockerfile")));
  file("Containerfile", "FROM scratch\nLABEL is=containerfile\n");
  file(".dockerignore", "Containerfile\n");  // hidden from COPY, still the Containerfile
  EXPECT_THAT(label(""), ElementsAre(Pair("is", "containerfile")));
  file("sub/Other", "FROM scratch\nLABEL is=other\n");
  EXPECT_THAT(label("sub/Other"), ElementsAre(Pair("is", "other")));
  EXPECT_THAT(label(context_path() + "/sub/Other"), ElementsAre(Pair("is", "other")));
  EXPECT_EQ(error_of("",
                     [](BuildOptions& o) {
                       o.containerfile_text.reset();
                       o.containerfile = "no-such-file";
                     })
                .code(),
            Errc::not_found);
}

TEST_F(Building, WithoutAContextThereIsNothingToCopy) {
  const auto without = [](BuildOptions& o) { o.context.clear(); };
  EXPECT_THAT(build("FROM scratch\nCOPY <<E /f\nx\nE\n", without).config.diff_ids.size(), 1U);
  EXPECT_THAT(error_of("FROM scratch\nCOPY f /f\n", without).what(), HasSubstr("no context"));
}

TEST_F(Building, AnImageWithoutANameIsStoredToo) {
  const BuildResult result =
      build("FROM scratch\nLABEL a=b", [](BuildOptions& o) { o.names.clear(); });
  EXPECT_TRUE(result.names.empty());
  EXPECT_TRUE(store_.images().resolve(result.manifest.descriptor.digest).has_value());
}

TEST_F(Building, AFailedStageStopsItsSiblings) {
  const std::string text =
      shell_base() +
      "FROM base AS slow\nRUN while :; do :; done\nFROM base AS bad\nRUN exit 3\n"
      "FROM scratch\nCOPY --from=slow /x /\nCOPY --from=bad /x /\n";
  const Error e = error_of(text, [](BuildOptions& o) { o.jobs = 4; });
  EXPECT_EQ(std::get<ExitDetail>(e.detail()).status, 3);
}

TEST_F(Building, StagesRunAtTheSameTimeAndGiveWhatTheyGiveAlone) {
  file("f", "x");
  std::string text = shell_base();
  for (int i = 0; i < 6; ++i)
    text += cat("FROM base AS s", i, "\nCOPY f /f\nRUN echo ", i, " > /out\n");
  text += "FROM scratch\n";
  for (int i = 0; i < 6; ++i) text += cat("COPY --from=s", i, " /out /", i, "\n");
  std::vector<std::string> built;
  for (const unsigned jobs : {1U, 4U}) {
    built.push_back(build(text, [&](BuildOptions& o) {
                      o.jobs = jobs;
                      o.no_cache = true;
                      o.source_date_epoch = Timestamp{1, 0};
                    }).manifest.raw);
  }
  EXPECT_EQ(built[0], built[1]);
}

}  // namespace
}  // namespace lade::build
