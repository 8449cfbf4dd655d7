"""lade sync: repositories, directory trees, layouts and YAML files to registries, directories and layouts; skopeo agrees."""
import json

from lade_testing import Case, Registry, check_layout, layout_json, main, need, run, small_image, small_index


class Sync(Case):
    def setUp(self):
        super().setUp()
        need("skopeo")
        self.layout = self.tmp / "source"
        self.images = {name: small_image(self.layout, name, name) for name in ("1.0", "1.1", "2.0", "2.1-rc.1")}
        self.index = small_index(self.layout, "multi", "multi")
        self.source = self.registry("src")
        self.target = self.registry("dst")

    def registry(self, name, **options):
        registry = Registry(self.tmp / name, **options)
        registry.__enter__()
        self.addCleanup(registry.__exit__)
        return registry

    def push(self, *names, repository="team/app", registry=None):
        for name in names:
            self.lade("copy", "-q", "--all", f"oci:{self.layout}:{name}", f"docker://{(registry or self.source).host}/{repository}:{name}")

    def sync(self, *words, **options):
        return self.lade("sync", "--progress", "plain", *words, **options)

    def digest(self, name):
        return self.lade("digest", name).out.strip()

    def tags(self, repository):
        return sorted(self.lade("tags", f"docker://{self.target.host}/{repository}").out.split())

    def to_registry(self, source, *options, **more):
        return self.sync("--src", "docker", "--dest", "docker", *options, source, self.target.host + "/mirror", **more)

    def test_mirrors_a_repository_and_skips_what_is_there(self):
        self.push("1.0", "1.1", "multi")
        first = self.to_registry(f"{self.source.host}/team/app", "--all")
        self.assertIn("copied 3 images of 1 sources", first.err)
        self.assertEqual(self.tags("mirror/app"), ["1.0", "1.1", "multi"])
        for tag, want in (("1.0", self.images["1.0"]), ("multi", self.index)):
            self.assertEqual(self.digest(f"docker://{self.target.host}/mirror/app:{tag}"), want["digest"])
        run("skopeo", "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{self.target.host}/mirror/app:multi", f"dir:{self.tmp}/whole")
        again = self.to_registry(f"{self.source.host}/team/app", "--all")
        self.assertIn("copied 0 images of 1 sources (0 B), 3 existed", again.err)
        self.push("2.0")
        third = self.to_registry(f"{self.source.host}/team/app", "--all")
        self.assertIn("copied 1 images of 1 sources", third.err)
        self.assertIn("3 existed", third.err)

    def test_one_platform_is_known_again(self):
        self.push("multi")
        self.to_registry(f"{self.source.host}/team/app:multi", "--platform", "linux/arm64")
        arm = next(m["digest"] for m in layout_json(self.layout, self.index["digest"])["manifests"] if m["platform"]["architecture"] == "arm64")
        self.assertEqual(self.digest(f"docker://{self.target.host}/mirror/app:multi"), arm)
        again = self.to_registry(f"{self.source.host}/team/app:multi", "--platform", "linux/arm64")
        self.assertIn("1 existed", again.err)

    def test_names_as_skopeo_does(self):
        self.push("1.0", "2.0")
        for scoped in ([], ["--scoped"]):
            for suffix in ([], ["--append-suffix", "-mirror"]):
                roots = []
                for tool in ("lade", "skopeo"):
                    root = self.tmp / f"{tool}{len(scoped)}{len(suffix)}"
                    words = ["--src", "docker", "--dest", "dir", *scoped, *suffix, f"{self.source.host}/team/app", root]
                    if tool == "lade":
                        self.sync(*words)
                    elif suffix:  # Debian's skopeo does not know --append-suffix
                        continue
                    else:
                        run("skopeo", "sync", "--src-tls-verify=false", *words)
                    roots.append(sorted((str(p.relative_to(root)), p.read_bytes()) for p in root.rglob("*") if p.is_file()))
                if not suffix:
                    self.assertEqual(*roots)
                else:
                    self.assertTrue(all("-mirror/" in name for name, _ in roots[0]))

    def test_directories_come_back_into_a_registry(self):
        self.push("1.0", "multi")
        self.sync("--src", "docker", "--dest", "dir", "--all", "--scoped", f"{self.source.host}/team/app", self.tmp / "media")
        self.sync("--src", "dir", "--dest", "docker", "--all", self.tmp / "media", f"{self.target.host}/back")
        self.assertEqual(self.tags("back/app"), ["1.0", "multi"])
        self.sync("--src", "dir", "--dest", "docker", "--all", "--scoped", self.tmp / "media" / self.source.host, f"{self.target.host}/whole")
        self.assertEqual(self.digest(f"docker://{self.target.host}/whole/team/app:multi"), self.index["digest"])
        again = self.sync("--src", "docker", "--dest", "dir", "--all", "--scoped", f"{self.source.host}/team/app", self.tmp / "media")
        self.assertIn("2 existed", again.err)

    def test_a_layout_as_source_and_as_destination(self):
        self.push("1.0", "1.1")
        self.sync("--src", "docker", "--dest", "oci", f"{self.source.host}/team/app", self.tmp / "layout")
        check_layout(self.tmp / "layout")
        self.assertEqual(sorted(self.lade("tags", f"oci:{self.tmp}/layout").out.split()), ["app:1.0", "app:1.1"])
        self.sync("--src", "oci", "--dest", "docker", self.tmp / "layout", f"{self.target.host}/fromlayout")
        self.assertEqual(self.tags("fromlayout/app"), ["1.0", "1.1"])
        self.sync("--src", "oci", "--dest", "docker", f"{self.tmp}/layout:app:1.0", f"{self.target.host}/one")
        self.assertEqual(self.tags("one/app"), ["1.0"])
        run("skopeo", "inspect", f"oci:{self.tmp}/layout:app:1.1")

    def test_filters_tags(self):
        self.push("1.0", "1.1", "2.0", "2.1-rc.1")
        self.to_registry(f"{self.source.host}/team/app", "--semver", ">=1.1", "--exclude", "2.*")
        self.assertEqual(self.tags("mirror/app"), ["1.1"])
        self.assertIn("no images to sync", self.to_registry(f"{self.source.host}/team/app", "--filter", "3", check=False).err)

    def test_writes_the_digests_of_what_is_there(self):
        self.push("1.0", "1.1")
        for _ in range(2):
            self.to_registry(f"{self.source.host}/team/app", "--digestfile", self.tmp / "digests")
            lines = [f"{self.images[tag]['digest']} docker://{self.target.host}/mirror/app:{tag}" for tag in ("1.0", "1.1")]
            self.assertEqual(sorted((self.tmp / "digests").read_text().splitlines(), key=lambda line: line[-3:]), lines)

    def test_dry_run_writes_nothing(self):
        self.push("1.0", "1.1")
        self.to_registry(f"{self.source.host}/team/app:1.0")
        result = self.to_registry(f"{self.source.host}/team/app", "--dry-run", "--digestfile", self.tmp / "digests")
        self.assertIn("would copy 1 images of 1 sources, 1 existed", result.err)
        self.assertEqual(self.tags("mirror/app"), ["1.0"])
        self.assertFalse((self.tmp / "digests").exists())
        self.sync("--src", "docker", "--dest", "dir", "--dry-run", f"{self.source.host}/team/app", self.tmp / "dir")
        self.assertFalse((self.tmp / "dir").exists())

    def break_image(self, repository, tag):
        """Takes a layer's bytes away from the source registry."""
        manifest = layout_json(self.layout, self.images[tag]["digest"])
        hexdigits = manifest["layers"][1]["digest"].split(":")[1]
        data = self.tmp / "src/data/docker/registry/v2/blobs/sha256" / hexdigits[:2] / hexdigits / "data"
        data.unlink()

    def test_keep_going(self):
        self.push("1.0", "1.1", "2.0")
        self.break_image("team/app", "1.1")
        self.lade_fails("sync", "--src", "docker", "--dest", "docker", f"{self.source.host}/team/app", self.target.host)
        result = self.to_registry(f"{self.source.host}/team/app", "--keep-going", "--digestfile", self.tmp / "digests", check=False)
        self.assertEqual(result.status, 1)
        self.assertIn("copied 2 images of 1 sources", result.err)
        self.assertIn("1 failed", result.err)
        self.assertEqual(self.tags("mirror/app"), ["1.0", "2.0"])
        self.assertEqual(len((self.tmp / "digests").read_text().splitlines()), 2)

    def test_refuses_two_images_for_one_place(self):
        self.push("1.0")
        self.push("1.0", repository="other/app")
        config = self.write("sync.yaml", f"{self.source.host}:\n  tls-verify: false\n  images:\n    team/app: [1.0]\n    other/app: [1.0]\n")
        words = ["--src", "yaml", "--dest", "docker", config, self.target.host]
        self.assertIn("use --scoped", self.lade_fails("sync", *words).err)
        self.sync("--scoped", "--src", "yaml", "--dest", "dir", config, self.tmp / "dir")
        self.assertEqual(len(list((self.tmp / "dir").rglob("manifest.json"))), 2)

    def test_preserve_digests_and_format(self):
        self.push("1.0")
        self.to_registry(f"{self.source.host}/team/app", "--format", "docker")
        raw = json.loads(self.lade("manifest", "get", f"docker://{self.target.host}/mirror/app:1.0").out)
        self.assertEqual(raw["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")
        planned = self.to_registry(f"{self.source.host}/team/app", "--format", "docker", "--dry-run")
        self.assertIn("would copy 0 images", planned.err)
        self.assertIn("would copy", self.to_registry(f"{self.source.host}/team/app", "--dry-run").err)
        again = self.to_registry(f"{self.source.host}/team/app", "--format", "docker")
        self.assertIn("copied 0 images of 1 sources (0 B), 1 existed", again.err)  # known, though its digest is another
        for _ in range(2):
            back = self.lade("sync", "--progress", "json", "--src", "docker", "--dest", "oci", f"{self.target.host}/mirror/app", self.tmp / "back")
            events = [json.loads(line) for line in back.err.splitlines()]
            self.assertEqual([event["event"] for event in events if event.get("item") == "whole"], ["started"])
        self.assertEqual([event["note"] for event in events if event["event"] == "finished"], ["exists"])
        self.assertEqual((events[-1]["event"], events[-1].get("done", 0)), ("summary", 0))
        self.assertIn("cannot be preserved", self.to_registry(f"{self.source.host}/team/app", "--format", "docker", "--preserve-digests", check=False).err)
        digest = self.images["1.0"]["digest"]
        self.to_registry(f"{self.source.host}/team/app@{digest}", "--preserve-digests")
        self.assertEqual(self.digest(f"docker://{self.target.host}/mirror/app@{digest}"), digest)

    def test_carries_referrers_when_asked(self):
        subject = {k: self.images["1.0"][k] for k in ("mediaType", "digest", "size")}
        self.push("1.0")
        self.to_registry(f"{self.source.host}/team/app", "--referrers")
        signature = small_image(self.layout, "signature", "signature", artifactType="application/x-signature", subject=subject)["digest"]
        self.lade("copy", "-q", f"oci:{self.layout}:signature", f"docker://{self.source.host}/team/app@{signature}")
        self.to_registry(f"{self.source.host}/team/app:1.0", "--referrers")  # the image is there, its signature is new
        self.assertEqual(self.digest(f"docker://{self.target.host}/mirror/app@{signature}"), signature)

    def test_lists_of_referrers_stay_whole(self):
        subject = {k: self.images["1.0"][k] for k in ("mediaType", "digest", "size")}
        signature = small_image(self.layout, "signature", "signature", artifactType="application/x-signature", subject=subject)
        self.push("1.0")  # with its signature, for which the registry has a tag
        self.to_registry(f"{self.source.host}/team/app")
        tag = self.images["1.0"]["digest"].replace(":", "-")
        self.assertEqual(self.tags("mirror/app"), ["1.0", tag])
        for host in (f"{self.source.host}/team", f"{self.target.host}/mirror"):
            listed = json.loads(self.lade("manifest", "get", f"docker://{host}/app:{tag}").out)
            self.assertEqual([m["digest"] for m in listed["manifests"]], [signature["digest"]])
        self.digest(f"docker://{self.target.host}/mirror/app@{signature['digest']}")

    def test_yaml_names_repositories_tags_expressions_and_versions(self):
        self.push("1.0", "1.1", "2.0", "2.1-rc.1", "multi")
        self.push("1.0", "2.0", repository="web")
        self.push("1.0", "2.0", repository="by-regex")
        self.push("1.0", "1.1", "2.1-rc.1", repository="by-version")
        config = self.write("sync.yaml", f"""
{self.source.host}:
  tls-verify: false
  images:
    team/app:
      - "1.1"
      - {self.images["2.0"]["digest"]}
    web: []
  images-by-tag-regex:
    by-regex: ^2
  images-by-semver:
    by-version: ">= 1.0, < 1.1"
  surprise: 1
empty.example:
""")
        result = self.sync("--src", "yaml", "--dest", "docker", config, f"{self.target.host}/y")
        self.assertIn("'surprise' (line 13)", result.err)
        self.assertIn("no images are named for 'empty.example'", result.err)
        self.assertIn("copied 6 images of 4 sources", result.err)
        self.assertEqual(self.tags("y/app"), ["1.1"])
        self.assertEqual(self.digest(f"docker://{self.target.host}/y/app@{self.images['2.0']['digest']}"), self.images["2.0"]["digest"])
        self.assertEqual(self.tags("y/web"), ["1.0", "2.0"])
        self.assertEqual(self.tags("y/by-regex"), ["2.0"])
        self.assertEqual(self.tags("y/by-version"), ["1.0"])

    def test_yaml_credentials_go_to_their_registry(self):
        need("htpasswd")
        passwords = self.write("htpasswd", run("htpasswd", "-nbB", "me", "secret").out)
        guarded = self.registry("guarded", htpasswd=passwords)
        self.lade("copy", "-q", "--dest-creds", "me:secret", f"oci:{self.layout}:1.0", f"docker://{guarded.host}/app:1.0")
        text = f"{guarded.host}:\n  tls-verify: false\n  images: {{app: []}}\n  credentials: {{username: me, password: %s}}\n"
        self.sync("--src", "yaml", "--dest", "docker", self.write("right.yaml", text % "secret"), f"{self.target.host}/y")
        self.assertEqual(self.tags("y/app"), ["1.0"])
        wrong = self.lade_fails("sync", "--src", "yaml", "--dest", "docker", self.write("wrong.yaml", text % "wrong"), f"{self.target.host}/y")
        self.assertIn("401", wrong.err)
        self.assertNotIn("wrong\n", wrong.err.replace("wrong.yaml", ""))

    def test_yaml_failures(self):
        self.push("1.0")
        config = self.write("sync.yaml", f"{self.source.host}:\n  images:\n    nothing: []\n    team/app: []\n    'bad name': []\n"
                                         f"  images-by-tag-regex: {{team/app: '('}}\n  images-by-semver: {{team/app: 'new'}}\n")
        words = ["sync", "--src", "yaml", "--dest", "docker", config, f"{self.target.host}/y"]
        self.lade_fails(*words)
        result = self.lade_fails(*words, "--keep-going", "--progress", "plain")
        for text in ("NAME_UNKNOWN", "bad name", "regular expression", "version range", "4 failed"):
            self.assertIn(text, result.err)
        self.assertEqual(self.tags("y/app"), ["1.0"])
        broken = self.write("broken.yaml", "a: [\n")
        self.assertIn("line 2", self.lade_fails("sync", "--src", "yaml", "--dest", "docker", broken, self.target.host).err)

    def test_names_never_leave_the_destination(self):
        index = json.loads((self.layout / "index.json").read_text())
        index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "../../outside"
        (self.layout / "index.json").write_text(json.dumps(index))
        result = self.lade_fails("sync", "--src", "oci", "--dest", "dir", "--scoped", "--all", self.layout, self.tmp / "a/b/c")
        self.assertIn("does not stay in the destination", result.err)
        self.assertFalse((self.tmp / "a").exists())

    def test_a_policy_refuses_images(self):
        self.push("1.0", "1.1")
        source = f"{self.source.host}/team/app"
        rules = {f"{source}:1.1": [{"type": "reject"}]}
        policy = {"default": [{"type": "insecureAcceptAnything"}], "transports": {"docker": rules}}
        env = {"XDG_CONFIG_HOME": str(self.tmp / "config")}
        self.write("config/containers/policy.json", json.dumps(policy))
        for words in ([], ["--dry-run"]):
            refused = self.to_registry(source, *words, env=env, check=False)
            self.assertEqual(refused.status, 1)
            self.assertIn("is rejected by policy", refused.err)
        result = self.to_registry(source, "--keep-going", env=env, check=False)
        self.assertEqual(result.status, 1)
        self.assertEqual(self.tags("mirror/app"), ["1.0"])
        rules[f"{source}:1.1"] = [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/none"}]
        self.write("config/containers/policy.json", json.dumps(policy))
        self.assertIn("demands a signature", self.to_registry(source, env=env, check=False).err)
        self.assertEqual(self.tags("mirror/app"), ["1.0"])

    def test_refuses_wrong_words(self):
        for words in (["--dest", "docker", "a", "b"], ["--src", "docker", "a", "b"], ["--src", "ftp", "--dest", "docker", "a", "b"],
                      ["--src", "dir", "--dest", "docker", "--semver", "1", "a", "b"], ["--src", "docker", "--dest", "docker", "a"],
                      ["--src", "docker", "--dest", "docker", "--all", "--platform", "linux/amd64", "a", "b"]):
            self.lade_fails("sync", *words, status=2)
        self.assertIn("is no directory", self.lade_fails("sync", "--src", "dir", "--dest", "docker", self.tmp / "absent", "a.b").err)
        self.assertIn("NAME_UNKNOWN", self.to_registry(f"{self.source.host}/nothing", check=False).err)


if __name__ == "__main__":
    main()
