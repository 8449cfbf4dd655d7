"""lade build --cache-from, --cache-to, --cache-ttl: caches that travel between stores."""
import base64
import json
import os

from lade_testing import Case, busybox_context, check_layout, layout_blob, layout_json, main, run

BASE = 'FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
STAGES = BASE + ("FROM base AS builder\nCOPY file /file\nRUN tr a-z A-Z < /file > /made && echo x > /other && echo ran\n"
                 "FROM base\nCOPY --from=builder /made /made\nRUN mkdir /done\nWORKDIR /work\n")


class BuildCache(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")
        (self.context / "file").write_text("content\n")
        (self.context / "Containerfile").write_text(STAGES)
        self.cache = self.tmp / "cache"

    def build(self, *words, store="a", check=True, **options):
        call = self.lade if check else self.lade_fails
        self.store = self.tmp / f"store-{store}"
        return call("build", "--progress", "plain", "-t", "test", *words, self.context, **options)

    def to_local(self, *more):
        return "--cache-to", ",".join([f"type=local,dest={self.cache}", *more])

    def from_local(self, *more):
        return "--cache-from", ",".join([f"type=local,src={self.cache}", *more])

    def document(self, tag="latest"):
        index = check_layout(self.cache)
        entry = [e for e in index["manifests"] if e.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
        self.assertEqual(len(entry), 1, index)
        manifest = layout_json(self.cache, entry[0]["digest"])
        config = manifest["config"] if "config" in manifest else manifest["manifests"][-1]
        self.assertEqual(config["mediaType"], "application/vnd.buildkit.cacheconfig.v0")
        return manifest, layout_json(self.cache, config["digest"])

    def assert_all_cached(self, result, steps=7):
        self.assertEqual(result.err.count(": CACHED"), steps, result.err)
        self.assertNotIn("] ran\n", result.err)

    def test_a_fresh_store_finds_every_step_in_a_local_cache(self):
        epoch = {"SOURCE_DATE_EPOCH": "1700000000"}
        first = self.build(*self.to_local("mode=max"), env=epoch)
        self.assertEqual(first.err.count(": CACHED"), 0, first.err)
        again = self.build(*self.from_local(), store="b", env=epoch)
        self.assert_all_cached(again)
        self.assertEqual(first.out, again.out)
        # What was fetched is in the store now; the layers of the builder stage never were.
        manifest, document = self.document()
        self.assertEqual(len(manifest["layers"]), len({layer["blob"] for layer in document["layers"]}))
        here = {path.name for path in (self.tmp / "store-b/blobs/sha256").iterdir()}
        missing = [layer for layer in manifest["layers"] if layer["digest"].split(":")[1] not in here]
        self.assertEqual(len(missing), 2, "COPY file and RUN tr")
        self.assertEqual(self.build(store="b", env=epoch).err.count(": CACHED"), 5)
        for layer in manifest["layers"]:
            self.assertRegex(layer["annotations"]["containerd.io/uncompressed"], r"\Asha256:[0-9a-f]{64}\Z")

    def test_mode_min_holds_the_layers_of_the_image_alone(self):
        self.build(*self.to_local())
        manifest, _ = self.document()
        self.assertEqual(len(manifest["layers"]), 5)
        (self.tmp / "store-a").rename(self.tmp / "away")
        partly = self.build(*self.from_local(), store="b")
        self.assertIn("] ran\n", partly.err)  # the builder stage is not in it
        self.assertEqual(partly.err.count(": CACHED"), 5, partly.err)  # COPY --from by content

    def test_fetches_a_layer_when_a_step_needs_the_tree(self):
        self.build(*self.to_local("mode=max"))
        (self.context / "Containerfile").write_text(STAGES + "RUN test -d /done && cat /made\n")
        result = self.build(*self.from_local(), store="b")
        self.assert_all_cached(result)
        self.assertIn("CONTENT\n", result.err)

    def test_writing_again_adds(self):
        self.build(*self.to_local("mode=max"))
        before = {record["digest"] for record in self.document()[1]["records"]}
        (self.context / "file").write_text("other\n")
        self.build(*self.from_local(), *self.to_local("mode=max"), store="b")
        after = {record["digest"] for record in self.document()[1]["records"]}
        self.assertLess(before, after)
        (self.context / "file").write_text("content\n")
        self.assert_all_cached(self.build(*self.from_local(), store="c"))
        self.build(*self.to_local("mode=max", "reset=true"))
        again = {record["digest"] for record in self.document()[1]["records"]}
        self.assertLess(again, after)
        self.assertLessEqual(again, before)

    def test_the_forms_of_buildkit(self):
        for options, media_type in ((("image-manifest=false",), "application/vnd.oci.image.index.v1+json"),
                                    (("oci-mediatypes=false",), "application/vnd.docker.distribution.manifest.list.v2+json"),
                                    ((), "application/vnd.oci.image.manifest.v1+json")):
            self.build(*self.to_local("mode=max", *options))
            self.assertEqual(self.document()[0]["mediaType"], media_type)
            run("rm", "-rf", self.tmp / "store-b")
            self.assert_all_cached(self.build(*self.from_local(), store="b"))

    def test_names_in_one_layout(self):
        self.build(*self.to_local("tag=one"))
        (self.context / "file").write_text("other\n")
        self.build(*self.to_local("tag=two", "mode=max"))
        self.assertLess(len(self.document("one")[1]["records"]), len(self.document("two")[1]["records"]))
        self.assert_all_cached(self.build(*self.from_local("tag=two"), store="b"))
        self.assertIn("has no cache", self.build(*self.from_local(), store="c").err)

    def test_an_inline_cache_travels_in_the_image(self):
        out = self.tmp / "out"
        self.build("--cache-to", "type=inline", "-o", f"oci:{out}:test")
        index = check_layout(out)
        config = layout_json(out, layout_json(out, index["manifests"][0]["digest"])["config"]["digest"])
        records = json.loads(base64.b64decode(config["moby.buildkit.cache.v0"]))
        self.assertTrue(all(result["layer"] < len(config["rootfs"]["diff_ids"]) for record in records for result in record.get("layers", [])))
        again = self.build("--cache-from", f"type=local,src={out},tag=test", store="b")
        self.assertEqual(again.err.count(": CACHED"), 5, again.err)

    def test_sources_that_fail_are_warnings(self):
        broken = self.tmp / "broken"
        self.build("--cache-to", f"type=local,dest={broken}")
        index = json.loads((broken / "index.json").read_text())
        config = layout_json(broken, index["manifests"][0]["digest"])["config"]["digest"].split(":")[1]
        (broken / "blobs/sha256" / config).write_text("{}")
        self.build(*self.to_local("mode=max"))
        result = self.build("--cache-from", "type=local,src=/nonexistent", "--cache-from", "127.0.0.1:1/no/registry:cache",
                            "--cache-from", f"type=local,src={broken}", *self.from_local(), store="b")
        self.assert_all_cached(result)
        for name in ("/nonexistent", "127.0.0.1:1/no/registry:cache", str(broken)):
            self.assertRegex(result.err, f"cache from .*{name}.* is not used: ")

    def test_layers_that_are_gone_are_made_again(self):
        self.build(*self.to_local("mode=max"))
        for layer in self.document()[0]["layers"]:
            os.unlink(self.cache / "blobs" / layer["digest"].replace(":", "/"))
        result = self.build(*self.from_local(), store="b")
        self.assertIn("is not used any more", result.err)
        self.assertIn("] ran\n", result.err)
        self.assertEqual(self.build(store="a").out[:7], "sha256:")

    def test_a_wrong_diff_id_is_found_out(self):
        self.build(*self.to_local("mode=max", "image-manifest=false"))
        index = json.loads((self.cache / "index.json").read_text())
        old = index["manifests"][0]
        document = layout_json(self.cache, old["digest"])
        for entry in document["manifests"][:-1]:
            entry["annotations"]["containerd.io/uncompressed"] = "sha256:" + "5" * 64
        text = json.dumps(document).encode()
        import hashlib
        digest = hashlib.sha256(text).hexdigest()
        (self.cache / "blobs/sha256" / digest).write_bytes(text)
        old.update(digest=f"sha256:{digest}", size=len(text))
        (self.cache / "index.json").write_text(json.dumps(index))
        (self.context / "Containerfile").write_text(STAGES + "RUN cat /made\n")
        result = self.build(*self.from_local(), store="b")
        self.assertIn("CONTENT\n", result.err)
        self.assertIn("is not used any more", result.err)

    def test_destinations_that_fail_are_errors_unless_ignored(self):
        bad = "type=registry,ref=127.0.0.1:1/no/registry:cache"
        self.assertIn("write cache to type=registry", self.build("--cache-to", bad, check=False).err)
        self.assertIn("write cache to", self.build("--cache-to", bad + ",ignore-error=true").err)

    def test_an_image_is_not_overwritten_by_a_cache(self):
        self.build("-o", f"oci:{self.cache}:latest")
        self.assertIn("is an image, not a build cache", self.build(*self.to_local(), check=False).err)

    def test_results_that_are_too_old_are_not_used(self):
        self.build(*self.to_local("mode=max"))
        self.assert_all_cached(self.build("--cache-ttl", "1h"))
        self.assertEqual(self.build("--cache-ttl", "0s", *self.from_local()).err.count(": CACHED"), 0)
        self.assertEqual(self.build("--cache-ttl", "0s", *self.from_local(), store="b").err.count(": CACHED"), 0)
        self.assert_all_cached(self.build("--cache-ttl", "1h", *self.from_local(), store="c"))
        self.lade_fails("build", "--cache-ttl", "soon", self.context, status=2)

    def test_no_cache_reads_none_and_writes(self):
        self.build(*self.to_local("mode=max"))
        result = self.build("--no-cache", *self.from_local(), store="b")
        self.assertEqual(result.err.count(": CACHED"), 0)

    def test_refusals(self):
        for option, words in (("--cache-to", "type=gha"), ("--cache-to", "type=s3,bucket=b"), ("--cache-from", "type=azblob")):
            self.assertIn("is not implemented", self.lade_fails("build", option, words, self.context).err)
        for option, words in (("--cache-to", "type=registry"), ("--cache-to", "type=registry,ref=a,mode=all"), ("--cache-from", "type=inline"),
                              ("--cache-to", "type=registry,ref=a,compression=zstd"), ("--cache-to", "type=local,dest=d,x=y"),
                              ("--cache-from", "type=registry,ref=A B")):
            self.lade_fails("build", option, words, self.context, status=2)


if __name__ == "__main__":
    main()
