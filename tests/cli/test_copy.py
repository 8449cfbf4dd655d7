"""lade copy on the command line: names, formats, compression, progress, failures that leave nothing behind."""
import gzip
import hashlib
import json
import os
import pathlib
import subprocess
import time

from lade_testing import Case, LADE, Registry, check_layout, layout_blob, layout_json, main, need, run

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def named(name):
    return {"annotations": {"org.opencontainers.image.ref.name": name}}


def make_rootfs_tar(directory, megabytes=1):
    root = pathlib.Path(directory) / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("test\n")
    (root / "data").write_bytes(os.urandom(1 << 20) * megabytes)
    (root / "text").write_text("".join(f"line {i * i % 9973} of {i}\n" for i in range(60000)))
    tar = pathlib.Path(directory) / "rootfs.tar"
    run("tar", "--sort=name", "--numeric-owner", "-C", root, "-cf", tar, ".")
    return tar


class Copy(Case):
    def setUp(self):
        super().setUp()
        need("umoci", "skopeo")
        self.layout = self.tmp / "source"
        run("umoci", "init", "--layout", self.layout)
        run("umoci", "new", "--image", f"{self.layout}:one")
        run("umoci", "raw", "add-layer", "--image", f"{self.layout}:one", make_rootfs_tar(self.tmp))
        self.source = f"oci:{self.layout}:one"

    def manifest_of(self, layout):
        index = check_layout(layout)
        return layout_json(layout, index["manifests"][0]["digest"])

    def test_keeps_bytes_and_digests_by_default(self):
        self.lade("copy", self.source, f"oci:{self.tmp}/copy:renamed")
        want = json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"]
        got = check_layout(self.tmp / "copy")["manifests"][0]
        self.assertEqual(got["digest"], want)
        self.assertEqual(got["annotations"]["org.opencontainers.image.ref.name"], "renamed")

    def test_a_second_copy_moves_nothing(self):
        self.lade("copy", self.source, f"oci:{self.tmp}/copy:a")
        again = self.lade("copy", "--progress", "plain", self.source, f"oci:{self.tmp}/copy:b")
        self.assertIn("exists", again.err)
        self.assertIn("copied 0 B", again.err)

    def test_recompresses_when_asked(self):
        self.lade("copy", "--dest-compress-format", "zstd", self.source, f"oci:{self.tmp}/zstd:a")
        layer = self.manifest_of(self.tmp / "zstd")["layers"][0]
        self.assertTrue(layer["mediaType"].endswith("+zstd"))
        plain = subprocess.run(["zstd", "-dc", layout_blob(self.tmp / "zstd", layer["digest"])], stdout=subprocess.PIPE, check=True).stdout
        config = layout_json(self.tmp / "zstd", self.manifest_of(self.tmp / "zstd")["config"]["digest"])
        self.assertEqual("sha256:" + hashlib.sha256(plain).hexdigest(), config["rootfs"]["diff_ids"][0])
        self.lade("copy", "--dest-compress-format", "uncompressed", f"oci:{self.tmp}/zstd:a", f"oci:{self.tmp}/plain:a")
        layer = self.manifest_of(self.tmp / "plain")["layers"][0]
        self.assertEqual(layer["digest"], config["rootfs"]["diff_ids"][0])

    def test_compression_levels_differ_in_size_and_are_reproducible(self):
        sizes = {}
        for level in ("1", "9", "fastest"):
            for turn in ("a", "b"):
                target = self.tmp / f"{level}-{turn}"
                self.lade("copy", "--dest-compress-format", "gzip", "--dest-force-compress-format", "--dest-compress-level", level,
                          self.source, f"oci:{target}:a")
            first, second = (self.manifest_of(self.tmp / f"{level}-{turn}")["layers"][0] for turn in ("a", "b"))
            self.assertEqual(first, second)
            sizes[level] = first["size"]
            run("gzip", "-t", stdin=layout_blob(self.tmp / f"{level}-a", first["digest"]).read_bytes())
        self.assertLess(sizes["9"], sizes["1"])

    def test_converts_formats_both_ways(self):
        self.lade("copy", "--format", "docker", self.source, f"dir:{self.tmp}/docker")
        manifest = json.loads((self.tmp / "docker/manifest.json").read_text())
        self.assertEqual(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")
        self.lade("copy", "--format", "oci", f"dir:{self.tmp}/docker", f"oci:{self.tmp}/back:a")
        self.assertEqual(self.manifest_of(self.tmp / "back")["config"]["mediaType"], "application/vnd.oci.image.config.v1+json")

    def test_preserve_digests_fails_where_it_cannot_hold(self):
        result = self.lade_fails("copy", "--preserve-digests", "--format", "docker", self.source, f"dir:{self.tmp}/d")
        self.assertIn("digests cannot be preserved", result.err)

    def test_digestfile_and_additional_tags(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/a/b"
            self.lade("copy", "--dest-tls-verify=false", "--digestfile", self.tmp / "digest", "--additional-tag", "two", self.source, f"{name}:one")
            digest = (self.tmp / "digest").read_text()
            for tag in ("one", "two"):
                self.assertEqual(run("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"{name}:{tag}").out.strip(), digest)

    def test_bare_names_are_the_local_store(self):
        self.lade("copy", self.source, "app")
        self.assertIn("localhost/app:latest", self.lade("images").out)
        self.lade("copy", "app", f"docker-archive:{self.tmp}/app.tar:app:latest")
        run("skopeo", "inspect", f"docker-archive:{self.tmp}/app.tar:app:latest")
        missing = self.lade_fails("copy", "nothing", f"dir:{self.tmp}/x")
        self.assertIn("docker://nothing", missing.err)
        self.assertFalse((self.tmp / "x").exists() and any((self.tmp / "x").iterdir()))

    def test_json_progress_is_one_object_a_line_on_stderr(self):
        result = self.lade("copy", "--progress", "json", self.source, f"oci:{self.tmp}/copy:a")
        self.assertEqual(result.out, "")
        events = [json.loads(line) for line in result.err.splitlines()]
        self.assertEqual({e["event"] for e in events} - {"advanced"}, {"started", "finished", "summary"})

    def test_progress_none_is_silent(self):
        for words in (["--progress", "none"], ["-q"]):
            result = self.lade("copy", *words, self.source, f"oci:{self.tmp}/copy:a")
            self.assertEqual((result.out, result.err), ("", ""))

    def test_errors_name_operation_and_cause(self):
        cases = [
            (["copy", "oci:/nonexistent:a", "dir:x"], r"^lade: copy oci:/nonexistent:a to dir:x: .*no such file or directory"),
            (["copy", "ocx:a", "dir:x"], r"no image 'ocx:a'|did you mean"),
            (["copy", "docke://127.0.0.1:1/a:b", "dir:x"], r"unknown transport 'docke', did you mean 'docker'"),
            (["copy", "", "dir:x"], r"the image's name is empty"),
            (["copy", "--authfile", "nowhere", self.source, "dir:y"], r"auth file 'nowhere': no such file"),
            (["copy", "--progress", "none", "--digestfile", "no/where", self.source, "dir:z"], r"write digest file 'no/where': .*no such file"),
            (["copy", f"oci:{self.layout}:two", "dir:x"], r"no image"),
            (["copy", "docker://127.0.0.1:1/a:b", "dir:x"], r"copy docker://127.0.0.1:1/a:b to dir:x: .*(refused|connect)"),
        ]
        for words, pattern in cases:
            result = self.lade_fails(*words, cwd=self.tmp)
            self.assertRegex(result.err, pattern)
            self.assertEqual(len(result.err.strip().splitlines()), 1, result.err)
            self.assertEqual(result.out, "")

    def test_corrupt_layers_are_refused_and_nothing_is_published(self):
        layer = self.manifest_of(self.layout)["layers"][0]
        blob = layout_blob(self.layout, layer["digest"])
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.write_bytes(data)
        for target in ("oci:{}/t:a", "dir:{}/d", "oci-archive:{}/a.tar:a", "docker-archive:{}/b.tar:a:b"):
            result = self.lade_fails("copy", self.source, target.format(self.tmp))
            self.assertIn(layer["digest"], result.err)
        self.assertFalse((self.tmp / "a.tar").exists())
        self.assertFalse((self.tmp / "b.tar").exists())
        self.assertFalse((self.tmp / "t/blobs/sha256" / layer["digest"].split(":")[1]).exists())
        index = self.tmp / "t/index.json"
        self.assertTrue(not index.exists() or json.loads(index.read_text())["manifests"] == [])
        self.assertFalse((self.tmp / "d").exists())
        leftovers = [p for p in self.tmp.rglob("*tmp-*")]
        self.assertEqual(leftovers, [])

    def test_a_copy_that_fails_at_once_makes_no_directory(self):
        for target in ("oci:{}/new/place:a", "dir:{}/new/place"):
            self.lade_fails("copy", "--preserve-digests", "--format", "docker", self.source, target.format(self.tmp))
            self.assertFalse((self.tmp / "new").exists())

    def test_interrupt_leaves_nothing_and_exits_130(self):
        big = self.tmp / "big"
        big.mkdir()
        run("umoci", "init", "--layout", big / "l")
        run("umoci", "new", "--image", f"{big}/l:one")
        run("umoci", "raw", "add-layer", "--image", f"{big}/l:one", make_rootfs_tar(big, megabytes=150))
        process = subprocess.Popen([LADE, "--store", self.store, "copy", "--dest-compress-format", "zstd", "--dest-compress-level", "19",
                                    f"oci:{big}/l:one", f"oci-archive:{self.tmp}/out.tar:a"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.7)
        process.send_signal(2)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn(b"interrupted", err)
        self.assertEqual(list(self.tmp.glob("*out.tar*")), [])


class Several(Case):
    """Indexes, what refers to images, several destinations."""

    def setUp(self):
        super().setUp()
        self.layout = self.tmp / "source"
        (self.layout / "blobs/sha256").mkdir(parents=True)
        (self.layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.images = {arch: self.image(arch) for arch in ("amd64", "arm64", "s390x")}
        self.attestation = self.document({"schemaVersion": 2, "mediaType": MANIFEST,
                                          "config": self.blob("application/vnd.oci.image.config.v1+json", b"{}"),
                                          "layers": [self.blob("application/vnd.in-toto+json", b"{}")]}) | {
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest",
                            "vnd.docker.reference.digest": self.images["arm64"]["digest"]}}
        self.index = self.document({"schemaVersion": 2, "mediaType": INDEX,
                                    "manifests": [*self.images.values(), self.attestation]})
        self.sbom = self.document({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.sbom",
                                   "config": self.blob("application/vnd.oci.empty.v1+json", b"{}"),
                                   "layers": [self.blob("text/plain", b"packages")],
                                   "subject": {k: self.images["arm64"][k] for k in ("mediaType", "digest", "size")}})
        signature = f"sha256-{self.index['digest'].split(':')[1]}.sig"
        self.list(self.index | named("app"), self.sbom | {"artifactType": "application/vnd.example.sbom"}, self.sbom | named(signature))
        self.signature = signature
        self.source = f"oci:{self.layout}:app"

    def blob(self, media_type, data):
        digest = hashlib.sha256(data).hexdigest()
        (self.layout / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def document(self, value):
        return self.blob(value["mediaType"], json.dumps(value).encode())

    def image(self, arch):
        layer = gzip.compress(arch.encode() * 5000, mtime=0)
        config = {"os": "linux", "architecture": arch, "rootfs": {"type": "layers", "diff_ids": [
            "sha256:" + hashlib.sha256(arch.encode() * 5000).hexdigest()]}}
        return self.document({"schemaVersion": 2, "mediaType": MANIFEST,
                              "config": self.blob("application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
                              "layers": [self.blob("application/vnd.oci.image.layer.v1.tar+gzip", layer)]}) | {
            "platform": {"os": "linux", "architecture": arch}}

    def list(self, *entries):
        (self.layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))

    def entries(self, layout, number=0):
        index = json.loads((self.tmp / layout / "index.json").read_text())
        return layout_json(self.tmp / layout, index["manifests"][number]["digest"])["manifests"]

    def blobs(self, layout):
        return {p.name for p in (self.tmp / layout / "blobs/sha256").iterdir()}

    def test_a_list_of_platforms_trims_the_index_and_keeps_attestations(self):
        self.lade("copy", "--platform", "linux/amd64,linux/arm64", self.source, f"oci:{self.tmp}/two:a")
        self.assertEqual(self.entries("two"), [self.images["amd64"], self.images["arm64"], self.attestation])
        check_layout(self.tmp / "two")
        self.lade("copy", "--platform", "linux/amd64", "--platform", "s390x", self.source, f"oci:{self.tmp}/other:a")
        self.assertEqual(self.entries("other"), [self.images["amd64"], self.images["s390x"]])

    def test_sparse_indexes_keep_their_digest(self):
        for name, words in (("a", ["--sparse", "--platform", "linux/arm64"]), ("b", ["--multi-arch", "linux/arm64"])):
            self.lade("copy", "--preserve-digests", *words, self.source, f"oci:{self.tmp}/{name}:x")
            entry = json.loads((self.tmp / name / "index.json").read_text())["manifests"][0]
            self.assertEqual(entry["digest"], self.index["digest"])
            have = self.blobs(name)
            self.assertIn(self.images["arm64"]["digest"].split(":")[1], have)
            self.assertNotIn(self.images["amd64"]["digest"].split(":")[1], have)

    def test_the_index_alone(self):
        for words in (["--index-only"], ["--multi-arch", "index-only"]):
            self.lade("copy", *words, self.source, f"oci:{self.tmp}/alone:x")
            self.assertEqual(self.blobs("alone"), {self.index["digest"].split(":")[1]})

    def test_what_is_missing_is_said(self):
        result = self.lade_fails("copy", "--platform", "linux/riscv64,windows/amd64", self.source, f"oci:{self.tmp}/x:a")
        self.assertIn("no image for platform linux/riscv64, windows/amd64 in the index; it has linux/amd64, linux/arm64, linux/s390x", result.err)
        result = self.lade("copy", "--progress", "plain", "--platform", "linux/riscv64,linux/amd64", self.source, f"oci:{self.tmp}/x:a")
        self.assertIn("the index has no image for linux/riscv64", result.err)

    def test_words_that_make_no_sense_are_usage_errors(self):
        for words, expected in (
                (["--platform", "no/such/thing/at/all"], "--platform"), (["--platform", "linux/amd64,"], "--platform"),
                (["--multi-arch", "some"], "takes system, all, index-only"), (["--multi-arch", "linux/amd64,/"], "--multi-arch"),
                (["--all", "--platform", "linux/amd64"], "only one of"), (["--all", "--index-only"], "only one of"),
                (["--sparse"], "needs --platform"), (["--all", "--sparse"], "needs --platform"),
                (["--referrers", "--no-referrers"], "contradict"), (["--json"], "needs --dry-run"),
                (["--dest-decompress", "--dest-compress-format", "zstd"], "contradict"),
                (["--format", "v2s1"], "not 'v2s1'")):
            result = self.lade_fails("copy", *words, self.source, f"oci:{self.tmp}/x:a", status=2)
            self.assertIn(expected, result.err)
            self.assertFalse((self.tmp / "x").exists())
        result = self.lade_fails("copy", self.source, "dir:a", "dir:a", status=2)
        self.assertIn("given twice", result.err)

    def test_all_takes_what_refers_to_the_images_along(self):
        result = self.lade("copy", "--all", "--progress", "plain", self.source, f"oci:{self.tmp}/all:a")
        self.assertIn("1 referrer, 1 signature tag", result.err)
        index = check_layout(self.tmp / "all")
        self.assertEqual([e["digest"] for e in index["manifests"]].count(self.sbom["digest"]), 1)
        self.assertEqual(self.blobs("all"), self.blobs("source"))
        # It is still the only image that no name can mean.
        self.lade("copy", "--all", f"oci:{self.tmp}/all", f"dir:{self.tmp}/dir")
        for words in (["--no-referrers"], ["--referrers=false"]):
            self.lade("copy", "--all", *words, self.source, f"oci:{self.tmp}/without:a")
            self.assertNotIn(self.sbom["digest"].split(":")[1], self.blobs("without"))
        for place in (f"dir:{self.tmp}/d", f"docker-archive:{self.tmp}/d.tar:a:b", "app"):
            result = self.lade_fails("copy", "--referrers", "--platform", "linux/arm64", self.source, place)
            self.assertIn("cannot hold referrers", result.err)
        self.lade("copy", "--all", self.source, "app")
        self.assertNotIn(self.signature, self.lade("images").out)

    def test_referrers_travel_through_registries(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/app"
            self.lade("copy", "--all", "--dest-tls-verify=false", self.source, f"{name}:1")
            self.lade("copy", "--all", "--src-tls-verify=false", f"{name}:1", f"oci:{self.tmp}/back:app")
            self.assertEqual(self.blobs("back"), self.blobs("source"))
            self.lade("copy", "--referrers", "--platform", "linux/arm64", "--src-tls-verify=false", f"{name}:1", f"oci:{self.tmp}/one:app")
            self.assertIn(self.sbom["digest"].split(":")[1], self.blobs("one"))
            # Signatures are about digests.
            result = self.lade("copy", "--all", "--progress", "plain", "--format", "docker", self.source, "--dest-tls-verify=false", f"{name}:docker")
            self.assertIn("stay", result.err)

    def test_several_destinations_and_one_that_fails(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/app"
            words = ["copy", "--all", "--progress", "plain", "--dest-tls-verify=false", "--digestfile", self.tmp / "digests", self.source]
            self.lade(*words, f"{name}:1", f"oci:{self.tmp}/a:x", f"dir:{self.tmp}/d", f"oci-archive:{self.tmp}/a.tar:x")
            lines = (self.tmp / "digests").read_text().splitlines()
            self.assertEqual(lines[0], f"{self.index['digest']} {name}:1")
            self.assertEqual(len(lines), 4)
            check_layout(self.tmp / "a")
            self.write("file", "no directory")
            result = self.lade_fails(*words, f"docker-archive:{self.tmp}/b.tar:a:b", f"oci:{self.tmp}/b:x", f"dir:{self.tmp}/file/d")
            self.assertIn("2 of 3 destinations failed: to docker-archive:", result.err)
            self.assertIn(f"to dir:{self.tmp}/file/d: ", result.err)
            self.assertEqual(self.blobs("b"), self.blobs("source"))
            self.assertFalse((self.tmp / "b.tar").exists())

    def test_a_dry_run_says_what_would_be_moved_and_moves_nothing(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/app"
            words = ["copy", "--all", "--no-referrers", "--dry-run", "--dest-tls-verify=false", "--src-tls-verify=false"]
            plan = json.loads(self.lade(*words, "--json", self.source, f"{name}:1", f"oci:{self.tmp}/x:a").out)
            self.assertEqual(plan["source"], self.source)
            first, second = plan["destinations"]
            self.assertEqual(first["root"], self.index["digest"])
            self.assertEqual({b["action"] for b in first["blobs"] + first["documents"]}, {"move"})
            self.assertEqual(first["bytesToMove"], sum(b["size"] for b in first["blobs"] + first["documents"]))
            self.assertEqual(second["bytesToMove"], first["bytesToMove"])
            self.assertFalse((self.tmp / "x").exists())
            self.lade("copy", "--all", "--dest-tls-verify=false", self.source, f"{name}:1")
            plan = json.loads(self.lade(*words, "--json", self.source, f"{name}:2").out)["destinations"][0]
            self.assertEqual((plan["bytesToMove"], plan["bytesExisting"]), (0, first["bytesToMove"]))
            text = self.lade(*words, f"{name}:1", f"docker://{registry.host}/other:1").out
            self.assertIn("  mount ", text)
            self.assertIn("would move", text)
            text = self.lade(*words, "--dest-compress-format", "zstd", self.source, f"{name}:3").out
            self.assertIn("(gzip to zstd)", text)
            self.assertIn("  rewrite ", text)

    def test_tag_and_digest_name_exactly_one_image(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/app"
            digest = self.index["digest"]
            words = ["copy", "--all", "--dest-tls-verify=false", "--src-tls-verify=false"]
            self.lade(*words, self.source, f"{name}:one@{digest}")
            self.lade(*words, f"{name}:wrong@{digest}", f"oci:{self.tmp}/x:a")
            self.lade(*words, f"{name}:one", f"oci:{self.tmp}/x:a")
            other = self.images["arm64"]["digest"]
            result = self.lade_fails(*words, self.source, f"{name}:two@{other}")
            self.assertIn(f"the destination names {other}, the image is {digest}", result.err)
            result = self.lade_fails(*words, "--format", "docker", self.source, f"{name}:two@{digest}")
            self.assertIn("another digest", result.err)
            self.lade_fails(*words, f"{name}:two", f"oci:{self.tmp}/y:a")

    def test_preserve_digests_refuses_docker_archives(self):
        result = self.lade_fails("copy", "--preserve-digests", "--platform", "linux/arm64", self.source, f"docker-archive:{self.tmp}/a.tar:a:b")
        self.assertIn("digests cannot be preserved", result.err)
        self.assertFalse((self.tmp / "a.tar").exists())

    def test_decompressed_layers(self):
        self.lade("copy", "--dest-decompress", "--platform", "linux/arm64", self.source, f"dir:{self.tmp}/plain")
        manifest = json.loads((self.tmp / "plain/manifest.json").read_text())
        self.assertEqual(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar")
        self.assertEqual(manifest["layers"][0]["size"], 25000)
        result = self.lade_fails("copy", "--dest-compress-format", "zstd", "--platform", "linux/arm64", self.source, f"docker-archive:{self.tmp}/a.tar:a:b")
        self.assertIn("without compression, not zstd", result.err)

    def test_a_digest_file_that_cannot_be_written_is_found_before_the_copy(self):
        result = self.lade_fails("copy", "--digestfile", self.tmp / "no/where", "--all", self.source, f"oci:{self.tmp}/x:a")
        self.assertIn("write digest file", result.err)
        self.assertFalse((self.tmp / "x").exists())

    def test_additional_tags_in_every_place_that_has_names(self):
        self.lade("copy", "--all", "--no-referrers", "--additional-tag", "b", self.source, f"oci:{self.tmp}/x:a", f"oci-archive:{self.tmp}/x.tar:a")
        for place in (f"oci:{self.tmp}/x:b", f"oci-archive:{self.tmp}/x.tar:b"):
            self.lade("inspect", place)
        result = self.lade_fails("copy", "--additional-tag", "b", "--all", self.source, f"dir:{self.tmp}/d")
        self.assertIn("holds one image, without tags", result.err)
        self.assertFalse((self.tmp / "d").exists())


if __name__ == "__main__":
    main()
