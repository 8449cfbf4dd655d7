"""Transfers with a real registry whose connections break, and that are continued: by the same command, and by the next one."""
import json
import os
import signal
import subprocess
import time

from lade_testing import LADE, Case, Registry, check_layout, main, put_layout_blob, put_layout_entry, run
from proxy import Cut

BYTES = 20_000_000  # smaller ones are begun again
HALF = 12_000_000
PART = 4 << 20


class Resume(Case):
    def setUp(self):
        super().setUp()
        self.image_of("application/vnd.oci.image.layer.v1.tar+gzip")
        self.registry = Registry(self.tmp / "registry", access_log=True)
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)
        self.env = {"XDG_CACHE_HOME": str(self.tmp / "cache")}

    def image_of(self, media_type):
        layer = put_layout_blob(self.tmp / "l", media_type, os.urandom(BYTES))
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [layer],
                    "config": put_layout_blob(self.tmp / "l", "application/vnd.oci.image.config.v1+json", json.dumps(config).encode())}
        self.image = put_layout_blob(self.tmp / "l", manifest["mediaType"], json.dumps(manifest).encode())
        put_layout_entry(self.tmp / "l", "a", self.image)
        self.layer = layer["digest"]

    def words(self, source, destination):
        return ["copy", "--src-tls-verify=false", "--dest-tls-verify=false", source, destination]

    def push(self, host):
        return self.words(f"oci:{self.tmp}/l:a", f"docker://{host}/app:1")

    def pull(self, host):
        return self.words(f"docker://{host}/app:1", f"oci:{self.tmp}/to:a")

    def filled(self):
        self.lade(*self.push(self.registry.host), env=self.env)

    def requests(self, method, part):
        return [status for m, path, _, status in self.registry.requests() if m == method and part in path]

    def part(self):
        """The file that holds what has come of the layer so far; None: none does."""
        parts = list((self.tmp / "to").rglob("part-*"))
        return max(parts, key=lambda path: path.stat().st_size) if parts else None

    def killed_at_half(self, words, proxy, ready=lambda: True):
        process = subprocess.Popen([LADE, "--store", str(self.store), *words], env={**os.environ, **self.env}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertTrue(proxy.stalled.wait(60))
        for _ in range(600):
            if ready():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def pull_killed_at_half(self):
        self.filled()
        with Cut(self.registry.port, down=HALF, stalls=True) as proxy:
            self.killed_at_half(self.pull(proxy.host), proxy, lambda: self.part() and self.part().stat().st_size > HALF // 2)
        self.assertFalse((self.tmp / "to/blobs/sha256" / self.layer[7:]).exists())

    def check_pulled(self):
        check_layout(self.tmp / "to")
        self.assertEqual(json.loads((self.tmp / "to/index.json").read_text())["manifests"][0]["digest"], self.image["digest"])
        self.assertEqual(self.part(), None)

    def check_pushed(self):
        run("skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{self.registry.host}/app:1", f"oci:{self.tmp}/back:a")
        check_layout(self.tmp / "back")

    def test_a_download_goes_on_where_its_connection_broke(self):
        self.filled()
        with Cut(self.registry.port, down=HALF, times=2) as proxy:
            self.lade(*self.pull(proxy.host), env=self.env)
        self.assertIn("206", self.requests("GET", self.layer))
        self.check_pulled()

    def test_a_download_goes_on_where_the_last_command_was_killed(self):
        self.pull_killed_at_half()
        self.lade(*self.pull(self.registry.host), env=self.env)
        self.assertEqual(self.requests("GET", self.layer)[-1], "206")
        self.check_pulled()

    def test_a_kept_part_that_was_damaged_is_thrown_away(self):
        self.pull_killed_at_half()
        with open(self.part(), "r+b") as file:
            file.write(b"\0" * 100)
        self.lade(*self.pull(self.registry.host), env=self.env)
        self.check_pulled()

    def test_wrong_bytes_of_a_mirror_are_thrown_away(self):
        self.filled()
        with Registry(self.tmp / "mirror", access_log=True) as mirror:
            self.lade(*self.push(mirror.host), env=self.env)
            stored = self.tmp / "mirror/data/docker/registry/v2/blobs/sha256" / self.layer[7:9] / self.layer[7:] / "data"
            with open(stored, "r+b") as file:
                file.seek(BYTES - 1000)
                file.write(bytes(1000))
            conf = self.write("registries.conf", f'[[registry]]\nlocation="{self.registry.host}"\n[[registry.mirror]]\nlocation="{mirror.host}"\n')
            result = self.lade(*self.pull(self.registry.host), env={**self.env, "CONTAINERS_REGISTRIES_CONF": str(conf)})
            self.assertIn("it will be read anew", result.err)
            self.assertIn(("GET", f"/v2/app/blobs/{self.layer}", "HTTP/1.1", "200"), mirror.requests())
        self.assertIn("200", self.requests("GET", self.layer))
        self.check_pulled()

    def test_an_upload_whose_connection_broke_is_repeated(self):
        """This registry forgets what it had of a blob that came in one request."""
        with Cut(self.registry.port, up=HALF) as proxy:
            self.lade(*self.push(proxy.host), env=self.env)
        self.assertTrue(self.requests("GET", "/blobs/uploads/"))
        self.check_pushed()

    def use_parts(self, proxy):
        """Makes lade know that the registry takes no large requests, and so send parts."""
        small = self.write("small", "x")
        run("tar", "-C", self.tmp, "-cf", self.tmp / "small.tar", small.name)
        self.lade(*self.words(f"tarball:{self.tmp}/small.tar", f"docker://{proxy.host}/app:small"), env=self.env)
        seen, = (self.tmp / "cache").rglob("blobs")
        (seen.parent / "traits").write_text(f"chunk-bytes {PART}\n")
        proxy.left = 1

    def test_an_upload_in_parts_goes_on_with_the_next_part(self):
        """This registry cannot say what it has of a part that broke, only of those before it."""
        with Cut(self.registry.port, up=2 * PART, times=0, before=b"PATCH") as proxy:
            self.use_parts(proxy)
            self.lade(*self.push(proxy.host), env=self.env)
        self.assertLessEqual(proxy.left, 0)
        self.assertEqual(len(self.requests("PATCH", "/blobs/uploads/")), -(-BYTES // PART))
        self.check_pushed()

    def test_an_upload_in_parts_goes_on_where_the_last_command_was_killed(self):
        with Cut(self.registry.port, up=2 * PART, times=0, before=b"PATCH", stalls=True) as proxy:
            self.use_parts(proxy)
            self.killed_at_half(self.push(proxy.host), proxy)
            self.lade(*self.push(proxy.host), env=self.env)
        self.assertIn("204", self.requests("GET", "/blobs/uploads/"))
        self.assertEqual(len(self.requests("PATCH", "/blobs/uploads/")), -(-BYTES // PART))
        self.check_pushed()


if __name__ == "__main__":
    main()
