"""docker-daemon: against Debian's dockerd, with skopeo and docker's own client as the other side."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import tarfile
import time

from lade_testing import Case, differences, layout_from_tar, main, need, run, tree


class Dockerd:
    """An engine of its own: no networks, plain directories, nothing outside of `directory`."""

    def __init__(self, directory):
        need("dockerd", "docker", "containerd")
        self.directory = directory
        directory.mkdir()
        self.socket = directory / "docker.sock"
        self.host = f"unix://{self.socket}"

    def __enter__(self):
        self.log = open(self.directory / "log", "wb")
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        self.process = subprocess.Popen(
            ["dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
             "--data-root", self.directory / "data", "--exec-root", self.directory / "exec", "-H", self.host,
             "--pidfile", self.directory / "pid"], stdout=self.log, stderr=self.log, env={**os.environ, "PATH": path},
            start_new_session=True)
        for _ in range(600):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                s.connect(str(self.socket))
                if self.docker("version", check=False).status == 0:
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise AssertionError("dockerd did not start: " + (self.directory / "log").read_text()[-4000:])

    def docker(self, *words, **options):
        return run("docker", "-H", self.host, *words, **options)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        with contextlib.suppress(ProcessLookupError):  # containerd, if the engine left it
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def __exit__(self, *_):
        self.stop()


class DockerDaemon(Case):
    def setUp(self):
        super().setUp()
        need("skopeo", "umoci")
        self.write("root/etc/os-release", "ID=test\n")
        self.write("root/bin/tool", b"\x7fELF" + bytes(5000), 0o4755)
        (self.tmp / "root/link").symlink_to("bin/tool")
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "a")
        self.write("second/etc/more", "x" * 100_000)
        run("tar", "-C", self.tmp / "second", "-cf", self.tmp / "second.tar", ".")
        run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/l:a", self.tmp / "second.tar")
        self.truth = self.unpacked("l:a", "truth")

    def unpacked(self, image, name):
        run("umoci", "unpack", "--image", f"{self.tmp}/{image}", self.tmp / name)
        return tree(self.tmp / name / "rootfs")

    def test_images_go_to_an_engine_and_come_back(self):
        with Dockerd(self.tmp / "engine") as engine:
            to = ["--dest-daemon-host", engine.host]
            of = ["--src-daemon-host", engine.host]
            self.lade("copy", *to, f"oci:{self.tmp}/l:a", "docker-daemon:ours:1")
            self.lade("copy", *to, "--additional-tag", "more:2", f"oci:{self.tmp}/l:a", "docker-daemon:ours:1")
            config = json.loads(engine.docker("image", "inspect", "ours:1").out)[0]
            self.assertEqual(config["RepoTags"], ["more:2", "ours:1"])

            self.lade("copy", *of, "docker-daemon:ours:1", f"oci:{self.tmp}/back:x")
            self.assertEqual(differences(self.truth, self.unpacked("back:x", "back-tree")), [])
            self.lade("copy", *of, f"docker-daemon:{config['Id']}", f"oci:{self.tmp}/by-id:x")
            self.assertEqual(differences(self.truth, self.unpacked("by-id:x", "by-id-tree")), [])
            run("skopeo", "copy", *of, "docker-daemon:ours:1", f"oci:{self.tmp}/theirs:x")
            self.assertEqual(differences(self.truth, self.unpacked("theirs:x", "theirs-tree")), [])

            run("skopeo", "copy", *to, f"oci:{self.tmp}/l:a", "docker-daemon:skopeo:1")
            self.lade("copy", *of, "docker-daemon:skopeo:1", f"oci:{self.tmp}/from-skopeo:x")
            self.assertEqual(differences(self.truth, self.unpacked("from-skopeo:x", "from-skopeo-tree")), [])
            inspected = json.loads(self.lade("inspect", "--daemon-host", engine.host, "--config", "docker-daemon:skopeo:1").out)
            self.assertEqual(len(inspected["rootfs"]["diff_ids"]), 2)

            self.write("context/Containerfile", "FROM scratch\nCOPY file /d/file\nLABEL by=lade\n")
            self.write("context/file", "content")
            self.lade("build", "-q", "-t", "built:1", "--load", self.tmp / "context", env={"DOCKER_HOST": engine.host})
            self.assertEqual(json.loads(engine.docker("image", "inspect", "built:1").out)[0]["Config"]["Labels"], {"by": "lade"})

            missing = self.lade_fails("inspect", "--daemon-host", engine.host, "docker-daemon:none:1")
            self.assertIn("none of that name", missing.err)

            # What docker save writes, several images in one, and docker load of what we write.
            engine.docker("save", "-o", self.tmp / "saved.tar", "ours:1", "skopeo:1", "more:2")
            self.lade("copy", f"docker-archive:{self.tmp}/saved.tar:skopeo:1", f"oci:{self.tmp}/saved:x")
            self.assertEqual(differences(self.truth, self.unpacked("saved:x", "saved-tree")), [])
            self.lade("copy", f"oci:{self.tmp}/l:a", f"docker-archive:{self.tmp}/load.tar:loaded:1")
            self.lade("copy", "--append", f"tarball:{self.tmp}/second.tar", f"docker-archive:{self.tmp}/load.tar:loaded:2")
            engine.docker("load", "-i", self.tmp / "load.tar")
            names = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").out.split()
            self.assertTrue({"loaded:1", "loaded:2"} <= set(names), names)

            # A layer that is none: the engine refuses inside a 200 answer.
            with tarfile.open(self.tmp / "load.tar") as archive:
                self.assertIn("manifest.json", archive.getnames())
            self.write("bad.tar", b"\0" * 512 + b"junk" * 1000)
            self.lade_fails("copy", *to, f"tarball:{self.tmp}/bad.tar", "docker-daemon:bad:1")


if __name__ == "__main__":
    main()
