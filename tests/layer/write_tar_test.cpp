#include <fcntl.h>

#include "libimage/base/error.h"

#include "tests/layer/trees.h"

namespace lade {
namespace {

using testing::apply_to;
using testing::describe;
using testing::entries_of;
using testing::kOneOfEach;
using testing::shell;
using testing::tar_of;
using testing::temp_root;
using testing::write_whole;

class WriteTar : public ::testing::Test {
 protected:
  TempDir temp_{temp_root()};
  std::string source_ = temp_.path() + "/source";
  std::string copy_ = temp_.path() + "/copy";
  void SetUp() override {
    shell(temp_.path(), "mkdir source copy");
    shell(source_, kOneOfEach);
  }
};

TEST_F(WriteTar, IsReadBackAsTheSameTree) {
  const std::string tar = tar_of(entries_of(source_));
  const ApplyResult result = apply_to(copy_, tar);
  EXPECT_EQ(result.diff_id.value, sha256_of(tar));
  EXPECT_EQ(result.bytes, tar.size());
  EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_)));
}

TEST_F(WriteTar, IsReadByGnuTarAsTheSameTree) {
  write_whole(temp_.path() + "/t.tar", tar_of(entries_of(source_)));
  shell(copy_, "tar --xattrs --xattrs-include='*' --numeric-owner -xpf ../t.tar");
  EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_)));
}

TEST_F(WriteTar, IsReadByBsdtarAsTheSameTree) {
  shell(source_, "touch -d @-1000 zero");  // it reads fractions before 1970 wrongly
  write_whole(temp_.path() + "/t.tar", tar_of(entries_of(source_)));
  shell(copy_, "LC_ALL=C.UTF-8 bsdtar --numeric-owner -xpf ../t.tar");
  EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_)));
}

TEST_F(WriteTar, IsListedByPythonWithTheSameNames) {
  write_whole(temp_.path() + "/t.tar", tar_of(entries_of(source_)));
  shell(temp_.path(), R"(python3 - <<'END'
import os, sys, tarfile
want = []
for top, dirs, files in os.walk(b'source'):
    want += [os.path.relpath(os.path.join(top, n), b'source') for n in dirs + files]
with tarfile.open('t.tar', encoding='utf-8', errors='surrogateescape') as tar:
    members = tar.getmembers()
got = [os.fsencode(m.name) for m in members if m.name != '.']
assert sorted(got) == sorted(want), (set(got) ^ set(want))
by = {m.name: m for m in members}
assert by['usr/bin/tool2'].islnk() and by['usr/bin/tool2'].linkname == 'usr/bin/tool'
assert by['owned'].gid == 2097152 and by['zero'].mtime == -315619199.5, by['zero'].mtime
assert by['etc/motd'].pax_headers['SCHILY.xattr.user.note'] == 'a b'
END)");
}

TEST_F(WriteTar, AppliesWhatOtherToolsWrite) {
  const std::string posix_writers[] = {
      "tar --format=posix --xattrs --xattrs-include='*' --numeric-owner -C source -cf t.tar .",
      "tar --format=posix --sparse --sparse-version=0.0 --xattrs --xattrs-include='*' -C source "
      "-cf t.tar .",
      "tar --format=posix --sparse --sparse-version=0.1 --xattrs --xattrs-include='*' -C source "
      "-cf t.tar .",
      "tar --format=posix --sparse --sparse-version=1.0 --xattrs --xattrs-include='*' -C source "
      "-cf t.tar .",
      "touch -d @-1000 source/zero; bsdtar --format=pax --numeric-owner -C source -cf t.tar ."};
  const std::string gnu_writers[] = {"tar --format=gnu --numeric-owner -C source -cf t.tar .",
                                     "tar --format=gnu --sparse -C source -cf t.tar .",
                                     "python3 -c 'import tarfile\nwith tarfile.open(\"t.tar\", "
                                     "\"w\", format=tarfile.GNU_FORMAT) as tar: "
                                     "tar.add(\"source\", \".\")'"};
  shell(source_,
        "truncate -s 3M holes; printf mid | dd of=holes bs=1 seek=1M conv=notrunc 2>/dev/null; "
        "for i in $(seq 0 60); do printf $i | dd of=many bs=1 seek=$((i * 40000)) conv=notrunc "
        "2>/dev/null; done; "
        "find . -type d -exec touch -d @1500000000 {} +");
  const auto check = [&](const std::string& writer) {
    shell(temp_.path(),
          "rm -rf copy; mkdir copy; chmod 755 copy source; " + writer + " 2>/dev/null");
    apply_to(copy_, testing::read_whole(temp_.path() + "/t.tar"));
    EXPECT_EQ(describe(open_dir(copy_)), describe(open_dir(source_))) << writer;
  };
  for (const std::string& writer : posix_writers) check(writer);
  // The GNU format has no xattrs and no fractions of a second.
  shell(source_,
        "for x in user.note user.empty security.capability; do find . -type f -print0 | "
        "xargs -0 -n1 setfattr -x $x 2>/dev/null || true; done; "
        "find . -exec touch -h -d @1500000000 {} +; touch -h -d @-1000 zero");
  for (const std::string& writer : gnu_writers) check(writer);
}

LayerEntry text_entry(std::string path, std::string text) {
  LayerEntry entry;
  entry.path = std::move(path);
  entry.attributes.mode = 0644;
  entry.attributes.size = text.size();
  entry.content.text = std::make_shared<const std::string>(std::move(text));
  return entry;
}

TEST(WriteTarBytes, ArePlainUstarWhereValuesFit) {
  LayerEntry entry = text_entry("a", "x");
  entry.attributes.mtime = {1'000'000'000, 0};
  const std::string tar = tar_of({entry});
  EXPECT_EQ(tar.size(), 512U + 512U + 1024U);
  EXPECT_EQ(tar.substr(0, 2), std::string("a\0", 2));
  EXPECT_EQ(tar.substr(100, 48), std::string("0000644\0"
                                             "0000000\0"
                                             "0000000\0"
                                             "00000000001\0"
                                             "07346545000\0",
                                             48));
  EXPECT_EQ(tar.substr(257, 8), std::string("ustar\0"
                                            "00",
                                            8));
}

TEST(WriteTarBytes, SplitLongNamesBeforeTheyNeedPax) {
  const std::string dir(120, 'd');
  EXPECT_EQ(tar_of({text_entry(dir + "/" + std::string(100, 'n'), "")}).size(), 512U + 1024U);
  EXPECT_EQ(tar_of({text_entry(dir + "/" + std::string(101, 'n'), "")}).size(), 3 * 512U + 1024U);
  EXPECT_EQ(tar_of({text_entry(std::string(100, 'n'), "")}).size(), 512U + 1024U);
  EXPECT_EQ(tar_of({text_entry(std::string(101, 'n'), "")}).size(), 3 * 512U + 1024U);
}

TEST(WriteTarBytes, WhiteoutsAndOpaqueMarksAreEmptyFilesOfNobodyAtTheEpoch) {
  LayerEntry dir;
  dir.path = "d";
  dir.attributes.type = FileType::directory;
  const std::string tar = tar_of({dir,
                                  {.kind = LayerEntry::Kind::opaque, .path = "d"},
                                  {.kind = LayerEntry::Kind::whiteout, .path = "d/gone"},
                                  {.kind = LayerEntry::Kind::whiteout, .path = "top"}});
  StringSource source(tar);
  TarReader reader(source);
  EXPECT_EQ(reader.next()->path, "d/");
  for (const std::string path : {"d/.wh..wh..opq", "d/.wh.gone", ".wh.top"}) {
    const std::optional<TarEntry> entry = reader.next();
    EXPECT_EQ(entry->path, path);
    EXPECT_EQ(entry->attributes, Attributes{});
  }
}

TEST(WriteTarBytes, TimesAreClamped) {
  LayerEntry entry = text_entry("a", "");
  entry.attributes.mtime = {2'000, 5};
  const std::string tar = tar_of({entry}, {.clamp_mtime = Timestamp{1'000, 0}});
  StringSource source(tar);
  TarReader reader(source);
  EXPECT_EQ(reader.next()->attributes.mtime, (Timestamp{1'000, 0}));
  entry.attributes.mtime = {999, 0};
  EXPECT_EQ(tar_of({entry}, {.clamp_mtime = Timestamp{1'000, 0}}), tar_of({entry}));
}

TEST(WriteTarBytes, NamesThatMeanRemovalsAreRefused) {
  for (const std::string path : {".wh.a", "d/.wh.a", ".wh.d/a", ".wh..wh..opq"}) {
    try {
      tar_of({text_entry(path, "")});
      ADD_FAILURE() << path;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::unsupported);
    }
  }
}

TEST_F(WriteTar, TellsTheDigestOfEachContent) {
  std::map<std::string, Digest> digests;
  const std::vector<LayerEntry> entries = entries_of(source_);
  tar_of(entries, {.on_content = [&](const LayerEntry& entry, const Digest& digest) {
           digests.emplace(entry.path, digest);
         }});
  std::size_t files = 0;
  for (const LayerEntry& entry : entries) {
    if (entry.kind != LayerEntry::Kind::file || entry.attributes.type != FileType::regular)
      continue;
    ++files;
    ASSERT_TRUE(digests.contains(entry.path)) << entry.path;
    EXPECT_EQ(digests.at(entry.path), sha256_of(testing::read_whole(source_ + "/" + entry.path)));
  }
  EXPECT_EQ(digests.size(), files);
}

TEST_F(WriteTar, FilesThatChangedSizeAreRefused) {
  for (const std::string change :
       {"echo more >> etc/motd", "truncate -s 1 etc/motd", "truncate -s 2000000 big",
        "rm etc/motd; mkfifo etc/motd", "rm etc/motd; ln -s /etc/passwd etc/motd", "rm etc/motd"}) {
    shell(source_, "rm -rf *");
    shell(source_, kOneOfEach);
    const std::vector<LayerEntry> entries = entries_of(source_);
    shell(source_, change);
    for (const unsigned readers : {0U, 2U}) {
      EXPECT_THROW(tar_of(entries, {.readers = readers}), Error) << change;
    }
  }
}

TEST(WriteTarMany, ReadersKeepTheOrderOfManyFiles) {
  const TempDir temp(temp_root());
  shell(temp.path(),
        "mkdir t; cd t; for d in $(seq 12); do mkdir $d; for f in $(seq 60); do echo $d $f > "
        "$d/$f; done; "
        "done; for i in 1 2 3; do head -c $((i * 700000)) /dev/urandom > big$i; done");
  const std::vector<LayerEntry> entries = entries_of(temp.path() + "/t");
  const std::string alone = tar_of(entries, {.readers = 0});
  EXPECT_EQ(tar_of(entries, {.readers = 1}), alone);
  EXPECT_EQ(tar_of(entries, {.readers = 4}), alone);
}

TEST(WriteTarMany, StopsItsReadersWhenTheSinkFails) {
  const TempDir temp(temp_root());
  shell(temp.path(), "mkdir t; cd t; for i in $(seq 60); do head -c 900000 /dev/zero > $i; done");
  struct Full final : Sink {
    void write(ByteView) override { throw Error(Errc::io, "no space"); }
  } full;
  EXPECT_THROW(write_tar(entries_of(temp.path() + "/t"), full, {}), Error);
}

}  // namespace
}  // namespace lade
