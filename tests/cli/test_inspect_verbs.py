"""lade history, tree, tags with digests and platforms, and ratelimit."""
import json

from lade_testing import Case, Registry, main, need, put_layout_blob, put_layout_entry, run, small_image, small_index
from test_registry_verbs import Server

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class History(Case):
    def setUp(self):
        super().setUp()
        self.write("c/a", "hello\n")
        self.write("c/Containerfile", "FROM scratch\nCOPY a /a\nENV A=b\nLABEL long=" + "x" * 100 + "\nCOPY a /b\nCMD [\"/a\"]\n")
        self.lade("build", "-q", "-t", "app", self.tmp / "c")

    def test_shows_each_step_newest_first(self):
        lines = self.lade("history", "app").out.splitlines()
        self.assertEqual(lines[0].split(), ["CREATED", "SIZE", "LAYER", "CREATED", "BY", "COMMENT"])
        at = lines[0].index("CREATED BY")
        commands = [line[at:].split("  ")[0] for line in lines[1:]]
        self.assertEqual(commands[0], 'CMD ["/a"]')
        self.assertIn("COPY a /b", commands[1])
        self.assertIn("…", commands[2])
        self.assertEqual(len(commands), 5)
        self.assertIn("COPY a /a", self.lade("history", "--reverse", "app").out.splitlines()[1])
        self.assertIn("x" * 100, self.lade("history", "--no-trunc", "app").out)

    def test_scripts_get_json_templates_and_digests(self):
        rows = json.loads(self.lade("history", "--format", "json", "app").out)
        self.assertEqual([row["emptyLayer"] for row in rows], [True, False, True, True, False])
        manifest = json.loads(self.lade("inspect", "--raw", "app").out)
        digests = [layer["digest"] for layer in manifest["layers"]]
        self.assertEqual([row["layer"] for row in rows if "layer" in row], digests[::-1])
        self.assertEqual(sum(row["size"] for row in rows), sum(layer["size"] for layer in manifest["layers"]))
        self.assertEqual(self.lade("history", "-q", "app").out.split(), digests[::-1])
        self.assertEqual(self.lade("history", "-f", "{{.size}}", "app").out.split(), [str(row["size"]) for row in rows])
        self.assertIn(rows[1]["created"], self.lade("history", "--human=false", "app").out)
        self.lade_fails("history", "-f", "jsom", "app", status=2)
        self.lade_fails("history", "-q", "-f", "json", "app", status=2)

    def test_other_tools_images_and_platforms(self):
        need("umoci")
        run("umoci", "init", "--layout", self.tmp / "u")
        run("umoci", "new", "--image", f"{self.tmp}/u:a")
        run("umoci", "config", "--image", f"{self.tmp}/u:a", "--config.user", "x", "--history.created_by", "made by hand")
        self.assertIn("made by hand", self.lade("history", f"oci:{self.tmp}/u:a").out)
        small_index(self.tmp / "l", "i", "x")
        self.assertEqual(len(self.lade("history", "--platform", "linux/arm64", f"oci:{self.tmp}/l:i").out.splitlines()), 3)
        self.lade_fails("history", "--platform", "linux/mips", f"oci:{self.tmp}/l:i")


class Tree(Case):
    def test_shows_what_depends_on_what(self):
        self.write("c/a", "hello\n")
        self.write("c/base", "FROM scratch\nCOPY a /a\n")
        self.write("c/app", "FROM base\nCOPY a /b\n")
        self.write("c/other", "FROM base\nCOPY a /c\nCOPY a /d\n")
        for name in ("base", "app", "other"):
            self.lade("build", "-q", "-t", name, "-f", self.tmp / "c" / name, self.tmp / "c")
        small_image(self.tmp / "l", "x", "x")
        self.lade("copy", "-q", f"oci:{self.tmp}/l:x", "alone")
        text = self.lade("tree", "--ascii").out.splitlines()
        self.assertEqual(len(text), 4)
        roots = [line for line in text if line[0] == " "]
        self.assertEqual(len(roots), 2)
        at = next(i for i, line in enumerate(text) if "localhost/base:latest" in line)
        self.assertTrue(text[at + 1].startswith("|- ") and "localhost/app:latest" in text[at + 1])
        self.assertTrue(text[at + 2].startswith("`- ") and "in 2 layers  localhost/other:latest" in text[at + 2])
        self.assertEqual(len(self.lade("tree", "app").out.splitlines()), 2)
        self.assertEqual(len(self.lade("tree", "base").out.splitlines()), 3)
        self.assertEqual(len(self.lade("tree", "--layers", "other").out.splitlines()), 4)
        root = json.loads(self.lade("tree", "--format", "json").out)
        self.assertEqual(sorted(len(child["children"]) for child in root["children"]), [0, 2])
        self.lade_fails("tree", "nobody")

    def test_of_nothing_is_nothing(self):
        self.assertEqual(self.lade("tree").out, "")


class Tags(Case):
    def test_digests_and_platforms_on_request(self):
        layout = self.tmp / "l"
        one = small_image(layout, "one", "one")
        index = small_index(layout, "multi", "multi")
        artifact = put_layout_blob(layout, MANIFEST, json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": put_layout_blob(layout, "application/x", b"{}"), "layers": []}).encode())
        put_layout_entry(layout, "thing", artifact)
        expected = {"one": (one["digest"], ["linux/amd64"]), "multi": (index["digest"], ["linux/amd64", "linux/arm64"]),
                    "thing": (artifact["digest"], [])}
        with Registry(self.tmp / "r") as registry:
            for tag in expected:
                self.lade("copy", "-q", "--all", f"oci:{layout}:{tag}", f"docker://{registry.host}/app:{tag}")
            self.lade("copy", "-q", "--all", f"oci:{layout}:multi", "app:multi")
            for name in (f"oci:{layout}", f"docker://{registry.host}/app"):
                rows = json.loads(self.lade("tags", "--platforms", "--format", "json", name).out)["tags"]
                self.assertEqual({row["name"]: (row["digest"], row["platforms"]) for row in rows}, expected)
                rows = json.loads(self.lade("tags", "--digests", "--limit", "2", "--sort", "name", "--format", "json", name).out)["tags"]
                self.assertEqual([(row["name"], row["digest"]) for row in rows], [(t, expected[t][0]) for t in ("multi", "one")])
                text = self.lade("tags", "--platforms", "--filter", "multi", name).out
                self.assertEqual(text, f"multi  {index['digest']}  linux/amd64, linux/arm64\n")
        self.assertEqual(self.lade("tags", "--platforms", "app").out, f"multi  {index['digest']}  linux/amd64, linux/arm64\n")


class Ratelimit(Case):
    def ask(self, headers, *words, status=200, name="app:1"):
        seen = []

        def answer(method, path):
            seen.append((method, path))
            return status, headers, b""

        with Server(answer) as server:
            done = self.lade("ratelimit", *words, f"docker://{server.host}/{name}" if name else server.host, check=False)
        asked = [(method, path) for method, path in seen if path != "/v2/"]
        return done, asked, server.host

    def test_tells_what_the_headers_say(self):
        headers = {"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "76;w=21600", "docker-ratelimit-source": "192.0.2.1"}
        done, asked, host = self.ask(headers)
        self.assertEqual(done.out, f"{host}: 76 of 100 pulls left in 6 hours, counted for 192.0.2.1\n")
        self.assertEqual(asked, [("HEAD", "/v2/app/manifests/1")])
        done, _, host = self.ask(headers, "--format", "json")
        self.assertEqual(json.loads(done.out), {"registry": host, "limited": True, "limit": 100, "remaining": 76, "windowSeconds": 21600,
                                                "source": "192.0.2.1"})
        self.assertEqual(self.ask(headers, "-f", "{{.remaining}}")[0].out, "76\n")

    def test_a_host_alone_and_a_registry_without_limits(self):
        done, asked, host = self.ask({}, name="")
        self.assertEqual((done.out, asked), (f"{host}: tells of no limit\n", []))

    def test_an_error_without_headers_is_one(self):
        done, _, _ = self.ask({}, status=404)
        self.assertEqual((done.status, done.out), (1, ""))


if __name__ == "__main__":
    main()
