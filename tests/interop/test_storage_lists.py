"""containers-storage: lists of images, signatures, and stores that are not to be made or cannot be."""
import json
import os

from lade_testing import LADE, Case, check_layout, layout_json, main, need, put_layout_blob, put_layout_entry, run, small_image, small_index


class StorageLists(Case):
    def setUp(self):
        super().setUp()
        need("buildah", "skopeo", "unshare")
        self.index = small_index(self.tmp / "ix", "all", "one")
        self.options = ["--root", self.tmp / "graph", "--runroot", self.tmp / "run", "--storage-driver", "vfs"]

    def name(self, image):
        return f"containers-storage:[vfs@{self.tmp}/graph+{self.tmp}/run]{image}"

    def buildah(self, *words):
        return run("buildah", *self.options, *words)

    def digests(self, layout, name):
        """Of the configs of the images in an index in a layout."""
        entries = json.loads((layout / "index.json").read_text())["manifests"]
        index, = [entry for entry in entries if entry["annotations"]["org.opencontainers.image.ref.name"] == name]
        return [layout_json(layout, entry["digest"])["config"]["digest"] for entry in layout_json(layout, index["digest"])["manifests"]]

    def test_lists_are_kept_as_buildah_keeps_them(self):
        self.lade("copy", "--all", f"oci:{self.tmp}/ix:all", self.name("localhost/list:1"))
        wanted = layout_json(self.tmp / "ix", self.index["digest"])["manifests"]
        shown = json.loads(self.buildah("manifest", "inspect", "localhost/list:1").out)["manifests"]
        self.assertEqual([entry["digest"] for entry in shown], [entry["digest"] for entry in wanted])
        self.buildah("manifest", "push", "--all", "localhost/list:1", f"oci:{self.tmp}/theirs:x")
        self.lade("copy", "--all", self.name("localhost/list:1"), f"oci:{self.tmp}/ours:x")
        check_layout(self.tmp / "ours")
        configs = self.digests(self.tmp / "ix", "all")
        self.assertEqual(self.digests(self.tmp / "ours", "x"), configs)
        self.assertEqual(sorted(path.name for path in (self.tmp / "theirs/blobs/sha256").iterdir() if "sha256:" + path.name in configs),
                         sorted(config[7:] for config in configs))
        # A second time, by another name; then one is removed and the other stays.
        self.lade("copy", "--all", f"oci:{self.tmp}/ix:all", self.name("localhost/list:2"))
        self.lade("delete", self.name("localhost/list:1"))
        self.assertEqual(self.lade("tags", self.name("")).out.split(), ["localhost/list:2"])
        self.buildah("manifest", "inspect", "localhost/list:2")

    def test_lists_of_buildah_are_read(self):
        self.lade("copy", "--platform", "linux/arm64", f"oci:{self.tmp}/ix:all", self.name("localhost/arm:1"))
        self.buildah("manifest", "create", "localhost/made:1")
        self.buildah("manifest", "add", "--arch", "arm64", "localhost/made:1", self.name("localhost/arm:1"))
        self.lade("copy", "--all", self.name("localhost/made:1"), f"oci:{self.tmp}/made:x")
        check_layout(self.tmp / "made")
        self.assertEqual(self.digests(self.tmp / "made", "x"), self.digests(self.tmp / "ix", "all")[1:])

    def test_what_is_no_image_is_refused(self):
        small_image(self.tmp / "ix", "artifact", "x", layers=[])
        result = self.lade_fails("copy", f"oci:{self.tmp}/ix:artifact", self.name("localhost/x:1"))
        self.assertIn("0 layers, its config 2", result.err)

    def attested(self):
        """An index of two images, an attestation of the first, and an index with a third; all digests."""
        images = layout_json(self.tmp / "ix", self.index["digest"])["manifests"]
        nested = small_index(self.tmp / "ix", "nested", "two", ("s390x",))
        config = put_layout_blob(self.tmp / "ix", "application/vnd.oci.image.config.v1+json",
                                 b'{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}')
        statement = put_layout_blob(self.tmp / "ix", "application/vnd.in-toto+json", b'{"_type":"https://in-toto.io/Statement/v1"}')
        attestation = put_layout_blob(self.tmp / "ix", "application/vnd.oci.image.manifest.v1+json", json.dumps(
            {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [statement]}).encode())
        attestation["annotations"] = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": images[0]["digest"]}
        attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
        entries = [*images, attestation, {key: nested[key] for key in ("mediaType", "digest", "size")}]
        index = put_layout_blob(self.tmp / "ix", "application/vnd.oci.image.index.v1+json", json.dumps(
            {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}).encode())
        put_layout_entry(self.tmp / "ix", "attested", index)
        return index["digest"], attestation["digest"], nested["digest"]

    def test_of_lists_with_attestations_and_lists_the_images_are_kept(self):
        index, attestation, nested = self.attested()
        done = self.lade("copy", "--all", f"oci:{self.tmp}/ix:attested", self.name("localhost/list:1"))
        self.assertIn(f"{attestation} stays behind", done.err)
        self.assertEqual(self.lade("digest", self.name("localhost/list:1")).out.strip(), index)
        shown = json.loads(self.buildah("manifest", "inspect", "localhost/list:1").out)["manifests"]
        self.assertEqual([entry["digest"] for entry in shown][2:], [attestation, nested])
        self.assertEqual(len(json.loads(self.buildah("images", "-a", "--json").out)), 5)  # three images, two lists
        self.lade("copy", "--platform", "linux/arm64", self.name("localhost/list:1"), f"oci:{self.tmp}/arm64:x")
        self.lade("copy", "--platform", "linux/s390x", self.name("@" + nested[7:]), f"oci:{self.tmp}/s390x:x")
        for architecture in ("arm64", "s390x"):
            check_layout(self.tmp / architecture)
        self.lade("copy", "--all", f"oci:{self.tmp}/ix:attested", self.name("localhost/list:1"))

    def test_signatures_of_lists_are_kept(self):
        self.lade("copy", "--all", "--dest-decompress", f"oci:{self.tmp}/ix:all", f"dir:{self.tmp}/signed")
        (self.tmp / "signed/signature-1").write_bytes(b"\xa3OpenPGP")
        self.lade("copy", "--all", f"dir:{self.tmp}/signed", self.name("localhost/list:1"))
        self.lade("copy", "--all", self.name("localhost/list:1"), f"dir:{self.tmp}/back")
        run("diff", "-r", self.tmp / "signed", self.tmp / "back")
        self.buildah("manifest", "inspect", "localhost/list:1")

    def test_signatures_are_kept(self):
        signatures = [b"\xa3OpenPGP", b'\0sigstore-json\n{"mimeType":"text/plain","payload":"e30=","annotations":{}}']
        small_image(self.tmp / "l", "a", "signed")
        self.lade("copy", "--dest-decompress", f"oci:{self.tmp}/l:a", f"dir:{self.tmp}/signed")
        for number, text in enumerate(signatures, 1):
            (self.tmp / f"signed/signature-{number}").write_bytes(text)
        tools = {"lade": [LADE, "copy"], "skopeo": ["skopeo", "--insecure-policy", "copy"]}
        for number, (writer, reader) in enumerate((("lade", "lade"), ("lade", "skopeo"), ("skopeo", "lade"))):
            stored, back = self.name(f"localhost/signed:{number}"), self.tmp / f"back{number}"
            run(*tools[writer], f"dir:{self.tmp}/signed", stored)
            run(*tools[reader], stored, f"dir:{back}")
            run("diff", "-r", self.tmp / "signed", back)
            run("rm", "-r", self.tmp / "graph")
        # What is compressed comes back as plain tars: that would be something else than what was signed.
        self.lade("copy", f"oci:{self.tmp}/l:a", f"dir:{self.tmp}/compressed")
        (self.tmp / "compressed/signature-1").write_bytes(signatures[0])
        self.lade("copy", f"dir:{self.tmp}/compressed", self.name("localhost/a"))
        self.assertIn("invalidate signatures", self.lade_fails("copy", self.name("localhost/a"), f"dir:{self.tmp}/no").err)
        self.lade("copy", "--remove-signatures", self.name("localhost/a"), f"dir:{self.tmp}/unsigned")

    def test_reading_makes_no_store(self):
        for words in (["inspect", self.name("localhost/a")], ["tags", self.name("")], ["copy", self.name("localhost/a"), f"dir:{self.tmp}/d"],
                      ["delete", self.name("localhost/a")]):
            self.lade_fails(*words)
            self.assertFalse((self.tmp / "graph").exists(), words)
            self.assertFalse((self.tmp / "run").exists(), words)

    def test_a_user_namespace_with_one_user(self):
        """Files of root alone can be written there; those of others cannot, and that is said."""
        self.lade("copy", f"oci:{self.tmp}/ix:all", f"oci:{self.tmp}/root:x")
        self.tmp.chmod(0o755)
        unshared = ["unshare", "-Ur", LADE, "--store", self.store]
        run(*unshared, "copy", f"oci:{self.tmp}/root:x", self.name("localhost/root:1"))
        self.buildah("images")
        (self.tmp / "tree").mkdir()
        self.write("tree/file", "x")
        os.chown(self.tmp / "tree/file", 1000, 1000)
        run("tar", "-C", self.tmp / "tree", "-cf", self.tmp / "other.tar", ".")
        result = run(*unshared, "copy", f"tarball:{self.tmp}/other.tar", self.name("localhost/other:1"), check=False)
        self.assertEqual(result.status, 1)
        self.assertIn("user namespace", result.err)


if __name__ == "__main__":
    main()
