"""An index of eight platforms: created, pushed, copied between registries and to a layout, inspected."""
import json

from lade_testing import Case, Registry, check_layout, layout_from_tar, main, need, run

PLATFORMS = ["amd64", "arm64", "386", "s390x", "ppc64le", "riscv64", "mips64le", "loong64"]


class EightPlatforms(Case):
    def test_through_two_registries_and_a_layout(self):
        need("skopeo", "umoci", "oci-image-tool", "docker-registry")
        self.write("root/shared", "the same on all\n" * 1000)
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "base")
        names = []
        for arch in PLATFORMS:
            self.write(f"{arch}/only", arch)
            run("tar", "-C", self.tmp / arch, "-cf", self.tmp / f"{arch}.tar", ".")
            run("umoci", "tag", "--image", f"{self.tmp}/l:base", arch)
            run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/l:{arch}", self.tmp / f"{arch}.tar")
            run("umoci", "config", "--image", f"{self.tmp}/l:{arch}", "--architecture", arch)
            names.append(f"oci:{self.tmp}/l:{arch}")
        with Registry(self.tmp / "r1") as one, Registry(self.tmp / "r2") as two:
            first, second = f"docker://{one.host}/multi:1", f"docker://{two.host}/mirror/multi:1"
            digest = self.lade("index", "create", "--dest-tls-verify=false", first, *names).out.strip()
            self.lade("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", first, second)
            self.lade("copy", "--all", "--src-tls-verify=false", second, f"oci:{self.tmp}/out:multi")
            again = self.lade("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", first, second)
            self.assertIn("copied 0 B", again.err)
            mounted = self.lade("copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", first, f"docker://{one.host}/other:1")
            self.assertIn("mounted", mounted.err)
            self.assertIn("copied 0 B", mounted.err)

            raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", second).out
            self.assertEqual([m["platform"]["architecture"] for m in json.loads(raw)["manifests"]], PLATFORMS)
            run("skopeo", "copy", "--all", "--src-tls-verify=false", second, f"oci:{self.tmp}/skopeo:multi")
            text = self.lade("inspect", "--tls-verify=false", second).out
            for arch in PLATFORMS:
                self.assertIn(f"linux/{arch}", text)
            run("skopeo", "copy", "--override-arch", "s390x", "--src-tls-verify=false", second, f"oci:{self.tmp}/s390x:a")
            self.lade("copy", "--platform", "linux/s390x", "--src-tls-verify=false", second, f"oci:{self.tmp}/ours:a")
        for layout in ("out", "skopeo"):
            self.assertEqual(check_layout(self.tmp / layout)["manifests"][0]["digest"], digest)
        self.assertEqual(check_layout(self.tmp / "ours")["manifests"][0]["digest"], check_layout(self.tmp / "s390x")["manifests"][0]["digest"])
        run("oci-image-tool", "validate", "--type", "image", "--ref", "name=multi", self.tmp / "out")
        tree = json.loads(self.lade("inspect", "--format", "json", f"oci:{self.tmp}/skopeo:multi").out)
        self.assertEqual(tree["totals"]["images"], 8)
        self.assertEqual(tree["totals"]["layers"], 16)
        self.assertEqual(tree["totals"]["uniqueLayers"], 9)


if __name__ == "__main__":
    main()
