// COPY and ADD, by the rules of BuildKit.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "libimage/compress/codec.h"

#include "tests/build/fixture.h"

namespace lade::build {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::Pair;

class Copying : public BuildTest {
 protected:
  std::map<std::string, std::string> tree_of(const std::string& text) { return tree(build(text)); }
};

TEST_F(Copying, AFileBecomesTheDestinationOrGoesIntoItsDirectory) {
  file("f", "x", 0640);
  EXPECT_THAT(
      tree_of("FROM scratch\nCOPY f /a\nCOPY f /d/e/\nCOPY f .\nCOPY f d\nWORKDIR /w\nCOPY f g"),
      ElementsAre(Pair("a", "f 640 0:0 x"), Pair("d", "d 755 0:0"), Pair("d/e", "d 755 0:0"),
                  Pair("d/e/f", "f 640 0:0 x"), Pair("d/f", "f 640 0:0 x"),
                  Pair("f", "f 640 0:0 x"), Pair("w", "d 755 0:0"), Pair("w/g", "f 640 0:0 x")));
}

TEST_F(Copying, ADirectoryGivesItsContentsAndMergesIntoWhatIsThere) {
  file("src/a", "1");
  file("src/sub/b", "2");
  file("more/sub/c", "3");
  ASSERT_EQ(::chmod(cat(context_path(), "/src/sub").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(cat(context_path(), "/more/sub").c_str(), 0711), 0);
  ASSERT_EQ(::chmod(cat(context_path(), "/src").c_str(), 0700), 0);
  EXPECT_THAT(
      tree_of("FROM scratch\nCOPY src /d\nCOPY more/ /d"),
      ElementsAre(Pair("d", "d 755 0:0"), Pair("d/a", "f 644 0:0 1"), Pair("d/sub", "d 711 0:0"),
                  Pair("d/sub/b", "f 644 0:0 2"), Pair("d/sub/c", "f 644 0:0 3")));
}

TEST_F(Copying, LinksAreKeptBelowASourceAndFollowedAtItsEndAndInTheDestination) {
  file("dir/f", "x");
  ASSERT_EQ(::symlink("f", cat(context_path(), "/dir/link").c_str()), 0);
  ASSERT_EQ(::symlink("dir", cat(context_path(), "/to-dir").c_str()), 0);
  EXPECT_THAT(
      tree_of("FROM scratch\nCOPY to-dir /d\nCOPY dir/link /g\nCOPY dir/link /n/\n"),
      ElementsAre(Pair("d", "d 755 0:0"), Pair("d/f", "f 644 0:0 x"), Pair("d/link", "-> f"),
                  Pair("g", "f 644 0:0 x"), Pair("n", "d 755 0:0"), Pair("n/link", "f 644 0:0 x")));
  file("links/keep", "");
  ASSERT_EQ(::symlink("/real", cat(context_path(), "/links/at").c_str()), 0);
  const auto found =
      tree_of("FROM scratch\nCOPY dir/f /real/\nCOPY links /l\nCOPY dir/f /l/at/new");
  EXPECT_THAT(found, Contains(Pair("real/new", "f 644 0:0 x")));
  EXPECT_THAT(found, Contains(Pair("l/at", "-> /real")));
}

TEST_F(Copying, TypesThatDoNotFitAreErrors) {
  file("d/x", "");
  file("f", "");
  file("e/x/y", "");
  EXPECT_THAT(error_of("FROM scratch\nCOPY f /t\nCOPY d /t").what(),
              HasSubstr("onto the file '/t'"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY d /t\nCOPY e /t").what(),
              HasSubstr("onto the file '/t/x'"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY e /t\nCOPY d /t").what(),
              HasSubstr("cannot replace the directory '/t/x'"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY f /t\nCOPY f /t/u/v").what(),
              HasSubstr("not a directory"));
}

TEST_F(Copying, PatternsMatchWithinComponentsAndMayMatchNothing) {
  file("a.c", "");
  file("b.c", "");
  file("sub/c.c", "");
  file("sub/d.h", "");
  EXPECT_THAT(
      tree_of("FROM scratch\nCOPY *.c *.nothing /d/\nCOPY s?b/[c-d].c /e/\nCOPY */*.h /\n"),
      ElementsAre(Key("d"), Key("d.h"), Key("d/a.c"), Key("d/b.c"), Key("e"), Key("e/c.c")));
  const Error missing = error_of("FROM scratch\nCOPY nothing /");
  EXPECT_EQ(missing.code(), Errc::not_found);
  EXPECT_THAT(missing.what(), HasSubstr("Containerfile:2: COPY nothing /: there is no 'nothing'"));
}

TEST_F(Copying, OwnersAndModesAreAsAsked) {
  file("passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n");
  file("group", "root:x:0:\nstaff:x:50:web\n");
  file("s/f", "x", 04755);
  const std::string base = "FROM scratch\nCOPY passwd group /etc/\n";
  EXPECT_THAT(
      tree_of(base + "COPY --chown=web --chmod=0600 s /a\nCOPY --chown=7 s /b/\nCOPY "
                     "--chown=web:staff s/f /c/\nARG U=9:8\nCOPY --chown=$U s/f /d\nCOPY s/f /e"),
      testing::IsSupersetOf({Pair("a", "d 600 33:44"), Pair("a/f", "f 600 33:44 x"),
                             Pair("b", "d 755 7:7"), Pair("b/f", "f 4755 7:7 x"),
                             Pair("c", "d 755 33:50"), Pair("c/f", "f 4755 33:50 x"),
                             Pair("d", "f 4755 9:8 x"), Pair("e", "f 4755 0:0 x")}));
  EXPECT_THAT(error_of(base + "COPY --chown=nobody s /a").what(),
              HasSubstr("user 'nobody' is not in"));
  EXPECT_THAT(error_of(base + "COPY --chown=web:nobody s /a").what(), HasSubstr("group 'nobody'"));
  EXPECT_EQ(error_of(base + "COPY --chmod=99 s /a").code(), Errc::invalid_content);
}

TEST_F(Copying, TimesAttributesAndHardLinksAreKept) {
  file("s/f", "x");
  file("s-2", "");
  ASSERT_EQ(::link(cat(context_path(), "/s/f").c_str(), cat(context_path(), "/s/a").c_str()), 0);
  ASSERT_EQ(::setxattr(cat(context_path(), "/s/f").c_str(), "user.note", "v", 1, 0), 0);
  ASSERT_EQ(::mkfifo(cat(context_path(), "/s/pipe").c_str(), 0600), 0);
  touch("s/f");
  const BuildResult result = build("FROM scratch\nCOPY . /d/");
  RootFs root = root_of(result);
  const Attributes found = root.lookup("d/s/f").value();
  EXPECT_EQ(found.mtime, kThen);
  EXPECT_THAT(found.xattrs, ElementsAre(Pair("user.note", "v")));
  EXPECT_EQ(root.lookup("d/s/pipe")->type, FileType::fifo);
  const ContentRef first = root.content("d/s/a");
  const ContentRef second = root.content("d/s/f");
  struct stat a {
  }, b{};
  ASSERT_EQ(::fstatat(first.root->get(), first.path.c_str(), &a, 0), 0);
  ASSERT_EQ(::fstatat(second.root->get(), second.path.c_str(), &b, 0), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
}

TEST_F(Copying, ExistingParentsAreRepeatedAsTheyAre) {
  file("f", "x");
  ASSERT_EQ(::mkdir(cat(context_path(), "/top").c_str(), 0755), 0);
  file("top/tmp/keep", "");
  ASSERT_EQ(::chmod(cat(context_path(), "/top/tmp").c_str(), 01777), 0);
  const BuildResult result = build("FROM scratch\nCOPY top /\nCOPY f /tmp/f");
  EXPECT_THAT(tree(result), Contains(Pair("tmp", "d 1777 0:0")));
}

TEST_F(Copying, NothingLeavesTheContext) {
  ASSERT_EQ(::symlink("/etc", cat(context_path(), "/out").c_str()), 0);
  ASSERT_EQ(::symlink("../../../../etc/hostname", cat(context_path(), "/up").c_str()), 0);
  ASSERT_EQ(::symlink("/loop", cat(context_path(), "/loop").c_str()), 0);
  for (const char* line : {"COPY out/passwd /x", "COPY ../../etc/passwd /x", "COPY /etc/passwd /x",
                           "COPY up /x", "COPY out/* /x"})
    EXPECT_EQ(error_of(cat("FROM scratch\n", line)).code(), Errc::not_found) << line;
  EXPECT_EQ(error_of("FROM scratch\nCOPY loop/x /x").code(), Errc::invalid_content);
}

TEST_F(Copying, IgnoredFilesAreNotThere) {
  file(".dockerignore", "*\n!keep\n!d/e/in\n");
  file("keep", "");
  file("gone", "");
  file("d/e/in", "");
  file("d/e/out", "");
  file("d/f/out", "");
  EXPECT_THAT(tree_of("FROM scratch\nCOPY . /c/"),
              ElementsAre(Key("c"), Key("c/d"), Key("c/d/e"), Key("c/d/e/in"), Key("c/keep")));
  EXPECT_THAT(error_of("FROM scratch\nCOPY gone /").what(),
              HasSubstr("excluded by '.dockerignore'"));
  file(".containerignore", "keep\n");
  EXPECT_THAT(tree_of("FROM scratch\nCOPY . /c/"), Contains(Key("c/gone")));
  file("Special", "FROM scratch\nCOPY . /\n");
  file("Special.dockerignore", "*\n!gone\n");
  const BuildResult special = build("", [&](BuildOptions& options) {
    options.containerfile_text.reset();
    options.containerfile = "Special";
  });
  EXPECT_THAT(tree(special), ElementsAre(Key("gone")));
}

TEST_F(Copying, LinksOfTheContextCannotNameAnIgnoreFileOutside) {
  ASSERT_EQ(::symlink("/etc/passwd", cat(room_.path(), "/outside").c_str()), 0);
  file("f", "");
  file("Containerfile", "FROM scratch\nCOPY f /\n");
  const auto from_context = [](BuildOptions& options) { options.containerfile_text.reset(); };
  for (const char* name : {".dockerignore", ".containerignore", "Containerfile.dockerignore"}) {
    for (const char* target : {"/etc/passwd", "../outside", "/dev/zero", "gone"}) {
      const std::string link = cat(context_path(), "/", name);
      ASSERT_EQ(::symlink(target, link.c_str()), 0);
      EXPECT_THAT(error_of("", from_context).what(), HasSubstr("is a link to what is not in its"))
          << name << " " << target;
      ASSERT_EQ(::unlink(link.c_str()), 0);
    }
  }
  const std::string fifo = cat(context_path(), "/Containerfile.containerignore");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(error_of("", from_context).what(), HasSubstr("is not a regular file"));
}

TEST_F(Copying, FromAnotherStageKeepsOwnersAndModes) {
  file("s/f", "x", 0600);
  EXPECT_THAT(
      tree_of(
          "FROM scratch AS One\nCOPY --chown=5:6 s /src\nFROM scratch\nCOPY --from=one /src /a\n"
          "COPY --from=0 src/f /b\nCOPY --from=one --chown=1 /src/* /c/"),
      ElementsAre(Pair("a", "d 755 0:0"), Pair("a/f", "f 600 5:6 x"), Pair("b", "f 600 5:6 x"),
                  Pair("c", "d 755 1:1"), Pair("c/f", "f 600 1:1 x")));
}

TEST_F(Copying, FromAnImage) {
  file("f", "x");
  build("FROM scratch\nCOPY f /in-image",
        [](BuildOptions& options) { options.names = {"other:1"}; });
  EXPECT_THAT(tree_of("FROM scratch\nCOPY --from=other:1 /in-image /here"),
              ElementsAre(Key("here")));
  EXPECT_EQ(error_of("FROM scratch\nCOPY --from=no-such / /").code(), Errc::not_found);
}

TEST_F(Copying, HeredocsAreFiles) {
  EXPECT_THAT(tree_of("FROM scratch\nARG A=v\nCOPY <<one <<'two' /d/\n$A \"q\"\none\n$A\ntwo\n"
                      "COPY --chmod=755 <<-EOF /run.sh\n\techo\n\tEOF\n"),
              ElementsAre(Key("d"), Pair("d/one", "f 644 0:0 v \"q\"\n"),
                          Pair("d/two", "f 644 0:0 $A\n"), Pair("run.sh", "f 755 0:0 echo\n")));
}

TEST_F(Copying, AddUnpacksTarsOfAnyCodec) {
  const auto add = [&](const std::string& command) {
    ASSERT_EQ(::system(cat("cd ", context_path(), " && ", command).c_str()), 0);
  };
  file("t/dir/f", "x", 0751);
  file("t/bin/tool", "t");
  add("chown -R 3:4 t && tar cf a.tar -C t . && tar cJf b -C t dir && tar cjf c.x -C t dir && "
      "tar cf - -C t dir | zstd -q > d && gzip -k a.tar && rm a.tar && printf hello > plain");
  file("usr/bin/old", "");
  ASSERT_EQ(::symlink("usr/bin", cat(context_path(), "/link").c_str()), 0);
  const auto found = tree_of(
      "FROM scratch\nADD a.tar.gz /a\nADD b /b\nADD c.x /c/\nADD --chown=8:9 d /d\n"
      "ADD plain /p\nADD --unpack=false a.tar.gz /q/");
  EXPECT_THAT(found,
              testing::IsSupersetOf({Pair("a", "d 755 0:0"), Pair("a/dir", "d 755 3:4"),
                                     Pair("a/dir/f", "f 751 3:4 x"), Pair("b/dir/f", "f 751 3:4 x"),
                                     Pair("c/dir/f", "f 751 3:4 x"), Pair("d/dir/f", "f 751 8:9 x"),
                                     Pair("d", "d 755 8:9"), Pair("p", "f 644 0:0 hello")}));
  EXPECT_THAT(found, Contains(Key("q/a.tar.gz")));
  file("top/usr/bin/old", "");
  ASSERT_EQ(::symlink("usr/bin", cat(context_path(), "/top/bin").c_str()), 0);
  const auto merged = tree_of("FROM scratch\nCOPY top /\nADD a.tar.gz /");
  EXPECT_THAT(merged, Contains(Pair("bin", "-> usr/bin")));
  EXPECT_THAT(merged, Contains(Pair("usr/bin/tool", "f 644 3:4 t")));
}

TEST_F(Copying, AnArchiveThatIsOnlyListedGivesTheLayerOfAnUnpackedOne) {
  file("t/dir/f", "x", 0751);
  file("t/dir/below/big", std::string(3'000'000, 'b'));
  file("t/empty", "");
  const auto shell = [&](const std::string& command) {
    ASSERT_EQ(::system(cat("cd ", context_path(), " && ", command).c_str()), 0);
  };
  shell(
      "ln -s dir/f t/link && ln t/dir/f t/another && mkdir -m 1777 t/tmp && chown -hR 3:4 t && "
      "tar cf listed.tar -C t . && gzip -k listed.tar && cp listed.tar unpacked.tar && "
      "tar rf unpacked.tar -C t ./empty && "  // given twice: only unpacking tells
      "touch -d @1600000000 *.tar *.gz");
  const auto layer_of = [&](const std::string& words) {
    return build(cat("FROM scratch\nADD ", words, "\n")).config.diff_ids;
  };
  for (const std::string flag : {"", "--chown=8:9 "}) {
    const auto words = [&](const std::string& name) { return cat(flag, name, " /to/"); };
    const auto unpacked = layer_of(words("unpacked.tar"));
    EXPECT_EQ(layer_of(words("listed.tar")), unpacked) << flag;
    EXPECT_EQ(layer_of(words("listed.tar.gz")), unpacked) << flag;
  }
  EXPECT_EQ(build("FROM scratch AS a\nADD listed.tar /to/\nFROM scratch\nCOPY --from=a /to /to\n")
                .config.diff_ids,
            layer_of("unpacked.tar /to/"));
  // Equal files of two archives are not the same file.
  const auto two = tree_of("FROM scratch\nADD listed.tar /one/\nADD listed.tar listed.tar /two/\n");
  EXPECT_THAT(two, Contains(Pair("one/another", "f 751 3:4 x")));
  shell("tar cf bare.tar -C t dir/f");  // without its directory
  EXPECT_THAT(tree_of("FROM scratch\nADD bare.tar /"), Contains(Pair("dir/f", "f 751 3:4 x")));
}

TEST_F(Copying, FlagsAndSourcesThatItDoesNotHaveAreRefused) {
  file("f", "");
  EXPECT_EQ(error_of("FROM scratch\nCOPY http://x/y /").code(), Errc::invalid_content);
  EXPECT_THAT(error_of("FROM scratch\nCOPY --form=x f /").what(),
              HasSubstr("did you mean --from?"));
  EXPECT_THAT(error_of("FROM scratch\nCOPY --from=$X f /").what(), HasSubstr("AS NAME"));
}

}  // namespace
}  // namespace lade::build
