"""HTTP/2: that registries with TLS are spoken to by it, and what becomes of a copy whose streams and connections break."""
import hashlib
import json
import os
import re
import threading
import urllib.parse

from http2_server import Answer, ErrorCodes, Faults, Http2Server
from lade_testing import Case, Registry, certificate, check_layout, main, put_layout_blob, put_layout_entry, run

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
BYTES = 1_500_000  # of a layer


def image_with(layout, *layers):
    """An image named "a" of layers that are noise; its descriptor."""
    listed = [put_layout_blob(layout, LAYER, layer) for layer in layers]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in listed]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": put_layout_blob(layout, "application/vnd.oci.image.config.v1+json", json.dumps(config).encode()), "layers": listed}
    descriptor = put_layout_blob(layout, manifest["mediaType"], json.dumps(manifest).encode())
    put_layout_entry(layout, "a", descriptor)
    return descriptor


class FaultyRegistry:
    """One repository, "app", in memory. Faults are used up, one for each blob read or upload."""

    def __init__(self):
        self.lock = threading.Lock()
        self.blobs, self.manifests, self.uploads = {}, {}, {}  # guarded by lock, as the faults are
        self.read_faults, self.upload_faults, self.lines = [], [], []

    def fill(self, layout):
        for path in (layout / "blobs/sha256").iterdir():
            self.blobs["sha256:" + path.name] = path.read_bytes()
        for entry in json.loads((layout / "index.json").read_text())["manifests"]:
            self.manifests["1"] = self.manifests[entry["digest"]] = (entry["mediaType"], self.blobs[entry["digest"]])

    def upload_fault(self, request):
        with self.lock:
            if self.upload_faults and len(request.body) >= 300_000:
                return self.upload_faults.pop(0)
            return None

    def handle(self, request):
        with self.lock:
            answer = self.answer(request)
            self.lines.append((request.method, request.path, answer.status))
            return answer

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        rest = url.path.removeprefix("/v2/app/")
        kind, _, name = rest.partition("/")
        if url.path == "/v2/":
            return Answer(200)
        if kind == "manifests":
            return self.manifest(request, name)
        if name.startswith("uploads"):
            return self.upload(request, name.removeprefix("uploads").strip("/"), urllib.parse.parse_qs(url.query))
        if kind == "blobs" and name in self.blobs:
            return self.blob(request, self.blobs[name])
        return Answer(404)

    def manifest(self, request, name):
        if request.method == "PUT":
            digest = "sha256:" + hashlib.sha256(request.body).hexdigest()
            self.manifests[name] = self.manifests[digest] = (request.headers["content-type"], bytes(request.body))
            return Answer(201, [("docker-content-digest", digest)])
        if name not in self.manifests:
            return Answer(404)
        media_type, raw = self.manifests[name]
        return Answer(200, [("content-type", media_type), ("docker-content-digest", "sha256:" + hashlib.sha256(raw).hexdigest())], raw)

    def blob(self, request, content):
        first = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        start = int(first[1]) if first else 0
        fault = self.read_faults.pop(0) if self.read_faults and request.method == "GET" and len(content) == BYTES else None
        headers = [("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")] if first else []
        return Answer(206 if first else 200, headers, content[start:], fault and (min(400_000, len(content) - start - 1), fault))

    def upload(self, request, session, query):
        if request.method == "POST":
            session = str(len(self.uploads))
            self.uploads[session] = b""
            return Answer(202, [("location", f"/v2/app/blobs/uploads/{session}")])
        if session not in self.uploads:
            return Answer(404)
        if request.method == "GET":
            return Answer(204, [("location", f"/v2/app/blobs/uploads/{session}"), ("range", f"0-{max(len(self.uploads[session]), 1) - 1}")])
        self.uploads[session] += request.body
        if request.method == "PATCH":
            return Answer(202, [("location", f"/v2/app/blobs/uploads/{session}"), ("range", f"0-{len(self.uploads[session]) - 1}")])
        if request.method == "DELETE":
            del self.uploads[session]
            return Answer(204)
        content = self.uploads.pop(session)
        if "sha256:" + hashlib.sha256(content).hexdigest() != query["digest"][0]:
            return Answer(400, body=b'{"errors":[{"code":"DIGEST_INVALID"}]}')
        self.blobs[query["digest"][0]] = content
        return Answer(201)


class Http2(Case):
    def setUp(self):
        super().setUp()
        self.key, self.certificate = certificate(self.tmp / "certs")
        self.layers = [os.urandom(BYTES), os.urandom(200_000)]
        self.image = image_with(self.tmp / "l", *self.layers)

    def push(self, host, **options):
        return self.lade("copy", "--dest-cert-dir", self.tmp / "certs", f"oci:{self.tmp}/l:a", f"docker://{host}/app:1", **options)

    def pull(self, host, **options):
        return self.lade("copy", "--src-cert-dir", self.tmp / "certs", f"docker://{host}/app:1", f"oci:{self.tmp}/to:a", **options)

    def test_a_real_registry_is_pushed_to_and_pulled_from_by_http_2(self):
        with Registry(self.tmp / "registry", certificate=self.certificate, key=self.key, access_log=True) as registry:
            self.push(registry.host)
            self.pull(registry.host)
            self.lade("tags", "--cert-dir", self.tmp / "certs", f"docker://{registry.host}/app")
            requests = registry.requests()
        self.assertEqual({protocol for _, _, protocol, _ in requests}, {"HTTP/2.0"})
        self.assertTrue({"HEAD", "GET", "POST", "PUT"} <= {method for method, *_ in requests}, requests)
        check_layout(self.tmp / "to")
        self.assertEqual(json.loads((self.tmp / "to/index.json").read_text())["manifests"][0]["digest"], self.image["digest"])

    def pulled_through(self, *faults, **options):
        registry = FaultyRegistry()
        registry.fill(self.tmp / "l")
        registry.read_faults = list(faults)
        run("rm", "-rf", self.tmp / "to")
        with Http2Server(self.key, self.certificate, registry.handle) as server:
            result = self.pull(server.host, **options)
        self.assertEqual((result.status, registry.read_faults), (0, []), result.err)
        return registry

    def test_broken_streams_of_a_download_are_continued(self):
        for name, fault in (("reset", Faults.reset()), ("refused", Faults.reset(ErrorCodes.REFUSED_STREAM)),
                            ("calm", Faults.reset(ErrorCodes.ENHANCE_YOUR_CALM)), ("go away", Faults.go_away(ErrorCodes.ENHANCE_YOUR_CALM)),
                            ("go away, nothing done", Faults.go_away(last=0)), ("cut off", Faults.close)):
            with self.subTest(name):
                registry = self.pulled_through(fault)
                check_layout(self.tmp / "to")
                statuses = [status for method, path, status in registry.lines if method == "GET" and "/blobs/" in path]
                self.assertIn(206, statuses)
        with self.subTest("a connection that ends with this stream"):
            self.pulled_through(Faults.go_away(then="finish"))
            check_layout(self.tmp / "to")

    def test_streams_that_always_break_fail_with_a_reason(self):
        registry = FaultyRegistry()
        registry.fill(self.tmp / "l")
        with Http2Server(self.key, self.certificate, lambda request: Answer(200) if request.path == "/v2/" else
                         Answer(200, body=b"x" * 10, fault=(0, Faults.reset()))) as server:
            result = self.pull(server.host, check=False)
        self.assertEqual(result.status, 1)
        self.assertRegex(result.err, r"read|resolve|manifest")

    def test_broken_streams_of_an_upload_are_repeated(self):
        for name, fault in (("reset", Faults.reset()), ("refused", Faults.reset(ErrorCodes.REFUSED_STREAM)),
                            ("go away", Faults.go_away(ErrorCodes.ENHANCE_YOUR_CALM)), ("cut off", Faults.close)):
            with self.subTest(name):
                registry = FaultyRegistry()
                registry.upload_faults = [fault]
                with Http2Server(self.key, self.certificate, registry.handle, registry.upload_fault) as server:
                    self.push(server.host)
                self.assertEqual(registry.upload_faults, [])
                digest = "sha256:" + hashlib.sha256(self.layers[0]).hexdigest()
                self.assertEqual(registry.blobs[digest], self.layers[0])
                self.assertEqual(registry.manifests["1"][1], (self.tmp / "l/blobs/sha256" / self.image["digest"][7:]).read_bytes())


if __name__ == "__main__":
    main()
