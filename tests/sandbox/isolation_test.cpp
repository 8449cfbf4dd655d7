// What a step sees and may do, asserted from inside.
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "libimage/base/text.h"

#include "tests/sandbox/busybox_root.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// A root that holds the prober of system calls as /prober.
class ProberRoot : public BusyboxRoot {
 public:
  ProberRoot() { std::filesystem::copy_file(CALL_PROBER, path() + "/prober"); }
  [[nodiscard]] RuntimeConfig step(std::vector<std::string> calls) const {
    RuntimeConfig step = shell_step({path()}, "");
    step.process.args = std::move(calls);
    step.process.args.insert(step.process.args.begin(), "/prober");
    return step;
  }
  [[nodiscard]] std::vector<std::string> probe(std::vector<std::string> calls) const {
    return lines(run(step(std::move(calls))).output);
  }
};

TEST(Isolation, GivesRootTheElevenCapabilitiesAndNoInheritableOnes) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "");
  step.process.args = {"grep", "-E", "^(Cap|NoNewPrivs|Seccomp:|Sig(Blk|Ign))",
                       "/proc/self/status"};
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000",
                          "CapInh:\t0000000000000000", "CapPrm:\t00000000800405fb",
                          "CapEff:\t00000000800405fb", "CapBnd:\t00000000800405fb",
                          "CapAmb:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2"));
}

TEST(Isolation, SetsNoNewPrivilegesOnRequest) {
  const BusyboxRoot root;
  RuntimeConfig step =
      shell_step({root.path()}, "grep -E '^(NoNewPrivs|Seccomp:|CapEff)' /proc/self/status");
  step.process.no_new_privileges = true;
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("CapEff:\t00000000800405fb", "NoNewPrivs:\t1", "Seccomp:\t2"));
  step.process.user = {1000, 1000};
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"));
}

TEST(Isolation, RunsUnconfinedOnRequest) {
  const BusyboxRoot root;
  RuntimeConfig step = shell_step({root.path()}, "grep ^Seccomp: /proc/self/status");
  set_rights(step, {.seccomp = StepRights::Seccomp::unconfined});
  EXPECT_EQ(run(step).output, "Seccomp:\t0\n");
}

TEST(Isolation, GivesTheStepNamespacesOfItsOwn) {
  const BusyboxRoot root;
  for (const char* name : {"mnt", "pid", "ipc", "uts", "net", "cgroup"}) {
    const std::string link = cat("/proc/self/ns/", name);
    const std::string host = std::filesystem::read_symlink(link).string();
    EXPECT_NE(run_shell(root.path(), "readlink " + link).output, host + "\n") << name;
  }
}

TEST(Isolation, SharesNamespacesThatTheStepDoesNotAskFor) {
  const BusyboxRoot root;
  for (const auto& [kind, name] :
       std::vector<std::pair<Namespace, std::string>>{{Namespace::network, "net"},
                                                      {Namespace::ipc, "ipc"},
                                                      {Namespace::uts, "uts"},
                                                      {Namespace::cgroup, "cgroup"}}) {
    const std::string link = "/proc/self/ns/" + name;
    RuntimeConfig step = shell_step({root.path()}, "readlink " + link);
    step.namespaces.erase(kind);
    EXPECT_EQ(run(step).output, std::filesystem::read_symlink(link).string() + "\n") << name;
  }
}

TEST(Isolation, HasOnlyTheLoopbackInterfaceAndItIsUp) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "ls /sys/class/net").output, "lo\n");
  const Ran ran =
      run_shell(root.path(),
                "(nc -l -p 8000 -e /bin/echo hello &) ; "
                "until nc 127.0.0.1 8000 < /dev/null 2> /dev/null; do sleep 0.02; done");
  EXPECT_EQ(ran.output, "hello\n");
}

TEST(Isolation, ShowsOnlyItsOwnProcesses) {
  const BusyboxRoot root;
  EXPECT_EQ(run_shell(root.path(), "cd /proc; echo [0-9]*").output, "1 2\n");
}

TEST(Isolation, MasksPaths) {
  const BusyboxRoot root;
  const Ran ran = run_shell(root.path(),
                            "for f in acpi interrupts kcore keys latency_stats sched_debug scsi "
                            "timer_list timer_stats; do "
                            "p=/proc/$f; [ -e $p ] || continue; "
                            "if [ -d $p ]; then ls $p; touch $p/x 2>/dev/null && echo writable $p; "
                            "else cat $p; fi; done; "
                            "ls /sys/firmware; echo end");
  EXPECT_EQ(ran.output, "end\n");
}

TEST(Isolation, MakesPathsReadOnly) {
  const BusyboxRoot root;
  const Ran ran = run_shell(
      root.path(),
      "for p in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity "
      "/proc/sys/vm/drop_caches /sys/kernel/uevent_helper /sys/new; do "
      "(echo x > $p) 2>/dev/null && echo wrote $p; done; echo end");
  EXPECT_EQ(ran.output, "end\n");
}

TEST(Isolation, HasTheDevicesThatContainersExpect) {
  const BusyboxRoot root;
  const Ran ran = run_shell(root.path(),
                            "cd /dev; ls; for d in null zero full random urandom tty; do stat -c "
                            "'%n %F %t:%T %a' $d; done; "
                            "for l in fd stdin stdout stderr ptmx; do readlink $l; done; echo x > "
                            "null; head -c 2 zero | wc -c; "
                            "stat -c '%a' /dev/shm pts/ptmx");
  EXPECT_THAT(
      lines(ran.output),
      ElementsAre("fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
                  "stdout", "tty", "urandom", "zero", "null character special file 1:3 666",
                  "zero character special file 1:5 666", "full character special file 1:7 666",
                  "random character special file 1:8 666", "urandom character special file 1:9 666",
                  "tty character special file 5:0 666", "/proc/self/fd", "/proc/self/fd/0",
                  "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx", "2", "1777", "666"));
}

TEST(Isolation, MakesDeviceNodesOfTheImageIneffective) {
  const OverlaidRoot overlaid;
  const BusyboxRoot plain;
  const std::string bound = plain.beside("bound");
  std::filesystem::create_directory(bound);
  for (const std::string& dir : {overlaid.lower(), plain.path(), bound}) {
    ASSERT_EQ(::mknod((dir + "/node").c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  }
  for (const Root& root : {Root{{}, overlaid.overlay()}, Root{plain.path()}}) {
    RuntimeConfig step = shell_step(root, "head -c 1 /node | wc -c; head -c 1 /bound/node | wc -c");
    step.mounts.push_back({"/bound", "bind", bound, {"nodev"}});
    EXPECT_EQ(run(step).output,
              "head: /node: Permission denied\n0\nhead: /bound/node: Permission denied\n0\n");
    step.mounts.back().options = {"dev"};
    step.process.args.back() = "head -c 1 /bound/node | wc -c";
    EXPECT_EQ(run(step).output, "1\n");
  }
}

TEST(Isolation, LeavesOnlyTheStandardDescriptorsOpen) {
  const ProberRoot root;
  const UniqueFd leaked(::dup(0));  // no close-on-exec
  const UniqueFd high(::fcntl(0, F_DUPFD, 500));
  EXPECT_THAT(root.probe({"descriptors"}), ElementsAre("0", "1", "2"));
}

TEST(Isolation, HidesTheFirstProcess) {
  const ProberRoot root;
  EXPECT_THAT(root.probe({"read-init-exe", "write-init-exe", "path-init-exe", "open-init-fd",
                          "read-init-mem", "init-root", "ptrace-init"}),
              ElementsAre("read-init-exe: EACCES", "write-init-exe: EACCES",
                          "path-init-exe: EACCES", "open-init-fd: EACCES", "read-init-mem: EACCES",
                          "init-root: EACCES", "ptrace-init: EPERM"));
}

TEST(Isolation, RefusesDangerousCalls) {
  const ProberRoot root;
  EXPECT_THAT(root.probe({"mount", "remount", "umount-mask", "setns", "bpf", "perf_event_open",
                          "userfaultfd", "kexec_load", "init_module", "open_by_handle_at",
                          "mknod-disk", "raw-socket"}),
              ElementsAre("mount: EPERM", "remount: EPERM", "umount-mask: EPERM", "setns: EPERM",
                          "bpf: EPERM", "perf_event_open: EPERM", "userfaultfd: EPERM",
                          "kexec_load: EPERM", "init_module: EPERM", "open_by_handle_at: EPERM",
                          "mknod-disk: EPERM", "raw-socket: EPERM"));
}

TEST(Isolation, AnswersCallsThatTheProfileDoesNotKnowAsAnOldKernelWould) {
  const ProberRoot root;
  EXPECT_THAT(root.probe({"io_uring_setup", "unknown", "personality", "personality-linux",
                          "audit-socket", "route-socket", "clone3", "keyctl"}),
              ElementsAre("io_uring_setup: ENOSYS", "unknown: ENOSYS", "personality: ENOSYS",
                          "personality-linux: ok", "audit-socket: EINVAL", "route-socket: ok",
                          "clone3: ok", "keyctl: ok"));
}

TEST(Isolation, TakesASeccompProfileFromAFile) {
  const ProberRoot root;
  const std::string profile = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["io_uring_setup"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
                {"names": ["personality"], "action": "SCMP_ACT_KILL_PROCESS"}]})";
  RuntimeConfig step = root.step({"keyctl", "io_uring_setup", "unknown"});
  set_rights(step, {.seccomp_json = profile});
  EXPECT_THAT(lines(run(step).output),
              ElementsAre("keyctl: EACCES", "io_uring_setup: EFAULT", "unknown: ENOSYS"));
  step.process.args = {"/prober", "personality"};
  EXPECT_EQ(run(step).status, 128 + 31) << "SIGSYS";
  set_rights(step, {.seccomp_json = read_file("/usr/share/containers/seccomp.json", 1U << 20U)});
  step.process.args = {"/prober", "bpf", "unknown", "keyctl"};
  EXPECT_THAT(lines(run(step).output), ElementsAre("bpf: EPERM", "unknown: ENOSYS", "keyctl: ok"));
}

TEST(Isolation, IsUnderWhatIsAskedForWithMoreCapabilities) {
  const ProberRoot root;
  RuntimeConfig step = root.step({"raw-socket", "mount", "bpf"});
  Capabilities more = StepRights::default_capabilities();
  more.insert({"CAP_NET_RAW", "CAP_SYS_ADMIN"});
  set_rights(step, {.capabilities = more});
  EXPECT_THAT(lines(run(step).output), ElementsAre("raw-socket: ok", "mount: ok", "bpf: EINVAL"));
}

#ifdef HOSTILE_LOADER  // written for x86-64
TEST(Isolation, CannotWriteTheProgramThatStartedIt) {
  const BusyboxRoot root;
  std::filesystem::create_directory(root.path() + "/lib64");
  std::filesystem::copy_file(HOSTILE_LOADER, root.path() + "/lib64/ld-linux-x86-64.so.2");
  RuntimeConfig step = shell_step({root.path()}, "");
  step.process.args = {"/proc/self/exe"};
  EXPECT_EQ(run(step).status, EROFS);
}
#endif

}  // namespace
}  // namespace lade::sandbox
