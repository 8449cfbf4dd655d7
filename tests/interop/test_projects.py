"""Real projects (testdata/projects) built on Debian, run under crun and asked for a sign of life.

Only two run by default: the others fetch compilers and hundreds of packages. LADE_PROJECTS=all takes all six, LADE_PROJECTS=go,cpp some.
"""
import contextlib
import json
import os
import subprocess
import time
import urllib.request

from lade_testing import Case, LADE, SOURCE, debian_rootfs, free_port, main, need, run

DEFAULT = ("debian", "nginx")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Projects(Case):
    @classmethod
    def setUpClass(cls):
        need("umoci", "crun", "mmdebstrap")
        case = Case()
        case.setUp()
        cls.addClassCleanup(case.doCleanups)
        cls.tmp, cls.store = case.tmp, case.store
        run(LADE, "--store", cls.store, "copy", f"tarball:{debian_rootfs()}", "debian-base", timeout=600)

    def setUp(self):
        chosen = os.environ.get("LADE_PROJECTS", ",".join(DEFAULT))
        if chosen != "all" and self._testMethodName.removeprefix("test_") not in chosen.split(","):
            self.skipTest("not among LADE_PROJECTS")

    def build(self, project, *words):
        """Builds a project; its bundle for a runtime, which shares the machine's network."""
        output = self.tmp / project
        run(LADE, "--store", self.store, "build", "--progress", "plain", "--build-arg", "BASE=debian-base", *words,
            "-o", f"oci:{output}-layout:it", SOURCE / "testdata/projects" / project, timeout=1100)
        run("umoci", "unpack", "--image", f"{output}-layout:it", output, timeout=300)
        config = json.loads((output / "config.json").read_text())
        config["process"]["terminal"] = False
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]
        (output / "config.json").write_text(json.dumps(config))
        return output

    def crun(self, bundle):
        """The command that runs the bundle: Debian's crun refuses a hybrid cgroup tree, so it runs where the unified mount is hidden."""
        script = (f"umount /sys/fs/cgroup/unified 2>/dev/null; "
                  f"exec crun --root {self.tmp}/crun run -b {bundle} lade-project-{bundle.name}-{os.getpid()}")
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", script]

    def output(self, bundle):
        return run(*self.crun(bundle)).out

    @contextlib.contextmanager
    def running(self, bundle):
        process = subprocess.Popen(self.crun(bundle), stdin=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                run("crun", "--root", self.tmp / "crun", "kill", f"lade-project-{bundle.name}-{os.getpid()}", "KILL", check=False)
                process.wait()

    def answer(self, bundle, port):
        """What the service of the bundle answers."""
        with self.running(bundle) as process:
            for _ in range(200):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
                    return response.read().decode()
                self.assertIsNone(process.poll(), "the service ended")
                time.sleep(0.05)
        return self.fail("no answer")

    def set_port(self, bundle, port):
        config = json.loads((bundle / "config.json").read_text())
        config["process"]["env"] = [e for e in config["process"]["env"] if not e.startswith("PORT=")] + [f"PORT={port}"]
        (bundle / "config.json").write_text(json.dumps(config))

    def test_debian(self):
        bundle = self.build("debian")
        self.assertEqual(self.output(bundle).split(), ["worker", "/work", "JST", "0"])

    def test_nginx(self):
        port = free_port()
        self.assertEqual(self.answer(self.build("nginx", "--build-arg", f"PORT={port}"), port), "hello from nginx\n")

    def test_python(self):
        bundle, port = self.build("python"), free_port()
        self.set_port(bundle, port)
        self.assertTrue(self.answer(bundle, port).startswith("bottle 0."))

    def test_node(self):
        bundle, port = self.build("node", "--secret", f"id=certificates,src={CERTIFICATES}"), free_port()
        self.set_port(bundle, port)
        self.assertEqual(self.answer(bundle, port), "a day has 86400000 ms\n")

    def test_cpp(self):
        self.assertEqual(self.output(self.build("cpp")), "hello from C++, 2 words one two\n")

    def test_go(self):
        bundle = self.build("go")
        self.assertEqual(os.listdir(bundle / "rootfs"), ["hello"])
        self.assertEqual(self.output(bundle), "hello from Go on linux 1000\n")


if __name__ == "__main__":
    main()
