"""The outputs of 'lade build' as podman, buildah and skopeo read them."""
import json
import subprocess

from lade_testing import Case, Registry, busybox_context, main, need, run


class BuildOutputs(Case):
    def setUp(self):
        super().setUp()
        need("podman", "skopeo", "umoci")
        self.context = busybox_context(self.tmp / "context")
        self.write("context/status", "Package: bash\nStatus: install ok installed\nVersion: 5\n")
        (self.context / "Containerfile").write_text("FROM scratch\nCOPY busybox /bin/\nCOPY status /var/lib/dpkg/status\nLABEL a=b\n")
        self.addCleanup(subprocess.run, ["umount", "-l", self.tmp / "graph/vfs"], check=False, stderr=subprocess.DEVNULL)

    def podman(self, *words):
        return run("podman", "--root", self.tmp / "graph", "--runroot", self.tmp / "run", "--storage-driver", "vfs", *words)

    def labels(self, image):
        return json.loads(self.podman("image", "inspect", image).out)[0]["Labels"]

    def test_podman_loads_archives_and_imports_files(self):
        self.lade("build", "-q", "-t", "localhost/app:1", "-o", f"type=docker,dest={self.tmp}/d.tar",
                  "-o", f"type=oci,compression=zstd,force-compression=true,dest={self.tmp}/o.tar", "-o", f"type=tar,dest={self.tmp}/t.tar", self.context)
        self.podman("load", "-q", "-i", self.tmp / "d.tar")
        self.assertEqual(self.labels("localhost/app:1"), {"a": "b"})
        pulled = self.podman("pull", "-q", f"oci-archive:{self.tmp}/o.tar").out.strip()
        self.assertEqual(self.labels(pulled), {"a": "b"})
        self.podman("import", "-q", self.tmp / "t.tar", "localhost/imported:1")

    def test_an_attested_index_of_two_platforms_is_pulled_as_any_other(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"{registry.host}/app:1"
            self.lade("build", "-q", "-t", name, "--push", "--platform", "linux/amd64,linux/arm64", "--sbom", "--provenance",
                      "--annotation", "index:i=1", "--annotation", "manifest-descriptor[linux/arm64]:d=2", self.context)
            index = json.loads(run("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}").out)
            self.assertEqual([entry["platform"]["architecture"] for entry in index["manifests"]], ["amd64", "arm64", "unknown", "unknown"])
            self.assertEqual(index["annotations"], {"i": "1"})
            self.assertEqual(index["manifests"][1]["annotations"], {"d": "2"})
            for image, attested in zip(index["manifests"][:2], index["manifests"][2:]):
                self.assertEqual(attested["annotations"]["vnd.docker.reference.digest"], image["digest"])
            self.podman("pull", "-q", "--tls-verify=false", name)
            self.assertEqual(self.labels(name), {"a": "b"})
            run("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{self.tmp}/l:1")
            run("umoci", "ls", "--layout", self.tmp / "l")


if __name__ == "__main__":
    main()
