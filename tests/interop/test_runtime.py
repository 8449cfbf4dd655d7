"""lade runtime beside runc: the same configurations, compared from inside and by their state documents; then podman."""
import copy
import json
import os
import pathlib
import re
import socket
import subprocess
import unittest

from lade_testing import LADE, Case, main, need, run
from json_schema import Schema
from oci_bundles import CAPABILITIES, capabilities, config, make_bundle, make_root

RUNC = "/usr/sbin/runc"
SCHEMAS = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema")
HOST = {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup", "user")}

# What every case prints from inside.
PROBE = r"""
echo "== args"; for a in "$0" "$@"; do echo "<$a>"; done
echo "== pids"; echo $$; sed 's/([^)]*) //' /proc/$$/stat | { read pid s parent group session tty rest; echo "group $group session $session tty $tty"; }
echo "== status"; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:|Umask|Sig(Blk|Ign)|Name)' /proc/$$/status
echo "== limits"; cat /proc/$$/limits
echo "== oom"; cat /proc/$$/oom_score_adj
echo "== mounts"; cat /proc/self/mountinfo
echo "== cgroup"; cat /proc/self/cgroup
echo "== cwd"; pwd; stat -c '%u %g %a' .
echo "== env"; env | sort
echo "== names"; hostname; cat /proc/sys/kernel/domainname
echo "== root"; ls -a /
echo "== dev"; cd /dev && stat -c '%n %F %t:%T %u:%g %a' * | sort; for l in fd stdin stdout stderr ptmx; do readlink $l; done
echo "== fds"; ls /proc/$$/fd
echo "== namespaces"; for n in pid net ipc uts mnt cgroup user; do echo "$n $(readlink /proc/$$/ns/$n)"; done
echo "== links"; ls /sys/class/net 2>/dev/null
echo "== comm"; cat /proc/1/comm
echo "== end"
"""


class Driver:
    """A runtime, called as engines do: its options come before the verb."""

    def __init__(self, name, program, tmp):
        self.name = name
        self.command = [program, "--root", str(tmp / f"state-{name}")]

    def begin(self, *words):
        """Its status; what outlives the command keeps no pipe of ours open."""
        return subprocess.run([*self.command, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60, check=False).returncode

    def __call__(self, *words, **more):
        return run(*self.command, *words, **{"check": False, "timeout": 60, **more})


def normal_mount(line, bundle):
    fields = line.split(" ")
    dash = fields.index("-")
    root = fields[3].replace(str(bundle), "BUNDLE")
    where, options, optional = fields[4], fields[5], fields[6:dash]
    kind, source, rest = fields[dash + 1], fields[dash + 2], fields[dash + 3]
    shared = sorted(word.split(":")[0] for word in optional)
    if kind in ("ext4", "overlay"):
        rest = ""  # the host's own
    rest = ",".join(sorted(re.sub(r",?inode64|,?seclabel", "", rest).split(",")))
    return " ".join([root if kind in ("ext4", "tmpfs", "devtmpfs", "overlay") else "", where,
                     ",".join(sorted(options.split(","))), str(shared), kind, source if kind not in ("ext4",) else "", rest])


def normal(text, bundle):
    """The probe's output with what must differ taken out."""
    out, section, mounts = [], "", []
    for line in text.splitlines():
        if line.startswith("== "):
            section = line[3:]
        if section == "mounts" and " - " in line:
            mounts.append(normal_mount(line, bundle))  # new kernels list them by the order of making, not of attaching
            continue
        out.extend(sorted(mounts))
        mounts = []
        if section == "pids" and not line.startswith("== "):
            line = re.sub(r"\b(?!1\b)\d+", "N", line)
        if section == "namespaces" and "[" in line:
            kind, inside = line.split(" ")
            line = f"{kind} {'host' if inside == HOST[kind] else 'own'}"
        out.append(line.replace(str(bundle), "BUNDLE"))
    return out


class Cases:
    """The table: name -> (configuration, more shell to run inside)."""

    def __init__(self):
        self.table = {}

    def add(self, name, change=lambda c: None, more="", **process):
        content = config("/bin/sh", "-c", PROBE + more, **process)
        change(content)
        assert name not in self.table, name
        self.table[name] = content


def build_cases(tmp):
    cases = Cases()
    add = cases.add
    linux = lambda key, value: lambda c: c["linux"].update({key: value})
    process = lambda key, value: lambda c: c["process"].update({key: value})
    mount = lambda where, kind, source, *options: lambda c: c["mounts"].append(
        {"destination": where, "type": kind, "source": source, "options": list(options)})
    resources = lambda **values: linux("resources", values)

    def without(*kinds):
        def change(c):
            c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] not in kinds]
            if "uts" in kinds:
                del c["hostname"]
        return change

    def by_path(kind, path):
        return lambda c: [n.update(path=path) for n in c["linux"]["namespaces"] if n["type"] == kind]

    def both(*changes):
        return lambda c: [change(c) for change in changes]

    shared = tmp / "shared"
    (shared / "sub").mkdir(parents=True)
    (shared / "file").write_text("content\n")
    os.chmod(shared / "file", 0o640)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", shared / "sub"], check=True)

    # process
    add("the default")
    add("arguments", process("args", ["/bin/sh", "-c", PROBE, "one", "", "two words"]))
    add("an exit status", more="exit 7")
    add("an exit status above 255", more="exit 300")
    add("the end by a signal", more="kill -KILL $$; sleep 1")
    add("a program found by PATH", process("args", ["sh", "-c", PROBE]))
    add("an environment", process("env", ["PATH=/bin", "A=1", "B=with space", "EMPTY="]))
    add("no environment but PATH", process("env", ["PATH=/bin"]))
    add("a working directory", process("cwd", "/tmp"))
    add("a working directory that is missing", process("cwd", "/made/here"))
    add("a user", process("user", {"uid": 1000, "gid": 1000}))
    add("a group alone", process("user", {"uid": 0, "gid": 5}))
    add("more groups", process("user", {"uid": 1000, "gid": 100, "additionalGids": [4, 20, 65534]}))
    add("a umask", process("user", {"uid": 0, "gid": 0, "umask": 0o77}), more="touch /tmp/f; stat -c %a /tmp/f")
    add("no capabilities", process("capabilities", {}))
    add("one capability", process("capabilities", capabilities(["CAP_NET_RAW"])))
    add("many capabilities", process("capabilities", capabilities(["CAP_CHOWN", "CAP_SETUID", "CAP_SYS_ADMIN", "CAP_MKNOD"])))
    add("a bounding set that is larger", process("capabilities", {
        "bounding": CAPABILITIES + ["CAP_SYS_ADMIN"], "effective": ["CAP_KILL"], "permitted": CAPABILITIES}))
    add("ambient capabilities", both(process("user", {"uid": 1000, "gid": 1000}), process("capabilities", {
        kind: ["CAP_NET_BIND_SERVICE"] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")})))
    add("inheritable capabilities", process("capabilities", {
        **capabilities(CAPABILITIES), "inheritable": ["CAP_KILL"]}))
    add("no new privileges", process("noNewPrivileges", True))
    add("limits", process("rlimits", [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
                                      {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                                      {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 1 << 22}]))
    add("no limits", process("rlimits", []))
    add("an OOM score", process("oomScoreAdj", 100))
    # names and namespaces
    add("a host name", lambda c: c.update(hostname="other.example"))
    for kind in ("pid", "network", "ipc", "uts", "cgroup"):
        add(f"the host's {kind} namespace", without(kind) if kind != "network" else both(without(kind), lambda c: c["mounts"].pop()))
    for kind, name in (("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup")):
        add(f"a {kind} namespace by path", by_path(kind, f"/proc/{tmp.helper.pid}/ns/{name}"))
    add("a pid namespace by path", by_path("pid", f"/proc/{tmp.helper.pid}/ns/pid_for_children"))
    mappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    add("a user namespace", both(lambda c: c["linux"]["namespaces"].append({"type": "user"}),
                                 linux("uidMappings", mappings), linux("gidMappings", mappings)),
        more="cat /proc/self/uid_map /proc/self/gid_map")
    add("another user in a user namespace", both(
        lambda c: c["linux"]["namespaces"].append({"type": "user"}), linux("uidMappings", mappings),
        linux("gidMappings", mappings), process("user", {"uid": 33, "gid": 44})))
    # mounts
    add("a read-only root", lambda c: c["root"].update(readonly=True), more="touch /x 2>/dev/null && echo written")
    add("a tmpfs", mount("/tmp", "tmpfs", "tmpfs", "size=1m", "nosuid", "noexec", "mode=755"), more="stat -c '%a' /tmp")
    add("a tmpfs on a new directory", mount("/new/place", "tmpfs", "mine"))
    add("a tmpfs that begins with what it covers", mount("/bin", "tmpfs", "tmpfs", "tmpcopyup"))
    add("a bind", mount("/mnt", "bind", str(shared), "bind"), more="cat /mnt/file; ls /mnt/sub")
    add("a bind read-only", mount("/mnt", "bind", str(shared), "bind", "ro"), more="touch /mnt/x 2>/dev/null && echo written")
    add("a bind of a file", mount("/etc/hosts", "bind", str(shared / "file"), "bind", "ro"), more="cat /etc/hosts")
    add("a bind with mounts below", mount("/mnt", "bind", str(shared), "rbind"))
    add("a bind by its option alone", mount("/mnt", "none", str(shared), "rbind", "rprivate"))
    add("a bind with everything off", mount("/mnt", "bind", str(shared), "bind", "nosuid", "nodev", "noexec", "noatime"))
    add("a bind read-only to the bottom", mount("/mnt", "bind", str(shared), "rbind", "rro"))
    add("a bind without links", mount("/mnt", "bind", str(shared), "bind", "nosymfollow"))
    add("a relative source", lambda c: c["mounts"].append(
        {"destination": "/mnt", "type": "bind", "source": "rootfs/etc", "options": ["bind"]}))
    add("a slave", mount("/mnt", "bind", str(shared), "rbind", "rslave"))
    add("a private one", mount("/mnt", "bind", str(shared), "rbind", "rprivate"))
    add("an unbindable one", mount("/mnt", "bind", str(shared), "bind", "unbindable"))
    add("through a link of the root", mount("/link/in", "tmpfs", "tmpfs"))
    add("times", mount("/tmp", "tmpfs", "tmpfs", "relatime"))
    add("times of directories", mount("/tmp", "tmpfs", "tmpfs", "nodiratime", "strictatime"))
    add("a smaller shm", lambda c: c["mounts"][3]["options"].__setitem__(4, "size=1024k"))
    add("proc hiding others", lambda c: c["mounts"][0].update(options=["hidepid=2"]))
    add("control groups", mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        more="ls /sys/fs/cgroup")
    add("control groups of the host's namespace", both(without("cgroup"), mount(
        "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")))
    # runc 1.1 leaves a shared root private, and fails with an unbindable one.
    for word in ("private", "slave", "rslave"):
        add(f"propagation {word}", linux("rootfsPropagation", word))
    # paths
    add("nothing masked", both(linux("maskedPaths", []), linux("readonlyPaths", [])))
    add("masked files and directories", linux("maskedPaths", ["/etc", "/bin/wc", "/proc/version", "/missing"]),
        more="ls -a /etc; cat /proc/version; stat -c %F /bin/wc")
    add("read-only paths", linux("readonlyPaths", ["/tmp", "/proc/sys", "/missing"]), more="touch /tmp/x 2>/dev/null && echo written")
    # devices
    add("a device", linux("devices", [{"path": "/dev/other", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600,
                                       "uid": 1, "gid": 2}]), more="head -c 3 /dev/other | wc -c")
    add("a block device", linux("devices", [{"path": "/dev/disk", "type": "b", "major": 7, "minor": 0, "fileMode": 0o660}]))
    add("a FIFO", linux("devices", [{"path": "/dev/below/pipe", "type": "p", "fileMode": 0o622}]), more="stat -c '%n %F %a' below/pipe")
    # the kernel's settings
    add("a sysctl of the network", linux("sysctl", {"net.ipv4.ip_forward": "1"}), more="cat /proc/sys/net/ipv4/ip_forward")
    add("a sysctl of ipc", linux("sysctl", {"kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "20"}),
        more="cat /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max")
    # resources: read through a mount of the groups
    groups = mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    read = lambda *files: "cd /sys/fs/cgroup; for f in " + " ".join(files) + '; do echo "$f $(cat $f)"; done'
    add("a limit of memory", both(groups, resources(memory={"limit": 1 << 26, "reservation": 1 << 25})),
        more=read("memory/memory.limit_in_bytes", "memory/memory.soft_limit_in_bytes"))
    add("a limit of processes", both(groups, resources(pids={"limit": 50})), more=read("pids/pids.max"))
    add("no limit of processes", both(groups, resources(pids={"limit": -1})), more=read("pids/pids.max"))
    add("a share of processors", both(groups, resources(cpu={"shares": 512, "quota": 50000, "period": 100000})),
        more=read("cpu/cpu.shares", "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))
    add("a set of processors", both(groups, resources(cpu={"cpus": "0", "mems": "0"})),
        more=read("cpuset/cpuset.cpus", "cpuset/cpuset.mems") + "; grep allowed_list /proc/self/status")
    add("rules of devices", both(groups, resources(devices=[
        {"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"}]),
        process("capabilities", capabilities(CAPABILITIES + ["CAP_MKNOD"]))),
        more="sort /sys/fs/cgroup/devices/devices.list | grep -v 10:200; mknod /tmp/mem c 1 1; cat /tmp/mem 2>&1 | head -c 40; head -c 1 /dev/zero | wc -c")
    add("groups relative to the runtime's", linux("cgroupsPath", "lade-test/relative"))
    # seccomp
    def filtered(*rules, **more):
        return linux("seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": list(rules), **more})
    def rule(name, action="SCMP_ACT_ERRNO", **more):
        return {"names": [name] if isinstance(name, str) else name, "action": action, **more}
    add("a filter", filtered(rule(["mkdir", "mkdirat"])), more="mkdir /tmp/d 2>&1")
    add("a filter with an errno", filtered(rule(["mkdir", "mkdirat"], errnoRet=28)), more="mkdir /tmp/d 2>&1")
    add("a filter of arguments", filtered(rule("kill", args=[{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}])),
        more="kill -10 $$ 2>&1; kill -0 $$ && echo sent")
    add("a filter that kills", filtered(rule("sync", "SCMP_ACT_KILL_PROCESS")), more="/bin/busybox sync; echo $?")
    add("a filter for more architectures", filtered(rule("sync"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]))
    add("a filter for names that are unknown", filtered(rule(["no_such_call", "sync"])))
    add("a filter under no new privileges", both(process("noNewPrivileges", True), filtered(rule("sync"))))
    add("annotations", lambda c: c.update(annotations={"org.example.key": "value", "other": ""}))
    # what fails
    add("a program that is missing", process("args", ["nothing-here"]))
    add("a program that is no file", process("args", ["/etc"]))
    add("a script without a first line", process("args", ["/script"]))
    add("a source that is missing", mount("/mnt", "bind", "/no/such/source", "bind"))
    add("a hook that fails", lambda c: c.update(hooks={"createRuntime": [{"path": "/bin/false"}]}))
    add("a sysctl of the host's", linux("sysctl", {"vm.swappiness": "1"}))
    add("a namespace twice", lambda c: c["linux"]["namespaces"].append({"type": "pid"}))
    add("a user namespace without ids", lambda c: c["linux"]["namespaces"].append({"type": "user"}))
    add("no arguments", process("args", []))
    add("a relative working directory", process("cwd", "tmp"))
    add("an AppArmor profile without AppArmor", process("apparmorProfile", "some"))
    return cases.table


class Documents(Case):
    def test_configurations_and_states_keep_to_the_specifications_schemas(self):
        schema = Schema(SCHEMAS / "config-schema.json")
        for words in ([], ["--rootless"]):
            written = json.loads(run(LADE, "runtime", "spec", *words).out)
            self.assertEqual(schema.faults(written), [])
        self.assertNotEqual(schema.faults({"ociVersion": "1.0.2", "mounts": [{"source": 5}]}), [], "the check itself works")
        written["process"]["args"] = ["/bin/sleep", "100"]
        written["process"]["terminal"] = False
        written["root"] = {"path": "rootfs"}
        written["linux"] = config()["linux"]
        bundle = make_bundle(self.tmp / "bundle", written)
        state = self.tmp / "state"
        subprocess.run([LADE, "runtime", "create", "--root", state, "-b", bundle, "one"], check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(run, LADE, "runtime", "delete", "--root", state, "--force", "one")
        document = json.loads(run(LADE, "runtime", "state", "--root", state, "one").out)
        self.assertEqual(Schema(SCHEMAS / "state-schema.json").faults(document), [])
        kept = json.loads((state / "one" / "config.json").read_text())
        self.assertEqual(schema.faults(kept), [])

    def test_features_name_what_there_is(self):
        features = json.loads(run(LADE, "runtime", "features").out)
        self.assertEqual(features["ociVersionMin"], "1.0.0")
        self.assertIn("createRuntime", features["hooks"])
        self.assertIn("tmpcopyup", features["mountOptions"])
        self.assertIn("CAP_CHOWN", features["linux"]["capabilities"])
        self.assertFalse(features["linux"]["cgroup"]["systemd"])

    def test_what_is_not_done_is_refused_by_name(self):
        bundle = make_bundle(self.tmp / "bundle", config())
        for words, told in ((["--systemd-cgroup"], "--systemd-cgroup"), (["--no-pivot"], "--no-pivot")):
            done = run(LADE, "runtime", "create", "--root", self.tmp / "state", *words, "-b", bundle, "x", check=False)
            self.assertEqual(done.status, 1)
            self.assertIn(told, done.err)
        log = self.tmp / "log"
        done = run(LADE, "runtime", "create", "--root", self.tmp / "state", "--log", log, "--log-format", "json", "-b",
                   self.tmp, "x", check=False)
        self.assertEqual(json.loads(log.read_text())["level"], "error")
        self.assertIn("config.json", json.loads(log.read_text())["msg"])


def remove_groups():
    """The group that the tests' groups were made in: what is above a container's own stays, whichever runtime made it."""
    for place in pathlib.Path("/sys/fs/cgroup").glob("*/lade-test"):
        place.rmdir()


class TemporaryPath(type(pathlib.Path())):
    """A path with a process beside it whose namespaces are joined."""


@unittest.skipIf(os.geteuid() != 0, "needs root")
class BesideRunc(Case):
    def setUp(self):
        super().setUp()
        need("runc", "unshare")
        self.addCleanup(remove_groups)
        helper = subprocess.Popen(["unshare", "--net", "--ipc", "--uts", "--cgroup", "--pid", "--fork", "sh", "-c",
                                   "echo ready; exec sleep 600"], stdout=subprocess.PIPE, start_new_session=True)
        helper.stdout.readline()
        self.addCleanup(helper.stdout.close)
        self.addCleanup(helper.wait)
        self.addCleanup(lambda: os.killpg(helper.pid, 9))
        self.tmp = TemporaryPath(self.tmp)
        self.tmp.helper = helper
        os.symlink(LADE, self.tmp / "lade-runtime")
        self.lade = Driver("lade", self.tmp / "lade-runtime", self.tmp)
        self.runc = Driver("runc", RUNC, self.tmp)

    def result_of(self, driver, number, content):
        bundle = self.tmp / "bundles" / f"{number}-{driver.name}" / "same"
        content = copy.deepcopy(content)
        content["linux"].setdefault("cgroupsPath", f"/lade-test/{number}")
        make_bundle(bundle, content)
        os.symlink("tmp", bundle / "rootfs" / "link")
        script = bundle / "rootfs" / "script"
        script.write_text("echo run\n")
        script.chmod(0o755)
        done = driver("run", "--bundle", str(bundle), f"case{number}")
        return done, normal(done.out, bundle)

    def test_the_same_configurations_run_the_same(self):
        table = build_cases(self.tmp)
        self.addCleanup(subprocess.run, ["umount", self.tmp / "shared" / "sub"], check=True)
        self.assertGreaterEqual(len(table), 60)
        wanted = os.environ.get("LADE_CASE")
        for number, (name, content) in enumerate(table.items()):
            if wanted and wanted not in name:
                continue
            with self.subTest(name):
                theirs, seen_there = self.result_of(self.runc, number, content)
                ours, seen_here = self.result_of(self.lade, number, content)
                told = f"\nrunc: {theirs.status} {theirs.err}\nlade: {ours.status} {ours.err}"
                if theirs.status != 0 and "== end" not in theirs.out:
                    self.assertNotEqual(ours.status, 0, name + told)
                    self.assertNotIn("== args", ours.out, name)
                else:
                    self.assertEqual(theirs.status, ours.status, name + told)
                    self.assertEqual(seen_there, seen_here, name + told)
        self.assertEqual(self.lade("list", "-q").out, "")

    def test_state_documents_and_life_cycles_are_the_same(self):
        documents = {}
        for driver in (self.runc, self.lade):
            log = self.tmp / f"hooks-{driver.name}"
            hooks = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {kind} >> {log}; cat >> {log}; echo >> {log}"]}]
                     for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
            content = config("/bin/sleep", "100")
            content["hooks"] = hooks
            content["annotations"] = {"key": "value"}
            content["linux"]["cgroupsPath"] = "/lade-test/life"
            bundle = make_bundle(self.tmp / driver.name, content)
            pid_file = self.tmp / f"pid-{driver.name}"
            seen = []
            call = lambda *words: seen.append((words[0], min(driver.begin(*words), 1)))

            def state():
                done = driver("state", "life")
                document = json.loads(done.out) if done.status == 0 else {}
                if document.get("pid"):
                    self.assertEqual(document["pid"], int(pid_file.read_text()))
                    document["pid"] = "some"
                document.pop("created", None)
                if document:  # runc tells its own version, not the bundle's
                    document["ociVersion"] = document["ociVersion"].removesuffix("-dev")
                seen.append(("state", done.status, sorted(document.items(), key=str)))

            call("start", "life")
            call("create", "--bundle", bundle, "--pid-file", pid_file, "life")
            state()
            call("create", "--bundle", bundle, "life")
            call("resume", "life")
            call("start", "life")
            call("start", "life")
            state()
            call("delete", "life")
            call("pause", "life")
            state()
            call("resume", "life")
            call("kill", "life", "SIGKILL")
            while json.loads(driver("state", "life").out)["status"] != "stopped":
                pass
            state()
            call("kill", "life", "TERM")
            call("exec", "life", "true")
            call("delete", "life")
            state()
            call("delete", "life")
            call("delete", "--force", "life")
            hooks_seen = re.sub(r'"pid":\s*[1-9][0-9]*', '"pid":"some"', log.read_text())
            told = [json.dumps(json.loads(line), sort_keys=True) if line.startswith("{") else line for line in hooks_seen.splitlines()]
            documents[driver.name] = json.loads(json.dumps(seen).replace(str(bundle), "BUNDLE")), \
                [line.replace(str(bundle), "BUNDLE") for line in told if line]
        self.assertEqual(documents["runc"][0], documents["lade"][0])
        # runc says "created" to hooks for which the specification says "creating" or "running".
        same = lambda lines: [re.sub('"status": "(created|creating|running)"', '"status": "early"', line.replace("-dev", ""))
                              for line in lines]
        self.assertEqual(same(documents["runc"][1]), same(documents["lade"][1]))

    def test_other_processes_join_the_container_the_same_way(self):
        seen = {}
        for driver in (self.runc, self.lade):
            content = config("/bin/sleep", "100")
            content["linux"]["cgroupsPath"] = "/lade-test/exec"
            content["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": ["sync"], "action": "SCMP_ACT_ERRNO"}]}
            bundle = make_bundle(self.tmp / driver.name, content)
            self.assertEqual(driver.begin("run", "-d", "--bundle", bundle, "exec"), 0)
            process = {**content["process"], "args": ["/bin/sh", "-c", PROBE], "cwd": "/tmp", "user": {"uid": 7, "gid": 8},
                       "env": ["PATH=/bin", "X=1"]}
            (self.tmp / "process.json").write_text(json.dumps(process))
            results = []
            for words in (["--process", self.tmp / "process.json", "exec"], ["exec", "/bin/sh", "-c", PROBE + "exit 9"],
                          ["-e", "A=b", "--cwd", "/dev", "--user", "5:6", "exec", "env"], ["exec", "missing"],
                          ["exec", "sh", "-c", "kill -9 $$"]):
                done = driver("exec", *words)
                lines = normal(done.out, bundle)
                results.append((done.status if done.status < 126 or words[1] == "sh" else 1,
                                [line for line in lines if not re.match(r"^(\d+|group .*)$", line)]))
            seen[driver.name] = results
            driver("delete", "--force", "exec")
        for (their_status, theirs), (our_status, ours) in zip(seen["runc"], seen["lade"]):
            self.assertEqual(theirs, ours)
            self.assertEqual(their_status != 0, our_status != 0)
        self.assertEqual(seen["lade"][1][0], 9)
        self.assertEqual(seen["lade"][4][0], 137)

    def test_a_terminal_goes_over_the_console_socket(self):
        for driver in (self.runc, self.lade):
            content = config("/bin/sh", "-c", "tty; stty size; echo done", terminal=True,
                             consoleSize={"height": 30, "width": 90})
            content["linux"]["cgroupsPath"] = "/lade-test/terminal"
            bundle = make_bundle(self.tmp / driver.name, content)
            path = self.tmp / f"{driver.name}.sock"
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(str(path))
                listener.listen(1)
                words = ["create", "--bundle", bundle, "--console-socket", path, "tty"]
                self.assertEqual(driver(*words).status, 0)
                connection, _ = listener.accept()
                with connection:
                    _, fds, _, _ = socket.recv_fds(connection, 100, 1)
            self.assertEqual(driver("start", "tty").status, 0)
            text = b""
            with os.fdopen(fds[0], "rb", buffering=0) as console:
                try:
                    while chunk := console.read(1000):
                        text += chunk
                except OSError:
                    pass  # EIO: closed at the other end
            self.assertEqual(text.decode().split("\r\n"), ["/dev/pts/0", "30 90", "done", ""], driver.name)
            driver("delete", "--force", "tty")


@unittest.skipIf(os.geteuid() != 0, "needs root")
class UnderPodman(Case):
    """Debian's podman with `--runtime`: the program called by a name that ends in -runtime."""

    def setUp(self):
        super().setUp()
        need("podman", "conmon")
        self.runtime = self.tmp / "lade-runtime"
        os.symlink(LADE, self.runtime)
        make_root(self.tmp / "rootfs")
        self.addCleanup(self.podman, "rm", "--all", "--force", check=False)

    def podman(self, *words, **more):
        return run("podman", "--root", self.tmp / "storage", "--runroot", self.tmp / "run", "--tmpdir", self.tmp / "tmp",
                   "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
                   "--runtime", self.runtime, *words, **more)

    def run_in(self, options, command, **more):
        return self.podman("run", "--network", "none", *options, "--rootfs", self.tmp / "rootfs", *command, **more)

    def test_runs_execs_pauses_and_removes(self):
        self.assertEqual(self.run_in(["--rm"], ["echo", "hello"]).out, "hello\n")
        self.assertEqual(self.run_in(["--rm"], ["sh", "-c", "exit 5"], check=False).status, 5)
        self.assertEqual(self.run_in(["--rm"], ["missing-program"], check=False).status, 127)
        self.assertEqual(self.run_in(["--rm"], ["/etc"], check=False).status, 126)
        self.assertEqual(self.run_in(["--rm", "-i"], ["cat"], stdin=b"typed").out, "typed")
        self.assertIn("CapEff:\t00000000800405fb", self.run_in(["--rm"], ["cat", "/proc/self/status"]).out)
        self.run_in(["-d", "--name", "box", "--memory", "64m", "--pids-limit", "40", "--tmpfs", "/tmp"], ["sleep", "100"])
        self.assertEqual(self.podman("exec", "box", "echo", "inside").out, "inside\n")
        self.assertEqual(self.podman("exec", "--user", "5:6", "box", "id", "-u").out, "5\n")
        self.assertEqual(self.podman("exec", "box", "sh", "-c", "exit 3", check=False).status, 3)
        self.assertIn("sleep 100", self.podman("top", "box", "args").out)
        self.podman("pause", "box")
        self.assertEqual(self.podman("inspect", "--format", "{{.State.Status}}", "box").out, "paused\n")
        self.podman("unpause", "box")
        self.podman("stop", "--time", "0", "box")
        self.podman("start", "box")
        self.podman("kill", "box")
        self.podman("rm", "--force", "box")
        self.assertEqual(self.podman("ps", "--all", "--quiet").out, "")


if __name__ == "__main__":
    main()
