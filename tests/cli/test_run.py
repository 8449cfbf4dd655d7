"""`lade run` and `lade info`: a command in an image, once, in the foreground."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time

import lade_testing
from lade_testing import LADE, Case, busybox_context, main, need, run

FILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN mkdir -p /etc /data/sub /work && echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd && echo 'app:x:1000:1000::/home/app:/bin/sh' >> /etc/passwd \\
  && echo 'app:x:1000:' > /etc/group && echo 'audio:x:29:' >> /etc/group && echo kept > /data/sub/f && echo x > /not-executable
ENV GREETING="from the image"
USER app
WORKDIR /work
VOLUME /data
STOPSIGNAL SIGUSR1
CMD ["sh", "-c", "id -u; pwd; echo $GREETING; echo $HOME"]
"""


class Run(Case):
    @classmethod
    def setUpClass(cls):
        cls.shared = pathlib.Path(tempfile.mkdtemp(prefix="lade-run-x", suffix="x"))
        cls.addClassCleanup(lade_testing.remove_tree, cls.shared)
        context = busybox_context(cls.shared / "context")
        (context / "Containerfile").write_text(FILE)
        run(LADE, "--store", cls.shared / "store", "build", "-q", "-t", "app", "-o", f"oci:{cls.shared}/out:app", context)

    def setUp(self):
        super().setUp()
        self.store = self.shared / "store"

    def inside(self, *words, options=(), **more):
        return self.lade("run", *options, "app", *words, **more)

    def shell(self, text, *options, **more):
        return self.inside("sh", "-c", text, options=options, **more)

    def test_the_images_own_configuration(self):
        self.assertEqual(self.inside().out, "1000\n/work\nfrom the image\n/home/app\n")
        self.assertEqual(self.lade("run", f"oci:{self.shared}/out:app").out.splitlines()[0], "1000")

    def test_options_about_the_process(self):
        out = self.shell("id; pwd; env; hostname; cat /etc/hosts /etc/hostname /etc/resolv.conf; ulimit -n", "-e", "A=1", "--env", "FROM_HERE", "--env-file",
                         self.write("vars", "# no\nB=2 3\r\n\nGREETING=file\n"), "-u", "0:audio", "--group-add", "app", "--group-add", "77", "-w", "/new/dir",
                         "--hostname", "box", "--add-host", "db:10.1.2.3", "--dns", "10.9.9.9", "--ulimit", "nofile=99", env={"FROM_HERE": "yes"}).out
        for text in ("uid=0(root) gid=29(audio)", "1000(app)", "77", "/new/dir\n", "A=1\n", "FROM_HERE=yes\n", "B=2 3\n", "GREETING=file\n", "HOSTNAME=box\n",
                     "\nbox\n", "10.1.2.3\tdb\n", "127.0.1.1\tbox\n", "nameserver 10.9.9.9\n", "\n99\n"):
            self.assertIn(text, out)

    def test_entrypoint_and_command(self):
        self.assertEqual(self.lade("run", "--entrypoint", "echo", "app", "-n", "a  b").out, "a  b")
        self.assertEqual(self.lade("run", "--entrypoint", '["echo","x"]', "app", "y").out, "x y\n")
        self.assertIn("no command", self.lade_fails("run", "--entrypoint", "", "app", status=125).err)

    def test_exit_statuses(self):
        for text, status in (("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137), ("kill -TERM $$", 143)):
            self.assertEqual(self.inside("sh", "-c", text, check=False).status, status, text)
        self.assertEqual(self.inside("nothing-here", check=False).status, 127)
        self.assertEqual(self.inside("/not-executable", check=False).status, 126)
        self.assertIn("--timeout", self.lade_fails("run", "--timeout", "x", "app", status=125).err)
        self.assertEqual(self.shell("sleep 60", "--timeout", "1", check=False).status, 137)

    def test_streams_are_apart_and_input_is_read_where_asked(self):
        result = self.shell("echo out; echo err >&2")
        self.assertEqual((result.out, result.err), ("out\n", "err\n"))
        self.assertEqual(self.inside("cat", stdin=b"unread").out, "")
        self.assertEqual(self.inside("cat", options=["-i"], stdin=b"read" * 100000).out, "read" * 100000)
        given, got = self.write("in", "from a file"), self.tmp / "got"
        with open(given, "r+b") as source, open(got, "wb") as out:
            subprocess.run([LADE, "--store", self.store, "run", "-i", "app", "sh", "-c", "cat; ls -l /proc/self/fd/0 /proc/self/fd/1 >&2"],
                           stdin=source, stdout=out, stderr=subprocess.PIPE, check=True)
        self.assertEqual(got.read_text(), "from a file")

    def test_no_descriptor_of_a_file_is_given_away(self):
        given = self.write("in", "mine")
        with open(given, "r+b") as source, open(self.tmp / "out", "wb") as out:
            subprocess.run([LADE, "--store", self.store, "run", "-i", "-u", "0", "app", "sh", "-c", "readlink /proc/self/fd/0; echo x > /proc/1/fd/0; readlink /proc/$$/fd/1"],
                           stdin=source, stdout=out, stderr=subprocess.DEVNULL, check=False)
        self.assertEqual(given.read_text(), "mine")
        self.assertEqual((self.tmp / "out").read_text().count("pipe:"), 2)

    def test_a_large_unread_input_does_not_hang(self):
        self.inside("true", options=["-i"], stdin=b"x" * 1_000_000, timeout=60)
        with open(self.write("large", "x" * 1_000_000), "rb") as source:
            subprocess.run([LADE, "--store", self.store, "run", "-i", "app", "true"], stdin=source, check=True, timeout=60)

    def test_signals_are_passed_on_and_sigterm_is_the_images_stop_signal(self):
        for options, sent, name in (((), signal.SIGTERM, "USR1"), ((), signal.SIGHUP, "HUP"), (("--stop-signal", "QUIT"), signal.SIGTERM, "QUIT")):
            command = f"trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.05; done"
            with subprocess.Popen([LADE, "--store", self.store, "run", *options, "app", "sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
                self.assertEqual(process.stdout.readline(), "ready\n")
                process.send_signal(sent)
                self.assertEqual((process.stdout.read(), process.wait(30)), (f"got {name}\n", 3))

    def terminal(self, *words, keys=b"", size=None):
        """Runs on a terminal; what came out and the status."""
        pid, master = pty.fork()
        if pid == 0:
            os.execv(LADE, [LADE, "--store", str(self.store), *words])
        out, sent, end = b"", False, time.monotonic() + 60
        while time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                try:
                    got = os.read(master, 65536)
                except OSError:
                    break
                if not got:
                    break
                out += got
            if not sent and b"ready" in out:
                sent = True
                os.write(master, keys)
        os.close(master)
        return out.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_a_terminal(self):
        out, status = self.terminal("run", "-it", "app", "sh", "-c", "tty; echo TERM=$TERM; stty -echo; echo ready; read x; echo got $x; exit 5", keys=b"typed\n")
        self.assertEqual(status, 5, out)
        for text in ("/dev/pts/0", "TERM=xterm", "got typed"):
            self.assertIn(text, out)
        out, status = self.terminal("run", "-it", "app", "sh", "-c", "echo ready; sleep 60", keys=b"\x03")
        self.assertEqual(status, 130, out)
        self.assertIn("/dev/pts/0", self.shell("tty < /dev/stdout", "-t").out)
        self.assertIn("no terminal", self.lade_fails("run", "-i", "-t", "app", status=125).err)

    def test_the_file_system(self):
        host = self.tmp / "host"
        host.mkdir()
        (host / "f").write_text("host\n")
        host.chmod(0o777)
        out = self.shell("cat /v/f /m/f; echo new > /v/g; ! touch /m/x; df -k /t | tail -1; touch /t/x; ls -ld /t2; cat /data/sub/f; touch /data/own", "-u", "0", "-v",
                         f"{host}:/v", "--mount", f"type=bind,source={host},target=/m,readonly", "--mount", "type=tmpfs,target=/t,tmpfs-size=8m", "--tmpfs",
                         "/t2:mode=700,size=1m")
        for text in ("host\nhost\n", " 8192 ", "drwx------", "kept\n"):
            self.assertIn(text, out.out)
        self.assertEqual((host / "g").read_text(), "new\n")

    def test_read_only(self):
        out = self.shell("! touch /x && touch /data/own /t/x && cat /data/sub/f", "--read-only", "--tmpfs", "/t", "-u", "0")
        self.assertEqual(out.out, "kept\n")

    def test_changes_are_thrown_away(self):
        self.shell("touch /was-here", "-u", "0")
        self.assertEqual(self.inside("ls", "/was-here", check=False).status, 1)

    def test_rights(self):
        status = self.shell("grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; ls /sys/class/net | wc -w", "--network", "none").out
        self.assertIn("CapBnd:\t", status)
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("Seccomp:\t2", status)
        self.assertTrue(status.endswith("\n1\n"), status)
        out = self.shell("grep -E 'CapBnd|NoNewPrivs' /proc/self/status", "--cap-drop", "all", "--cap-add", "chown", "--security-opt", "no-new-privileges=false").out
        self.assertIn("CapBnd:\t0000000000000001", out)
        self.assertIn("NoNewPrivs:\t0", out)

    def test_limits(self):
        self.assertEqual(self.shell("head -c 100000000 /dev/zero | tail > /dev/null", "--memory", "32m", check=False).status, 137)
        self.assertNotEqual(self.shell("for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait", "--pids-limit", "5", check=False).err, "")

    def test_other_runtimes(self):
        need("crun", "runc")
        for runtime in ("crun", "runc"):
            options = ["--runtime", runtime, "-e", "A=1"]
            self.assertEqual(self.shell("echo $A; id -u; exit 3", *options, check=False).out, "1\n1000\n")
            self.assertEqual(self.shell("exit 3", *options, check=False).status, 3)
            self.assertEqual(self.inside("nothing-here", options=options, check=False).status, 127)
            command = "trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.05; done"
            with subprocess.Popen([LADE, "--store", self.store, "run", *options, "app", "sh", "-c", command], stdout=subprocess.PIPE, text=True) as process:
                self.assertEqual(process.stdout.readline(), "ready\n")
                process.send_signal(signal.SIGTERM)
                self.assertEqual((process.stdout.read(), process.wait(30)), ("got\n", 4))

    def test_where_images_come_from(self):
        self.assertIn("--pull is never", self.lade_fails("run", "--pull", "never", "nowhere", status=125).err)
        self.assertIn("not for linux/loong64", self.lade_fails("run", "--platform", "linux/loong64", "app", status=125).err)
        self.assertIn("no image", self.lade_fails("run", f"oci:{self.shared}/out:other", status=125).err)

    def test_wrong_words(self):
        for words, text in ((("--entrypoint", "[x", "app"), "JSON"), (("--mount", "type=volume,target=/x", "app"), "not implemented"),
                            (("--mount", "target=/x,colour=red", "app"), "colour"), (("--tmpfs", "x", "app"), "absolute"), (("-w", "x", "app"), "absolute"),
                            (("--tmpfs", "/x", "--tmpfs", "/x/", "app"), "two mounts"), (("--stop-signal", "NO", "app"), "signal"),
                            (("--tmpfs", "/x:colour=red", "app"), "colour"), (("-u", "nobody-here", "app"), "nobody-here"), (("--privileged", "app"), "unknown option"),
                            (("-e", "=x", "app"), "NAME=VALUE"), (("--network", "bridge", "app"), "bridge"), (("--hostname", "a b", "app"), "hostname")):
            self.assertIn(text, self.lade_fails("run", *words, status=125).err, words)

    def test_nothing_is_left_behind(self):
        def seen():
            mounts = pathlib.Path("/proc/self/mountinfo").read_text().count(str(self.shared))
            return mounts, sorted(p.name for p in (self.store / "tmp").iterdir()), pathlib.Path("/proc/net/dev").read_text().count(":")

        before = seen()
        self.shell("echo x > /tmp-file; sleep 100 & exit 1", "-u", "0", check=False)
        process = subprocess.Popen([LADE, "--store", self.store, "run", "app", "sh", "-c", "echo ready; sleep 12345"], stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
        self.inside("true")
        for _ in range(100):
            if subprocess.run(["pgrep", "-f", "^sleep 12345"], stdout=subprocess.DEVNULL, check=False).returncode == 1:
                break
            time.sleep(0.05)
        else:
            self.fail("the command outlived its parent")
        self.assertEqual(seen(), before)

    def test_info(self):
        out = self.lade("info").out
        for text in ("containers", "overlayfs", "seccomp filters", "linux/", "crun", str(self.store)):
            self.assertIn(text, out)
        machine = json.loads(self.lade("info", "--format", "json").out)
        abilities = {a["Name"]: a["Available"] for a in machine["Sandbox"]}
        self.assertTrue(abilities["containers"] and abilities["seccomp filters"])
        self.assertEqual(machine["Store"]["Driver"], self.lade("info", "--format", "{{.Store.Driver}}").out.strip())
        self.assertEqual({a["Name"] for a in machine["Runtimes"] if a["Available"]}, {n for n in ("crun", "runc") if shutil.which(n, path="/usr/sbin:/usr/bin")})


if __name__ == "__main__":
    main()
