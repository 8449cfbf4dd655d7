"""What lade copy converts, with skopeo as the other side: Docker's schema 1, formats, encrypted layers."""
import json

from lade_testing import Case, Registry, check_layout, differences, layout_from_tar, layout_json, main, need, run, tree


class Conversions(Case):
    def setUp(self):
        super().setUp()
        need("skopeo", "umoci")
        self.write("root/etc/os-release", "ID=test\n")
        self.write("root/bin/tool", bytes(5000), 0o4755)
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "a")
        self.write("second/etc/more", "x" * 100)
        run("tar", "-C", self.tmp / "second", "-cf", self.tmp / "second.tar", ".")
        run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/l:a", self.tmp / "second.tar")
        # A step that makes no layer.
        run("umoci", "config", "--image", f"{self.tmp}/l:a", "--config.cmd", "/bin/tool", "--os", "linux", "--architecture", "amd64")
        self.source = f"oci:{self.tmp}/l:a"
        self.truth = self.unpacked(f"{self.tmp}/l:a", "truth")

    def unpacked(self, image, name):
        run("umoci", "unpack", "--image", image, self.tmp / name)
        return tree(self.tmp / name / "rootfs")

    def check_same(self, name, layout):
        self.assertEqual(differences(self.truth, self.unpacked(f"{self.tmp}/{layout}:x", layout + "-tree")), [], name)

    def test_schema_1_of_a_directory_becomes_schema_2_and_oci(self):
        run("skopeo", "copy", "--format", "v2s1", self.source, f"dir:{self.tmp}/old")
        self.assertEqual(json.loads((self.tmp / "old/manifest.json").read_text())["schemaVersion"], 1)
        self.lade("copy", f"dir:{self.tmp}/old", f"dir:{self.tmp}/new")
        run("skopeo", "copy", f"dir:{self.tmp}/new", f"oci:{self.tmp}/theirs:x")
        self.check_same("theirs", "theirs")
        self.lade("copy", "--format", "oci", f"dir:{self.tmp}/old", f"oci:{self.tmp}/ours:x")
        check_layout(self.tmp / "ours")
        self.check_same("ours", "ours")
        index = json.loads((self.tmp / "ours/index.json").read_text())
        config = layout_json(self.tmp / "ours", layout_json(self.tmp / "ours", index["manifests"][0]["digest"])["config"]["digest"])
        self.assertEqual(config["config"]["Cmd"], ["/bin/tool"])
        # skopeo's own conversion says the same.
        run("skopeo", "copy", "--format", "v2s2", f"dir:{self.tmp}/old", f"dir:{self.tmp}/v2s2")
        theirs = json.loads((self.tmp / "v2s2/manifest.json").read_text())
        converted = json.loads((self.tmp / "v2s2" / theirs["config"]["digest"].split(":")[1]).read_text())
        self.assertEqual(converted["rootfs"], config["rootfs"])
        self.assertEqual(converted["history"], config["history"])

    def test_signed_schema_1_of_a_registry_is_read_by_tag_and_digest(self):
        registry = Registry(self.tmp / "registry")
        settings = json.loads(registry.config.read_text())
        settings["compatibility"] = {"schema1": {"enabled": True}}
        registry.config.write_text(json.dumps(settings))
        with registry:
            name = f"docker://{registry.host}/old"
            run("skopeo", "copy", "--format", "v2s1", "--dest-tls-verify=false", self.source, f"{name}:1")
            raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{name}:1").out
            self.assertIn("signatures", json.loads(raw))
            digest = run("skopeo", "inspect", "--format", "{{.Digest}}", "--tls-verify=false", f"{name}:1").out.strip()
            for number, reference in enumerate((f"{name}:1", f"{name}@{digest}")):
                self.lade("copy", "--src-tls-verify=false", reference, f"oci:{self.tmp}/from{number}:x")
                check_layout(self.tmp / f"from{number}")
                self.check_same(reference, f"from{number}")
            self.lade_fails("copy", "--preserve-digests", "--src-tls-verify=false", f"{name}:1", f"oci:{self.tmp}/no:x")

    def test_formats_and_codecs_that_skopeo_reads_back(self):
        for number, words in enumerate((["--format", "docker"], ["--format", "v2s2"], ["--dest-compress-format", "zstd"],
                                        ["--dest-decompress"], ["--format", "oci"])):
            self.lade("copy", *words, self.source, f"dir:{self.tmp}/d{number}")
            run("skopeo", "copy", f"dir:{self.tmp}/d{number}", f"oci:{self.tmp}/o{number}:x")
            if "zstd" not in words:  # umoci does not read it
                self.check_same(words, f"o{number}")
        self.lade("copy", "--format", "docker", f"dir:{self.tmp}/d2", f"dir:{self.tmp}/gzip-again")
        manifest = json.loads((self.tmp / "gzip-again/manifest.json").read_text())
        self.assertEqual({layer["mediaType"] for layer in manifest["layers"]}, {"application/vnd.docker.image.rootfs.diff.tar.gzip"})

    def test_encrypted_layers_pass_untouched_and_skopeo_decrypts_them(self):
        run("openssl", "genrsa", "-out", self.tmp / "private.pem", "2048")
        run("openssl", "rsa", "-in", self.tmp / "private.pem", "-pubout", "-out", self.tmp / "public.pem")
        run("skopeo", "copy", "--encryption-key", f"jwe:{self.tmp}/public.pem", self.source, f"oci:{self.tmp}/secret:x")
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/secret:x"
            self.lade("copy", "--preserve-digests", "--dest-tls-verify=false", f"oci:{self.tmp}/secret:x", name)
            self.lade("copy", "--src-tls-verify=false", "--dest-compress-format", "zstd", name, f"oci:{self.tmp}/again:x")
        run("skopeo", "copy", "--decryption-key", self.tmp / "private.pem", f"oci:{self.tmp}/again:x", f"oci:{self.tmp}/plain:x")
        self.check_same("decrypted", "plain")
        for words in (["--format", "docker", f"oci:{self.tmp}/secret:x", f"dir:{self.tmp}/d"],
                      [f"oci:{self.tmp}/secret:x", f"docker-archive:{self.tmp}/a.tar:a:b"]):
            self.assertIn("is encrypted", self.lade_fails("copy", *words).err)


if __name__ == "__main__":
    main()
