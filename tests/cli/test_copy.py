"""lade copy on the command line: names, formats, compression, progress, failures that leave nothing behind."""
import hashlib
import json
import os
import pathlib
import subprocess
import time

from lade_testing import Case, LADE, Registry, check_layout, layout_blob, layout_json, main, need, run


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


if __name__ == "__main__":
    main()
