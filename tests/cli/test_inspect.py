"""lade inspect: the tree, exact bytes, config, JSON; no layer is read."""
import json
import os

from lade_testing import Case, check_layout, layout_blob, layout_json, layout_from_tar, main, run


class Inspect(Case):
    def setUp(self):
        super().setUp()
        tar = self.tmp / "root.tar"
        self.write("root/etc/motd", "hello\n")
        run("tar", "-C", self.tmp / "root", "-cf", tar, ".")
        self.layout = self.tmp / "l"
        layout_from_tar(tar, self.layout, "a")
        run("umoci", "config", "--image", f"{self.layout}:a", "--config.user", "app", "--config.cmd", "/bin/app", "--config.env", "A=b",
            "--config.label", "who=me")
        self.digest = [e["digest"] for e in json.loads((self.layout / "index.json").read_text())["manifests"]][-1]
        self.name = f"oci:{self.layout}:a"

    def test_raw_prints_exact_bytes(self):
        self.assertEqual(self.lade("inspect", "--raw", self.name).out.encode(), layout_blob(self.layout, self.digest).read_bytes())

    def test_config_is_json_and_exact_with_raw(self):
        blob = layout_json(self.layout, self.digest)["config"]["digest"]
        self.assertEqual(json.loads(self.lade("inspect", "--config", self.name).out), layout_json(self.layout, blob))
        self.assertEqual(self.lade("inspect", "--config", "--raw", self.name).out.encode(), layout_blob(self.layout, blob).read_bytes())

    def test_json_has_the_documented_members(self):
        tree = json.loads(self.lade("inspect", "--format", "json", self.name).out)
        self.assertEqual(tree["kind"], "image")
        self.assertEqual(tree["digest"], self.digest)
        self.assertEqual(tree["config"]["user"], "app")
        self.assertEqual(tree["config"]["labels"], {"who": "me"})
        self.assertEqual(len(tree["layers"]), 1)
        self.assertEqual(tree["totals"]["uniqueLayers"], 1)

    def test_text_shows_what_matters_and_no_escape_codes_when_piped(self):
        text = self.lade("inspect", self.name).out
        for piece in (self.digest[7:19], "linux/amd64", "app", "gzip"):
            self.assertIn(piece, text)
        self.assertNotIn("\x1b", text)

    def test_layers_are_never_read(self):
        layer = layout_json(self.layout, self.digest)["layers"][0]["digest"]
        os.remove(layout_blob(self.layout, layer))
        self.assertIn(layer[7:19], self.lade("inspect", self.name).out)

    def test_index_tree_shows_every_platform(self):
        names = []
        for arch in ("amd64", "arm64", "s390x"):
            run("umoci", "tag", "--image", f"{self.layout}:a", arch)
            run("umoci", "config", "--image", f"{self.layout}:{arch}", "--architecture", arch)
            names.append(f"oci:{self.layout}:{arch}")
        self.lade("index", "create", f"oci:{self.tmp}/i:all", *names)
        text = self.lade("inspect", f"oci:{self.tmp}/i:all").out
        for arch in ("amd64", "arm64", "s390x"):
            self.assertIn(f"linux/{arch}", text)
        tree = json.loads(self.lade("inspect", "--format", "json", f"oci:{self.tmp}/i:all").out)
        self.assertEqual([m["platform"] for m in tree["manifests"]], ["linux/amd64", "linux/arm64", "linux/s390x"])
        self.assertEqual(tree["manifests"][0]["layers"][0]["images"], 3)
        self.assertEqual(tree["totals"]["uniqueLayers"], 1)
        one = json.loads(self.lade("inspect", "--platform", "linux/arm64", "--format", "json", f"oci:{self.tmp}/i:all").out)
        self.assertEqual(one["platform"], "linux/arm64")
        missing = self.lade_fails("inspect", "--platform", "linux/mips", f"oci:{self.tmp}/i:all")
        self.assertIn("linux/amd64", missing.err)
        check_layout(self.tmp / "i")

    def test_hostile_text_cannot_reach_the_terminal(self):
        run("umoci", "config", "--image", f"{self.layout}:a", "--config.user", "\x1b]0;owned\x07")
        self.assertNotIn("\x1b", self.lade("inspect", self.name).out)

    def test_contradicting_options_are_refused(self):
        self.lade_fails("inspect", "--raw", "--format", "json", self.name, status=2)
        self.lade_fails("inspect", "--config", "--format", "json", self.name, status=2)


if __name__ == "__main__":
    main()
