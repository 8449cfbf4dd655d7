"""Every transport, both ways, with skopeo and umoci as the other side."""
import json

from lade_testing import Case, Registry, check_layout, differences, layout_from_tar, main, need, run, tree


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

    def test_every_pair_of_our_own_transports(self):
        with Registry(self.tmp / "registry") as registry:
            sources = list(self.places("pair", registry))
            for place in sources:
                self.lade("copy", "--dest-tls-verify=false", f"oci:{self.tmp}/l:a", place)
            for i, source in enumerate(sources):
                for destination in self.places(f"to{i}", registry):
                    self.lade("copy", "--src-tls-verify=false", "--dest-tls-verify=false", source, destination)
                self.check_same(f"docker-archive:{self.tmp}/to{i}.docker.tar:repo/name:tag", f"p{i}")

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


if __name__ == "__main__":
    main()
