"""The commands of skopeo that its help does not show but programs use, against Debian's skopeo: the image proxy (of bootc and
rpm-ostree), layers, completion. Debian's proxy speaks protocol 0.2.3; what came later is checked by the protocol's description.
"""
import json
import os
import re
import socket
import subprocess
import threading

from lade_testing import LADE, Case, Registry, layout_blob, layout_json, main, need, run, small_image, small_index

SKOPEO = "/usr/bin/skopeo"


class Proxy:
    """A client of the protocol; a context manager."""

    def __init__(self, *command, env=None, cwd=None):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        with theirs:
            self.process = subprocess.Popen([*map(str, command), "--sockfd", str(theirs.fileno())], pass_fds=[theirs.fileno()],
                                            env={**os.environ, **(env or {})}, cwd=cwd, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.wait(60)
        self.process.stderr.close()

    def send(self, method, *args):
        self.socket.send(json.dumps({"method": method, "args": args}).encode())
        data, fds, _, _ = socket.recv_fds(self.socket, 32768, 4)
        return json.loads(data), fds

    def call(self, method, *args):
        """The reply, and what comes by the pipe."""
        reply, fds = self.send(method, *args)
        if not fds:
            return reply, None
        got = []
        with os.fdopen(fds[0], "rb") as pipe:
            reader = threading.Thread(target=lambda: got.append(pipe.read()))
            reader.start()
            end, _ = self.send("FinishPipe", reply["pipeid"])
            reader.join()
        return (reply if end["success"] else end), got[0]

    def value(self, method, *args):
        reply, _ = self.call(method, *args)
        assert reply["success"], reply
        return reply["value"]


class Hidden(Case):
    def setUp(self):
        super().setUp()
        need("skopeo")
        os.symlink(LADE, self.tmp / "skopeo")
        self.image = small_image(self.tmp / "l", "a", "one")
        self.index = small_index(self.tmp / "l", "all", "two")

    def ours(self, *words, **options):
        return run(self.tmp / "skopeo", *words, check=False, cwd=self.tmp, **options)

    def proxies(self, *words):
        for tool in (self.tmp / "skopeo", SKOPEO):
            with self.subTest(tool), Proxy(tool, *words, "experimental-image-proxy", cwd=self.tmp) as proxy:
                self.addCleanup(proxy.socket.close)
                yield proxy

    def test_images_by_the_proxy(self):
        with Registry(self.tmp / "registry") as registry:
            run(SKOPEO, "copy", "-q", "--format", "v2s2", "--dest-tls-verify=false", "oci:l:a", f"docker://{registry.host}/app:1", cwd=self.tmp)
            run(SKOPEO, "copy", "-q", "oci:l:a", "docker-archive:archive.tar", cwd=self.tmp)
            for name in ("oci:l:a", "oci:l:all", f"docker://{registry.host}/app:1", "docker-archive:archive.tar"):
                seen = []
                for tool in (self.tmp / "skopeo", SKOPEO):
                    with Proxy(tool, "experimental-image-proxy", "--tls-verify=false", cwd=self.tmp) as proxy:
                        proxy.value("Initialize")
                        image = proxy.value("OpenImage", name)
                        digest, manifest = proxy.call("GetManifest", image)
                        manifest = json.loads(manifest)
                        layers = [proxy.call("GetBlob", image, layer["digest"], layer["size"])[1] for layer in manifest["layers"]]
                        config = json.loads(proxy.call("GetFullConfig", image)[1])
                        if name.startswith("docker:"):
                            del manifest["config"]  # skopeo's names a config that it rewrote, and nobody has
                        seen.append((manifest if "archive" not in name else 0, layers, config, json.loads(proxy.call("GetConfig", image)[1]),
                                     digest["value"] if "archive" not in name else 0))
                        proxy.value("CloseImage", image)
                        proxy.socket.send(b'{"method":"Shutdown","args":[]}')
                        self.assertEqual(proxy.socket.recv(100), b"")
                        self.assertEqual(proxy.process.wait(60), 0)
                self.assertEqual(*seen, name)

    def test_what_newer_protocols_added(self):
        with Proxy(self.tmp / "skopeo", "experimental-image-proxy", cwd=self.tmp) as proxy:
            self.assertEqual(proxy.value("Initialize"), "0.2.8")
            self.assertEqual(proxy.value("OpenImageOptional", "oci:l:none"), 0)
            self.assertFalse(proxy.call("OpenImage", "oci:l:none")[0]["success"])
            image = proxy.value("OpenImageOptional", "oci:l:a")
            listed = [{"digest": layer["digest"], "size": layer["size"], "media_type": layer["mediaType"]}
                      for layer in layout_json(self.tmp / "l", self.image["digest"])["layers"]]
            self.assertEqual(proxy.value("GetLayerInfo", image), listed)
            self.assertEqual(json.loads(proxy.call("GetLayerInfoPiped", image)[1]), listed)
            reply, fds = proxy.send("GetRawBlob", image, listed[0]["digest"])
            self.assertEqual((reply["value"], reply["pipeid"], len(fds)), (listed[0]["size"], 0, 2))
            with os.fdopen(fds[0], "rb") as data, os.fdopen(fds[1], "rb") as errors:
                self.assertEqual((data.read(), errors.read()), (layout_blob(self.tmp / "l", listed[0]["digest"]).read_bytes(), b""))
            digest = "sha256:" + "0" * 64
            reply, _ = proxy.call("GetRawBlob", image, digest)
            self.assertEqual((reply["success"], reply["error_code"]), (False, "other"))

    def test_a_client_that_stops_reading(self):
        big = self.write("big", os.urandom(1 << 20))
        run("tar", "-C", self.tmp, "-cf", self.tmp / "big.tar", "big")
        run(self.tmp / "skopeo", "copy", "-q", f"tarball:{self.tmp}/big.tar", "oci:image:x", cwd=self.tmp)
        with Proxy(self.tmp / "skopeo", "experimental-image-proxy", cwd=self.tmp) as proxy:
            proxy.value("Initialize")
            image = proxy.value("OpenImage", "oci:image:x")
            layer = proxy.value("GetLayerInfo", image)[0]
            reply, fds = proxy.send("GetBlob", image, layer["digest"], layer["size"])
            os.close(fds[0])
            end, _ = proxy.send("FinishPipe", reply["pipeid"])
            self.assertEqual((end["success"], end["error_code"]), (False, "EPIPE"))
            reply, fds = proxy.send("GetBlob", image, layer["digest"], layer["size"])  # never read: the proxy still ends
            proxy.socket.send(b'{"method":"Shutdown","args":[]}')
            self.assertEqual(proxy.process.wait(60), 0)
            os.close(fds[0])
        big.unlink()

    def test_wrong_requests_are_answered(self):
        digest = self.image["digest"]
        for proxy in self.proxies():
            self.assertEqual(proxy.call("OpenImage", "oci:l:a")[0]["error"], "client error: must invoke Initialize")
            proxy.value("Initialize")
            image = proxy.value("OpenImage", "oci:l:a")
            for request, message in ((["Initialize"], "already initialized"), (["Initialize", 1], "expecting zero arguments"),
                                     (["OpenImage"], "expecting one argument"), (["OpenImage", 1], "expecting string imageref, not float64"),
                                     (["OpenImage", "x"], 'Invalid image name "x"'), (["Nothing"], "unknown method: Nothing"),
                                     (["GetManifest", image + 1], f"no image {image + 1}"), (["GetManifest", "x"], ", not string"),
                                     (["FinishPipe", 999], "finishpipe: no active pipe 999"), (["GetBlob", image, digest], "found 2 args"),
                                     (["GetBlob", image, "x", 1], "invalid checksum digest format"), (["GetBlob", image, 5, 1], "expecting string blobid"),
                                     (["GetBlob", image, digest, 1 << 60], "out of range integer")):
                reply, _ = proxy.call(*request)
                self.assertEqual((reply["success"], reply["value"]), (False, None))
                self.assertIn(message, reply["error"])
            for junk in (b"junk", b"[]", b'{"method":1}'):
                proxy.socket.send(junk)
                self.assertFalse(json.loads(proxy.socket.recv(32768))["success"])
            layer = layout_json(self.tmp / "l", digest)["layers"][0]
            self.assertFalse(proxy.call("GetBlob", image, layer["digest"], layer["size"] + 1)[0]["success"])

    def test_the_policy_holds_for_the_proxy(self):
        self.write("policy.json", json.dumps({"default": [{"type": "reject"}]}))
        with Proxy(self.tmp / "skopeo", "--policy", "policy.json", "experimental-image-proxy", cwd=self.tmp) as proxy:
            proxy.value("Initialize")
            self.assertIn("is rejected by policy", proxy.call("OpenImage", "oci:l:a")[0]["error"])
        result = self.ours("experimental-image-proxy", "--sockfd", "0")
        self.assertEqual(result.status, 1)
        self.assertIn("descriptor 0 of the client", result.err)

    def test_layers(self):
        layer = layout_json(self.tmp / "l", self.image["digest"])["layers"][1]["digest"]
        for words in (["oci:l:a"], ["oci:l:all"], ["oci:l:a", layer], ["oci:l:a", layer[7:]]):
            made = []
            for tool in (self.tmp / "skopeo", SKOPEO):
                result = run(tool, "layers", *words, cwd=self.tmp, check=False)
                self.assertEqual((result.status, result.out), (0, ""), result.err)
                self.assertIn("DEPRECATED: skopeo layers is deprecated in favor of skopeo copy\n", result.err)
                directory, = self.tmp.glob("layers-*")
                made.append({path.name: path.read_bytes() for path in directory.iterdir()
                             if not path.name.endswith(".manifest.json")})  # of an image in a list: only we write it
                run("rm", "-r", directory)
            self.assertEqual(*made)
        self.assertIn("Usage: layers imageReference [layer...]", self.ours("layers").err)
        self.assertIn("invalid checksum digest format", self.ours("layers", "oci:l:a", "x").err)
        self.assertEqual(self.ours("layers", "oci:l:none").status, 2)

    def test_words_to_complete(self):
        def lines(tool, *words):
            result = run(tool, "__complete", *words)
            return [line.split("\t")[0] for line in result.out.splitlines()], result.err

        ours = self.tmp / "skopeo"
        for words in (["co"], ["help", "co"], ["list-tags", ""], ["copy", "--format", ""], ["copy", "--format=o"], ["completion", "b"],
                      ["copy", "--override-arch", "x", "--digestf"], ["--debug", "ins"], ["login", ""], ["inspect", "--ra"]):
            self.assertEqual(lines(ours, *words), lines(SKOPEO, *words), words)
        self.assertTrue(set(lines(SKOPEO, "")[0]) - {"standalone-sign", "standalone-verify"} <= set(lines(ours, "")[0]))
        self.assertIn("docker-archive:", lines(ours, "copy", "--all", "docker")[0])
        self.assertNotIn("--all", lines(ours, "copy", "--all", "--a")[0])
        self.assertNotIn("--sign-by", lines(ours, "copy", "--sign")[0])
        self.assertNotIn("\t", run(ours, "__completeNoDesc", "co").out)

    def test_completion_in_shells(self):
        need("bash", "zsh", "fish")
        path = f"{self.tmp}:{os.environ['PATH']}"
        for shell in ("bash", "zsh", "fish"):
            script = self.write(f"script.{shell}", self.ours("completion", shell).out)
            run(shell, "-n", script)
        code = 'source script.bash; COMP_WORDS=(skopeo list-t) COMP_CWORD=1; _skopeo; echo "${COMPREPLY[@]}"'
        self.assertEqual(run("bash", "-c", code, cwd=self.tmp, env={"PATH": path}).out, "list-tags\n")
        code = "source script.fish; complete -C 'skopeo list-t'"
        self.assertRegex(run("fish", "--no-config", "-c", code, cwd=self.tmp, env={"PATH": path, "HOME": str(self.tmp)}).out, r"^list-tags\tList tags")
        self.assertIn("powershell is not implemented", self.ours("completion", "powershell").err)
        self.assertEqual(self.ours("completion").status, 1)
        self.assertTrue(re.search("bash|zsh|fish", self.ours("completion", "--help").out))


if __name__ == "__main__":
    main()
