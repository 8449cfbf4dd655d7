"""Archives from and to pipes, compressed ones, many images in one; layouts with shared blobs; an engine that is a fake;
root file systems as images."""
import hashlib
import io
import json
import subprocess
import tarfile

from fake_engine import Engine
from lade_testing import LADE, Case, main, need, run


def layer(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Archives(Case):
    def setUp(self):
        super().setUp()
        self.write("layer1.tar", layer("etc/base", b"base"))
        self.write("layer2.tar", layer("etc/top", bytes(300_000)))
        self.lade("copy", f"tarball:{self.tmp}/layer1.tar:{self.tmp}/layer2.tar", f"oci:{self.tmp}/l:a")
        self.lade("copy", f"tarball:{self.tmp}/layer2.tar", f"oci:{self.tmp}/l:b")
        self.config = self.config_of(f"oci:{self.tmp}/l:a")

    def config_of(self, name, *options):
        return json.loads(self.lade("inspect", "--config", *options, name).out)

    def pipe_out(self, *words):
        done = subprocess.run([LADE, "--store", str(self.store), *map(str, words)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def check_same(self, name, *options):
        self.assertEqual(self.config_of(name, *options)["rootfs"], self.config["rootfs"], name)

    # --- streams ---

    def test_an_archive_goes_to_standard_output_alone(self):
        for transport, spelling in (("docker-archive", "-"), ("docker-archive", "/dev/stdout"), ("oci-archive", "-"),
                                    ("oci-archive", "/dev/stdout")):
            data = self.pipe_out("copy", "--progress", "plain", f"oci:{self.tmp}/l:a", f"{transport}:{spelling}:x:y")
            path = self.write("out.tar", data)
            with tarfile.open(path) as archive:
                self.assertIn("manifest.json" if transport.startswith("docker") else "index.json", archive.getnames())
            self.check_same(f"{transport}:{path}:x:y")

    def test_a_dry_run_sends_nothing_down_a_stream(self):
        for transport in ("docker-archive", "oci-archive"):
            plan = self.pipe_out("copy", "--dry-run", "--json", f"oci:{self.tmp}/l:a", f"{transport}:-:x:y")
            json.loads(plan)

    def test_an_archive_is_read_from_standard_input(self):
        for transport in ("docker-archive", "oci-archive"):
            path = self.tmp / f"{transport}.tar"
            self.lade("copy", f"oci:{self.tmp}/l:a", f"{transport}:{path}:x:y")
            data = path.read_bytes()
            for spelling in ("-", "/dev/stdin"):
                for number, packed in enumerate((data,
                                                 subprocess.run(["gzip", "-c"], input=data, stdout=subprocess.PIPE,
                                                                check=True).stdout)):
                    target = f"oci:{self.tmp}/from-{transport}-{len(spelling)}-{number}:x"
                    done = subprocess.run([LADE, "copy", f"{transport}:{spelling}:x:y", target], input=packed,
                                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.check_same(target)

    def test_a_pipeline_carries_an_image(self):
        done = subprocess.run(["bash", "-o", "pipefail", "-c",
                               f"{LADE} copy oci:{self.tmp}/l:a docker-archive:-:x:y | "
                               f"{LADE} copy docker-archive:- oci:{self.tmp}/piped:x"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_same(f"oci:{self.tmp}/piped:x")

    def test_a_stream_that_nobody_takes_is_a_failure(self):
        done = subprocess.run(["bash", "-c", f"{LADE} copy oci:{self.tmp}/l:a oci-archive:/dev/full; echo $?"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60)
        self.assertEqual(done.stdout, b"1\n", done.stderr)
        self.assertIn(b"no space left", done.stderr)

    def test_compressed_archives_of_every_kind_are_read(self):
        need("gzip", "zstd", "xz", "bzip2", "pigz")
        path = self.tmp / "a.tar"
        self.lade("copy", f"oci:{self.tmp}/l:a", f"docker-archive:{path}:x:y")
        temp = self.tmp / "temp"
        temp.mkdir()
        for tool in (["gzip"], ["pigz"], ["zstd", "-q"], ["xz"], ["bzip2"]):
            packed = self.tmp / ("packed." + tool[0])
            packed.write_bytes(subprocess.run([*tool, "-c"], input=path.read_bytes(), stdout=subprocess.PIPE,
                                              check=True).stdout)
            self.lade("copy", f"docker-archive:{packed}", f"oci:{self.tmp}/un-{tool[0]}:x", env={"TMPDIR": str(temp)})
            self.check_same(f"oci:{self.tmp}/un-{tool[0]}:x")
            self.assertEqual(list(temp.iterdir()), [])

    # --- many images ---

    def test_images_are_added_to_an_archive(self):
        for transport in ("docker-archive", "oci-archive"):
            path = self.tmp / f"many.{transport}"
            for tag in "ab":
                self.lade("copy", "--append", f"oci:{self.tmp}/l:{tag}", f"{transport}:{path}:name:{tag}")
            self.check_same(f"{transport}:{path}:name:a")
            self.assertEqual(len(self.config_of(f"{transport}:{path}:name:b")["rootfs"]["diff_ids"]), 1)
            self.assertEqual(len(self.config_of(f"{transport}:{path}:@1")["rootfs"]["diff_ids"]), 1)
        before = (self.tmp / "many.docker-archive").read_bytes()
        failed = self.lade_fails("copy", f"oci:{self.tmp}/l:a", f"docker-archive:{self.tmp}/many.docker-archive:c:d")
        self.assertIn("docker-archive doesn't support modifying existing images", failed.err)
        self.assertEqual((self.tmp / "many.docker-archive").read_bytes(), before)

    def test_one_image_has_several_names_in_an_archive(self):
        path = self.tmp / "names.tar"
        self.lade("copy", "--additional-tag", "other:1", "--additional-tag", "registry.example/x:2", f"oci:{self.tmp}/l:a",
                  f"docker-archive:{path}:x:y")
        with tarfile.open(path) as archive:
            images = json.load(archive.extractfile("manifest.json"))
        self.assertEqual(sorted(images[0]["RepoTags"]), ["docker.io/library/other:1", "docker.io/library/x:y",
                                                         "registry.example/x:2"])

    # --- layouts ---

    def test_layouts_share_their_blobs(self):
        shared = self.tmp / "shared"
        for tag in "ab":
            self.lade("copy", "--dest-shared-blob-dir", shared, f"oci:{self.tmp}/l:{tag}", f"oci:{self.tmp}/s{tag}:x")
            self.assertFalse((self.tmp / f"s{tag}" / "blobs").exists())
        for path in (shared / "sha256").iterdir():
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
        self.check_same(f"oci:{self.tmp}/sa:x", "--shared-blob-dir", shared)
        self.lade("copy", "--src-shared-blob-dir", shared, f"oci:{self.tmp}/sa:x", f"oci:{self.tmp}/back:x")
        self.check_same(f"oci:{self.tmp}/back:x")
        self.lade_fails("copy", f"oci:{self.tmp}/sa:x", f"oci:{self.tmp}/none:x")

    # --- dir: ---

    def test_signatures_go_from_directory_to_directory_only(self):
        self.lade("copy", f"oci:{self.tmp}/l:a", f"dir:{self.tmp}/d")
        self.write("d/signature-1", b"\x99signed")
        self.write("d/signature-2", b"\0sigstore-json\n{}")
        self.lade("copy", f"dir:{self.tmp}/d", f"dir:{self.tmp}/e")
        self.assertEqual((self.tmp / "e/signature-1").read_bytes(), b"\x99signed")
        self.assertEqual((self.tmp / "e/signature-2").read_bytes(), b"\0sigstore-json\n{}")
        for destination in (f"oci:{self.tmp}/n:x", f"oci-archive:{self.tmp}/n.tar", f"docker-archive:{self.tmp}/n2.tar:x:y"):
            self.assertIn("--remove-signatures", self.lade_fails("copy", f"dir:{self.tmp}/d", destination).err)
            self.lade("copy", "--remove-signatures", f"dir:{self.tmp}/d", destination)
        self.assertIn("invalidate signatures",
                      self.lade_fails("copy", "--format", "docker", f"dir:{self.tmp}/d", f"dir:{self.tmp}/f").err)
        self.lade("copy", "--remove-signatures", f"dir:{self.tmp}/d", f"dir:{self.tmp}/e")
        self.assertFalse((self.tmp / "e/signature-1").exists())

    # --- tarball: ---

    def test_a_tarball_is_an_image_of_this_platform(self):
        self.write("rootfs.tar", layer("etc/os-release", b"ID=x\n"))
        packed = self.tmp / "rootfs.tar.xz"
        packed.write_bytes(subprocess.run(["xz", "-c"], input=(self.tmp / "rootfs.tar").read_bytes(),
                                          stdout=subprocess.PIPE, check=True).stdout)
        digests = set()
        for name in ("rootfs.tar", "rootfs.tar.xz", "rootfs.tar"):
            digests.add(self.lade("inspect", "--config", f"tarball:{self.tmp}/{name}").out)
        self.assertEqual(len(digests), 1)
        config = json.loads(digests.pop())
        self.assertEqual(config["os"], "linux")
        self.assertEqual(config["rootfs"]["diff_ids"],
                         ["sha256:" + hashlib.sha256((self.tmp / "rootfs.tar").read_bytes()).hexdigest()])
        self.write("no.tar", b"x" * 2000)
        self.assertIn("it is no tar", self.lade_fails("inspect", f"tarball:{self.tmp}/no.tar").err)
        self.assertIn("read only", self.lade_fails("copy", f"oci:{self.tmp}/l:a", f"tarball:{self.tmp}/x").err)
        done = subprocess.run([LADE, "copy", "tarball:-", f"oci:{self.tmp}/in:x"], check=False, timeout=60,
                              input=(self.tmp / "rootfs.tar").read_bytes(), stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.config_of(f"oci:{self.tmp}/in:x"), config)

    # --- docker-daemon: ---

    def test_an_engine_takes_and_gives_images(self):
        for version in ("1.41", ""):
            with Engine(self.tmp / "docker.sock", version=version) as engine:
                self.lade("copy", "--dest-daemon-host", engine.host, f"oci:{self.tmp}/l:a", "docker-daemon:name:tag")
                self.assertIn("docker.io/library/name:tag", engine.images)
                self.lade("copy", "--src-daemon-host", engine.host, "docker-daemon:name:tag", f"oci:{self.tmp}/out{version}:x")
                self.check_same(f"oci:{self.tmp}/out{version}:x")
                self.check_same("docker-daemon:name:tag", "--daemon-host", engine.host)
                prefix = f"/v{version}" if version else ""
                self.assertIn(f"POST {prefix}/images/load?quiet=1", engine.requests)
                missing = self.lade_fails("inspect", "--daemon-host", engine.host, "docker-daemon:other:tag")
                self.assertIn("none of that name", missing.err)

    def test_the_environment_names_an_engine(self):
        with Engine(self.tmp / "docker.sock") as engine:
            self.lade("copy", f"oci:{self.tmp}/l:a", "docker-daemon:name:tag", env={"DOCKER_HOST": engine.host})
            self.assertTrue(engine.images)

    def test_an_engine_is_reached_over_tls(self):
        need("openssl")
        certs = self.tmp / "certs"
        certs.mkdir()
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", certs / "key.pem", "-out", certs / "cert.pem")
        (certs / "ca.pem").write_bytes((certs / "cert.pem").read_bytes())
        with Engine(certificate=certs / "cert.pem", key=certs / "key.pem", client_ca=certs / "ca.pem") as engine:
            self.lade("copy", "--dest-daemon-host", engine.host, "--dest-cert-dir", certs, f"oci:{self.tmp}/l:a",
                      "docker-daemon:name:tag")
            self.assertTrue(engine.images)
            self.lade_fails("copy", "--dest-daemon-host", engine.host, f"oci:{self.tmp}/l:a", "docker-daemon:name:tag")
        with Engine() as engine:
            self.lade("copy", "--dest-daemon-host", engine.host, f"oci:{self.tmp}/l:a", "docker-daemon:name:tag")

    def test_what_an_engine_says_is_told(self):
        for fault, words in (("load-error", "bad layer\\x1b[2J"), ("load-early", "no space left on device"),
                             ("load-garbage", "not"), ("save-500", "disk on fire"), ("save-cut", "")):
            with Engine(self.tmp / "docker.sock", fault=fault) as engine:
                engine.images["docker.io/library/name:tag"] = self.pipe_out("copy", f"oci:{self.tmp}/l:a",
                                                                            "docker-archive:-:name:tag")
                if fault.startswith("load"):
                    failed = self.lade_fails("copy", "--dest-daemon-host", engine.host, f"oci:{self.tmp}/l:a",
                                             "docker-daemon:name:tag")
                else:
                    failed = self.lade_fails("copy", "--src-daemon-host", engine.host, "docker-daemon:name:tag",
                                             f"oci:{self.tmp}/never:x")
                self.assertIn(words, failed.err)
                self.assertNotIn("\x1b", failed.err)

    def test_names_and_addresses_of_engines_are_checked(self):
        for name in ("docker-daemon:name", "docker-daemon:UPPER:x", "docker-daemon:"):
            self.lade_fails("inspect", "--daemon-host", f"unix://{self.tmp}/none", name)
        self.lade_fails("copy", f"oci:{self.tmp}/l:a", "docker-daemon:sha256:" + "0" * 64)
        for host in ("ssh://host", "unix://relative", "tcp://"):
            self.lade_fails("inspect", "--daemon-host", host, "docker-daemon:name:tag")
        self.assertIn("no such file", self.lade_fails("inspect", "--daemon-host", f"unix://{self.tmp}/none",
                                                      "docker-daemon:name:tag").err)


if __name__ == "__main__":
    main()
