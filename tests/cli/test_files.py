"""lade ls, cat, find, du, extract and waste: what they say equals what is found in trees that umoci unpacked."""
import hashlib
import io
import json
import os
import subprocess
import tarfile

from lade_testing import LADE, Case, differences, layout_blob, layout_json, main, need, run, tree

TYPES = {"-": "file", "d": "directory", "l": "symlink", "p": "fifo", "c": "character", "b": "block"}


def layer(*members):
    """A tar of (name, content or type, mode): bytes are a file, "d" a directory, "->x" a link, "=x" a hard link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, what, *mode in members:
            info = tarfile.TarInfo(name)
            info.mtime = 1_600_000_000
            info.mode = mode[0] if mode else 0o755 if what == "d" else 0o644
            content = None
            if what == "d":
                info.type = tarfile.DIRTYPE
            elif isinstance(what, bytes):
                info.size, content = len(what), io.BytesIO(what)
            elif what.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, what[2:]
            elif what.startswith("="):
                info.type, info.linkname = tarfile.LNKTYPE, what[1:]
            archive.addfile(info, content)
    return out.getvalue()


FAMILIES = {
    "replaced": [layer(("etc", "d"), ("etc/a", b"one"), ("etc/b", b"twotwo", 0o600)),
                 layer(("etc", "d"), ("etc/a", b"changed"), ("etc/.wh.b", b""))],
    "opaque": [layer(("d", "d"), ("d/x", b"1" * 1000), ("d/y", b"2" * 2000), ("d/sub", "d"), ("d/sub/z", b"3")),
               layer(("d", "d", 0o700), ("d/.wh..wh..opq", b""), ("d/new", b"4" * 10))],
    "links": [layer(("usr", "d"), ("usr/lib", "d"), ("lib", "->usr/lib"), ("usr/lib/a", b"a" * 50), ("usr/lib/b", "=usr/lib/a"),
                    ("loop", "->loop"), ("up", "->../../../usr/lib/a"), ("abs", "->/usr/lib/b")),
              layer(("usr", "d"), ("usr/lib", "d"), ("usr/lib/a", b"other")),
              layer(("lib/c", b"through a link"),)],
    "types": [layer(("d", "d"), ("d/f", b"12345"), ("f", b"123")),
              layer(("f", "d"), ("f/below", b"1234567"), ("d", b"a file now")),
              layer(("odd \n\x1b[2Jname", b"x"), ("\u00e4\u00f6", b"y"), ("empty", b""))],
    "deep": [layer(*[("a/" * i + "a", "d") for i in range(60)], ("a/" * 60 + "f", b"deep")),
             layer(("a/.wh.a", b""), ("a/g", b"shallow"))],
}


class Families(Case):
    """The same checks on each family of layers."""

    def make(self, name, layers):
        need("umoci")
        self.layout = self.tmp / name
        run("umoci", "init", "--layout", self.layout)
        run("umoci", "new", "--image", f"{self.layout}:a")
        for number, data in enumerate(layers):
            tar = self.write(f"{name}.{number}.tar", data)
            run("umoci", "raw", "add-layer", "--image", f"{self.layout}:a", tar)
        run("umoci", "unpack", "--image", f"{self.layout}:a", self.tmp / f"{name}.bundle")
        self.unpacked = tree(self.tmp / f"{name}.bundle" / "rootfs")
        return f"oci:{self.layout}:a"

    def check_equal(self, files):
        found = {}
        for entry in files:
            path = entry["path"].lstrip("/") or "."
            found[path] = entry
        for path, expected in self.unpacked.items():
            if path == ".":
                continue
            entry = found.pop(path)
            self.assertEqual(entry["type"], TYPES[expected["mode"][0]], path)
            self.assertEqual((entry["uid"], entry["gid"]), (expected["uid"], expected["gid"]), path)
            if entry["type"] == "file":
                self.assertEqual(entry["size"], expected["size"], path)
                if entry["size"]:
                    self.assertEqual(entry["digest"], "sha256:" + expected["sha256"], path)
            self.assertEqual(entry.get("target"), expected.get("target"), path)
        self.assertEqual(set(found) - {"."}, set())

    def check_waste(self, name, image, layers):
        """The waste of each layer: the content that the stack up to it no longer shows."""
        waste = json.loads(self.lade("waste", "--json", "--top", "1000", image).out)["images"][0]
        contents = []
        for data in layers:
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                contents.append(sum(m.size for m in archive if m.isreg() and "/.wh." not in "/" + m.name))
        shown = {}
        for entry in self.unpacked.values():
            if "size" in entry:
                shown[entry.get("same_as", id(entry))] = entry["size"]
        self.assertEqual(waste["content"], sum(contents), name)
        self.assertEqual(waste["content"] - waste["wasted"], sum(shown.values()), name)
        self.assertEqual([one["content"] for one in waste["layers"]], contents, name)
        self.assertEqual(sum(one["wasted"] for one in waste["layers"]), waste["wasted"], name)
        self.assertEqual(sum(one["hides"] for one in waste["layers"]), waste["wasted"], name)
        self.assertEqual(sum(one["wasted"] for one in waste["files"]), waste["wasted"], name)

    def test_all_verbs_agree_with_unpacking(self):
        for name, layers in FAMILIES.items():
            with self.subTest(name):
                image = self.make(name, layers)
                self.check_equal(json.loads(self.lade("ls", "-R", "--json", image).out))
                self.check_equal(json.loads(self.lade("find", "--json", image).out))
                self.lade("extract", image, "-C", self.tmp / f"{name}.out")
                self.assertEqual(differences(self.unpacked, tree(self.tmp / f"{name}.out"),
                                             lambda path, key: path == "." or key == "mtime"), [])
                total = sum(e["size"] for e in {e.get("same_as", p): e for p, e in self.unpacked.items() if "size" in e}.values())
                self.assertEqual(self.lade("du", "-s", image).out, f"{total}\t/\n")
                self.check_waste(name, image, layers)
                for path, entry in self.unpacked.items():
                    if "sha256" in entry:
                        done = subprocess.run([LADE, "--store", str(self.store), "cat", image, "/" + path], stdout=subprocess.PIPE,
                                              check=True, timeout=60)
                        self.assertEqual(hashlib.sha256(done.stdout).hexdigest(), entry["sha256"], path)

    def test_the_same_from_every_kind_of_layer(self):
        plain = self.make("links", FAMILIES["links"])
        expected = self.lade("ls", "-R", "-l", plain).out
        for kind in ("zstd:chunked", "estargz", "zstd", "uncompressed"):
            copy = f"oci:{self.tmp}/{kind.replace(':', '-')}:a"
            self.lade("copy", "--dest-force-compress-format", "--dest-compress-format", kind, plain, copy)
            self.assertEqual(self.lade("ls", "-R", "-l", copy).out, expected, kind)
            self.assertEqual(self.lade("cat", copy, "/up").out, "other", kind)
            self.assertEqual(self.lade("cat", copy, "/abs").out, "a" * 50, kind)

    def test_single_layers_links_and_columns(self):
        image = self.make("opaque", FAMILIES["opaque"])
        self.assertEqual(self.lade("ls", "--layer", "2", image, "/d").out, ".wh..wh..opq\nnew\n")
        self.assertEqual(self.lade("find", "--layer", "1", "--type", "f", image).out, "/d/sub/z\n/d/x\n/d/y\n")
        digest = layout_json(self.layout, json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"])["layers"][1]["digest"]
        self.assertEqual(self.lade("find", "--layer", digest[7:19], "--type", "w", image).out, "/d/.wh..wh..opq\n")
        self.assertEqual(self.lade("find", "--layers", "--name", "n*", image).out, "2 /d/new\n")
        self.assertIn("no layer 3", self.lade_fails("ls", "--layer", "3", image).err)
        self.assertIn("no such file", self.lade_fails("cat", image, "/d/x").err)
        self.assertIn("directory", self.lade_fails("cat", image, "/d").err)
        links = self.make("links", FAMILIES["links"])
        self.assertIn("too many links", self.lade_fails("cat", links, "/loop").err)

    def test_find_tests_files_as_find_does(self):
        image = self.make("replaced", FAMILIES["replaced"])
        root = self.tmp / "replaced.bundle" / "rootfs"
        for words in (["-type", "f"], ["-size", "1"], ["-size", "-2c"], ["-name", "[ab]"], ["-perm", "-044"], ["-perm", "/022"],
                      ["-newermt", "2020-01-01"], ["-newermt", "2021-01-01"], ["-path", "*/etc/*"]):
            expected = subprocess.run(["find", ".", "-mindepth", "1", *words, "-printf", "/%P\n"], cwd=root, stdout=subprocess.PIPE, check=True)
            ours = self.lade("find", "-" + words[0], words[1], image).out.splitlines()
            if words[0] in ("-type", "-name", "-size", "-path"):
                self.assertEqual(sorted(ours), sorted(line for line in expected.stdout.decode().splitlines()
                                                      if words[0] != "-size" or not os.path.isdir(f"{root}{line}")), words)
        self.lade_fails("find", "--size", "much", image, status=2)
        self.lade_fails("find", "--type", "z", image, status=2)

    def test_names_cannot_reach_the_terminal_and_nothing_leaves_the_directory(self):
        image = self.make("types", FAMILIES["types"])
        for words in (["ls", "-R"], ["find"], ["du", "-a"]):
            self.assertNotIn("\x1b", self.lade(*words, image).out)
        self.assertIn(b"odd \n\x1b[2Jname\0", self.lade("find", "--print0", image).out.encode())
        outside = self.tmp / "outside"
        outside.mkdir()
        target = self.tmp / "target"
        target.mkdir()
        (target / "f").symlink_to(outside)
        self.lade("extract", image, "/f", "-C", target)
        self.assertEqual(list(outside.iterdir()), [])
        done = subprocess.run([LADE, "--store", str(self.store), "extract", "--tar", image, "/f"], stdout=subprocess.PIPE, check=True, timeout=60)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            self.assertEqual(archive.getnames(), ["f", "f/below"])
        self.lade_fails("extract", image, status=2)

    def test_waste_fails_by_its_rules_and_by_dives(self):
        image = self.make("opaque", FAMILIES["opaque"])
        self.assertIn("wasted", self.lade("waste", image).out)
        self.assertIn("FAIL", self.lade_fails("waste", "--max-wasted", "1kB", image).out)
        self.assertIn("FAIL", self.lade_fails("waste", "--min-efficiency", "95%", image).out)
        self.lade("waste", "--max-wasted", "1MB", "--min-efficiency", "0", image)
        rules = self.write("rules", "rules:\n  lowestEfficiency: disabled\n  highestWastedBytes: 1\n  highestUserWastedPercent: disabled\n")
        self.lade("waste", "--ci-config", rules, image)  # dive does not know opaque directories
        self.lade_fails("waste", "--ci-config", self.write("bad", "rules:\n  nothing: 1\n"), image)
        self.lade_fails("waste", "--max-wasted", "much", image, status=2)
        names = [f"oci:{self.layout}:a"]
        self.lade("index", "create", f"oci:{self.tmp}/i:all", *names)
        self.assertEqual(len(json.loads(self.lade("waste", "--all", "--json", f"oci:{self.tmp}/i:all").out)["images"]), 1)

    def test_diff_tells_what_find_and_sha256sum_tell(self):
        trees = {}
        for name in ("replaced", "opaque", "links", "types"):
            trees[name] = (self.make(name, FAMILIES[name]), self.unpacked)
        for left, right in (("replaced", "opaque"), ("links", "types"), ("types", "types")):
            (a, before), (b, after) = trees[left], trees[right]
            result = self.lade("diff", "--format", "json", "--only", "files", a, b, check=False)
            self.assertEqual(result.status, 0 if before == after else 1, result.err)
            found = {change["path"].lstrip("/"): change["change"] for change in json.loads(result.out)["files"]}
            expected = {path: "removed" for path in set(before) - set(after)} | {path: "added" for path in set(after) - set(before)}
            for path in set(before) & set(after) - {"."}:
                if any(before[path].get(key) != after[path].get(key) for key in ("mode", "uid", "gid", "sha256", "target")):
                    expected[path] = "changed"
            found.pop("", None)
            self.assertEqual(found, expected)

    def test_diff_shows_lines_config_and_layers_and_exits_as_diff(self):
        old = self.make("old", [layer(("etc", "d"), ("etc/conf", b"one\ntwo\nthree\n"), ("bin", b"\0\1"))])
        new = self.make("new", [layer(("etc", "d"), ("etc/conf", b"one\n2\x1b[2J\nthree\n"), ("bin", b"\0\2"))])
        same = self.lade("diff", old, old)
        self.assertEqual(same.out, "")
        run("umoci", "config", "--image", f"{self.layout}:a", "--config.user", "app", "--config.env", "A=b")
        result = self.lade_fails("diff", old, new, status=1)
        for line in ("+ user  app", "+ env A  =b", "~ /etc/conf  size, content", "~ /bin  content", "layers (0 shared"):
            self.assertIn(line, result.out)
        self.assertNotIn("@@", result.out)
        text = self.write("plain", layer(("etc", "d"), ("etc/conf", b"one\n2\nthree\n"), ("bin", b"\0\2")))
        self.lade("copy", f"tarball:{text}", f"oci:{self.tmp}/plain-layout:a")
        lines = self.lade_fails("diff", "--only", "files", "--content", old, f"oci:{self.tmp}/plain-layout:a", status=1).out
        self.assertIn("@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n", lines)
        self.assertIn("nowhere", self.lade_fails("diff", old, f"oci:{self.tmp}/nowhere:a", status=2).err)
        self.lade_fails("diff", "--only", "everything", old, new, status=2)

    def test_an_index_answers_when_the_layer_is_gone_and_a_damaged_one_does_not(self):
        noise = os.urandom(400_000)
        image = self.make("kept", [layer(("a", noise))])
        cache = {"XDG_CACHE_HOME": str(self.tmp / "cache")}
        expected = self.lade("ls", "-l", image, env=cache).out
        blob = layout_blob(self.layout, layout_json(self.layout, json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"])["layers"][0]["digest"])
        content = blob.read_bytes()
        blob.unlink()
        self.assertEqual(self.lade("ls", "-l", image, env=cache).out, expected)
        index, = (self.tmp / "cache" / "lade" / "files").iterdir()
        index.write_bytes(index.read_bytes()[:-1])
        self.lade_fails("ls", "-l", image, env=cache)
        blob.write_bytes(content)
        self.assertEqual(self.lade("ls", "-l", image, env=cache).out, expected)


if __name__ == "__main__":
    main()
