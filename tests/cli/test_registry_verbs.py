"""lade tags, repos, digest, tag, delete, blob get and manifest get/put, on registries, layouts, archives and the local store."""
import hashlib
import http.server
import json
import threading
import urllib.request

from lade_testing import Case, Registry, check_layout, layout_blob, main, need, run, small_image, small_index


class Server:
    """Answers HTTP by a function of (method, path) that gives (status, headers, body); a context manager."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                status, headers, body = answer(self.command, self.path)
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_DELETE = do_PUT = do_POST = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class RegistryVerbs(Case):
    def setUp(self):
        super().setUp()
        need("skopeo")
        self.layout = self.tmp / "source"
        self.image = small_image(self.layout, "one", "one")
        self.other = small_image(self.layout, "two", "two")
        self.index = small_index(self.layout, "multi", "multi")

    def registry(self, **options):
        registry = Registry(self.tmp / f"registry-{len(list(self.tmp.iterdir()))}", **options)
        registry.__enter__()
        self.addCleanup(registry.__exit__)
        return registry

    def push(self, registry, repository, *tags, source="one"):
        for tag in tags:
            self.lade("copy", "-q", "--all", f"oci:{self.layout}:{source}", f"docker://{registry.host}/{repository}:{tag}")
        return f"docker://{registry.host}/{repository}"

    def skopeo_tags(self, repository):
        return json.loads(run("skopeo", "list-tags", "--tls-verify=false", repository).out)["Tags"]

    def exists(self, name):
        return self.lade("digest", name, check=False).status == 0

    # tags

    def test_tags_lists_what_skopeo_lists(self):
        name = self.push(self.registry(), "team/app", "1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "latest")
        self.assertEqual(self.lade("tags", name).out.split(), self.skopeo_tags(name))
        listed = json.loads(self.lade("tags", "--format", "json", name).out)
        self.assertEqual(listed, {"name": name[len("docker://"):], "tags": self.skopeo_tags(name)})

    def test_tags_filters_sorts_and_limits(self):
        name = self.push(self.registry(), "app", "1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "latest", "sha256-" + "a" * 64 + ".sig")
        tags = lambda *options: self.lade("tags", *options, name).out.split()
        self.assertEqual(tags("--semver", "^1", "--sort", "semver"), ["1.0.0", "1.9.0", "1.10.0"])
        self.assertEqual(tags("--semver", "^1", "--sort", "semver", "--reverse", "--limit", "1"), ["1.10.0"])
        self.assertEqual(tags("--semver", "2.0.0-0 - 3"), ["2.0.0-rc.1"])
        self.assertEqual(tags("--filter", "1\\..*", "--filter", "lat.st", "--exclude", ".*9.*", "--sort", "name"), ["1.0.0", "1.10.0", "latest"])
        self.assertEqual(tags("--filter", "0"), [])  # the whole tag must match
        self.assertNotIn("sha256-", " ".join(tags("--omit-digest-tags")))
        self.assertEqual(len(tags("--limit", "2")), 2)
        self.assertEqual(tags("--reverse"), list(reversed(tags())))
        self.assertEqual(tags("--reverse", "--limit", "2"), list(reversed(tags()))[:2])
        self.assertEqual(json.loads(self.lade("tags", "--filter", "none", "--format", "json", name).out)["tags"], [])

    def test_tags_follows_pages_without_holding_them(self):
        pages = 50
        asked = []

        def answer(method, path):
            if "/tags/list" not in path:
                return 200, {}, b""
            asked.append(path)
            page = int(path.split("last=")[1].split("&")[0]) if "last=" in path else 0
            link = {"Link": f'</v2/app/tags/list?n=1000&last={page + 1}>; rel="next"'} if page + 1 < pages else {}
            return 200, link, json.dumps({"name": "app", "tags": [f"t{page:03}-{i:03}" for i in range(1000)]}).encode()

        with Server(answer) as server:
            name = f"docker://{server.host}/app"
            self.assertEqual(len(self.lade("tags", name).out.split()), pages * 1000)
            self.assertEqual(len(asked), pages)
            asked.clear()
            self.assertEqual(len(self.lade("tags", "--limit", "1500", name).out.split()), 1500)
            self.assertEqual(len(asked), 2)
            last = self.lade("tags", "--sort", "name", "--reverse", "--limit", "3", name).out.split()
            self.assertEqual(last, ["t049-999", "t049-998", "t049-997"])

    def test_tags_lists_names_in_layouts_archives_and_the_local_store(self):
        self.assertEqual(self.lade("tags", f"oci:{self.layout}").out.split(), ["one", "two", "multi"])
        archive = f"docker-archive:{self.tmp}/a.tar"
        self.lade("copy", "-q", f"oci:{self.layout}:one", f"{archive}:example/app:1")
        self.assertEqual(self.lade("tags", archive).out.split(), ["docker.io/example/app:1"])
        for tag in ("1", "2"):
            self.lade("copy", "-q", f"oci:{self.layout}:one", f"app:{tag}")
        self.lade("copy", "-q", f"oci:{self.layout}:one", "application:3")
        self.assertEqual(self.lade("tags", "app").out.split(), ["1", "2"])
        self.assertIn("docker://nothing", self.lade_fails("tags", "nothing").err)
        self.lade("copy", "-q", f"oci:{self.layout}:one", f"dir:{self.tmp}/dir")
        self.assertIn("have no names", self.lade_fails("tags", f"dir:{self.tmp}/dir").err)

    def test_tags_refuses_wrong_words(self):
        for words in (["docker://registry.example/app:1"], ["--semver", "latest", "oci:x"], ["--filter", "(", "oci:x"],
                      ["--limit", "0", "oci:x"], ["--sort", "age", "oci:x"]):
            result = self.lade("tags", *words, check=False)
            self.assertNotEqual(result.status, 0, words)
            self.assertTrue(result.err.startswith("lade: tags: ") or "lade: tags" in result.err, result.err)
        self.assertIn("NAME_UNKNOWN", self.lade_fails("tags", f"docker://{self.registry().host}/nothing").err)

    # repos

    def test_repos_lists_the_catalog(self):
        registry = self.registry()
        for repository in ("team/app", "team/web", "other/app"):
            self.push(registry, repository, "1")
        self.assertEqual(self.lade("repos", registry.host).out.split(), ["other/app", "team/app", "team/web"])
        self.assertEqual(self.lade("repos", "--filter", "team/.*", "--exclude", ".*web", "--full-ref", f"docker://{registry.host}/").out,
                         f"{registry.host}/team/app\n")
        self.assertEqual(json.loads(self.lade("repos", "--limit", "1", "--format", "json", registry.host).out),
                         {"name": registry.host, "repositories": ["other/app"]})

    def test_repos_says_that_a_registry_has_no_catalog(self):
        def forbids(status, code):
            body = json.dumps({"errors": [{"code": code, "message": "no catalog for you"}]}).encode()
            return lambda method, path: (status, {}, body) if "_catalog" in path else (200, {}, b"{}")

        for status, code in ((403, "DENIED"), (404, "NOT_FOUND"), (405, "UNSUPPORTED")):
            with Server(forbids(status, code)) as server:
                error = self.lade_fails("repos", server.host).err
                self.assertIn("list their repositories to nobody", error)
                self.assertIn("no catalog for you", error)
        self.assertIn("is no registry", self.lade_fails("repos", "registry.example/team", status=2).err)
        self.assertIn("is no registry", self.lade_fails("repos", "just-a-word", status=2).err)

    # digest

    def test_digest_is_one_head(self):
        seen = []
        manifest = layout_blob(self.layout, self.image["digest"]).read_bytes()

        def answer(method, path):
            seen.append((method, path))
            if "/manifests/" in path:
                return 200, {"Content-Type": self.image["mediaType"], "Docker-Content-Digest": self.image["digest"]}, manifest
            return 200, {}, b"{}"

        with Server(answer) as server:
            self.assertEqual(self.lade("digest", f"docker://{server.host}/app:1").out, self.image["digest"] + "\n")
        self.assertEqual([s for s in seen if s[1] != "/v2/"], [("HEAD", "/v2/app/manifests/1")])

    def test_digest_of_every_kind_of_name(self):
        registry = self.registry()
        name = self.push(registry, "app", "1", source="multi")
        self.assertEqual(self.lade("digest", f"{name}:1").out.strip(), self.index["digest"])
        raw = run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{name}:1").out
        arm = next(m["digest"] for m in json.loads(raw)["manifests"] if m["platform"]["architecture"] == "arm64")
        self.assertEqual(self.lade("digest", "--platform", "linux/arm64", f"{name}:1").out.strip(), arm)
        self.assertEqual(self.lade("digest", "--full-ref", "--platform", "linux/arm64", f"{name}:1").out.strip(), f"{name}@{arm}")
        self.assertEqual(self.lade("digest", "--full-ref", f"oci:{self.layout}:one").out.strip(), f"oci:{self.layout}@{self.image['digest']}")
        self.lade("copy", "-q", f"oci:{self.layout}:one", "app:1")
        self.assertEqual(self.lade("digest", "app:1").out.strip(), self.image["digest"])
        self.assertEqual(self.lade("digest", "--full-ref", "app:1").out.strip(), f"app@{self.image['digest']}")
        self.assertIn("no image", self.lade_fails("digest", f"{name}:2").err)

    # tag

    def test_tag_moves_names_in_a_registry(self):
        name = self.push(self.registry(), "app", "1", source="multi")
        self.lade("tag", f"{name}:1", "latest", f"{name}:1.0", "stable")
        self.assertEqual(sorted(self.skopeo_tags(name)), ["1", "1.0", "latest", "stable"])
        for tag in ("latest", "1.0", "stable"):
            self.assertEqual(self.lade("digest", f"{name}:{tag}").out.strip(), self.index["digest"])
        self.lade("tag", f"{name}@{self.index['digest']}", "by-digest")
        self.assertTrue(self.exists(f"{name}:by-digest"))

    def test_tag_refuses_other_places(self):
        name = self.push(self.registry(), "app", "1")
        for new in (f"{name}/other:1", "oci:x:y", "no tag", f"{name}@{self.image['digest']}"):
            self.lade_fails("tag", f"{name}:1", new, status=2)
        self.lade_fails("tag", f"oci:{self.layout}:one", "oci:elsewhere:one", status=2)
        self.lade("copy", "-q", f"oci:{self.layout}:one", f"dir:{self.tmp}/dir")
        self.assertIn("use 'lade copy'", self.lade_fails("tag", f"dir:{self.tmp}/dir", "x").err)

    def test_tag_names_images_of_layouts_and_of_the_local_store(self):
        self.lade("tag", f"oci:{self.layout}:one", "1.0", f"oci:{self.layout}:latest")
        self.assertEqual(self.lade("tags", f"oci:{self.layout}").out.split(), ["one", "two", "multi", "1.0", "latest"])
        self.lade("tag", f"oci:{self.layout}:two", "latest")
        self.assertEqual(self.lade("digest", f"oci:{self.layout}:latest").out.strip(), self.other["digest"])
        check_layout(self.layout)
        self.lade("copy", "-q", f"oci:{self.layout}:one", "app:1")
        self.lade("tag", "app:1", "app:2", "registry.example/team/app:1")
        self.assertEqual(self.lade("digest", "registry.example/team/app:1").out.strip(), self.image["digest"])
        self.assertEqual(self.lade("tags", "app").out.split(), ["1", "2"])

    # delete

    def test_delete_by_tag_changes_nothing_where_the_registry_cannot(self):
        name = self.push(self.registry(), "app", "1", "2")
        error = self.lade_fails("delete", f"{name}:1").err
        self.assertIn("--by-digest", error)
        self.assertIn("--force-tag-delete", error)
        self.assertEqual(sorted(self.skopeo_tags(name)), ["1", "2"])

    def test_delete_by_digest_names_the_tags_that_would_vanish(self):
        name = self.push(self.registry(), "app", "1", "2", "3")
        self.lade("copy", "-q", f"oci:{self.layout}:two", f"{name}:other")
        error = self.lade_fails("delete", "--by-digest", f"{name}:1").err
        self.assertIn("2, 3", error)
        self.assertNotIn("other:", error)
        self.assertEqual(len(self.skopeo_tags(name)), 4)
        dry = self.lade("delete", "--by-digest", "--force", "--dry-run", f"{name}:1").out
        self.assertEqual(dry, f"would delete image {self.image['digest']}\n")
        self.assertTrue(self.exists(f"{name}:1"))
        self.lade("delete", "--by-digest", "--force", f"{name}:1")
        self.assertFalse(self.exists(f"{name}:1"))
        self.assertFalse(self.exists(f"{name}:3"))
        self.assertTrue(self.exists(f"{name}:other"))
        self.lade("delete", "--by-digest", f"{name}:other")  # no other tag: no --force needed
        self.assertFalse(self.exists(f"{name}:other"))

    def test_delete_of_a_digest(self):
        name = self.push(self.registry(), "app", "1")
        self.lade("delete", f"{name}@{self.image['digest']}")
        self.assertFalse(self.exists(f"{name}:1"))
        self.assertIn("no such image", self.lade_fails("delete", f"{name}@{self.image['digest']}").err)
        self.lade("delete", "--ignore-missing", f"{name}@{self.image['digest']}", f"{name}:1")

    def test_force_tag_delete_spares_the_other_tags(self):
        name = self.push(self.registry(), "app", "1", "2")
        self.lade("delete", "--force-tag-delete", f"{name}:1")
        self.assertFalse(self.exists(f"{name}:1"))
        self.assertEqual(self.lade("digest", f"{name}:2").out.strip(), self.image["digest"])
        run("skopeo", "inspect", "--tls-verify=false", f"{name}:2")

    def test_force_tag_delete_loses_nothing_where_deletion_is_off(self):
        name = self.push(self.registry(delete=False), "app", "1")
        self.assertIn("does not allow deletion", self.lade_fails("delete", "--force-tag-delete", f"{name}:1").err)
        self.assertEqual(self.lade("digest", f"{name}:1").out.strip(), self.image["digest"])
        self.lade_fails("delete", "--by-digest", f"{name}:1")
        self.assertTrue(self.exists(f"{name}:1"))

    def test_a_read_only_registry_refuses_everything(self):
        with Registry(self.tmp / "shared") as writable:
            self.push(writable, "app", "1")
        registry = Registry(self.tmp / "shared", readonly=True)
        registry.__enter__()
        self.addCleanup(registry.__exit__)
        name = f"docker://{registry.host}/app"
        for words in (["delete", f"{name}:1"], ["delete", "--by-digest", f"{name}:1"], ["tag", f"{name}:1", "2"],
                      ["delete", "--force-tag-delete", f"{name}:1"]):
            self.lade_fails(*words)
        self.assertEqual(self.lade("tags", name).out.split(), ["1"])

    def test_delete_takes_the_tag_alone_where_the_registry_can(self):
        deleted = []
        manifest = layout_blob(self.layout, self.image["digest"]).read_bytes()

        def answer(method, path):
            if method == "DELETE":
                deleted.append(path)
                return 202, {}, b""
            if "/manifests/" in path:
                return 200, {"Content-Type": self.image["mediaType"], "Docker-Content-Digest": self.image["digest"]}, manifest
            return 200, {}, b"{}"

        with Server(answer) as server:
            self.assertEqual(self.lade("delete", f"docker://{server.host}/app:1").out, f"deleted tag docker://{server.host}/app:1\n")
        self.assertEqual(deleted, ["/v2/app/manifests/1"])

    def test_delete_with_referrers(self):
        subject = {k: self.image[k] for k in ("mediaType", "digest", "size")}
        signature = small_image(self.layout, "signature", "signature", artifactType="application/x-signature", subject=subject)
        second = small_image(self.layout, "second", "second", artifactType="application/x-note",
                             subject={k: signature[k] for k in ("mediaType", "digest", "size")})
        name = self.push(self.registry(), "app", "1")
        for source, digest in (("signature", signature), ("second", second)):
            self.lade("copy", "-q", f"oci:{self.layout}:{source}", f"{name}@{digest['digest']}")
        cosign = f"{name}:{self.image['digest'].replace(':', '-')}.sig"
        self.lade("copy", "-q", f"oci:{self.layout}:two", cosign)
        self.lade_fails("delete", "--referrers", f"{name}:1", status=2)
        out = self.lade("delete", "--by-digest", "--referrers", "--dry-run", f"{name}:1").out
        for digest in (self.image, signature, second, self.other):
            self.assertIn(digest["digest"], out)
        self.lade("delete", "--by-digest", "--referrers", f"{name}:1")
        for digest in (self.image, signature, second, self.other):
            self.assertFalse(self.exists(f"{name}@{digest['digest']}"), digest)
        self.assertFalse(self.exists(cosign))

    def test_delete_from_a_layout_frees_what_nobody_needs(self):
        before = {path.name for path in (self.layout / "blobs/sha256").iterdir()}
        self.lade("delete", f"oci:{self.layout}:one")
        check_layout(self.layout)
        gone = before - {path.name for path in (self.layout / "blobs/sha256").iterdir()}
        self.assertEqual(len(gone), 3)  # manifest, config, its own layer; the base layer is shared
        self.assertEqual(self.lade("tags", f"oci:{self.layout}").out.split(), ["two", "multi"])
        run("skopeo", "inspect", f"oci:{self.layout}:two")
        self.lade("delete", f"oci:{self.layout}:two", f"oci:{self.layout}:multi")
        self.assertEqual(list((self.layout / "blobs/sha256").iterdir()), [])

    def test_delete_refuses_what_it_cannot_do(self):
        self.lade("copy", "-q", f"oci:{self.layout}:one", "app:1")
        self.assertIn("lade rmi", self.lade_fails("delete", "app:1", status=2).err)
        self.assertIn("lade rmi", self.lade_fails("delete", f"oci:{self.store}:localhost/app:1").err)
        self.assertTrue(self.exists("app:1"))
        archive = f"oci-archive:{self.tmp}/a.tar:x"
        self.lade("copy", "-q", f"oci:{self.layout}:one", archive)
        self.assertIn("remove the file", self.lade_fails("delete", archive).err)
        self.lade("digest", archive)
        self.lade_fails("delete", f"oci:{self.tmp}/absent:x")
        self.assertFalse((self.tmp / "absent").exists())
        self.lade_fails("delete", "--force", f"oci:{self.layout}:one", status=2)
        self.assertIn("no such image", self.lade_fails("delete", f"oci:{self.layout}:three").err)

    def test_delete_goes_on_after_a_failure(self):
        result = self.lade_fails("delete", f"oci:{self.layout}:three", f"oci:{self.layout}:one")
        self.assertIn("three", result.err)
        self.assertFalse(self.exists(f"oci:{self.layout}:one"))

    # blob get

    def test_blob_get_from_everywhere(self):
        registry = self.registry()
        name = self.push(registry, "app", "1")
        manifest = json.loads(layout_blob(self.layout, self.image["digest"]).read_text())
        for descriptor in (manifest["config"], manifest["layers"][1]):
            digest = descriptor["digest"]
            want = hashlib.sha256(layout_blob(self.layout, digest).read_bytes()).hexdigest()
            self.lade("copy", "-q", f"oci:{self.layout}:one", "app:1")
            self.lade("copy", "-q", f"oci:{self.layout}:one", f"oci-archive:{self.tmp}/a.tar")
            self.lade("copy", "-q", f"oci:{self.layout}:one", f"dir:{self.tmp}/dir")
            for words in ([f"{name}@{digest}"], [name, digest], [f"{name}:1", digest], [f"oci:{self.layout}@{digest}"],
                          [f"oci:{self.layout}:one", digest], [f"oci-archive:{self.tmp}/a.tar", digest], [f"dir:{self.tmp}/dir", digest],
                          ["app:1", digest], [digest]):
                self.lade("blob", "get", "-o", self.tmp / "out", *words)
                self.assertEqual(hashlib.sha256((self.tmp / "out").read_bytes()).hexdigest(), want, words)
        config = self.lade("blob", "get", name, manifest["config"]["digest"]).out
        self.assertEqual(json.loads(config)["architecture"], "amd64")
        manifest_bytes = self.lade("blob", "get", f"{name}@{self.image['digest']}").out
        self.assertEqual(json.loads(manifest_bytes), manifest)

    def test_blob_get_writes_no_wrong_file(self):
        digest = json.loads(layout_blob(self.layout, self.image["digest"]).read_text())["layers"][1]["digest"]
        blob = layout_blob(self.layout, digest)
        blob.write_bytes(bytes(reversed(blob.read_bytes())))
        self.lade_fails("blob", "get", "-o", self.tmp / "out", f"oci:{self.layout}", digest)
        self.assertFalse((self.tmp / "out").exists())
        absent = "sha256:" + "0" * 64
        self.assertIn("no blob", self.lade_fails("blob", "get", f"oci:{self.layout}:one", absent).err)
        self.assertIn("no blob", self.lade_fails("blob", "get", f"docker://{self.registry().host}/app", absent).err)
        self.lade_fails("blob", "get", f"oci:{self.layout}:one", status=2)
        self.lade_fails("blob", "get", f"oci:{self.layout}:one", "sha256:short", status=2)

    # manifest

    def test_manifest_get_gives_the_exact_bytes(self):
        name = self.push(self.registry(), "app", "1", source="multi")
        want = layout_blob(self.layout, self.index["digest"]).read_text()
        self.assertEqual(self.lade("manifest", "get", f"{name}:1").out, want)
        self.assertEqual(want, run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{name}:1").out)
        self.lade("manifest", "get", "-o", self.tmp / "m", "--platform", "linux/arm64", f"oci:{self.layout}:multi")
        arm = next(m for m in json.loads(want)["manifests"] if m["platform"]["architecture"] == "arm64")
        self.assertEqual("sha256:" + hashlib.sha256((self.tmp / "m").read_bytes()).hexdigest(), arm["digest"])

    def test_manifest_put_stores_them_unchanged(self):
        registry = self.registry()
        name = self.push(registry, "app", "1")
        raw = layout_blob(self.layout, self.image["digest"]).read_bytes()
        changed = raw[:-1] + b',"annotations":{"a":"b"} }\n'
        digest = "sha256:" + hashlib.sha256(changed).hexdigest()
        self.assertEqual(self.lade("manifest", "put", f"{name}:2", "-", stdin=changed).out, digest + "\n")
        self.assertEqual(run("skopeo", "inspect", "--raw", "--tls-verify=false", f"{name}:2").out.encode(), changed)
        file = self.write("manifest.json", changed)
        self.lade("manifest", "put", f"{name}@{digest}", file)
        self.assertIn("the document's digest is", self.lade_fails("manifest", "put", f"{name}@{self.image['digest']}", file).err)
        self.lade("manifest", "put", f"oci:{self.layout}:changed", file)
        self.assertEqual(self.lade("digest", f"oci:{self.layout}:changed").out.strip(), digest)
        check_layout(self.layout)

    def test_manifest_put_refuses_invalid_documents_and_missing_blobs(self):
        registry = self.registry()
        name = self.push(registry, "app", "1")
        for text in ("not json", "{}", '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}',
                     '{"schemaVersion":2,"manifests":[{"digest":"sha256:1"}]}'):
            result = self.lade("manifest", "put", f"{name}:bad", "-", stdin=text.encode(), check=False)
            self.assertEqual(result.status, 1, text)
        raw = json.loads(layout_blob(self.layout, self.image["digest"]).read_text())
        raw["layers"][0]["digest"] = "sha256:" + "0" * 64
        missing = json.dumps(raw).encode()
        self.assertIn("MANIFEST_BLOB_UNKNOWN", self.lade_fails("manifest", "put", f"{name}:bad", "-", stdin=missing).err)
        self.assertIn("is not there", self.lade_fails("manifest", "put", f"oci:{self.layout}:bad", "-", stdin=missing).err)
        self.assertEqual(self.lade("tags", name).out.split(), ["1"])
        self.lade_fails("manifest", "put", f"{name}:bad", "-", "--media-type", "nonsense", stdin=missing, status=2)


if __name__ == "__main__":
    main()
