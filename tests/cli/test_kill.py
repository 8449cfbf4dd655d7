"""Killed at random moments, copy and build leave stores and destinations valid, and the next run succeeds."""
import os
import pathlib
import random
import signal
import subprocess
import time

from lade_testing import Case, LADE, Registry, busybox_context, check_layout, layout_from_tar, main, run

ROUNDS = 50


class Kill(Case):
    def setUp(self):
        super().setUp()
        self.random = random.Random(20261124)
        (self.tmp / "root").mkdir()
        for i in range(40):
            (self.tmp / f"root/file{i}").write_bytes(os.urandom(100_000))
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "a")

    def killed(self, *words, most):
        """Starts lade and kills it, with all its children's parent gone, after a random time up to `most` seconds."""
        process = subprocess.Popen([LADE, "--store", str(self.store), *map(str, words)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, most))
        process.send_signal(signal.SIGKILL)
        return process.wait()

    def timed(self, *words):
        start = time.monotonic()
        self.lade(*words)
        return time.monotonic() - start

    def test_copy_to_a_layout(self):
        words = ["copy", "--dest-compress-format", "zstd", "--dest-compress-level", "10", f"oci:{self.tmp}/l:a"]
        whole = self.timed(*words, f"oci:{self.tmp}/warm:a")
        for _ in range(ROUNDS):
            self.killed(*words, f"oci:{self.tmp}/t:a", most=whole * 1.1)
            if (self.tmp / "t/index.json").exists():
                check_layout(self.tmp / "t")
        self.lade(*words, f"oci:{self.tmp}/t:a")
        self.assertEqual(check_layout(self.tmp / "t"), check_layout(self.tmp / "warm"))
        self.assertEqual([p.name for p in (self.tmp / "t").rglob("*") if "tmp-" in p.name], [])

    def test_copy_to_archives(self):
        for name, check in (("oci-archive:{}/o.tar:a", "o.tar"), ("docker-archive:{}/d.tar:a:b", "d.tar")):
            place = name.format(self.tmp)
            whole = self.timed("copy", f"oci:{self.tmp}/l:a", place.replace(check, "warm-" + check))
            for _ in range(ROUNDS // 2):
                (self.tmp / check).unlink(missing_ok=True)
                self.killed("copy", f"oci:{self.tmp}/l:a", place, most=whole * 1.1)
                if (self.tmp / check).exists():
                    self.assertEqual((self.tmp / check).read_bytes(), (self.tmp / ("warm-" + check)).read_bytes())
            (self.tmp / check).unlink(missing_ok=True)
            self.lade("copy", f"oci:{self.tmp}/l:a", place)
            run("skopeo", "inspect", place)

    def test_build(self):
        context = busybox_context(self.tmp / "context")
        for i in range(10):
            (context / f"data{i}").write_bytes(os.urandom(200_000))
        (context / "Containerfile").write_text(
            'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
            "COPY data* /data/\nRUN for i in 1 2 3; do cat /data/* > /big$i; done\nRUN rm /big1 && mkdir /new && cp /big2 /new/\nCMD [\"sh\"]\n")
        environment = {"SOURCE_DATE_EPOCH": "1700000000"}
        os.environ.update(environment)
        self.addCleanup(os.environ.pop, "SOURCE_DATE_EPOCH")
        build = ["build", "-t", "app", "-o", f"oci:{self.tmp}/out:app", context]
        start = time.monotonic()
        run(LADE, "--store", self.tmp / "other", "build", "-t", "app", "-o", f"oci:{self.tmp}/warm:app", context, env=environment)
        whole = time.monotonic() - start
        for round_number in range(ROUNDS):
            if round_number % 10 == 0:
                run("rm", "-rf", self.store, self.tmp / "out")
            self.killed(*build, most=whole * 1.1)
            if (self.store / "index.json").exists():
                check_layout(self.store)
            if (self.tmp / "out/index.json").exists():
                check_layout(self.tmp / "out")
        self.lade(*build, env=environment)
        self.assertEqual(check_layout(self.tmp / "out"), check_layout(self.tmp / "warm"))
        self.assertEqual(list((self.store / "tmp").iterdir()), [])
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        self.assertNotIn(str(self.tmp), mounts)
        survivors = [line for line in run("ps", "-eo", "args").out.splitlines() if str(self.store) in line]
        self.assertEqual(survivors, [])

    def test_push_to_a_registry(self):
        with Registry(self.tmp / "registry") as registry:
            words = ["copy", "--dest-tls-verify=false", f"oci:{self.tmp}/l:a"]
            whole = self.timed(*words, f"docker://{registry.host}/warm:a")
            for i in range(ROUNDS // 2):
                self.killed(*words, f"docker://{registry.host}/cold{i % 5}:a", most=whole * 1.1)
                if run("skopeo", "inspect", "--tls-verify=false", f"docker://{registry.host}/cold{i % 5}:a", check=False).status == 0:
                    run("skopeo", "copy", "--src-tls-verify=false", f"docker://{registry.host}/cold{i % 5}:a", f"dir:{self.tmp}/pulled{i}")
            self.lade(*words, f"docker://{registry.host}/cold0:a")


if __name__ == "__main__":
    main()
