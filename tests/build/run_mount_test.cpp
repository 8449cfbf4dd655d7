// RUN --mount: what the words say, and what steps see.
#include "libimage/build/run_mount.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

RunMount parsed(std::string_view text) {
  return parse_run_mount(text, Expander([](std::string_view name) -> std::optional<std::string> {
                           if (name == "dir") return "/from/variable";
                           return std::nullopt;
                         }));
}

std::string refusal(std::string_view text) {
  try {
    (void)parsed(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(RunMountWords, HaveTheirKindsDefaultsAndAliases) {
  const RunMount bind = parsed("target=/x,src=a");
  EXPECT_EQ(bind.kind, RunMount::Kind::bind);
  EXPECT_EQ(bind.source, "a");
  EXPECT_TRUE(bind.readonly);
  EXPECT_FALSE(parsed("type=bind,dst=/x,rw").readonly);
  EXPECT_TRUE(parsed("type=cache,destination=/x,ro=true").readonly);
  EXPECT_FALSE(parsed("type=cache,target=/x").readonly);
  EXPECT_EQ(parsed("type=cache,target=/x,sharing=locked").sharing, RunMount::Sharing::locked);
  EXPECT_EQ(parsed("type=tmpfs,target=/x,size=64m").size, std::uint64_t{64} << 20U);
  EXPECT_EQ(parsed("type=secret,id=a,mode=0440").mode, 0440U);
  EXPECT_EQ(parsed("type=cache,target=$dir/x").target, "/from/variable/x");
  EXPECT_EQ(parsed("\"target=/a,b\",type=cache").target, "/a,b") << "a quoted field";
}

TEST(RunMountWords, AreRefusedByWhatIsWrongWithThem) {
  EXPECT_THAT(refusal("type=bind"), HasSubstr("target is missing"));
  EXPECT_THAT(refusal("type=nfs,target=/x"), HasSubstr("'nfs'"));
  EXPECT_THAT(refusal("type=cache,taget=/x"), HasSubstr("did you mean target?"));
  EXPECT_THAT(refusal("type=tmpfs,target=/x,id=a"), HasSubstr("id is nothing that type=tmpfs"));
  EXPECT_THAT(refusal("type=cache,target=/x,mode=9"), HasSubstr("octal"));
  EXPECT_THAT(refusal("type=cache,target=/x,sharing=all"), HasSubstr("shared, private or locked"));
  EXPECT_THAT(refusal("type=cache,target=/x,uid=-1"), HasSubstr("uid"));
  EXPECT_THAT(refusal("type=secret"), HasSubstr("id"));
  EXPECT_THAT(refusal("type=cache,target"), HasSubstr("needs a value"));
  EXPECT_THAT(refusal("type=cache,\"target=/x"), HasSubstr("no end"));
}

TEST(ByteCount, HasUnitsInPowersOf1024) {
  EXPECT_EQ(parse_byte_count("10"), 10U);
  EXPECT_EQ(parse_byte_count("10b"), 10U);
  EXPECT_EQ(parse_byte_count("2k"), 2048U);
  EXPECT_EQ(parse_byte_count("2KB"), 2048U);
  EXPECT_EQ(parse_byte_count("1G"), std::uint64_t{1} << 30U);
  for (const char* wrong : {"", "k", "1.5g", "-1", "10bb", "9999999999999999999", "9999999999t"})
    EXPECT_THROW((void)parse_byte_count(wrong), Error) << wrong;
}

class MountBuilding : public BuildTest {};

TEST_F(MountBuilding, ABindShowsTheContextWithoutWhatIsIgnoredAndDropsWrites) {
  file("src/a", "A\n");
  file("src/secret", "no\n");
  file("src/deep/b", "B\n");
  file("src/deep/tmp/c", "no\n");
  file(".dockerignore", "**/secret\nsrc/deep/tmp\n");
  const auto result = build(shell_base() +
                            "RUN --mount=type=bind,source=src,target=/in,rw /bin/busybox find /in "
                            "| /bin/busybox sort > /list; echo changed > /in/a; "
                            "/bin/busybox cat /in/a > /seen\n");
  const auto files = tree(result);
  EXPECT_EQ(files.at("list"), "f 644 0:0 /in\n/in/a\n/in/deep\n/in/deep/b\n");
  EXPECT_EQ(files.at("seen"), "f 644 0:0 changed\n");
  EXPECT_THAT(files, Not(Contains(Key("in"))));
  EXPECT_EQ(read_file(context_path() + "/src/a", 100), "A\n");
}

TEST_F(MountBuilding, ABindIsReadOnlyUnlessAsked) {
  file("a", "A\n");
  const auto result = build(
      shell_base() + "RUN --mount=target=/in (echo x > /in/a) 2> /dev/null || echo no > /r\n");
  EXPECT_EQ(tree(result).at("r"), "f 644 0:0 no\n");
}

TEST_F(MountBuilding, ABindOfAnotherStageShowsItsTree) {
  const auto result = build(shell_base() +
                            "FROM base AS maker\nRUN echo made > /out\n"
                            "FROM base\nRUN --mount=from=maker,source=/out,target=/w "
                            "/bin/busybox cat /w > /copy\n");
  EXPECT_EQ(tree(result).at("copy"), "f 644 0:0 made\n");
  EXPECT_THAT(tree(result), Not(Contains(Key("out"))));
}

TEST_F(MountBuilding, TheContentOfABindIsInTheKey) {
  const std::string text =
      shell_base() + "RUN --mount=source=a,target=/a /bin/busybox cat /a > /copy\n";
  file("a", "1\n");
  file("other", "1\n");
  build(text);
  file("other", "2\n");
  EXPECT_EQ(build(text).cached_steps, 3U);
  file("a", "2\n");
  const auto changed = build(text);
  EXPECT_EQ(changed.cached_steps, 2U);
  EXPECT_EQ(tree(changed).at("copy"), "f 644 0:0 2\n");
}

TEST_F(MountBuilding, ACacheOutlivesTheBuildAndIsInNoLayer) {
  const auto text = [&](const std::string& more) {
    return shell_base() +
           "RUN --mount=type=cache,target=/c,mode=0700 echo x >> /c/log; "
           "/bin/busybox cp /c/log /log; /bin/busybox stat -c %a /c > /mode # " +
           more + "\n";
  };
  build(text("1"));
  const auto second = tree(build(text("2")));
  EXPECT_EQ(second.at("log"), "f 644 0:0 x\nx\n");
  EXPECT_EQ(second.at("mode"), "f 644 0:0 700\n");
  EXPECT_THAT(second, Not(Contains(Key("c"))));
  EXPECT_EQ(store_.prune(true).cache_mounts, 1U);
  EXPECT_EQ(tree(build(text("3"))).at("log"), "f 644 0:0 x\n");
}

TEST_F(MountBuilding, ACacheBeginsWithWhatItsFromHolds) {
  const auto result = build(shell_base() +
                            "FROM base AS seed\nRUN /bin/busybox mkdir /d; echo s > /d/f\n"
                            "FROM base\nRUN --mount=type=cache,target=/c,from=seed,source=/d "
                            "/bin/busybox cat /c/f > /copy; echo more > /c/f\n");
  EXPECT_EQ(tree(result).at("copy"), "f 644 0:0 s\n");
}

TEST_F(MountBuilding, ACacheBeginsWithWhatAContextHolds) {
  file("seed/f", "one");
  file("seed/ignored", "x");
  file(".dockerignore", "seed/ignored");
  const auto text = [this](const std::string& more) {
    return shell_base() +
           "RUN --mount=type=cache,target=/c,from=ctx,source=/seed /bin/busybox cat /c/f > /f; "
           "/bin/busybox ls -n /c > /list; echo more >> /c/f # " +
           more + "\n";
  };
  const auto named = [&](BuildOptions& o) { o.contexts = {{"ctx", context_path()}}; };
  const auto first = tree(build(text("1"), named));
  EXPECT_EQ(first.at("f"), "f 644 0:0 one");
  EXPECT_THAT(first.at("list"), testing::HasSubstr(" 0        0 "));
  EXPECT_THAT(first.at("list"), Not(testing::HasSubstr("ignored")));
  EXPECT_EQ(tree(build(text("2"), named)).at("f"), "f 644 0:0 onemore\n");
  file("seed/f", "two");  // another beginning, another cache
  EXPECT_EQ(tree(build(text("3"), named)).at("f"), "f 644 0:0 two");
}

TEST_F(MountBuilding, PrivateCachesOfStepsAtTheSameTimeAreApartLockedOnesInTurn) {
  const auto stage = [](const std::string& name, const std::string& sharing) {
    return "FROM base AS " + name + "\nRUN --mount=type=cache,id=x" + sharing +
           ",target=/c,sharing=" + sharing +
           " /bin/busybox mkdir /c/busy || exit 1; /bin/busybox sleep 0.3; "
           "/bin/busybox rmdir /c/busy; echo " +
           name + " > /done\n";
  };
  for (const char* sharing : {"private", "locked"}) {
    const auto result = build(shell_base() + stage("one", sharing) + stage("two", sharing) +
                                  "FROM scratch\nCOPY --from=one /done /1\nCOPY --from=two /done "
                                  "/2\n",
                              [](BuildOptions& options) { options.jobs = 2; });
    EXPECT_EQ(tree(result).at("2"), "f 644 0:0 two\n") << sharing;
  }
}

TEST_F(MountBuilding, ATmpfsIsEmptyAndBounded) {
  const auto result = build(shell_base() +
                            "RUN --mount=type=tmpfs,target=/t,size=1m /bin/busybox ls /t > /l; "
                            "/bin/busybox dd if=/dev/zero of=/t/big bs=2M count=1 2> /dev/null || "
                            "echo full > /r\n");
  EXPECT_EQ(tree(result).at("r"), "f 644 0:0 full\n");
  EXPECT_EQ(tree(result).at("l"), "f 644 0:0 ");
}

TEST_F(MountBuilding, ASecretIsSeenByTheStepAndIsNowhereElse) {
  const auto give = [](BuildOptions& options) { options.secrets["token"] = {.value = "hunter2"}; };
  const std::string text =
      shell_base() +
      "RUN --mount=type=secret,id=token,uid=7,mode=0440 --mount=type=secret,id=token,env=TOKEN "
      "/bin/busybox stat -c '%a %u' /run/secrets/token > /stat; "
      "[ $(/bin/busybox cat /run/secrets/token) = \"$TOKEN\" ] && echo same > /same\n";
  const auto result = build(text, give);
  const auto files = tree(result);
  EXPECT_EQ(files.at("stat"), "f 644 0:0 440 7\n");
  EXPECT_EQ(files.at("same"), "f 644 0:0 same\n");
  EXPECT_THAT(files, Not(Contains(Key(HasSubstr("secrets")))));
  for (const std::string& line : history(result)) EXPECT_THAT(line, Not(HasSubstr("hunter2")));
  const auto other =
      build(text, [](BuildOptions& options) { options.secrets["token"] = {.value = "another"}; });
  EXPECT_EQ(other.cached_steps, 3U) << "a secret's value is in no key";
}

TEST_F(MountBuilding, ASecretThatIsMissingIsNoErrorUnlessRequired) {
  const auto result =
      build(shell_base() + "RUN --mount=type=secret,id=x [ -e /run/secrets/x ] || echo no > /r\n");
  EXPECT_EQ(tree(result).at("r"), "f 644 0:0 no\n");
  const Error missing = error_of(shell_base() + "RUN --mount=type=secret,id=x,required true\n");
  EXPECT_THAT(missing.what(), AllOf(HasSubstr("'x' is required"), HasSubstr("--secret id=x")));
}

TEST_F(MountBuilding, AnAgentsSocketIsWhereItsVariableSays) {
  const std::string path = room_.path() + "/agent";
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto result = build(
      shell_base() + "RUN --mount=type=ssh [ -S $SSH_AUTH_SOCK ] && echo $SSH_AUTH_SOCK > /r\n",
      [&](BuildOptions& options) { options.agents["default"] = path; });
  EXPECT_EQ(tree(result).at("r"), "f 644 0:0 /run/buildkit/ssh_agent.0\n");
  EXPECT_THAT(tree(result), Not(Contains(Key(HasSubstr("run/")))));
}

TEST_F(MountBuilding, MountsOnTheRootAreRefused) {
  EXPECT_THAT(error_of(shell_base() + "RUN --mount=type=tmpfs,target=/ true\n").what(),
              HasSubstr("the root itself"));
  EXPECT_THAT(error_of(shell_base() + "RUN --mount=from=$x,target=/y true\n").what(),
              HasSubstr("does not expand variables"));
}

}  // namespace
}  // namespace lade::build
