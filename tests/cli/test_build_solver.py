"""lade build: platforms, explanations, progress, logs, the debug shell; lade cache."""
import contextlib
import glob
import json
import os
import pty
import re
import select
import subprocess
import tarfile
import time

from lade_testing import Case, LADE, busybox_context, layout_json, check_layout, main, run

BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'


class Terminal:
    """A program with a pseudo-terminal of its own as its controlling one; a context manager."""

    def __init__(self, command):
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execv(command[0], command)
        self.shown, self.seen = b"", 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.end)

    def expect(self, text, seconds=60):
        """Waits until `text` is shown behind what was waited for before."""
        end = time.monotonic() + seconds
        while text not in self.shown[self.seen:]:
            ready, _, _ = select.select([self.end], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {text!r} in {self.shown!r}")
            piece = os.read(self.end, 4096)
            self.shown += piece
        self.seen = self.shown.index(text, self.seen) + len(text)

    def type(self, keys):
        os.write(self.end, keys)

    def type_when_running(self, keys, command):
        """Types once a process of that command line is there."""
        wanted = command.replace(" ", "\0").encode() + b"\0"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                with contextlib.suppress(OSError), open(path, "rb") as file:
                    if file.read().endswith(wanted):
                        return self.type(keys)
            time.sleep(0.05)
        raise AssertionError(f"no process {command!r}: {self.shown!r}")

    def wait(self):
        with contextlib.suppress(OSError):  # the terminal is closed
            while piece := os.read(self.end, 4096):
                self.shown += piece
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Solver(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")

    def build(self, text, *words, base=BASE, check=True, progress="plain", **options):
        (self.context / "Containerfile").write_text(base + text)
        call = self.lade if check else self.lade_fails
        return call("build", "--progress", progress, "-t", "test", *words, self.context, **options)

    def test_several_platforms_make_an_index(self):
        result = self.build("COPY busybox /f\n", "--platform", "linux/amd64,linux/arm64", "--platform", "linux/s390x",
                            "-o", f"oci:{self.tmp}/out:test", base="FROM scratch\n")
        index = check_layout(self.tmp / "out")
        document = layout_json(self.tmp / "out", index["manifests"][0]["digest"])
        self.assertEqual([m["platform"]["architecture"] for m in document["manifests"]], ["amd64", "arm64", "s390x"])
        self.assertEqual(result.out.strip(), index["manifests"][0]["digest"])
        cached = [f"[linux/{name} stage-0 1/1] COPY busybox /f: CACHED" in result.err for name in ("amd64", "arm64", "s390x")]
        self.assertEqual(sum(cached), 2, result.err)  # whichever came first made the layer for all

    def test_a_foreign_run_says_what_is_missing(self):
        foreign = "arm64" if os.uname().machine == "x86_64" else "amd64"
        result = self.build("RUN true\n", "--platform", f"linux/{foreign}", base="FROM scratch\nCOPY busybox /f\n", check=False)
        if "cannot execute programs" in result.err:
            self.assertIn("qemu-user-static", result.err)

    def test_explains_what_changed(self):
        self.build("ARG A=1\nRUN echo $A > /a\n")
        explained = self.build("ARG A=1\nRUN echo $A > /a\n", "--build-arg", "A=2", "--explain").err
        self.assertIn("RUN echo $A > /a: executed, this changed:\n    environment A: '1' -> '2'\n", explained)
        result = self.build("ARG A=1\nRUN echo $A > /a\n", "--build-arg", "A=3", "--explain", progress="json")
        events = [json.loads(line) for line in result.err.splitlines()]
        found = [event["explanation"] for event in events if event["event"] == "explanation"][-1]
        self.assertEqual(found["result"], "executed")
        self.assertEqual(found["changes"], [{"input": "environment A", "change": "changed", "before": "2", "after": "3"}])

    def test_each_line_of_a_step_says_whose_it_is_and_logs_are_kept(self):
        result = self.build("RUN echo one; echo two; exit 4\n", check=False, status=4)
        self.assertIn("[stage-0 3/3] one\n[stage-0 3/3] two\n", result.err)
        self.assertRegex(result.err, r"RUN echo one; echo two; exit 4: failed after [0-9.]+ s: ")
        self.assertIn("  | one\n  | two\n", result.err)
        log = re.search(r"lade cache logs ([0-9a-f]+)", result.err).group(1)
        self.assertEqual(self.lade("cache", "logs", log).out, "one\ntwo\n")
        self.assertIn("no log", self.lade_fails("cache", "logs", "0123456789ab").err)

    def test_the_debug_shell_sees_the_tree_before_or_after_the_failed_step(self):
        self.assertIn("needs a terminal", self.build("RUN true\n", "--debug-shell", check=False, status=2).err)
        (self.context / "Containerfile").write_text(BASE + "RUN echo x > /left; exit 7\n")
        for words, state, seen in (["--debug-shell"], "before", "gone"), (["--debug-shell=after"], "after", "there"):
            main_end, end = pty.openpty()
            command = [LADE, "--store", str(self.store), "build", *words, str(self.context)]
            process = subprocess.Popen(command, stdin=end, stdout=subprocess.DEVNULL, stderr=end, close_fds=True)
            os.close(end)
            shown = b""
            sent = False
            while True:
                try:
                    piece = os.read(main_end, 4096)
                except OSError:
                    break
                if not piece:
                    break
                shown += piece
                if not sent and b"# " in shown.split(b"to leave")[-1] and b"to leave" in shown:
                    sent = True
                    os.write(main_end, b"test -t 1 && test -e /left && echo th''ere || echo go''ne; exit\n")
            os.close(main_end)
            self.assertEqual(process.wait(), 7, shown)
            self.assertIn(f"a shell in the state {state} it".encode(), shown)
            self.assertIn(seen.encode(), shown)

    def test_the_debug_shell_has_jobs_and_its_own_interrupts(self):
        """On a terminal: Ctrl-C ends what runs in the shell, not the shell nor the build; Ctrl-Z stops it, fg goes on."""
        (self.context / "Containerfile").write_text(BASE + "RUN exit 7\n")
        with Terminal([LADE, "--store", str(self.store), "build", "--debug-shell", str(self.context)]) as terminal:
            terminal.expect(b"to leave")
            terminal.expect(b"# ")
            self.assertNotIn(b"job control turned off", terminal.shown)
            terminal.type(b"sleep 100\n")
            terminal.type_when_running(b"\x03", "sleep 100")
            terminal.expect(b"# ")
            terminal.type(b"echo sta''tus $?\n")
            terminal.expect(b"status 130")
            terminal.type(b"sleep 101\n")
            terminal.type_when_running(b"\x1a", "sleep 101")
            terminal.expect(b"Stopped")
            terminal.type(b"kill %1; fg; echo al''ive\n")
            terminal.expect(b"alive")
            terminal.type(b"exit\n")
            self.assertEqual(terminal.wait(), 7, terminal.shown)

    def test_cache_mounts_and_steps_are_listed_exported_and_pruned(self):
        self.build("RUN --mount=type=cache,id=things,target=/c echo kept > /c/file\n")
        rows = json.loads(self.lade("cache", "ls", "--format", "json").out)
        mount = [row for row in rows if row["type"] == "mount"]
        self.assertEqual([row["description"] for row in mount], ["things"])
        self.assertFalse(mount[0]["inUse"])
        self.assertIn("RUN ", " ".join(row["description"] for row in rows if row["type"] == "step"))
        self.assertIn("DESCRIPTION", self.lade("cache", "ls").out)
        self.assertEqual(self.lade("cache", "ls", "--filter", "type=mount", "--format", "{{.Description}}").out, "things\n")
        exported = self.tmp / "cache.tar"
        run("sh", "-c", f"{LADE} --store {self.store} cache export things > {exported}")
        with tarfile.open(exported) as tar:
            self.assertEqual(tar.extractfile("file").read(), b"kept\n")
        totals = json.loads(self.lade("cache", "du", "--format", "json").out)
        self.assertEqual(totals[-1]["type"], "total")
        self.assertEqual(totals[-1]["count"], len(rows))
        self.lade("cache", "prune", "--filter", "until=1h")
        self.assertEqual(len(json.loads(self.lade("cache", "ls", "--format", "json").out)), len(rows))
        self.assertIn("1 cache mounts", self.lade("cache", "prune", "--filter", "id=things").out)
        self.lade("cache", "prune", "--all", "--keep-storage", "100GB")
        self.assertIn("CACHED", self.build("RUN --mount=type=cache,id=things,target=/c echo kept > /c/file\n").err)
        self.lade("cache", "prune", "--all")
        self.assertEqual(json.loads(self.lade("cache", "ls", "--format", "json").out), [])
        self.assertIn("test", self.lade("images").out)
        for wrong in (["--filter", "x=y"], ["--filter", "type=z"], ["--filter", "until=z"]):
            self.lade_fails("cache", "ls", *wrong, status=2)
        self.lade_fails("cache", "prune", "--keep-storage", "lots", status=2)


if __name__ == "__main__":
    main()
