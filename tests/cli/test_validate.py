"""lade validate: the findings of broken images, and agreement with the image specification's own JSON schemas."""
import copy
import gzip
import hashlib
import io
import json
import os
import pathlib
import tarfile

import jsonschema

from lade_testing import Case, layout_blob, main, put_layout_blob, put_layout_entry, run, small_image, small_index

SCHEMAS = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def without_ids(value):
    """Their ids name web addresses, against which references to the files beside them would be resolved."""
    if isinstance(value, dict):
        return {k: without_ids(v) for k, v in value.items() if not (k == "id" and isinstance(v, str))}
    return [without_ids(v) for v in value] if isinstance(value, list) else value


def schema_of(name):
    files = {path.name: without_ids(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}
    base = "file:///schemas/"
    store = {base + key: value for key, value in files.items()}
    resolver = jsonschema.RefResolver(base + name, files[name], store=store)
    return jsonschema.Draft4Validator(files[name], resolver=resolver)


DIGEST = "sha256:" + "a" * 64
DESCRIPTOR = {"mediaType": LAYER, "digest": DIGEST, "size": 10}
GOOD = {
    "manifest": {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, "digest": "sha256:" + "b" * 64, "size": 20},
                 "layers": [DESCRIPTOR], "annotations": {"a.b": "c"}},
    "index": {"schemaVersion": 2, "mediaType": INDEX,
              "manifests": [{"mediaType": MANIFEST, "digest": DIGEST, "size": 10, "platform": {"architecture": "amd64", "os": "linux"}}],
              "annotations": {"a.b": "c"}},
    "config": {"created": "2026-01-02T03:04:05Z", "author": "x", "architecture": "amd64", "os": "linux",
               "config": {"User": "u", "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b"], "Entrypoint": ["/a"], "Cmd": ["b"],
                          "Volumes": {"/v": {}}, "WorkingDir": "/", "Labels": {"a": "b"}, "StopSignal": "SIGTERM"},
               "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
               "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "x", "comment": "y", "author": "z", "empty_layer": False}]},
    "layout": {"imageLayoutVersion": "1.0.0"},
}
GONE = object()

# (kind, where, what is there instead): None of these may be seen otherwise by us than by the schemas.
CHANGES = [
    ("manifest", "schemaVersion", GONE), ("manifest", "schemaVersion", 1), ("manifest", "schemaVersion", 3), ("manifest", "schemaVersion", "2"),
    ("manifest", "mediaType", GONE), ("manifest", "mediaType", 5), ("manifest", "mediaType", "nonsense"), ("manifest", "mediaType", "/x"),
    ("manifest", "config", GONE), ("manifest", "config", []), ("manifest", "config", "x"), ("manifest", "config", None),
    ("manifest", "config.mediaType", GONE), ("manifest", "config.mediaType", "application"), ("manifest", "config.digest", GONE),
    ("manifest", "config.digest", "sha256"), ("manifest", "config.digest", "SHA256:" + "a" * 64), ("manifest", "config.digest", 7),
    ("manifest", "config.digest", "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564"), ("manifest", "config.size", GONE),
    ("manifest", "config.size", "20"), ("manifest", "config.size", 1.5), ("manifest", "config.size", None), ("manifest", "config.size", 0),
    ("manifest", "config.urls", "x"), ("manifest", "config.urls", [1]), ("manifest", "config.urls", ["https://x.example/y"]),
    ("manifest", "config.annotations", {"a": "b"}), ("manifest", "config.annotations", {"a": 1}), ("manifest", "config.annotations", []),
    ("manifest", "layers", GONE), ("manifest", "layers", {}), ("manifest", "layers", None), ("manifest", "layers", ["x"]),
    ("manifest", "layers", [{}]), ("manifest", "layers", [DESCRIPTOR, DESCRIPTOR]), ("manifest", "layers.0.size", True),
    ("manifest", "annotations", {"a": None}), ("manifest", "annotations", "x"), ("manifest", "annotations", {}),
    ("manifest", "unknown", {"any": ["thing"]}),
    ("index", "schemaVersion", GONE), ("index", "schemaVersion", 2.5), ("index", "mediaType", GONE), ("index", "mediaType", []),
    ("index", "manifests", GONE), ("index", "manifests", []), ("index", "manifests", {}), ("index", "manifests", [1]),
    ("index", "manifests.0.mediaType", GONE), ("index", "manifests.0.digest", "sha256:"), ("index", "manifests.0.size", GONE),
    ("index", "manifests.0.platform", GONE), ("index", "manifests.0.platform", "linux/amd64"), ("index", "manifests.0.platform.os", GONE),
    ("index", "manifests.0.platform.os", 1), ("index", "manifests.0.platform.architecture", GONE),
    ("index", "manifests.0.platform.architecture", []), ("index", "manifests.0.platform.variant", 8),
    ("index", "manifests.0.platform.variant", "v3"), ("index", "manifests.0.platform.os.version", "10.0"),
    ("index", "manifests.0.platform.os.features", "win32k"), ("index", "manifests.0.platform.os.features", ["win32k"]),
    ("index", "manifests.0.platform.os.features", [1]), ("index", "manifests.0.annotations", {"a": []}), ("index", "annotations", {"a": {}}),
    ("config", "created", 5), ("config", "created", GONE), ("config", "author", {}), ("config", "architecture", GONE),
    ("config", "architecture", 386), ("config", "os", GONE), ("config", "os", None), ("config", "variant", []), ("config", "os.version", 10),
    ("config", "os.features", {}), ("config", "rootfs", GONE), ("config", "rootfs", []), ("config", "rootfs.type", GONE),
    ("config", "rootfs.type", "tree"), ("config", "rootfs.type", 1), ("config", "rootfs.diff_ids", GONE), ("config", "rootfs.diff_ids", "x"),
    ("config", "rootfs.diff_ids", [1]), ("config", "config", GONE), ("config", "config", []), ("config", "config.User", 0),
    ("config", "config.ExposedPorts", None), ("config", "config.ExposedPorts", {"80/tcp": 1}), ("config", "config.ExposedPorts", ["80"]),
    ("config", "config.Env", {"A": "b"}), ("config", "config.Env", [None]), ("config", "config.Entrypoint", None),
    ("config", "config.Entrypoint", "x"), ("config", "config.Cmd", None), ("config", "config.Cmd", [1]), ("config", "config.Volumes", None),
    ("config", "config.Volumes", {"/v": "x"}), ("config", "config.WorkingDir", None), ("config", "config.Labels", None),
    ("config", "config.Labels", {"a": 1}), ("config", "config.StopSignal", 15), ("config", "config.ArgsEscaped", "yes"),
    ("config", "config.ArgsEscaped", True), ("config", "history", {}), ("config", "history", ["x"]), ("config", "history", []),
    ("config", "history.0.created", 1), ("config", "history.0.empty_layer", "no"), ("config", "history.0.comment", None),
    ("layout", "imageLayoutVersion", GONE), ("layout", "imageLayoutVersion", "1.1.0"), ("layout", "imageLayoutVersion", 1),
]

# What the text of the specification forbids, and its schemas do not.
STRICTER = [
    ("manifest", "mediaType", INDEX, "document-media-type"), ("manifest", "config.size", -1, "descriptor-size"),
    ("manifest", "config.digest", "sha256:abc", "descriptor-digest-encoding"), ("manifest", "config.urls", ["x y"], "descriptor-url-syntax"),
    ("manifest", "config.digest", "sha256:" + "A" * 64, "descriptor-digest-encoding"), ("manifest", "config.data", "!", "descriptor-data"),
    ("manifest", "subject", 5, "subject"), ("manifest", "subject", {"mediaType": MANIFEST}, "descriptor"),
    ("manifest", "artifactType", "x", "artifact-type"), ("manifest", "config.mediaType", "application/vnd.oci.empty.v1+json", "empty-descriptor"),
    ("config", "created", "yesterday", "config-created"), ("config", "rootfs.diff_ids", ["x"], "descriptor-digest"),
    ("config", "config.ExposedPorts", {"http": {}}, "config-exposed-ports"),
]


def changed(kind, where, what):
    document = copy.deepcopy(GOOD[kind])
    words = where.split(".")
    for name in ("os.version", "os.features"):
        if where.endswith(name):
            words = where[:-len(name)].split(".")[:-1] + [name]
    place = document
    for word in words[:-1]:
        place = place[int(word)] if isinstance(place, list) else place[word]
    if what is GONE:
        del place[words[-1]]
    else:
        place[words[-1]] = what
    return document


class Schemas(Case):
    def errors_of(self, kind, document):
        """The rules of level error that the document itself breaks."""
        layout = self.tmp / "l"
        (layout / "index.json").unlink(missing_ok=True)
        raw = json.dumps(document).encode()
        place = "sha256:" + hashlib.sha256(raw).hexdigest()
        if kind == "config":
            config = put_layout_blob(layout, CONFIG, raw)
            manifest = {"schemaVersion": 2, "config": config, "layers": []}
            root = put_layout_blob(layout, MANIFEST, json.dumps(manifest).encode())
        elif kind == "layout":
            root = put_layout_blob(layout, "application/x", b"x")
        else:
            root = put_layout_blob(layout, {"manifest": MANIFEST, "index": INDEX}[kind], raw)
        put_layout_entry(layout, "a", root)
        if kind == "layout":
            (layout / "oci-layout").write_bytes(raw)
            place = "oci-layout"
        done = self.lade("validate", "--documents", "--format", "json", f"oci:{layout}:a", check=False)
        if kind == "layout" and "findings" not in done.out:  # no reader opens a layout of another version
            return ["layout"]
        findings = json.loads(done.out)["findings"]
        beyond = ("config-history-count", "diff-id-count")
        return [f["rule"] for f in findings if f["place"] == place and f["severity"] == "error" and f["rule"] not in beyond]

    def test_the_schemas_and_we_agree(self):
        schemas = {"manifest": "image-manifest-schema.json", "index": "image-index-schema.json", "config": "config-schema.json",
                   "layout": "image-layout-schema.json"}
        validators = {kind: schema_of(name) for kind, name in schemas.items()}
        verdicts = {True: 0, False: 0}
        documents = [(kind, "as it should be", GOOD[kind]) for kind in GOOD]
        documents += [(kind, f"{where} = {what!r}", changed(kind, where, what)) for kind, where, what in CHANGES]
        for kind, label, document in documents:
            with self.subTest(kind=kind, change=label):
                valid = validators[kind].is_valid(document)
                rules = self.errors_of(kind, document)
                self.assertEqual(not rules, valid, rules)
                verdicts[valid] += 1
        self.assertGreaterEqual(len(documents), 100)
        self.assertGreaterEqual(min(verdicts.values()), 20, verdicts)

    def test_the_text_forbids_more_than_the_schemas(self):
        for kind, where, what, rule in STRICTER:
            with self.subTest(kind=kind, change=f"{where} = {what!r}"):
                self.assertIn(rule, self.errors_of(kind, changed(kind, where, what)))


def tar_of(*members):
    """(name, content or None for a directory, or ("link", target))"""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.LNKTYPE, content[1]
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


class Validate(Case):
    def image(self, *tars, diff_ids=None, media_type=LAYER, pack=lambda tar: gzip.compress(tar, mtime=0)):
        layout = self.tmp / "i"
        layers = [put_layout_blob(layout, media_type, pack(tar)) for tar in tars]
        config = {"architecture": "amd64", "os": "linux",
                  "rootfs": {"type": "layers", "diff_ids": diff_ids or ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": put_layout_blob(layout, CONFIG, json.dumps(config).encode()),
                    "layers": layers}
        (layout / "index.json").unlink(missing_ok=True)
        put_layout_entry(layout, "a", put_layout_blob(layout, MANIFEST, json.dumps(manifest).encode()))
        return f"oci:{layout}:a", layout, layers

    def rules(self, name, *options):
        done = self.lade("validate", "--format", "json", *options, name, check=False)
        report = json.loads(done.out)
        self.assertEqual(done.status, 1 if report["errors"] else 0, done.err)
        return sorted({f["rule"] for f in report["findings"]})

    def test_sound_images_of_other_tools_have_no_errors(self):
        small_image(self.tmp / "l", "a", "x")
        small_index(self.tmp / "l", "i", "y")
        run("skopeo", "copy", "--dest-compress-format", "zstd", f"oci:{self.tmp}/l:a", f"oci:{self.tmp}/z:a")
        run("umoci", "init", "--layout", self.tmp / "u")
        run("umoci", "new", "--image", f"{self.tmp}/u:a")
        (self.tmp / "f.tar").write_bytes(tar_of(("etc", None), ("etc/motd", b"hello")))
        run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/u:a", self.tmp / "f.tar")
        for name in ("l:a", "l:i", "z:a", "u:a"):
            done = self.lade("validate", "--deep", f"oci:{self.tmp}/{name}")
            self.assertIn("0 errors", done.out)

    def test_deep_finds_what_layers_do_wrong(self):
        base = tar_of(("d", None), ("d/a", b"1"))
        cases = {
            "entry-duplicate": [tar_of(("a", b"1"), ("a", b"2"))],
            "entry-path": [tar_of(("../a", b"1"))],
            "entry-hard-link": [tar_of(("a", ("link", "b")))],
            "whiteout-content": [base, tar_of(("d/.wh.a", b"x"))],
            "whiteout-name": [base, tar_of(("d/.wh.", b""))],
            "whiteout-nothing": [base, tar_of(("d/.wh.b", b""))],
            "whiteout-own-layer": [base, tar_of(("d/.wh.a", b""), ("d/a", b"2"))],
            "layer-tar": [base[:700] + b"garbage" * 300],
        }
        for rule, tars in cases.items():
            with self.subTest(rule=rule):
                name, _, _ = self.image(*tars)
                self.assertEqual(self.rules(name, "--deep"), [rule])
                self.assertEqual(self.rules(name), [])
        name, _, _ = self.image(base, tar_of(("d/.wh.a", b""), ("e", b"")), tar_of(("d/.wh..wh..opq", b"")))
        self.assertEqual(self.rules(name, "--deep"), [])

    def test_deep_compares_diff_ids_and_codecs(self):
        tar = tar_of(("a", b"1"))
        name, _, _ = self.image(tar, diff_ids=["sha256:" + "0" * 64])
        self.assertEqual(self.rules(name, "--deep"), ["diff-id"])
        name, _, _ = self.image(tar, pack=bytes)
        self.assertEqual(self.rules(name, "--deep"), ["layer-codec"])
        name, _, _ = self.image(tar, pack=lambda t: gzip.compress(t)[:-20])
        self.assertIn("layer-tar", self.rules(name, "--deep"))

    def test_missing_and_damaged_content_is_found(self):
        name, layout, layers = self.image(tar_of(("a", b"1")), tar_of(("b", b"2")))
        blob = layout_blob(layout, layers[0]["digest"])
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
        os.remove(layout_blob(layout, layers[1]["digest"]))
        self.assertEqual(self.rules(name), ["content-digest", "content-missing"])
        self.assertEqual(self.rules(name, "--documents"), [])
        self.assertEqual(self.rules(name, "--deep")[:2], ["content-digest", "content-missing"])

    def test_config_and_manifest_must_fit(self):
        name, _, _ = self.image(tar_of(("a", b"1")), diff_ids=["sha256:" + "0" * 64] * 2)
        self.assertEqual(self.rules(name), ["diff-id-count"])

    def test_strict_fails_for_warnings(self):
        name, _, _ = self.image(tar_of(("a", ("link", "b"))))
        self.assertIn("warning: ", self.lade("validate", "--deep", name).out)
        self.lade_fails("validate", "--deep", "--strict", name)

    def test_sarif_names_rules_and_places(self):
        name, _, _ = self.image(tar_of(("a", b"1"), ("a", b"2")))
        sarif = json.loads(self.lade_fails("validate", "--deep", "--format", "sarif", name).out)
        self.assertEqual(sarif["version"], "2.1.0")
        (one,) = sarif["runs"]
        (result,) = one["results"]
        self.assertEqual((result["ruleId"], result["level"]), ("entry-duplicate", "error"))
        self.assertEqual([rule["id"] for rule in one["tool"]["driver"]["rules"]], ["entry-duplicate"])
        self.assertTrue(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].endswith(": a"))


if __name__ == "__main__":
    main()
