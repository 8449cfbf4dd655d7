"""Every transport, both ways, with skopeo and umoci as the other side."""
import json
import subprocess

from fake_engine import Engine
from lade_testing import LADE, Case, Registry, check_layout, differences, layout_from_tar, main, need, run, tree


class Transports(Case):
    def setUp(self):
        super().setUp()
        need("skopeo", "umoci", "buildah", "oci-image-tool")
        self.write("root/etc/os-release", "ID=test\n")
        self.write("root/bin/tool", b"\x7fELF" + bytes(5000), 0o4755)
        (self.tmp / "root/bin/alias").hardlink_to(self.tmp / "root/bin/tool")
        (self.tmp / "root/link").symlink_to("bin/tool")
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "a")
        self.write("second/etc/more", "x" * 100)
        run("tar", "-C", self.tmp / "second", "-cf", self.tmp / "second.tar", ".")
        run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/l:a", self.tmp / "second.tar")
        self.truth = self.unpacked(f"{self.tmp}/l:a", "truth")

    def unpacked(self, image, name):
        run("umoci", "unpack", "--image", image, self.tmp / name)
        return tree(self.tmp / name / "rootfs")

    def places(self, prefix, registry):
        yield f"oci:{self.tmp}/{prefix}-layout:name"
        yield f"oci-archive:{self.tmp}/{prefix}.oci.tar:name"
        yield f"docker-archive:{self.tmp}/{prefix}.docker.tar:repo/name:tag"
        yield f"dir:{self.tmp}/{prefix}-dir"
        yield f"docker://{registry.host}/{prefix}:tag"

    def check_same(self, name, how):
        target = f"{how}-check"
        run("skopeo", "copy", "--src-tls-verify=false", name, f"oci:{self.tmp}/{target}:x")
        self.assertEqual(differences(self.truth, self.unpacked(f"{self.tmp}/{target}:x", target + "-tree")), [], name)
        run("rm", "-rf", self.tmp / target, self.tmp / (target + "-tree"))

    def test_what_we_write_skopeo_and_umoci_read(self):
        with Registry(self.tmp / "registry") as registry:
            for place in self.places("ours", registry):
                self.lade("copy", "--dest-tls-verify=false", f"oci:{self.tmp}/l:a", place)
                self.check_same(place, "w")

    def test_what_skopeo_writes_we_read(self):
        with Registry(self.tmp / "registry") as registry:
            for number, place in enumerate(self.places("theirs", registry)):
                run("skopeo", "copy", "--dest-tls-verify=false", f"oci:{self.tmp}/l:a", place)
                self.lade("copy", "--src-tls-verify=false", place, f"oci:{self.tmp}/read{number}:x")
                check_layout(self.tmp / f"read{number}")
                self.assertEqual(differences(self.truth, self.unpacked(f"{self.tmp}/read{number}:x", f"read{number}-tree")), [], place)
                inspected = json.loads(self.lade("inspect", "--tls-verify=false", "--format", "json", place).out)
                self.assertEqual(len(inspected["layers"]), 2, place)

    def all_places(self, prefix, registry):
        """Also those that skopeo cannot reach here: a store of its own, and an engine."""
        yield from self.places(prefix, registry)
        yield f"containers-storage:[vfs@{self.tmp}/store+{self.tmp}/run]localhost/{prefix}:tag"
        yield f"docker-daemon:{prefix}:tag"

    def test_every_pair_of_our_own_transports(self):
        with Registry(self.tmp / "registry") as registry, Engine(self.tmp / "docker.sock") as engine:
            words = ["copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false"]
            env = {"DOCKER_HOST": engine.host}
            sources = list(self.all_places("pair", registry))
            for place in sources:
                self.lade(*words, f"oci:{self.tmp}/l:a", place, env=env)
            for i, source in enumerate(sources):
                for destination in self.all_places(f"to{i}", registry):
                    self.lade(*words, source, destination, env=env)
                self.check_same(f"docker-archive:{self.tmp}/to{i}.docker.tar:repo/name:tag", f"p{i}")
                # What went through two transports comes back from the last of them whole.
                for number, place in enumerate(self.all_places(f"to{i}", registry)):
                    diff_ids = json.loads(self.lade("inspect", "--config", "--tls-verify=false", place, env=env).out)["rootfs"]["diff_ids"]
                    self.assertEqual(len(diff_ids), 2, (source, place, number))
            for destination in self.all_places("tarball", registry):
                self.lade(*words, f"tarball:{self.tmp}/root.tar:{self.tmp}/second.tar", destination, env=env)
            self.check_same(f"docker-archive:{self.tmp}/tarball.docker.tar:repo/name:tag", "tarball")

    def test_what_buildah_pushes_we_read(self):
        storage = ["--root", self.tmp / "b", "--runroot", self.tmp / "br", "--storage-driver", "vfs"]
        container = run("buildah", *storage, "from", f"oci:{self.tmp}/l:a").out.strip()
        run("buildah", *storage, "config", "--label", "by=buildah", container)
        for number, (form, place) in enumerate([("oci", f"oci:{self.tmp}/bl:x"), ("docker", f"docker-archive:{self.tmp}/b.tar:x:y"),
                                                ("oci", f"oci-archive:{self.tmp}/bo.tar:x"), ("docker", f"dir:{self.tmp}/bd")]):
            run("buildah", *storage, "commit", "--format", form, container, place)
            self.lade("copy", place, f"oci:{self.tmp}/rb{number}:x")
            self.assertEqual(differences(self.truth, self.unpacked(f"{self.tmp}/rb{number}:x", f"rb{number}-tree")), [], place)
            self.assertIn("by", json.loads(self.lade("inspect", "--config", place).out)["config"]["Labels"])
        run("buildah", *storage, "rm", container)

    def test_oci_image_tool_accepts_our_layouts(self):
        self.lade("copy", "--dest-compress-format", "gzip", "--dest-force-compress-format", f"oci:{self.tmp}/l:a", f"oci:{self.tmp}/v:name")
        run("oci-image-tool", "validate", "--type", "image", "--ref", "name=name", self.tmp / "v")

    def test_skopeo_reads_our_streams_and_we_read_its(self):
        for transport in ("docker-archive", "oci-archive"):
            with open(self.tmp / f"stream.{transport}", "wb") as out:
                subprocess.run([LADE, "copy", f"oci:{self.tmp}/l:a", f"{transport}:-:repo/name:tag"], stdout=out,
                               stderr=subprocess.PIPE, check=True, timeout=120)
            self.check_same(f"{transport}:{self.tmp}/stream.{transport}:repo/name:tag", "stream")
            run("skopeo", "copy", f"oci:{self.tmp}/l:a", f"{transport}:{self.tmp}/theirs.{transport}:repo/name:tag")
            with open(self.tmp / f"theirs.{transport}", "rb") as data:
                subprocess.run([LADE, "copy", f"{transport}:/dev/stdin", f"oci:{self.tmp}/in-{transport}:x"],
                               input=data.read(), stderr=subprocess.PIPE, check=True, timeout=120)
            self.check_same(f"oci:{self.tmp}/in-{transport}:x", "stdin")

    def test_compressed_archives_of_skopeo_are_read_and_it_reads_ours(self):
        for transport in ("docker-archive", "oci-archive"):
            for maker in ("skopeo", "lade"):
                path = self.tmp / f"{maker}.{transport}"
                if maker == "skopeo":
                    run("skopeo", "copy", f"oci:{self.tmp}/l:a", f"{transport}:{path}:repo/name:tag")
                else:
                    self.lade("copy", f"oci:{self.tmp}/l:a", f"{transport}:{path}:repo/name:tag")
                for tool in ("gzip", "xz", "bzip2", "zstd"):
                    packed = f"{path}.{tool}"
                    with open(packed, "wb") as out:
                        subprocess.run([tool, "-c", path], stdout=out, check=True)
                    self.lade("copy", f"{transport}:{packed}:repo/name:tag", f"oci:{self.tmp}/un-{maker}-{transport}-{tool}:x")
                    self.check_same(f"oci:{self.tmp}/un-{maker}-{transport}-{tool}:x", "unpacked")
                    # skopeo 1.9.3 loses the place in a compressed docker-archive:, its own as well ("invalid tar header").
                    if tool == "gzip" and transport == "oci-archive":
                        self.check_same(f"{transport}:{packed}:repo/name:tag", "packed")

    def test_skopeo_reads_archives_of_many_images(self):
        run("umoci", "tag", "--image", f"{self.tmp}/l:a", "b")
        run("umoci", "config", "--image", f"{self.tmp}/l:b", "--config.label", "second=yes")
        for tag in "ab":
            self.lade("copy", "--append", f"oci:{self.tmp}/l:{tag}", f"docker-archive:{self.tmp}/many.tar:repo/name:{tag}")
            self.lade("copy", "--append", f"oci:{self.tmp}/l:{tag}", f"oci-archive:{self.tmp}/many.oci.tar:{tag}")
        for tag in "ab":
            self.check_same(f"docker-archive:{self.tmp}/many.tar:repo/name:{tag}", "many")
            self.check_same(f"oci-archive:{self.tmp}/many.oci.tar:{tag}", "many")
        labels = json.loads(run("skopeo", "inspect", "--config", f"docker-archive:{self.tmp}/many.tar:@1").out)["config"]["Labels"]
        self.assertEqual(labels["second"], "yes")

    def test_layouts_share_blobs_with_skopeo(self):
        shared = self.tmp / "shared"
        self.lade("copy", "--dest-shared-blob-dir", shared, f"oci:{self.tmp}/l:a", f"oci:{self.tmp}/ours:x")
        run("skopeo", "copy", "--src-shared-blob-dir", shared, f"oci:{self.tmp}/ours:x", f"oci:{self.tmp}/back:x")
        self.check_same(f"oci:{self.tmp}/back:x", "back")
        run("skopeo", "copy", "--dest-shared-blob-dir", shared, f"oci:{self.tmp}/l:a", f"oci:{self.tmp}/theirs:x")
        self.lade("copy", "--src-shared-blob-dir", shared, f"oci:{self.tmp}/theirs:x", f"oci:{self.tmp}/read:x")
        self.check_same(f"oci:{self.tmp}/read:x", "read")

    def test_tarballs_are_what_skopeo_makes_of_them(self):
        self.lade("copy", f"tarball:{self.tmp}/root.tar:{self.tmp}/second.tar", f"oci:{self.tmp}/tarball:x")
        self.check_same(f"oci:{self.tmp}/tarball:x", "tarball")
        run("skopeo", "copy", f"tarball:{self.tmp}/root.tar:{self.tmp}/second.tar", f"dir:{self.tmp}/theirs")
        self.lade("copy", f"tarball:{self.tmp}/root.tar:{self.tmp}/second.tar", f"dir:{self.tmp}/ours")
        diff_ids = [json.loads(run("skopeo", "inspect", "--config", f"dir:{self.tmp}/{d}").out)["rootfs"]["diff_ids"]
                    for d in ("theirs", "ours")]
        self.assertEqual(diff_ids[0], diff_ids[1])


if __name__ == "__main__":
    main()
