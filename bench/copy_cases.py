"""The cases that copy between registries, layouts, archives and directories, lade beside skopeo.

Registries are Debian's docker-registry on free ports of the loopback. Each run has registries of its own where it writes, so
that neither program's cache of blob locations knows them.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import images

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORIES = 50
NO_TLS = ["--src-tls-verify=false", "--dest-tls-verify=false"]


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Services:
    """What runs beside the programs: registries and proxies, stopped together."""

    def __init__(self):
        self.running = []

    def registry(self, storage):
        """A registry on the directory `storage`; its address."""
        port = free_port()
        storage.mkdir(parents=True, exist_ok=True)
        config = storage.parent / f"registry-{port}.yml"
        config.write_text(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                          f"storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}\n"
                          f"http: {{addr: '127.0.0.1:{port}'}}\n")
        self.running.append(subprocess.Popen(["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for _ in range(200):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
                return f"127.0.0.1:{port}"
            time.sleep(0.05)
        raise RuntimeError("docker-registry did not start")

    def delayed(self, address, milliseconds):
        """The same registry at the other end of a link with that round trip."""
        proxy = subprocess.Popen([sys.executable, HERE / "delay_proxy.py", address.split(":")[1], str(milliseconds)],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.running.append(proxy)
        return f"127.0.0.1:{proxy.stdout.readline().strip()}"

    def stop(self):
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()


class Images:
    """The source images, made at the first use: a layout, and a registry with all of them."""

    def __init__(self, lade, corpus, parent, environment):
        self.lade, self.corpus, self.environment = lade, corpus, environment
        self.parent = parent
        self.top = None
        self.services = Services()
        self.address = None
        self.huge_address = None

    def layout(self):
        if self.top is None:
            self.top = pathlib.Path(tempfile.mkdtemp(prefix="lade-bench-images-", dir=self.parent))
            images.make(self.top / "layout")
        return self.top / "layout"

    def push(self, source, target, *words):
        done = subprocess.run([self.lade, "copy", "-q", *words, *NO_TLS, source, f"docker://{target}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"filling the registry: {done.stdout.decode(errors='replace')}")

    def registry(self):
        """The address of a registry with everything; nobody writes to it."""
        if self.address is None:
            layout = self.layout()
            self.address = self.services.registry(self.top / "registry")
            self.push(f"oci:{self.corpus}/large.oci:large", f"{self.address}/large:1")
            self.push(f"oci:{layout}:eight", f"{self.address}/eight:1", "--all")
            for name in ("hundred", "small"):
                self.push(f"oci:{layout}:{name}", f"{self.address}/{name}:1")
            for number in range(REPOSITORIES):
                self.push(f"oci:{layout}:repo{number}", f"{self.address}/many/repo{number}:1")
        return self.address

    def huge_registry(self):
        """The address of a registry with the image of 3 GB; nobody writes to it."""
        if self.huge_address is None:
            self.huge_address = self.services.registry(self.layout().parent / "huge" / "registry")
            self.push(f"oci:{self.corpus}/huge.oci:huge", f"{self.huge_address}/huge:1")
        return self.huge_address

    def clone(self, services, work):
        """A registry of the run's own with the same content."""
        self.registry()
        shutil.copytree(self.top / "registry", work / "registry")
        return services.registry(work / "registry")

    def close(self):
        self.services.stop()
        if self.top is not None:
            shutil.rmtree(self.top)


class CopyCases:
    def __init__(self, programs, made, services, case, side):
        self.programs, self.images, self.services = programs, made, services
        self.case, self.side = case, side

    def pair(self, name, words, skopeo_words=None, **goals):
        """`words(work)` are the arguments of both programs' copy, after their own."""
        lade = [self.programs.lade, "copy"]
        skopeo = ["skopeo", "copy", "--insecure-policy"]
        return self.case(name, [self.side("lade", lambda work: [*lade, *words(work)]),
                                self.side("skopeo", lambda work: [*skopeo, *(skopeo_words or words)(work)])], **goals)

    def empty(self, work):
        return self.services.registry(work / "empty")

    def sync(self, name, again, **goals):
        def listing(work, source):
            file = work / "repositories.yml"
            lines = [f"{source}:", "  tls-verify: false", "  images:"]
            lines += [f"    many/repo{number}: ['1']" for number in range(REPOSITORIES)]
            file.write_text("\n".join(lines) + "\n")
            return file

        def words(work, program):
            source = self.images.registry()
            target = self.images.clone(self.services, work) if again else self.empty(work)
            return [*program, "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false", listing(work, source),
                    f"{target}/many"]

        return self.case(name, [self.side("lade", lambda work: words(work, [self.programs.lade, "sync"])),
                                self.side("skopeo", lambda work: words(work, ["skopeo", "--insecure-policy", "sync"]))], **goals)

    def all(self):
        corpus, made = self.programs.corpus, self.images
        large = f"oci:{corpus}/large.oci:large"
        huge = f"oci:{corpus}/huge.oci:huge"
        huge_remote = lambda: f"docker://{made.huge_registry()}/huge:1"
        remote = lambda name: f"docker://{made.registry()}/{name}:1"

        def to_registry(source, name, *more):
            return lambda work: [*more, *NO_TLS, source(), f"docker://{self.empty(work)}/{name}:1"]

        def within_registry(work):
            address = made.clone(self.services, work)
            return [*NO_TLS, f"docker://{address}/large:1", f"docker://{address}/another/place:1"]

        def nothing_to_do(work):
            return [*NO_TLS, remote("large"), f"docker://{made.clone(self.services, work)}/large:1"]

        def far(work):
            address = self.services.delayed(made.registry(), 30)
            return [*NO_TLS, f"docker://{address}/small:1", f"oci:{work}/out:small"]

        def far_push(work):
            address = self.services.delayed(self.empty(work), 30)
            return [*NO_TLS, f"oci:{made.layout()}:small", f"docker://{address}/small:1"]

        return [
            self.pair("oci-to-docker-archive", lambda work: [large, f"docker-archive:{work}/out.tar:large:1"], goal_wall=0.25),
            self.pair("oci-to-dir", lambda work: [large, f"dir:{work}/out"], goal_wall=0.25),
            self.pair("registry-to-oci", lambda work: [*NO_TLS, remote("large"), f"oci:{work}/out:large"], goal_wall=0.5),
            self.pair("oci-to-registry", to_registry(lambda: large, "large"), goal_wall=0.9, goal_cpu=0.4),
            self.pair("registry-to-registry", to_registry(lambda: remote("large"), "large"), goal_wall=0.6),
            self.pair("other-repository", within_registry, goal_wall=0.05),
            self.pair("nothing-to-do", nothing_to_do, goal_wall=0.3),
            self.pair("eight-platforms", to_registry(lambda: remote("eight"), "eight", "--all"), goal_wall=0.4),
            self.pair("hundred-layers-to-registry", to_registry(lambda: f"oci:{made.layout()}:hundred", "hundred"),
                      goal_wall=0.9, goal_cpu=0.4),
            self.pair("hundred-layers-to-oci", lambda work: [*NO_TLS, remote("hundred"), f"oci:{work}/out:hundred"], goal_wall=0.5),
            self.pair("far-registry-to-oci", far, goal_wall=0.5),
            self.pair("oci-to-far-registry", far_push, goal_wall=0.5),
            self.pair("huge-archive-to-oci", lambda work: [f"docker-archive:{corpus}/huge.docker.tar", f"oci:{work}/out:huge"],
                      goal_wall=0.35, runs=1),
            self.pair("huge-oci-to-docker-archive", lambda work: [huge, f"docker-archive:{work}/out.tar:huge:1"],
                      goal_wall=0.25, runs=1),
            self.pair("huge-oci-to-oci", lambda work: [huge, f"oci:{work}/out:huge"], goal_wall=0.25, runs=1),
            self.pair("huge-oci-to-dir", lambda work: [huge, f"dir:{work}/out"], goal_wall=0.25, runs=1),
            self.pair("huge-registry-to-oci", lambda work: [*NO_TLS, huge_remote(), f"oci:{work}/out:huge"], goal_wall=0.5,
                      runs=1),
            self.pair("huge-oci-to-registry", to_registry(lambda: huge, "huge"), goal_wall=0.9, goal_cpu=0.4, runs=1),
            self.pair("huge-registry-to-registry", to_registry(huge_remote, "huge"), goal_wall=0.6, runs=1),
            self.sync("sync-50", False, goal_wall=0.25),
            self.sync("sync-50-again", True, goal_wall=0.2),
        ]
