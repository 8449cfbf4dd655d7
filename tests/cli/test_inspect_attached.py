"""lade inspect on indexes with attestations, referrers and bases: text at two widths, JSON by its schema, templates, YAML."""
import fcntl
import json
import os
import pty
import struct
import termios

import jsonschema

from lade_testing import LADE, SOURCE, Case, Registry, main, need, put_layout_blob, put_layout_entry, run, small_image

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
SLSA = "https://slsa.dev/provenance/v0.2"
SPDX = "https://spdx.dev/Document"
GOLDEN = SOURCE / "tests" / "cli" / "golden"


def blob(layout, media_type, value):
    return put_layout_blob(layout, media_type, json.dumps(value, sort_keys=True).encode())


def attestation(layout, image, packages=2):
    """As BuildKit makes them: two statements in a manifest for no platform."""
    provenance = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": SLSA, "subject": [], "predicate": {
        "builder": {"id": "https://build.example/1"}, "buildType": "https://mobyproject.org/buildkit@v1",
        "materials": [{"uri": "pkg:docker/registry.example/base@1", "digest": {"sha256": "b" * 64}}]}}
    sbom = {"predicateType": SPDX, "predicate": {"spdxVersion": "SPDX-2.3", "creationInfo": {"creators": ["Tool: scanner-1"]},
            "packages": [{"name": f"package-{i}", "versionInfo": f"1.{i}", "licenseDeclared": "MIT"} for i in range(packages)]}}
    layers = []
    for statement in (provenance, sbom):
        layers.append({**blob(layout, "application/vnd.in-toto+json", statement),
                       "annotations": {"in-toto.io/predicate-type": statement["predicateType"]}})
    config = blob(layout, CONFIG, {"architecture": "unknown", "os": "unknown",
                                   "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}})
    made = blob(layout, MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
    return {**made, "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]}}


def attested_index(layout, name, platforms, annotations=None):
    """An index of a small image for each platform, each with an attestation."""
    entries = []
    for platform in platforms:
        parts = platform.split("/")
        image = small_image(layout, None, platform, parts[1], **({"annotations": annotations} if annotations else {}))
        keys = ("os", "architecture", "variant")
        entries.append({**image, "platform": dict(zip(keys, parts))})
    entries += [attestation(layout, image) for image in list(entries)]
    index = blob(layout, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    put_layout_entry(layout, name, index)
    return index


THIRTY = [f"{system}/{architecture}{variant}" for system in ("linux", "freebsd") for architecture, variant in
          (("amd64", ""), ("arm64", "/v8"), ("arm", "/v5"), ("arm", "/v6"), ("arm", "/v7"), ("386", ""), ("ppc64le", ""), ("s390x", ""),
           ("riscv64", ""), ("mips64le", ""), ("mips", ""), ("mipsle", ""), ("mips64", ""), ("loong64", ""), ("ppc64", ""))]


def at_width(columns, *command):
    """What the command prints to a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    pid = os.fork()
    if pid == 0:
        os.dup2(slave, 1)
        os.environ["NO_COLOR"] = "1"
        os.execv(LADE, [str(LADE), *map(str, command)])
    os.close(slave)
    out = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(master)
    os.waitpid(pid, 0)
    return out.decode().replace("\r\n", "\n")


class TreeCase(Case):
    def golden(self, name, text):
        path = GOLDEN / name
        text = text.replace(str(self.tmp), "TMP")
        if os.environ.get("LADE_ACCEPT"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.assertEqual(text, path.read_text())

    def json(self, *words):
        tree = json.loads(self.lade("inspect", "--format", "json", *words).out)
        jsonschema.Draft4Validator(json.loads((SOURCE / "docs/schema/inspect.json").read_text())).validate(tree)
        return tree


class Attached(TreeCase):
    def test_terminals_of_two_widths(self):
        layout = self.tmp / "l"
        attested_index(layout, "two", ["linux/amd64", "linux/arm64/v8"])
        attested_index(layout, "thirty", THIRTY)
        for columns in (80, 200):
            for name in ("two", "thirty"):
                with self.subTest(columns=columns, name=name):
                    text = at_width(columns, "--store", self.store, "inspect", "--provenance", "--sbom", f"oci:{layout}:{name}")
                    self.assertLessEqual(max(len(line) for line in text.splitlines()), columns)
                    self.assertNotIn("unknown/unknown", text)
                    # The name's length is that of a temporary directory: the line is cut at another place each time.
                    lines = [line for line in text.splitlines(True) if "  name " not in line]
                    self.golden(f"inspect-{name}-{columns}.txt", "".join(lines))

    def test_thirty_platforms_are_a_line_each(self):
        attested_index(self.tmp / "l", "a", THIRTY)
        name = f"oci:{self.tmp}/l:a"
        text = self.lade("inspect", name).out
        self.assertEqual(text.count("1 attached"), 29)
        self.assertEqual(text.count("layer 1 "), 1)
        self.assertEqual(self.lade("inspect", "--all", name).out.count("layer 1 "), 30)
        configs = json.loads(self.lade("inspect", "--config", "--all", name).out)
        self.assertEqual(len(configs), 30)
        self.assertEqual(configs["linux/riscv64"]["architecture"], "riscv64")
        tree = self.json(name)
        self.assertEqual((len(tree["manifests"]), tree["totals"]["layers"], tree["totals"]["uniqueLayers"]), (30, 60, 31))

    def test_statements_are_decoded_where_asked(self):
        attested_index(self.tmp / "l", "a", ["linux/amd64"])
        name = f"oci:{self.tmp}/l:a"
        plain = self.json(name)["manifests"][0]["attestations"][0]
        self.assertEqual((plain["role"], plain["predicates"]), ("provenance", [SLSA, SPDX]))
        self.assertNotIn("statements", plain)
        both = self.json("--provenance", "--sbom", name)["manifests"][0]["attestations"][0]["statements"]
        self.assertEqual(both[0]["provenance"]["builder"], "https://build.example/1")
        self.assertEqual(both[0]["predicate"]["buildType"], "https://mobyproject.org/buildkit@v1")
        self.assertEqual([p["name"] for p in both[1]["sbom"]["packages"]], ["package-0", "package-1"])
        self.assertEqual(len(self.json("--sbom", name)["manifests"][0]["attestations"][0]["statements"]), 1)

    def test_provenance_of_our_own_builds_is_read(self):
        self.write("c/Containerfile", "FROM scratch\nCOPY Containerfile /\n")
        self.lade("build", "--provenance=true", "-t", "a", self.tmp / "c")
        node = self.json("--provenance", "a")
        attached = node["manifests"][0]["attestations"][0] if "manifests" in node else node["attestations"][0]
        self.assertIn("provenance", attached["statements"][0])

    def test_templates_and_yaml(self):
        attested_index(self.tmp / "l", "a", ["linux/amd64", "linux/arm64/v8"])
        name = f"oci:{self.tmp}/l:a"
        self.assertEqual(self.lade("inspect", "-f", "{{range .manifests}}{{.platform}} {{len .layers}}\\n{{end}}", name).out.split("\n")[:2],
                         ["linux/amd64 2", "linux/arm64 2"])
        digest = json.loads((self.tmp / "l/index.json").read_text())["manifests"][0]["digest"]
        self.assertEqual(self.lade("inspect", "-f", "{{.digest}}", name).out, digest + "\n")
        self.assertEqual(json.loads(self.lade("inspect", "-f", "{{json .}}", name).out), self.json(name))
        self.assertEqual(json.loads(self.lade("inspect", "-f", "{{json .totals}}", name).out)["images"], 2)
        yaml = self.lade("inspect", "-f", "yaml", name).out
        self.assertIn("kind: index\n", yaml)
        self.assertIn("manifests:\n  - kind: image\n    mediaType: ", yaml)
        for wrong in ("jsom", "{{.digest", "{{nothing}}"):
            self.assertNotEqual(self.lade("inspect", "-f", wrong, name, check=False).status, 0)

    def test_options_that_contradict_each_other_are_refused(self):
        small_image(self.tmp / "l", "a", "x")
        for words in (("--all", "--raw"), ("--all", "--platform", "linux/amd64"), ("--raw", "--sbom"), ("--config", "--tags")):
            self.lade_fails("inspect", *words, f"oci:{self.tmp}/l:a", status=2)

    def test_every_transport_shows_the_same_layers(self):
        need("skopeo")
        small_image(self.tmp / "l", "a", "x")
        source = f"oci:{self.tmp}/l:a"
        for name in (f"dir:{self.tmp}/d", f"oci-archive:{self.tmp}/o.tar:a", f"docker-archive:{self.tmp}/k.tar:x/y:a"):
            run("skopeo", "copy", source, name)
            with self.subTest(name=name.split(":")[0]):
                tree = self.json(name)
                self.assertEqual((tree["kind"], len(tree["layers"]), tree.get("referrers", [])), ("image", 2, []))
        self.lade("copy", source, "local")
        self.assertEqual(self.json("local")["platform"], "linux/amd64")

    def test_artifacts_are_shown_as_what_they_are(self):
        layout = self.tmp / "l"
        empty = put_layout_blob(layout, "application/vnd.oci.empty.v1+json", b"{}")
        chart = {**put_layout_blob(layout, "application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart"),
                 "annotations": {"org.opencontainers.image.title": "chart.tgz"}}
        made = blob(layout, MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.chart",
                                       "config": empty, "layers": [chart]})
        put_layout_entry(layout, "a", made)
        text = self.lade("inspect", f"oci:{layout}:a").out
        for piece in ("artifact", "application/vnd.example.chart", "chart.tgz", "helm.chart"):
            self.assertIn(piece, text)


class Remote(TreeCase):
    """Beside a registry: referrers by their tag (Debian's registry has no API for them), cosign's tags, other tags, bases."""

    def setUp(self):
        super().setUp()
        self.registry = Registry(self.tmp / "r", access_log=True)
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)
        self.name = f"docker://{self.registry.host}/app"

    def push(self, source, tag):
        self.lade("copy", "--all", "-q", source, f"{self.name}:{tag}")

    def test_tags_bases_costs_and_signatures(self):
        layout = self.tmp / "l"
        small_image(layout, "base", "base")
        self.push(f"oci:{layout}:base", "base")
        base = self.lade("digest", f"{self.name}:base").out.strip()
        image = small_image(layout, "app", "app", annotations={
            "org.opencontainers.image.base.name": f"{self.registry.host}/app:base", "org.opencontainers.image.base.digest": base})
        signature = small_image(layout, "sig", "signature")
        for tag in ("1", "1.0"):
            self.push(f"oci:{layout}:app", tag)
        self.push(f"oci:{layout}:sig", image["digest"].replace(":", "-") + ".sig")
        tree = self.json("--tags", "--check-base", "--against", f"oci:{self.tmp}/new:a", f"{self.name}:1")
        self.assertEqual(tree["tags"], ["1", "1.0"])
        self.assertEqual((tree["base"]["state"], tree["base"]["now"]), ("current", base))
        self.assertEqual((tree["referrers"][0]["role"], tree["referrers"][0]["digest"]), ("signature", signature["digest"]))
        self.assertEqual(tree["against"]["blobsToMove"], 3)
        self.assertGreater(tree["against"]["bytesToMove"], 300)
        again = self.json("--against", f"{self.name}:2", f"{self.name}:1")["against"]
        self.assertEqual((again["blobsToMove"], again["bytesToMove"]), (0, 0))
        self.push(f"oci:{layout}:app", "base")
        self.assertEqual(self.json("--check-base", f"{self.name}:1")["base"]["state"], "moved")
        self.assertIn("moved: now", self.lade("inspect", "--check-base", f"{self.name}:1").out)
        self.lade("delete", f"{self.name}:base", check=False)

    def test_few_requests_and_no_layer(self):
        attested_index(self.tmp / "l", "a", THIRTY[:8])
        self.push(f"oci:{self.tmp}/l:a", "a")
        before = len(self.registry.requests())
        tree = self.json(f"{self.name}:a")
        self.assertEqual(len(tree["manifests"]), 8)
        requests = self.registry.requests()[before:]
        # The index, 16 manifests, 8 configs; the list of tags; 9 questions for referrers, each of which the registry knows by a tag.
        self.assertLessEqual(len(requests), 1 + 16 + 8 + 1 + 9 + 9 + 3, requests)
        layers = {layer["digest"] for node in tree["manifests"] for layer in node["layers"]}
        self.assertFalse([path for _, path, _, _ in requests if path.rsplit("/", 1)[-1] in layers])
        before = len(self.registry.requests())
        self.json("--referrers=false", f"{self.name}:a")
        self.assertLessEqual(len(self.registry.requests()) - before, 1 + 16 + 8 + 1)


if __name__ == "__main__":
    main()
