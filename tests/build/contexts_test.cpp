// Build contexts other than a directory, and named ones.
#include <sys/stat.h>
#include <unistd.h>

#include "libimage/build/context_source.h"
#include "libimage/compress/codec.h"

#include "tests/build/fixture.h"
#include "tests/support/tar_builder.h"

namespace lade::build {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Pair;

using Kind = ContextName::Kind;

TEST(ContextName, IsToldByItsForm) {
  const auto name = [](Kind kind, std::string text) { return ContextName{kind, std::move(text)}; };
  EXPECT_EQ(parse_context_name("-"), name(Kind::input, ""));
  EXPECT_EQ(parse_context_name("."), name(Kind::path, "."));
  EXPECT_EQ(parse_context_name("../a.tar.gz"), name(Kind::path, "../a.tar.gz"));
  EXPECT_EQ(parse_context_name("git@h:a/b"), name(Kind::git, "git@h:a/b"));
  EXPECT_EQ(parse_context_name("github.com/a/b"), name(Kind::git, "github.com/a/b"));
  EXPECT_EQ(parse_context_name("https://h/a.git#x"), name(Kind::git, "https://h/a.git#x"));
  EXPECT_EQ(parse_context_name("https://h/a.tgz"), name(Kind::http, "https://h/a.tgz"));
  EXPECT_EQ(parse_context_name("docker-image://alpine:3"), name(Kind::image, "alpine:3"));
  EXPECT_EQ(parse_context_name("oci-layout://dir:tag"), name(Kind::image, "oci:dir:tag"));
  for (const char* bad : {"", "ftp://h/x", "docker-image://", "oci-layout://", "target:x"})
    EXPECT_THROW((void)parse_context_name(bad), Error) << bad;
}

TEST(NamedContext, IsFoundUnderAllWaysToWriteAName) {
  const std::map<std::string, std::string> contexts = {
      {"alpine", "a"}, {"docker.io/me/x:latest", "b"}, {"p::linux/arm64", "c"}, {"p", "d"}};
  const oci::Platform amd64{.architecture = "amd64", .os = "linux"};
  const oci::Platform arm64{.architecture = "arm64", .os = "linux"};
  const auto found = [&](const std::string& name, const oci::Platform& platform) {
    const auto context = named_context(contexts, name, platform);
    return context ? context->text : "";
  };
  EXPECT_EQ(found("docker.io/library/alpine:latest", amd64), "a");
  EXPECT_EQ(found("ALPINE", amd64), "a");
  EXPECT_EQ(found("alpine:3", amd64), "");
  EXPECT_EQ(found("me/x", amd64), "b");
  EXPECT_EQ(found("p", arm64), "c");
  EXPECT_EQ(found("p", amd64), "d");
  EXPECT_EQ(found("scratch", amd64), "");
}

class ContextsOfBuild : public BuildTest {
 protected:
  /// A directory of its own for named contexts.
  std::string other(const std::string& path, const std::string& text) {
    file(cat("../other/", path), text);
    return cat(room_.path(), "/other");
  }
  static std::string tar_with(const std::map<std::string, std::string>& files) {
    lade::testing::TarBuilder tar;
    for (const auto& [name, text] : files) tar.file(name, text);
    return tar.finish();
  }
  static std::string compressed(const std::string& text, const std::string& codec) {
    StringSink out;
    const auto sink = codec_named(codec).compress_to(out, {});
    sink->write(bytes_of(text));
    sink->finish();
    return out.take();
  }
  static void from_input(BuildOptions& options, const std::string& bytes) {
    options.context = "-";
    options.containerfile_text.reset();
    options.standard_input = [bytes] { return std::make_unique<OwnedText>(bytes); };
  }

 private:
  class OwnedText final : public Source {
   public:
    explicit OwnedText(std::string text) : text_(std::move(text)), source_(text_) {}
    std::size_t read(std::span<std::byte> out) override { return source_.read(out); }

   private:
    std::string text_;
    StringSource source_;
  };
};

TEST_F(ContextsOfBuild, AnArchiveIsAContextWhateverItsCodec) {
  const std::string tar =
      tar_with({{"Dockerfile", "FROM scratch\nCOPY f /\n"}, {"f", "x"}, {".dockerignore", "f\n"}});
  for (const std::string& bytes : {tar, compressed(tar, "gzip"), compressed(tar, "zstd")}) {
    file("../context.tar", bytes);
    EXPECT_THAT(tree(build("",
                           [&](BuildOptions& o) {
                             o.context = cat(room_.path(), "/context.tar");
                             o.containerfile_text.reset();
                           })),
                ElementsAre(Pair("f", "f 644 0:0 x")));
    EXPECT_THAT(tree(build("", [&](BuildOptions& o) { from_input(o, bytes); })),
                ElementsAre(Key("f")));
  }
}

TEST_F(ContextsOfBuild, StandardInputMayBeTheContainerfile) {
  EXPECT_THAT(build("", [](BuildOptions& o) { from_input(o, "FROM scratch\nLABEL a=b\n"); })
                  .images.front()
                  .config.config->labels,
              ElementsAre(Pair("a", "b")));
  EXPECT_THAT(
      error_of("", [](BuildOptions& o) { from_input(o, "FROM scratch\nCOPY a /\n"); }).what(),
      HasSubstr("no context"));
  EXPECT_THAT(error_of("", [](BuildOptions& o) { from_input(o, std::string(600, '\0')); }).what(),
              HasSubstr("neither a tar nor a Containerfile"));
}

TEST_F(ContextsOfBuild, AnArchiveLeadsNowhere) {
  file("../secret", "s");
  lade::testing::TarBuilder tar;
  tar.file("../../escaped", "x");
  tar.symlink("Dockerfile", cat(room_.path(), "/secret"));
  tar.symlink("out", "/");
  const std::string bytes = tar.finish();
  const Error error = error_of("", [&](BuildOptions& o) { from_input(o, bytes); });
  EXPECT_THAT(error.what(), HasSubstr("'Dockerfile'"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY out/etc/passwd /\n",
                       [&](BuildOptions& o) {
                         from_input(o, bytes);
                         o.containerfile_text = "FROM scratch\nCOPY out/etc/passwd /\n";
                       })
                  .what(),
              HasSubstr("there is no"));
}

TEST_F(ContextsOfBuild, NamedDirectoriesAreCopiedFromWithTheirOwnIgnoreFile) {
  const std::string directory = other("f", "1");
  other("g", "2");
  other(".dockerignore", "g\n.dockerignore\n");
  const auto named = [&](BuildOptions& o) { o.contexts = {{"Other", directory}}; };
  const std::string text = "FROM scratch\nCOPY --from=other / /d/\n";
  EXPECT_THAT(tree(build(text, named)), ElementsAre(Key("d"), Pair("d/f", "f 644 0:0 1")));
  EXPECT_EQ(build(text, named).cached_steps, 1U);
  other("f", "changed");
  EXPECT_THAT(tree(build(text, named)), ElementsAre(Key("d"), Pair("d/f", "f 644 0:0 changed")));
}

TEST_F(ContextsOfBuild, NamesGoBeforeStagesAndImages) {
  build("FROM scratch\nENV FROM_IMAGE=1", [](BuildOptions& o) { o.names = {"real"}; });
  const std::string directory = other("f", "1");
  const auto named = [&](BuildOptions& o) {
    o.contexts = {{"base", "docker-image://real"}, {"stage", directory}, {"root", directory}};
  };
  EXPECT_THAT(build("FROM base:latest", named).images.front().config.config->env,
              Contains("FROM_IMAGE=1"));
  EXPECT_THAT(tree(build("FROM no-such AS stage\nFROM scratch\nCOPY --from=stage f /", named)),
              ElementsAre(Key("f")));
  EXPECT_THAT(tree(build("FROM root\nCOPY --from=root f /g", named)),
              ElementsAre(Key("f"), Key("g")));
}

TEST_F(ContextsOfBuild, BindsShowEverythingAsRoots) {
  const std::string base = shell_base();
  file("d/f", "x", 0640);
  ASSERT_EQ(::chown(cat(context_path(), "/d/f").c_str(), 1234, 5678), 0);
  EXPECT_NO_THROW(
      build(cat(base,
                "FROM base\nRUN --mount=target=/c [\"/bin/busybox\", \"sh\", \"-c\", \"test "
                "$(/bin/busybox stat -c %u:%g:%a /c/d/f) = 0:0:640\"]\n")));
}

TEST_F(ContextsOfBuild, BindsShowNamedContexts) {
  const std::string directory = other("f", "bound");
  const std::string text = cat(shell_base(),
                               "FROM base\nRUN --mount=from=other,target=/m [\"/bin/busybox\", "
                               "\"cp\", \"/m/f\", \"/copy\"]\n");
  const BuildResult result = build(text, [&](BuildOptions& o) {
    o.contexts = {{"other", directory}};
  });
  EXPECT_THAT(tree(result), Contains(Pair("copy", HasSubstr("bound"))));
}

}  // namespace
}  // namespace lade::build
