"""The program called as skopeo against Debian's skopeo: the same command lines, the same output.

Debian's is 1.9.3. Where newer releases print something else, we follow these, and the test says so: LayersData of inspect,
"Copying N images generated from M images in list", no "Storing signatures" without signatures, exit status 2 for images that
do not exist, help on standard error with status 1 for a wrong number of arguments, architectures in quotes.
"""
import hashlib
import json
import os
import re

from lade_testing import LADE, Case, Registry, layout_from_tar, main, need, run

SKOPEO = "/usr/bin/skopeo"


def progress(text):
    """Lines of a copy: in the words of newer releases, blobs (copied in parallel) sorted."""
    lines = [line for line in text.splitlines() if not line.startswith(("Storing signatures", "Storing list signatures"))]
    lines = [re.sub(r"^Copying (\d+) of (\d+) images in list$", r"Copying \1 images generated from \2 images in list", line)
             for line in lines]
    out, blobs = [], []
    for line in lines:
        if line.startswith("Copying blob "):
            blobs.append(line)
            continue
        out += sorted(blobs) + [line]
        blobs = []
    return out + sorted(blobs)


def inspected(text):
    return re.sub(r'    "LayersData": \[\n.*?\n    \],\n', "", text, flags=re.DOTALL)


def complaints(text):
    text = re.sub(r'^time="[^"]*" ', "", text, flags=re.MULTILINE)
    text = text.replace("manifest unknown: manifest unknown", "manifest unknown")
    return re.sub(r'architecture \\?"?([a-z0-9]*?)\\?"?, variant \\"\\", OS \\?"?([a-z]*?)\\?"?"', r'architecture \1, variant, OS \2"', text)


class Skopeo(Case):
    def setUp(self):
        super().setUp()
        need("skopeo", "umoci")
        os.symlink(LADE, self.tmp / "skopeo")
        self.write("root/etc/motd", "hello\n")
        run("tar", "-C", self.tmp / "root", "-cf", self.tmp / "root.tar", ".")
        layout_from_tar(self.tmp / "root.tar", self.tmp / "l", "a")
        self.write("second/data", bytes(5000))
        run("tar", "-C", self.tmp / "second", "-cf", self.tmp / "second.tar", ".")
        run("umoci", "raw", "add-layer", "--image", f"{self.tmp}/l:a", self.tmp / "second.tar")
        run("umoci", "config", "--image", f"{self.tmp}/l:a", "--config.env", "A=b", "--config.env", "PATH=/bin", "--config.label",
            "who=<me> & \"you\"", "--config.cmd", "/bin/x", "--config.exposedports", "80/tcp", "--config.volume", "/data",
            "--config.user", "app", "--config.workingdir", "/w", "--author", "somebody")
        names = []
        for arch in ("amd64", "arm64", "s390x"):
            run("umoci", "tag", "--image", f"{self.tmp}/l:a", arch)
            run("umoci", "config", "--image", f"{self.tmp}/l:{arch}", "--architecture", arch, "--config.label", f"arch={arch}")
            names.append(f"oci:{self.tmp}/l:{arch}")
        self.lade("index", "create", f"oci:{self.tmp}/ix:all", *names)
        registry = Registry(self.tmp / "registry")
        registry.__enter__()
        self.addCleanup(registry.__exit__)
        self.registry = f"docker://{registry.host}"
        for image, place in ((f"oci:{self.tmp}/l:a", "app:1.0"), (f"oci:{self.tmp}/l:a", "app:2.0")):
            run(SKOPEO, "copy", "--dest-tls-verify=false", image, f"{self.registry}/{place}")
        run(SKOPEO, "copy", "--all", "--dest-tls-verify=false", f"oci:{self.tmp}/ix:all", f"{self.registry}/multi:1")
        for place in ("dir:dir", "oci-archive:oci.tar:x", "docker-archive:docker.tar:repo/name:tag"):
            run(SKOPEO, "copy", f"oci:{self.tmp}/l:a", place, cwd=self.tmp)
        self.env = {"HOME": str(self.tmp / "home"), "XDG_CACHE_HOME": str(self.tmp / "cache"), "XDG_RUNTIME_DIR": str(self.tmp)}

    def ours(self, *words, **options):
        return run(self.tmp / "skopeo", *words, check=False, env=self.env, cwd=self.tmp, **options)

    def theirs(self, *words, **options):
        return run(SKOPEO, *words, check=False, env=self.env, cwd=self.tmp, **options)

    def both(self, *words, out=str, status=None, err=True, clean=()):
        """Runs both; standard output must be the same after `out`, the status too unless `status` says ours."""
        words = [str(word).replace("REG", self.registry) for word in words]
        with self.subTest(" ".join(words)):
            results = []
            for tool in (self.theirs, self.ours):
                run("rm", "-rf", *[self.tmp / name for name in clean])
                results.append(tool(*words))
            theirs, ours = results
            self.assertEqual(out(ours.out), out(theirs.out))
            self.assertEqual(ours.status, theirs.status if status is None else status, ours.err)
            if err:
                self.assertEqual(complaints(ours.err), complaints(theirs.err))
            return ours

    def test_what_is_inspected(self):
        insecure = "--tls-verify=false"
        for name in ("oci:l:a", "dir:dir", "oci-archive:oci.tar:x"):
            self.both("inspect", name, out=inspected)
            self.both("inspect", "--raw", name)
            self.both("inspect", "--config", name)
            self.both("inspect", "--config", "--raw", name)
        for words in (["REG/app:1.0"], ["-n", "REG/app:1.0"], ["--no-tags=false", "REG/app:2.0"], ["REG/multi:1"], ["--raw", "REG/multi:1"],
                      ["--config", "REG/multi:1"], ["--raw", "--config", "REG/app:1.0"]):
            self.both("inspect", insecure, *words, out=inspected)
        self.both("inspect", "oci:ix:all", out=inspected)
        self.both("--override-arch", "arm64", "inspect", "oci:ix:all", out=inspected)
        self.both("inspect", "--override-arch=s390x", "--override-os", "linux", "oci:ix:all", out=inspected)
        self.both("--override-arch", "mips", "inspect", "oci:ix:all")
        self.both("inspect", "docker-archive:docker.tar", out=lambda text: re.sub('"Digest".*', "", inspected(text)))
        data = json.loads(self.ours("inspect", "oci:l:a").out)
        self.assertEqual([layer["Size"] for layer in data["LayersData"]],
                         [layer["size"] for layer in json.loads(self.ours("inspect", "--raw", "oci:l:a").out)["layers"]])
        self.assertEqual(list(data), ["Digest", "RepoTags", "Created", "DockerVersion", "Labels", "Architecture", "Os", "Layers", "LayersData", "Env"])

    def test_formats(self):
        for form in ("{{.Name}} {{.Digest}}", "{{.Architecture}}/{{.Os}}", "{{index .Labels \"who\"}}", "{{range .}}{{.Digest}}{{end}}",
                     "{{range .Layers}}{{.}},{{end}}", "{{len .Layers}}{{if .Env}} env{{end}}", "{{.Env}}", "{{printf \"%.12s\" .Digest}}",
                     "{{with .Labels}}{{.who}}{{end}}", "json", "{{json .}}", "{{.Labels.none}}", "{{.Digest", "{{foo .}}", "{{end}}"):
            exact = form not in ("{{range .}}{{.Digest}}{{end}}", "{{foo .}}")
            if exact:
                self.both("inspect", "--format", form, "oci:l:a", out=inspected)
        self.both("inspect", "--config", "--format", "{{.Architecture}} {{.Config.Env}} {{.RootFS.Type}} {{len .History}}", "oci:l:a")
        self.assertIn("can't evaluate field Foo in type interface {}", self.ours("inspect", "--format", "{{.Foo}}", "oci:l:a").err)
        self.assertIn('function "foo" not defined', self.ours("inspect", "--format", "{{foo .}}", "oci:l:a").err.replace('\\"', '"'))
        self.assertEqual(self.ours("inspect", "-f", "{{join .Env \"+\"}}", "oci:l:a").out, "A=b+PATH=/bin\n")
        self.both("inspect", "--raw", "--format", "x", "oci:l:a")

    def test_digests_by_another_algorithm(self):
        raw = self.ours("inspect", "--raw", "oci:l:a").out.encode()
        shown = self.ours("inspect", "--manifest-digest", "sha512", "-f", "{{.Digest}}", "oci:l:a")
        self.assertEqual(shown.out, f"sha512:{hashlib.sha512(raw).hexdigest()}\n")
        self.assertEqual(self.ours("inspect", "--manifest-digest", "md5", "oci:l:a").status, 1)

    def test_tags(self):
        self.both("list-tags", "--tls-verify=false", "REG/app")
        self.both("list-tags", "--tls-verify=false", "REG/app:1.0")
        self.both("list-tags", "docker-archive:docker.tar")
        self.both("list-tags", "oci:l")
        self.both("list-tags", "app")
        self.both("list-tags", "docker:app")
        self.both("list-tags", "--tls-verify=false", "REG/none", err=False)

    def test_copies_of_every_pair(self):
        sources = ("oci:l:a", "dir:dir", "oci-archive:oci.tar:x", "REG/app:1.0")
        destinations = ("oci:out:x", "dir:out", "oci-archive:out:x", "docker-archive:out:x:y", "REG/copied:1")
        for source in sources:
            for destination in destinations:
                self.both("copy", "--src-tls-verify=false", "--dest-tls-verify=false", source, destination, out=progress, clean=["out"])
                self.assertEqual(run(SKOPEO, "inspect", "--tls-verify=false", "--format", "{{.Architecture}}",
                                     destination.replace("REG", self.registry), cwd=self.tmp).out, "amd64\n")
        for destination in destinations[:3]:
            result = self.ours("copy", "docker-archive:docker.tar", destination)
            self.assertEqual(result.status, 0, result.err)
            run("rm", "-rf", self.tmp / "out")

    def test_copies_of_lists(self):
        self.both("copy", "--all", "--dest-tls-verify=false", "oci:ix:all", "REG/multi:2", out=progress)
        self.both("copy", "--multi-arch", "all", "--src-tls-verify=false", "REG/multi:1", "dir:out", out=progress, clean=["out"])
        self.both("copy", "--multi-arch=index-only", "--dest-tls-verify=false", "oci:ix:all", "REG/multi:3", out=progress)
        self.both("copy", "--multi-arch=system", "oci:ix:all", "dir:out", out=progress, clean=["out"])
        self.both("--override-arch", "arm64", "copy", "oci:ix:all", "dir:out", out=progress, clean=["out"])
        self.both("--override-arch", "mips", "copy", "oci:ix:all", "dir:out", clean=["out"])
        self.both("copy", "--multi-arch", "some", "oci:ix:all", "dir:out")
        self.both("copy", "-a", "--multi-arch", "all", "oci:ix:all", "dir:out")
        two = self.ours("copy", "--dest-tls-verify=false", "--multi-arch", "linux/amd64,linux/arm64", "oci:ix:all", f"{self.registry}/two:1")
        self.assertIn("Copying 2 images generated from 3 images in list\n", two.out)
        bad = self.ours("copy", "--multi-arch", "linux/amd64,arm64", "oci:ix:all", "dir:out")
        self.assertIn('invalid platform format \\"arm64\\" in --multi-arch', bad.err)

    def test_lists_do_not_fit_into_docker_archives(self):
        self.both("copy", "-q", "--all", "oci:ix:all", "docker-archive:out:x:y", clean=["out"])

    def test_options_of_copy(self):
        self.both("copy", "-q", "oci:l:a", "dir:out", clean=["out"])
        self.both("copy", "--format", "v2s2", "oci:l:a", "dir:out", out=progress, clean=["out"])
        self.both("copy", "-f", "v3", "oci:l:a", "dir:out", clean=["out"])
        self.both("copy", "--preserve-digests", "oci:l:a", "dir:out", out=progress, clean=["out"])
        self.both("copy", "--digestfile", "digest", "oci:l:a", "dir:out", out=progress, clean=["out"])
        self.assertEqual((self.tmp / "digest").read_text(), self.ours("inspect", "-f", "{{.Digest}}", "oci:l:a").out.strip())
        self.both("copy", "--additional-tag", "m:n", "oci:l:a", "docker-archive:out:x:y", out=progress, clean=["out"])
        self.both("list-tags", "docker-archive:out")
        self.both("copy", "--additional-tag", "m", "oci:l:a", "docker-archive:out:x:y", clean=["out"])
        self.both("copy", "--dest-compress", "oci:l:a", "oci:out:x", out=progress, err=False, clean=["out"])  # newer ones warn
        self.both("copy", "--dest-decompress", "oci:l:a", "dir:out", out=lambda _: "", clean=["out"])
        self.assertEqual(sorted(layer["mediaType"][-3:] for layer in json.loads((self.tmp / "out/manifest.json").read_text())["layers"]), ["tar"] * 2)
        self.both("copy", "--src-shared-blob-dir", "l/blobs", "oci:l:a", "dir:out", out=progress, clean=["out"])
        self.both("--tmpdir", self.tmp, "--command-timeout", "1m", "copy", "oci:l:a", "dir:out", out=progress, clean=["out"])
        self.both("copy", "--encrypt-layer", "0", "oci:l:a", "dir:out", clean=["out"])
        self.both("copy", "--encryption-key", "jwe:x", "--decryption-key", "y", "oci:l:a", "dir:out", clean=["out"])
        for creds in (["--src-creds", ":x"], ["--src-creds", ""], ["--src-username", "u"], ["--src-password", "p"],
                      ["--src-creds", "u:p", "--src-no-creds"], ["--src-creds", "u:p", "--src-username", "x", "--src-password", "y"]):
            self.both("copy", *creds, "oci:l:a", "dir:out", clean=["out"])
        for refused in (["--sign-by", "x"], ["--encryption-key", "jwe:x"], ["--format", "v2s1"], ["--sign-by-sigstore", "x"]):
            result = self.ours("copy", *refused, "oci:l:a", "dir:out")
            self.assertEqual(result.status, 1)
            self.assertIn("not implemented", result.err)

    def test_debug_adds_lines_to_the_log(self):
        plain = self.ours("inspect", "oci:l:a")
        result = self.ours("--debug", "inspect", "oci:l:a")
        self.assertEqual(result.out, plain.out)
        self.assertRegex(result.err, r'(?m)^time="[^"]+" level=debug msg="Found oci:l:a" digest="sha256:[0-9a-f]{64}" mediaType=')
        self.assertNotIn("level=debug", plain.err)
        result = self.ours("copy", "--debug", "oci:l:a", "dir:out")
        self.assertRegex(result.err, r'level=debug msg="The policy accepts oci:l:a"')
        self.assertRegex(result.err, r'level=debug msg="blob [^"]* is done')

    def test_precomputed_digests_save_uploads(self):
        self.assertEqual(self.ours("copy", "--dest-decompress", "oci:l:a", "dir:plain").status, 0)
        target = f"{self.registry}/made:1"
        layers = json.loads((self.tmp / "plain/manifest.json").read_text())["layers"]
        links = self.tmp / "registry/data/docker/registry/v2/repositories/made/_layers/sha256"

        def written(*words):
            """When each blob was stored in the repository last, and the image's digest."""
            result = self.ours("copy", "--dest-tls-verify=false", *words, "dir:plain", target)
            self.assertEqual(result.status, 0, result.err)
            digest = json.loads(self.ours("inspect", "--tls-verify=false", target).out)["Digest"]
            return sorted(path.stat().st_mtime_ns for path in links.glob("*/link")), digest

        first = written("--dest-precompute-digests", "--tmpdir", ".")
        self.assertEqual(len(first[0]), len(layers) + 1)
        self.assertEqual(written("--dest-precompute-digests"), first)
        streamed = written()
        self.assertNotEqual(streamed[0], first[0])
        self.assertEqual(streamed[1], first[1])
        run(SKOPEO, "copy", "--src-tls-verify=false", target, f"dir:{self.tmp}/back")

    def test_images_that_do_not_exist(self):
        for words in (["inspect", "--tls-verify=false", "REG/app:none"], ["inspect", "oci:l:none"],
                      ["copy", "--src-tls-verify=false", "REG/app:none", "dir:out"], ["copy", "oci:l:none", "dir:out"]):
            self.both(*words, status=2, err=words[0] == "inspect")
        self.both("inspect", "oci:none:x", err=False)
        self.both("inspect", "dir:none", err=False)

    def test_wrong_command_lines(self):
        for words in ([], ["foo"], ["inspec", "x"], ["--bogus"], ["inspect"], ["inspect", "a", "b"], ["inspect", "--bogus", "x"], ["inspect", "-z"],
                      ["inspect", "--format"], ["inspect", "-f"], ["inspect", "x"], ["inspect", "docker:x"], ["inspect", "x:y"],
                      ["inspect", "docker://a//b"], ["copy", "x", "dir:y"], ["copy", "oci:l:a", "y"], ["copy", "--retry-times=x", "a", "b"],
                      ["copy", "--all=maybe", "a", "b"], ["copy", "-a=maybe", "a", "b"], ["--command-timeout", "5", "inspect", "x"], ["--command-timeout=1y", "inspect", "x"],
                      ["copy", "--=x"], ["manifest-digest"], ["manifest-digest", "/none"], ["copy", "--encrypt-layer", "x", "a", "b"],
                      ["--tls-verify", "inspect", "x"], ["copy", "--policy", "/none", "oci:l:a", "dir:out"]):
            self.both(*words)
        for words in (["copy"], ["copy", "a"], ["delete"], ["sync", "a"], ["list-tags"]):
            result = self.ours(*words)
            self.assertEqual((result.status, result.out), (1, ""))
            self.assertIn("Usage:\nskopeo " + words[0], result.err)
            self.assertIn(" expected", result.err.splitlines()[-1])

    def test_digests_and_help(self):
        self.both("manifest-digest", "dir/manifest.json")
        self.assertRegex(self.ours("--version").out, r"^skopeo version \d+\.\d+\.\d+")
        self.assertEqual(self.ours("-v").out, self.ours("--version").out)
        for command in ("copy", "delete", "inspect", "list-tags", "login", "logout", "manifest-digest", "sync"):
            ours, theirs = self.ours(command, "--help").out, self.theirs(command, "--help").out
            self.assertEqual(ours, self.ours("help", command).out)
            flags = set(re.findall(r"--[a-z0-9-]+", theirs.split("Flags:")[1]))
            self.assertEqual(flags - set(re.findall(r"--[a-z0-9-]+", ours.split("Flags:")[1])), set())
            self.assertEqual(ours.split("Usage:")[1].split("\n\n")[0], theirs.split("Usage:")[1].split("\n\n")[0])

    def test_deletions(self):
        self.both("delete", "--tls-verify=false", "REG/app:none")
        self.both("delete", "dir:dir")
        self.both("delete", "docker-archive:docker.tar")
        run(SKOPEO, "copy", "--dest-tls-verify=false", "oci:l:a", f"{self.registry}/gone:1", cwd=self.tmp)
        result = self.ours("delete", "--tls-verify=false", f"{self.registry}/gone:1")
        self.assertEqual((result.status, result.out, result.err), (0, "", ""))
        self.assertEqual(self.theirs("inspect", "--tls-verify=false", f"{self.registry}/gone:1").status, 1)

    def test_policies(self):
        policies = {"accept": {"default": [{"type": "insecureAcceptAnything"}]}, "reject": {"default": [{"type": "reject"}]},
                    "scoped": {"default": [{"type": "insecureAcceptAnything"}], "transports": {"oci": {str(self.tmp / "l"): [{"type": "reject"}]}}},
                    "empty": {}, "unknown": {"default": [{"type": "insecureAcceptAnything"}], "x": 1}}
        for name, policy in policies.items():
            self.write(f"{name}.json", json.dumps(policy))
            self.both("--policy", f"{name}.json", "copy", "oci:l:a", "dir:out", out=progress, clean=["out"], err=name in ("accept", "reject", "scoped"))
        self.both("--policy", "scoped.json", "copy", "dir:dir", "dir:out", out=progress, clean=["out"])
        self.both("--policy", "reject.json", "--insecure-policy", "copy", "oci:l:a", "dir:out", out=progress, clean=["out"])
        signed = {"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/none"}]}
        self.write("signed.json", json.dumps(signed))
        result = self.ours("--policy", "signed.json", "copy", "oci:l:a", "dir:out")
        self.assertEqual(result.status, 1)
        self.assertIn("Source image rejected: the policy demands a signature", result.err)
        self.assertEqual(self.ours("--require-signed", "copy", "oci:l:a", "dir:out").status, 1)
        self.write("home/.config/containers/policy.json", json.dumps(policies["reject"]))
        self.both("copy", "oci:l:a", "dir:out", clean=["out"])
        refused = self.lade("copy", f"oci:{self.tmp}/l:a", f"dir:{self.tmp}/out", env=self.env, check=False)
        self.assertEqual(refused.status, 1)
        self.assertIn("is rejected by policy", refused.err)

    def test_sync(self):
        result = self.ours("sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", f"{self.registry[9:]}/app", "synced")
        self.assertEqual(result.status, 0, result.err)
        self.assertIn('level=info msg="Synced 2 images from 1 sources"', result.err)
        self.assertTrue((self.tmp / "synced/app:1.0/manifest.json").exists())
        theirs = self.theirs("sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", f"{self.registry[9:]}/app", "other")
        self.assertEqual(theirs.status, 0, theirs.err)
        self.assertEqual(sorted(os.listdir(self.tmp / "synced")), sorted(os.listdir(self.tmp / "other")))
        rejecting = {"default": [{"type": "insecureAcceptAnything"}],
                     "transports": {"docker": {f"{self.registry[9:]}/app:1.0": [{"type": "reject"}]}}}
        self.write("one.json", json.dumps(rejecting))
        words = ["--policy", "one.json", "sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false", f"{self.registry[9:]}/app"]
        result = self.ours(*words, "--keep-going", "some")
        self.assertEqual((result.status, os.listdir(self.tmp / "some")), (1, ["app:2.0"]))
        self.assertIn("Source image rejected: Running image", result.err)
        self.assertIn("Sync failed due to previous reported error(s)", result.err)
        for words in (["sync"], ["sync", "--src", "x", "--dest", "docker"], ["sync", "--src", "dir", "--dest", "dir"], ["sync", "--src", "docker"]):
            self.both(*words, "a", "b")


if __name__ == "__main__":
    main()
