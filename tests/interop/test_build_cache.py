"""Build caches through Debian's docker-registry: what one machine built, another finds."""
import json
import subprocess
import urllib.request

from lade_testing import Case, LADE, Registry, busybox_context, main, run

BASE = 'FROM scratch AS base\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
STAGES = BASE + ("FROM base AS builder\nCOPY file /file\nRUN tr a-z A-Z < /file > /made && echo ran\n"
                 "FROM base\nCOPY --from=builder /made /made\nRUN mkdir /done\n")
MANIFESTS = ", ".join(["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
                       "application/vnd.docker.distribution.manifest.list.v2+json"])


class BuildCache(Case):
    def setUp(self):
        super().setUp()
        self.registry = self.enterContext(Registry(self.tmp / "registry"))
        self.context = busybox_context(self.tmp / "context")
        (self.context / "file").write_text("content\n")
        (self.context / "Containerfile").write_text(STAGES)
        self.reference = f"{self.registry.host}/app/cache:main"

    def command(self, store, *words, context=None):
        return [LADE, "--store", str(self.tmp / f"store-{store}"), "build", "--progress", "plain", "-t", "test", *map(str, words),
                str(context or self.context)]

    def build(self, store, *words, context=None):
        return run(*self.command(store, *words, context=context))

    def get(self, path, accept="*/*"):
        request = urllib.request.Request(f"http://{self.registry.host}/v2/app/cache/{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def records(self):
        manifest = self.get("manifests/main", MANIFESTS)
        config = manifest["config"] if "config" in manifest else manifest["manifests"][-1]
        return {record["digest"] for record in self.get(f"blobs/{config['digest']}")["records"]}

    def test_another_machine_finds_every_step_in_each_form(self):
        for form in ("", ",image-manifest=false", ",oci-mediatypes=false"):
            self.reference = f"{self.registry.host}/app/cache{len(form)}:main"
            self.build("a", "--cache-to", f"type=registry,ref={self.reference},mode=max{form}")
            result = self.build(f"b{len(form)}", "--cache-from", self.reference, "-o", f"docker://{self.registry.host}/app/out{len(form)}:1")
            self.assertEqual(result.err.count(": CACHED"), 6, result.err)
            self.assertNotIn("] ran\n", result.err)

    def test_an_inline_cache_is_found_in_the_pushed_image(self):
        image = f"{self.registry.host}/app/image:1"
        self.build("a", "--cache-to", "type=inline", "-o", f"docker://{image}")
        result = self.build("b", "--cache-from", image)
        self.assertEqual(result.err.count(": CACHED"), 4, result.err)  # all but the builder's

    def test_builds_that_write_one_cache_at_once_lose_nothing(self):
        processes = []
        for i in range(4):
            context = busybox_context(self.tmp / f"context-{i}")
            (context / "Containerfile").write_text(f"FROM scratch\nLABEL build={i}\nCOPY own /own\n")
            (context / "own").write_text(f"{i}\n")
            command = self.command(i, "--cache-to", f"type=registry,ref={self.reference}", context=context)
            processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        for process in processes:
            self.assertEqual(process.wait(timeout=120), 0, process.stderr.read())
            process.stderr.close()
        for i in range(4):
            result = self.build(f"again-{i}", "--cache-from", self.reference, context=self.tmp / f"context-{i}")
            self.assertEqual(result.err.count(": CACHED"), 1, result.err)


if __name__ == "__main__":
    main()
