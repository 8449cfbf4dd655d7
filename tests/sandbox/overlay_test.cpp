// A step on an overlay: the upper directory holds what the step changed, and nothing of the set-up.
#include <filesystem>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/sandbox/overlay_root.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

RuntimeConfig with_hosts(const OverlaidRoot& root, const std::string& script) {
  RuntimeConfig step = shell_step({{}, root.overlay()}, script);
  write_file(root.upper() + "-hosts", "127.0.0.1 localhost\n");
  for (const char* target : {"/etc/hosts", "/etc/resolv.conf"}) {
    step.mounts.push_back({target, "bind", root.upper() + "-hosts", {"ro"}});
  }
  return step;
}

timespec mtime_of(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) throw_errno("stat " + path);
  return found.st_mtim;
}

void set_mtime(const std::string& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  if (::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set time");
}

TEST(Overlay, KeepsNothingOfAStepThatChangesNothing) {
  const OverlaidRoot root;
  set_mtime(root.upper(), 1'000'000);
  const Ran ran =
      run(with_hosts(root, "cat /etc/hosts; ls -d /dev /proc /sys /etc/resolv.conf > /dev/null"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, "127.0.0.1 localhost\n");
  EXPECT_THAT(root.changes(), IsEmpty());
  EXPECT_EQ(mtime_of(root.upper()).tv_sec, 1'000'000) << "the root's time";
  EXPECT_TRUE(fs::is_empty(root.work()));
}

TEST(Overlay, KeepsNothingOfMountPointsInDirectoriesOfTheImage) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/etc");
  fs::create_directories(root.lower() + "/usr/share/deep");
  RuntimeConfig step = with_hosts(root, "stat -c %Y /etc /usr/share/deep");
  step.mounts.push_back({"/usr/share/deep/er/file", "bind", root.upper() + "-hosts"});
  step.mounts.push_back({"/usr/share/deep/cache", "tmpfs", "tmpfs"});
  set_mtime(root.lower() + "/etc", 1'000'000);
  set_mtime(root.lower() + "/usr/share/deep", 2'000'000);
  const Ran ran = run(step);
  EXPECT_EQ(ran.output, "1000000\n2000000\n") << "nor does the step see a change";
  EXPECT_THAT(root.changes(), IsEmpty());
}

Mount piece_of(const OverlaidRoot& other, const std::string& destination, const std::string& source,
               const std::string& access) {
  return {.destination = destination,
          .type = "overlay",
          .source = source,
          .options = {access, "nosuid"},
          .overlay = other.overlay()};
}

TEST(Overlay, ShowsAPieceOfAnotherTreeAndKeepsWritesToItApart) {
  const OverlaidRoot root;
  const OverlaidRoot other;
  fs::create_directories(other.lower() + "/data/deep");
  write_file(other.lower() + "/data/deep/file", "below\n");
  RuntimeConfig step = shell_step({{}, root.overlay()},
                                  "cat /in/deep/file; echo new > /in/deep/file; echo x > /in/more");
  step.mounts.push_back(piece_of(other, "/in", "data", "rw"));
  const Ran ran = run(step);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.output, "below\n");
  EXPECT_THAT(root.changes(), IsEmpty());
  EXPECT_THAT(other.changes(), ElementsAre("data/", "data/deep/", "data/deep/file", "data/more"));
  EXPECT_EQ(read_file(other.lower() + "/data/deep/file", 100), "below\n");
}

TEST(Overlay, ShowsOneFileOfAnotherTreeReadOnly) {
  const OverlaidRoot root;
  const OverlaidRoot other;
  write_file(other.lower() + "/file", "content\n");
  fs::create_symlink("/file", other.lower() + "/link");
  RuntimeConfig step = shell_step({{}, root.overlay()}, "cat /one; echo x > /one || echo refused");
  step.mounts.push_back(piece_of(other, "/one", "link", "ro"));
  const Ran ran = run(step);
  EXPECT_THAT(ran.output, ::testing::StartsWith("content\n"));
  EXPECT_THAT(ran.output, ::testing::EndsWith("refused\n"));
  EXPECT_THAT(other.changes(), IsEmpty());
}

TEST(Overlay, RefusesAPieceThatIsNotThereOrOutside) {
  const OverlaidRoot root;
  const OverlaidRoot other;
  fs::create_symlink("/etc/passwd", other.lower() + "/out");
  for (const char* source : {"absent", "out", "../../../../etc/passwd"}) {
    RuntimeConfig step = shell_step({{}, root.overlay()}, "true");
    step.mounts.push_back(piece_of(other, "/in", source, "ro"));
    EXPECT_THROW((void)run(step), Error) << source;
  }
}

TEST(Overlay, KeepsWhatTheStepPutBesideAMountPoint) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/etc");
  const Ran ran = run(with_hosts(root, "echo x > /etc/new; mkdir -p /usr/share"));
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(root.changes(), ElementsAre("etc/", "etc/new", "usr/", "usr/share/"));
  const timespec changed = mtime_of(root.upper() + "/etc");
  const timespec written = mtime_of(root.upper() + "/etc/new");
  EXPECT_EQ(changed.tv_sec, written.tv_sec) << "the step's change to it, not the set-up's";
}

TEST(Overlay, KeepsADirectoryMadeForAMountPointIfTheStepUsedIt) {
  const OverlaidRoot root;
  (void)run(with_hosts(root, "echo x > /etc/new"));
  EXPECT_THAT(root.changes(), ElementsAre("etc/", "etc/new"));
}

TEST(Overlay, KeepsChangedAttributesOfAMountPointsDirectory) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/etc");
  (void)run(with_hosts(root, "chmod 700 /etc"));
  EXPECT_THAT(root.changes(), ElementsAre("etc/"));
}

TEST(Overlay, HoldsChangesAndWhiteouts) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/data/sub");
  write_file(root.lower() + "/data/old", "old");
  write_file(root.lower() + "/data/sub/file", "old");
  const Ran ran = run(shell_step(
      {{}, root.overlay()},
      "cd /data; rm old; echo new > added; rm -r sub; mkdir sub; chmod 600 /bin/busybox; ls"));
  EXPECT_EQ(ran.output, "added\nsub\n");
  EXPECT_THAT(root.changes(), ElementsAre("bin/", "bin/busybox", "data/", "data/added",
                                          "data/old (whiteout)", "data/sub/"));
  char opaque = 0;
  EXPECT_EQ(::getxattr((root.upper() + "/data/sub").c_str(), "trusted.overlay.opaque", &opaque, 1),
            1);
  EXPECT_EQ(fs::file_size(root.upper() + "/bin/busybox"),
            fs::file_size(root.lower() + "/bin/busybox"))
      << "content, not only attributes";
  EXPECT_LT(
      ::getxattr((root.upper() + "/bin/busybox").c_str(), "trusted.overlay.metacopy", nullptr, 0),
      0);
}

TEST(Overlay, TakesAnUpperThatAlreadyHoldsChanges) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/etc");
  for (const char* script : {"echo 1 > /etc/one", "cat /etc/one", "echo 2 > /etc/two"}) {
    const Ran ran = run(with_hosts(root, script));
    EXPECT_EQ(ran.status, 0) << ran.output;
  }
  EXPECT_THAT(root.changes(), ElementsAre("etc/", "etc/one", "etc/two"));
}

TEST(Overlay, TakesTheDirectoriesOfAStepThatWasKilled) {
  const OverlaidRoot root;
  fs::create_directories(root.work() + "/work/incompat/volatile");
  fs::create_directories(root.work() + "/work/#1");
  EXPECT_EQ(run(shell_step({{}, root.overlay()}, "echo x > /new")).status, 0);
  EXPECT_THAT(root.changes(), ElementsAre("new"));
}

TEST(Overlay, StacksManyLowerDirectoriesTheFirstOnTop) {
  const OverlaidRoot root;
  OverlayRoot overlay = root.overlay();
  overlay.lower.clear();
  for (int i = 0; i < 300; ++i) {
    const std::string dir = cat(root.upper(), "-with-a-rather-long-name-", i);
    fs::create_directory(dir);
    write_file(dir + "/top", cat(i, "\n"));
    write_file(cat(dir, "/file", i), "");
    overlay.lower.push_back(dir);
  }
  overlay.lower.push_back(root.lower());
  const Ran ran = run(shell_step({{}, overlay}, "cat /top; ls / | grep -c file"));
  EXPECT_EQ(ran.output, "0\n300\n");
  EXPECT_THAT(root.changes(), IsEmpty());
}

TEST(Overlay, IsMountedByOnePageOfOptionsWhereLayersCannotBeAdded) {
  const OverlaidRoot root;
  OverlayRoot overlay = root.overlay();
  const std::string second = root.upper() + "-second";
  fs::create_directory(second);
  write_file(second + "/from-second", "yes");
  overlay.lower.push_back(second);
  std::string seen;
  std::string failure;
  std::thread([&] {  // a mount namespace for this thread alone
    try {
      ASSERT_EQ(::unshare(CLONE_FS | CLONE_NEWNS), 0);
      ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_PRIVATE | MS_REC, nullptr), 0);
      const MountedRoot mounted = mount_overlay(overlay, OverlayCall::one_page);
      seen = read_file_at(mounted.tree, "from-second", 10);
      ASSERT_EQ(::mkdirat(mounted.tree.get(), "new", 0755), 0);
    } catch (const Error& e) {
      failure = e.what();
    }
  })
      .join();
  EXPECT_EQ(failure, "");
  EXPECT_EQ(seen, "yes");
  EXPECT_THAT(root.changes(), ElementsAre("new/"));
  tidy_overlay(overlay, {});
  EXPECT_TRUE(fs::is_empty(root.work()));
}

TEST(Overlay, NamesTheLayerThatIsMissing) {
  const OverlaidRoot root;
  OverlayRoot overlay = root.overlay();
  overlay.lower.push_back(root.lower() + "/missing");
  try {
    (void)run(shell_step({{}, overlay}, "true"));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::not_found);
    EXPECT_THAT(e.what(), ::testing::HasSubstr("set up step: open layer directory"));
  }
}

TEST(Mounts, BindDirectoriesAndFilesWithTheirOptions) {
  const OverlaidRoot root;
  const std::string source = root.upper() + "-source";
  fs::create_directory(source);
  write_file(source + "/tool", "#!/bin/sh\necho ran\n", 0755);
  RuntimeConfig step = shell_step(
      {{}, root.overlay()},
      "cat /ro/tool > /dev/null; (echo x > /ro/new) 2>&1 | grep -c Read-only; echo x > /rw/new; "
      "/noexec/tool 2>&1 | grep -c denied; grep /noexec /proc/self/mountinfo | awk '{print $6}'");
  step.mounts.push_back({"/ro", "bind", source, {"rbind", "ro"}});
  step.mounts.push_back({"/rw", "bind", source, {"rw"}});
  step.mounts.push_back(
      {"/noexec", "bind", source, {"noexec", "nosuid", "nodev", "ro", "private"}});
  EXPECT_THAT(lines(run(step).output), ElementsAre("1", "1", "ro,nosuid,nodev,noexec,relatime"));
  EXPECT_TRUE(fs::exists(source + "/new"));
  EXPECT_THAT(root.changes(), IsEmpty());
}

TEST(Mounts, BindAnOpenDescriptor) {
  const OverlaidRoot root;
  const std::string source = root.upper() + "-source";
  fs::create_directory(source);
  write_file(source + "/file", "by descriptor\n");
  const DirFd dir = open_dir(source);
  RuntimeConfig step = shell_step({{}, root.overlay()}, "cat /in/file");
  step.mounts.push_back({"/in", "bind", cat("fd:", dir.get()), {"ro"}});
  EXPECT_EQ(run(step).output, "by descriptor\n");
}

TEST(Mounts, HideWhatIsBelowThem) {
  const OverlaidRoot root;
  fs::create_directories(root.lower() + "/data");
  write_file(root.lower() + "/data/below", "");
  RuntimeConfig step =
      shell_step({{}, root.overlay()}, "ls /data; echo x > /data/gone; stat -c %a /data");
  step.mounts.push_back({"/data", "tmpfs", "tmpfs", {"mode=700", "size=1m"}});
  EXPECT_EQ(run(step).output, "700\n");
  EXPECT_THAT(root.changes(), IsEmpty());
}

TEST(Mounts, AreUnmadeInAPlainDirectoryToo) {
  const BusyboxRoot root;
  fs::create_directory(root.path() + "/etc");
  set_mtime(root.path(), 1'000'000);
  set_mtime(root.path() + "/etc", 2'000'000);
  write_file(root.beside("hosts"), "hosts\n");
  RuntimeConfig step = shell_step({root.path()}, "cat /etc/hosts; stat -c %Y / /etc");
  step.mounts.push_back({"/etc/hosts", "bind", root.beside("hosts")});
  EXPECT_EQ(run(step).output, "hosts\n1000000\n2000000\n");
  EXPECT_TRUE(fs::is_empty(root.path() + "/etc"));
  EXPECT_FALSE(fs::exists(root.path() + "/dev"));
  EXPECT_EQ(mtime_of(root.path()).tv_sec, 1'000'000);
  EXPECT_EQ(mtime_of(root.path() + "/etc").tv_sec, 2'000'000);
}

}  // namespace
}  // namespace lade::sandbox
