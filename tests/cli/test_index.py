"""lade index create, add, remove, annotate."""
import hashlib
import json

from lade_testing import Case, Registry, check_layout, layout_from_tar, layout_json, main, run

PLATFORMS = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"]


class Index(Case):
    def setUp(self):
        super().setUp()
        self.write("root/file", "content\n")
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        self.layout = self.tmp / "l"
        layout_from_tar(self.tmp / "root.tar", self.layout, "base")
        self.names = []
        for platform in PLATFORMS:
            _, arch, *variant = platform.split("/")
            tag = platform.replace("/", "-")
            run("umoci", "tag", "--image", f"{self.layout}:base", tag)
            run("umoci", "config", "--image", f"{self.layout}:{tag}", "--architecture", arch)
            self.names.append(f"oci:{self.layout}:{tag}")

    def entries(self, name):
        return json.loads(self.lade("inspect", "--raw", name).out)["manifests"]

    def platforms(self, name):
        return ["/".join(filter(None, (e["platform"]["os"], e["platform"]["architecture"], e["platform"].get("variant"))))
                for e in self.entries(name)]

    def test_create_takes_platforms_from_configs_and_prints_the_digest(self):
        name = f"oci:{self.tmp}/i:all"
        digest = self.lade("index", "create", "--annotation", "a.b=c", name, *self.names).out.strip()
        index = check_layout(self.tmp / "i")
        self.assertEqual([e["digest"] for e in index["manifests"]], [digest])
        document = layout_json(self.tmp / "i", digest)
        self.assertEqual(document["annotations"], {"a.b": "c"})
        self.assertEqual(document["mediaType"], "application/vnd.oci.image.index.v1+json")
        self.assertEqual(len(document["manifests"]), 4)
        self.assertEqual(self.lade("index", "create", "--annotation", "a.b=c", name, *self.names).out.strip(), digest)

    def test_a_policy_refuses_images(self):
        env = {"XDG_CONFIG_HOME": str(self.tmp / "config")}
        name = f"oci:{self.tmp}/i:all"
        self.lade("index", "create", name, self.names[0])
        self.write("config/containers/policy.json", '{"default": [{"type": "reject"}]}')
        for verb in ("create", "add"):
            refused = self.lade_fails("index", verb, name, self.names[1], env=env)
            self.assertIn("is rejected by policy", refused.err)
        self.assertEqual(self.platforms(name), PLATFORMS[:1])

    def test_the_same_platform_twice_is_refused(self):
        result = self.lade_fails("index", "create", f"oci:{self.tmp}/i:all", self.names[0], f"oci:{self.layout}:base")
        self.assertIn("linux/amd64", result.err)

    def test_add_replaces_and_remove_removes(self):
        name = f"oci:{self.tmp}/i:all"
        self.lade("index", "create", name, *self.names[:2])
        self.lade("index", "add", name, self.names[3])
        self.assertEqual(self.platforms(name), ["linux/amd64", "linux/arm64", "linux/s390x"])
        run("umoci", "config", "--image", f"{self.layout}:linux-arm64", "--config.user", "other")
        before = {e["digest"] for e in self.entries(name)}
        self.lade("index", "add", name, self.names[1])
        self.assertEqual(sorted(self.platforms(name)), ["linux/amd64", "linux/arm64", "linux/s390x"])
        self.assertNotEqual({e["digest"] for e in self.entries(name)}, before)
        self.lade("index", "remove", name, "linux/s390x", self.entries(name)[0]["digest"])
        self.assertEqual(self.platforms(name), ["linux/arm64"])
        self.assertIn("no entry for 'linux/s390x'", self.lade_fails("index", "remove", name, "linux/s390x").err)

    def test_annotate_changes_entries_and_the_index(self):
        name = f"oci:{self.tmp}/i:all"
        self.lade("index", "create", name, *self.names[:2])
        self.lade("index", "annotate", "--variant", "v8", "--annotation", "k=v", name, "linux/arm64")
        entry = self.entries(name)[1]
        self.assertEqual(entry["platform"]["variant"], "v8")
        self.assertEqual(entry["annotations"], {"k": "v"})
        self.lade("index", "annotate", "--annotation", "k-", "--variant", "", name, entry["digest"])
        self.assertNotIn("variant", self.entries(name)[1]["platform"])
        self.lade("index", "annotate", "--index", "--annotation", "x=y", name)
        self.assertEqual(json.loads(self.lade("inspect", "--raw", name).out)["annotations"], {"x": "y"})
        self.lade_fails("index", "annotate", "--index", "--os", "linux", name, status=2)
        self.lade_fails("index", "annotate", name, status=2)

    def test_works_in_the_local_store_and_from_archives(self):
        self.lade("copy", self.names[0], f"docker-archive:{self.tmp}/a.tar:x:y")
        self.lade("copy", self.names[1], f"oci-archive:{self.tmp}/b.tar")
        self.lade("index", "create", "multi", f"docker-archive:{self.tmp}/a.tar", f"oci-archive:{self.tmp}/b.tar")
        self.assertEqual(self.platforms("multi"), ["linux/amd64", "linux/arm64"])
        self.lade("copy", "--all", "multi", f"oci:{self.tmp}/out:multi")
        check_layout(self.tmp / "out")

    def test_entries_of_unknown_types_are_carried_as_they_are(self):
        def store(content):
            digest = hashlib.sha256(content).hexdigest()
            (self.layout / "blobs/sha256" / digest).write_bytes(content)
            return {"digest": f"sha256:{digest}", "size": len(content)}

        unknown = {"mediaType": "application/x-unknown", **store(b"no JSON at all")}
        kind = "application/vnd.oci.image.index.v1+json"
        root = store(json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [unknown]}).encode())
        index = json.loads((self.layout / "index.json").read_text())
        index["manifests"].append({"mediaType": kind, "annotations": {"org.opencontainers.image.ref.name": "odd"}, **root})
        (self.layout / "index.json").write_text(json.dumps(index))
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/odd:1"
            self.lade("index", "create", name, f"oci:{self.layout}:odd")
            self.assertEqual(self.entries(name), [unknown])
            self.lade("copy", "--all", name, f"oci:{self.tmp}/back:1")
        self.assertEqual((self.tmp / "back/blobs/sha256" / unknown["digest"][7:]).read_bytes(), b"no JSON at all")

    def test_a_single_image_is_no_index(self):
        self.assertIn("single image", self.lade_fails("index", "add", self.names[0], self.names[1]).err)


if __name__ == "__main__":
    main()
