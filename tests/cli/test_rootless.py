"""build, run, unshare, info and prune of a user without privileges: with subordinate ids, and with one id only."""
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import unittest

import lade_testing
from lade_testing import LADE, busybox_context, main, need, run

FILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc && echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd && echo 'app:x:1000:1000::/home/app:/bin/sh' >> /etc/passwd && echo 'root:x:0:' > /etc/group
COPY --chown=1000:1000 owned /owned
RUN mkdir /made && echo x > /made/f && chown -R 1000:2000 /made && chmod 4755 /made/f
RUN rm -r /owned && mkdir /owned && echo again > /owned/g && chmod 700 /made
"""
USER = "lade-test-user"
RANGE = "2000000:65536"


def remove_lines(path):
    text = pathlib.Path(path).read_text() if os.path.exists(path) else ""
    pathlib.Path(path).write_text("".join(line for line in text.splitlines(True) if not line.startswith(USER + ":")))


class Rootless(unittest.TestCase):
    """A second user on this machine, made for the time of the tests."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        need("useradd", "userdel", "setpriv", "newuidmap", "newgidmap")
        cls.remove_user()
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="lade-user-x", suffix="x", dir="/tmp"))
        run("useradd", "--no-create-home", "--home-dir", cls.home, "--shell", "/bin/sh", "--no-user-group", USER)
        cls.addClassCleanup(cls.remove_user)
        cls.addClassCleanup(lade_testing.remove_tree, cls.home)
        cls.user = pwd.getpwnam(USER)
        context = busybox_context(cls.home / "context")
        (context / "owned").mkdir()
        (context / "owned/f").write_text("owned\n")
        (context / "Containerfile").write_text(FILE)
        # The user must be able to execute the program, wherever it was built.
        shutil.copy(LADE, cls.home / "lade")
        run("chown", "-R", f"{cls.user.pw_uid}:{cls.user.pw_gid}", cls.home)
        cls.home.chmod(0o755)

    @classmethod
    def remove_user(cls):
        with contextlib.suppress(KeyError):
            pwd.getpwnam(USER)
            run("userdel", USER)
        for path in ("/etc/subuid", "/etc/subgid"):
            remove_lines(path)

    def setUp(self):
        self.give_ids()

    def give_ids(self, ids=RANGE):
        for path in ("/etc/subuid", "/etc/subgid"):
            remove_lines(path)
            if ids:
                with open(path, "a", encoding="ascii") as out:
                    out.write(f"{USER}:{ids}\n")

    def environment(self, **more):
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1700000000", **more}

    def as_user(self, *words, check=True, **more):
        done = subprocess.run(["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups", "--inh-caps=-all", *map(str, words)],
                              env=self.environment(**more), cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        result = lade_testing.Result(done)
        if check:
            self.assertEqual(result.status, 0, f"{words}\n{result.out}\n{result.err}")
        return result

    def lade(self, *words, **more):
        return self.as_user(self.home / "lade", *words, **more)

    def clean_store(self):
        self.lade("unshare", "rm", "-rf", self.home / ".local", self.home / "out")

    def build_as_user(self, *options):
        self.addCleanup(self.clean_store)
        self.lade("build", "--progress", "plain", "-t", "app", "-o", f"oci:{self.home}/out:app", *options, "context")
        return json.loads(self.lade("inspect", "--raw", f"oci:{self.home}/out:app").out)

    def build_as_root(self):
        with tempfile.TemporaryDirectory(prefix="lade-root-") as directory:
            run(LADE, "--store", f"{directory}/store", "build", "-q", "-o", f"oci:{directory}/out:app", self.home / "context", env={"SOURCE_DATE_EPOCH": "1700000000"})
            return json.loads(run(LADE, "inspect", "--raw", f"oci:{directory}/out:app").out)

    def test_the_same_image_as_roots(self):
        self.assertEqual(self.build_as_user(), self.build_as_root())
        self.assertTrue((self.home / ".local/share/lade/index.json").exists())
        out = self.lade("run", "app", "sh", "-c", "id -u; stat -c %u:%g /made/f; cat /owned/g; ls /sys/kernel | wc -l; tty || true; ls -l /dev/null").out
        self.assertTrue(out.startswith("0\n1000:2000\nagain\n"), out)
        self.assertEqual(self.lade("run", "-u", "app", "app", "sh", "-c", "id -u; exit 4", check=False).status, 4)

    def test_networks_and_what_stays(self):
        self.build_as_user()
        self.assertEqual(self.lade("run", "--network", "none", "app", "sh", "-c", "ls /sys/class/net").out.split(), ["lo"])
        before = sorted(p.name for p in pathlib.Path("/sys/fs/cgroup").iterdir()), pathlib.Path("/proc/self/mountinfo").read_text()
        for _ in range(5):
            self.lade("run", "app", "true")
        self.assertEqual((sorted(p.name for p in pathlib.Path("/sys/fs/cgroup").iterdir()), pathlib.Path("/proc/self/mountinfo").read_text()), before)
        self.lade("prune", "--all")

    def test_limits_that_cannot_be_had_are_a_warning_where_they_are_asked_for(self):
        self.build_as_user()
        self.assertEqual(self.lade("run", "app", "true").err, "")
        self.assertIn("limits are not set", self.lade("run", "--memory", "64m", "app", "true").err)

    def test_unshare(self):
        self.assertEqual(self.lade("unshare", "id", "-u").out, "0\n")
        self.assertIn("2000000", self.lade("unshare", "cat", "/proc/self/uid_map").out)
        self.assertEqual(self.lade("unshare", "sh", "-c", "exit 9", check=False).status, 9)
        self.assertEqual(self.lade("unshare", "no-such-program", check=False).status, 127)
        self.addCleanup(self.clean_store)
        self.lade("unshare", self.home / "lade", "build", "-q", "-t", "inner", "context")
        self.assertIn("inner", self.lade("images").out)

    def test_info(self):
        machine = json.loads(self.lade("info", "--format", "json").out)
        self.assertEqual((machine["User"]["UID"], machine["User"]["NamespaceIDs"], machine["User"]["Rootless"]), (self.user.pw_uid, 65537, True))
        self.assertEqual(machine["Store"]["Driver"], "overlay")
        self.give_ids(None)
        self.assertIn("usermod --add-subuids", self.lade("info").out)

    def test_one_id_keeps_owners_beside_files(self):
        self.give_ids(None)
        self.assertEqual(self.build_as_user(), self.build_as_root())
        result = self.lade("run", "app", "sh", "-c", "id -u; stat -c %u:%g /made/f")
        self.assertEqual(result.out, "0\n0:0\n")
        self.assertIn("/etc/subuid has no ids", result.err)
        refused = self.lade("run", "-u", "1000", "app", "true", check=False)
        self.assertEqual(refused.status, 125)
        self.assertIn("has no group 1000", refused.err)

    def test_a_base_image_keeps_its_owners_with_one_id(self):
        self.give_ids(None)
        self.build_as_user()
        (self.home / "context/second").write_text("FROM app\nRUN echo more >> /made/f && chmod 755 /made && chown -h 7 /bin/sh && chown 1000:5 /made/f\n")
        self.lade("build", "-q", "-t", "next", "-f", "context/second", "-o", f"type=tar,dest={self.home}/next.tar", "context")
        listed = run("tar", "--numeric-owner", "-tvf", self.home / "next.tar").out
        lines = {line.split()[-1]: line.split()[:2] for line in listed.splitlines()}
        self.assertEqual(lines["made/f"][1], "1000/5")
        self.assertEqual(lines["made/"], ["drwxr-xr-x", "1000/2000"])

    def test_the_error_names_what_forbids_user_namespaces(self):
        libc = ctypes.CDLL(None, use_errno=True)

        def forbid():
            # A namespace of its own, in which the limit is 0.
            ready, go = os.pipe(), os.pipe()
            parent = os.getpid()
            helper = os.fork()
            if helper == 0:
                os.read(ready[0], 1)
                for name in ("uid_map", "gid_map"):
                    pathlib.Path(f"/proc/{parent}/{name}").write_text("0 0 4294967295\n")
                os.write(go[1], b"x")
                os._exit(0)
            assert libc.unshare(0x10000000) == 0
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            os.waitpid(helper, 0)
            pathlib.Path("/proc/sys/user/max_user_namespaces").write_text("0")
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)

        done = subprocess.run([self.home / "lade", "unshare", "true"], env=self.environment(), preexec_fn=forbid, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 125)
        self.assertIn("sysctl user.max_user_namespaces=15000", done.stderr)


if __name__ == "__main__":
    main()
