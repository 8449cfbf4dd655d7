"""Where 'lade build' puts its result: docker's forms of -o, --push, files about it, attestations, reproducibility."""
import io
import json
import os
import tarfile

from fake_engine import Engine
from lade_testing import Case, LADE, Registry, busybox_context, check_layout, layout_json, main, run


def members(path):
    with tarfile.open(path) as archive:
        return archive.getmembers()


BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


class Outputs(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")
        self.write("context/file", "content\n")
        self.containerfile("FROM scratch\nCOPY file /d/file\n")

    def containerfile(self, text):
        (self.context / "Containerfile").write_text(text)

    def build(self, *words, check=True, **options):
        call = self.lade if check else self.lade_fails
        return call("build", "--progress", "plain", *words, self.context, **options)

    def names(self):
        rows = json.loads(self.lade("images", "--format", "json").out)
        return sorted(row["name"] for row in rows if row["name"])

    def layout(self, path):
        """The root document of a layout with one entry, and its descriptor."""
        index = check_layout(path)
        self.assertEqual(len(index["manifests"]), 1)
        return layout_json(path, index["manifests"][0]["digest"]), index["manifests"][0]

    def test_files_go_to_a_directory_or_a_tar(self):
        self.build("-t", "app", "-o", self.tmp / "out")
        self.assertEqual((self.tmp / "out/d/file").read_text(), "content\n")
        self.assertEqual(self.names(), [])
        self.assertEqual(self.build("-o", f"type=local,dest={self.tmp}/two/deep").status, 0)
        self.assertEqual(os.listdir(self.tmp / "two/deep"), ["d"])
        self.build("-o", f"type=tar,dest={self.tmp}/x.tar", "-o", f"type=tar,platform-split=true,dest={self.tmp}/y.tar")
        self.assertEqual([member.name for member in members(self.tmp / "x.tar")], ["d", "d/file"])
        self.assertIn("linux_", members(self.tmp / "y.tar")[0].name)
        result = run("sh", "-c", f"{LADE} --store {self.store} build -q -o - {self.context} | tar -tf -")
        self.assertEqual(result.out, "d/\nd/file\n")

    def test_oci_and_docker_archives_are_read_by_peers(self):
        self.build("-t", "docker.io/me/app:1", "-o", f"type=oci,dest={self.tmp}/o.tar", "-o", f"type=oci,tar=false,dest={self.tmp}/o",
                   "-o", f"type=docker,dest={self.tmp}/d.tar", "-o", f"type=dir,dest={self.tmp}/dir")
        self.assertEqual(self.names(), [])
        for name in (f"oci-archive:{self.tmp}/o.tar:1", f"oci:{self.tmp}/o:1", f"docker-archive:{self.tmp}/d.tar", f"dir:{self.tmp}/dir"):
            run("skopeo", "inspect", name)
        self.assertIn("docker.io/me/app:1", run("skopeo", "list-tags", f"docker-archive:{self.tmp}/d.tar").out)
        run("umoci", "unpack", "--image", f"{self.tmp}/o:1", self.tmp / "bundle")
        self.assertEqual((self.tmp / "bundle/rootfs/d/file").read_text(), "content\n")
        self.build("-o", f"type=docker,name=other:2,dest={self.tmp}/d.tar")  # replaces
        self.assertIn("docker.io/library/other:2", run("skopeo", "list-tags", f"docker-archive:{self.tmp}/d.tar").out)

    def test_names_in_the_store_are_made_if_asked_for(self):
        self.build("-t", "app", "-o", "type=image")
        self.assertEqual(self.names(), ["localhost/app:latest"])
        self.build("-t", "app", "-o", '"name=b,c:1",type=image')
        self.assertEqual(self.names(), ["localhost/app:latest", "localhost/b:latest", "localhost/c:1"])
        self.build("-t", "app", "-o", "type=image,annotation.url=https://registry.example/")
        self.assertIn("registry.example", self.lade("inspect", "--raw", "app").out)
        self.build("-t", "d", "-o", "type=cacheonly")
        self.assertEqual(len(self.names()), 3)

    def test_load_into_an_engine(self):
        with Engine(self.tmp / "docker.sock") as engine:
            env = {"DOCKER_HOST": engine.host}
            self.build("-t", "app:1", "-t", "registry.example/team/app:2", "--load", env=env)
            self.assertEqual(sorted(engine.images), ["docker.io/library/app:1", "registry.example/team/app:2"])
            self.assertEqual(self.names(), [])
            with tarfile.open(fileobj=io.BytesIO(engine.images["docker.io/library/app:1"])) as archive:
                layers = json.load(archive.extractfile("manifest.json"))[0]["Layers"]
                with tarfile.open(fileobj=archive.extractfile(layers[0])) as layer:
                    self.assertIn("d/file", layer.getnames())
            self.build("-t", "app:1", "-o", "type=docker,name=named:3", env=env)
            self.assertIn("docker.io/library/named:3", engine.images)
        for fault, text in (("load-error", "bad layer"), ("load-early", "no space left"), ("load-garbage", "")):
            with Engine(self.tmp / f"{fault}.sock", fault=fault) as engine:
                failed = self.build("-t", "app:1", "--load", env={"DOCKER_HOST": engine.host}, check=False)
                self.assertIn(text, failed.err)
        self.assertIn("gone.sock", self.build("-t", "app:1", "--load", env={"DOCKER_HOST": f"unix://{self.tmp}/gone.sock"}, check=False).err)

    def test_base_images_are_pulled_on_request(self):
        with Registry(self.tmp / "registry") as registry:
            base = f"{registry.host}/base:1"
            self.containerfile("FROM scratch\nLABEL from=registry\n")
            self.build("-t", base, "--push")
            self.containerfile("FROM scratch\nLABEL from=store\n")
            self.build("-t", base)
            self.containerfile(f"FROM {base}\nLABEL mine=1\n")
            for words, want in (([], "store"), (["--pull"], "registry"), (["--pull=missing"], "store"), (["--pull=newer"], "registry")):
                self.build(*words, "-o", f"oci:{self.tmp}/pulled:x")
                config = json.loads(self.lade("inspect", "--config", f"oci:{self.tmp}/pulled:x").out)["config"]
                self.assertEqual(config["Labels"]["from"], want, words)
            self.build("--pull=sometimes", check=False, status=2)

    def test_push_under_every_name(self):
        with Registry(self.tmp / "registry") as registry:
            digest = self.build("-t", f"{registry.host}/a:1", "-t", f"{registry.host}/b", "--push").out.strip()
            self.assertEqual(self.names(), [])
            for name in ("a:1", "b:latest"):
                self.assertEqual(self.lade("digest", f"docker://{registry.host}/{name}").out.strip(), digest)
            self.build("-t", f"docker://{registry.host}/c:2", "-t", "kept")
            self.assertEqual(self.names(), ["localhost/kept:latest"])
            digest = self.build("-o", f"type=registry,push-by-digest=true,name={registry.host}/d").out.strip()
            self.assertEqual(self.lade("digest", f"docker://{registry.host}/d@{digest}").out.strip(), digest)
            self.lade("build", "-q", "-t", f"{registry.host}/e", "-o", "type=image,push=true,compression=zstd", self.context)
            manifest = json.loads(run("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{registry.host}/e").out)
            self.assertTrue(manifest["layers"][0]["mediaType"].endswith("+zstd"))
        self.assertIn("no registry", self.build("-t", "app", "--push", check=False, status=2).err)

    def test_compression_leaves_the_base_alone_unless_forced(self):
        self.build("-t", "base")
        self.containerfile("FROM base\nCOPY busybox /b\n")
        for force, types in (("false", ["gzip", "zstd"]), ("true", ["zstd", "zstd"])):
            self.build("-o", f"type=oci,tar=false,dest={self.tmp}/{force},compression=zstd:chunked,force-compression={force}")
            layers = self.layout(self.tmp / force)[0]["layers"]
            self.assertEqual([layer["mediaType"].rsplit("+")[1] for layer in layers], types)
            self.assertIn("io.github.containers.zstd-chunked.manifest-checksum", layers[1]["annotations"])
        self.build("-o", f"type=dir,dest={self.tmp}/docker,oci-mediatypes=false,compression=gzip,compression-level=9")
        self.assertEqual(json.loads((self.tmp / "docker/manifest.json").read_text())["mediaType"],
                         "application/vnd.docker.distribution.manifest.v2+json")

    def test_annotations_of_an_output_and_of_all(self):
        self.build("--annotation", "all=1", "--annotation", "manifest-descriptor:d=2", "-o", f"type=oci,tar=false,dest={self.tmp}/a",
                   "-o", f"type=oci,tar=false,dest={self.tmp}/b,annotation.own=3,annotation-manifest-descriptor.e=4")
        first, first_entry = self.layout(self.tmp / "a")
        second, second_entry = self.layout(self.tmp / "b")
        self.assertEqual(first["annotations"], {"all": "1"})
        self.assertEqual(second["annotations"], {"all": "1", "own": "3"})
        self.assertEqual(first_entry["annotations"]["d"], "2")
        self.assertEqual(second_entry["annotations"]["e"], "4")
        self.assertIn("no index", self.build("--annotation", "index:a=b", check=False).err)

    def test_attestations_are_pushed_with_the_image_and_peers_still_read_it(self):
        self.write("context/status", "Package: bash\nStatus: install ok installed\nVersion: 5\n")
        self.containerfile("FROM scratch\nCOPY status /var/lib/dpkg/status\n")
        with Registry(self.tmp / "registry") as registry:
            name = f"{registry.host}/app:1"
            self.build("-t", name, "--push", "--sbom", "--provenance=mode=max", "--metadata-file", self.tmp / "meta",
                       "-o", f"type=oci,tar=false,dest={self.tmp}/l,name={name}", "-o", f"type=docker,dest={self.tmp}/d.tar")
            index, _ = self.layout(self.tmp / "l")
            self.assertEqual([entry["platform"]["os"] for entry in index["manifests"]], ["linux", "unknown"])
            attestation = layout_json(self.tmp / "l", index["manifests"][1]["digest"])
            self.assertEqual([layer["annotations"]["in-toto.io/predicate-type"] for layer in attestation["layers"]],
                             ["https://spdx.dev/Document", "https://slsa.dev/provenance/v1"])
            statement = layout_json(self.tmp / "l", attestation["layers"][0]["digest"])
            self.assertIn("bash", [package["name"] for package in statement["predicate"]["packages"]])
            self.assertEqual("sha256:" + statement["subject"][0]["digest"]["sha256"], index["manifests"][0]["digest"])
            run("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", f"dir:{self.tmp}/copied")
            meta = json.loads((self.tmp / "meta").read_text())
            self.assertEqual(meta["containerimage.descriptor"]["mediaType"], "application/vnd.oci.image.index.v1+json")
            self.assertIn("buildDefinition", meta["buildx.build.provenance"])
            run("skopeo", "inspect", f"docker-archive:{self.tmp}/d.tar")
            self.assertIn("oci-mediatypes", self.build("--sbom", "-o", f"type=dir,oci-mediatypes=false,dest={self.tmp}/no", check=False,
                                                       status=2).err)

    def test_files_about_the_result(self):
        out = self.build("-t", "docker.io/me/app:1", "--iidfile", self.tmp / "i", "--iidfile-raw", self.tmp / "r", "--digestfile",
                         self.tmp / "d", "--metadata-file", self.tmp / "m").out
        meta = json.loads((self.tmp / "m").read_text())
        config = meta["containerimage.config.digest"]
        self.assertEqual(meta["containerimage.digest"], out.strip())
        self.assertEqual(meta["containerimage.descriptor"]["digest"], out.strip())
        self.assertEqual(meta["image.name"], "docker.io/me/app:1")
        self.assertEqual((self.tmp / "i").read_text(), config)
        self.assertEqual("sha256:" + (self.tmp / "r").read_text(), config)
        self.assertEqual((self.tmp / "d").read_text(), out.strip())

    def test_what_cannot_be_honoured_is_refused_by_name(self):
        for words, text in ((["-o", "type=what"], "types are local, tar"), (["-o", "type=oci"], "dest=PATH"), (["-o", "dest=x,a=b"], "no type="),
                            (["-o", "type=oci,dest=x,unpack=true"], "'unpack'"), (["-o", "type=local,dest=x,compression=gzip"], "'compression'"),
                            (["-o", "type=oci,dest=x,compression=brotli"], "compression=brotli"), (["-o", "type=docker,dest=x,tar=true"], "'tar'"),
                            (["-o", "type=local,dest=x,mode=delete"], "mode=delete"), (["-o", "type=oci,dest=x,oci-mediatypes=false"], "oci-mediatypes"), (["--provenance=version=v0.2"], "version=v0.2"),
                            (["--sbom=generator=x"], "generator"), (["--attest", "type=x"], "--attest"), (["--load"], "need a name"),
                            (["--rewrite-timestamp"], "SOURCE_DATE_EPOCH"), (["--timestamp", "x"], "--timestamp"),
                            (["--verify-reproducible"], "SOURCE_DATE_EPOCH"), (["--annotation", "level:a=b"], "level"),
                            (["-o", "-", "-o", f"type=tar,dest=-"], "standard output"),
                            (["-o", "type=registry"], "needs a name"), (["-o", 'type=oci,"dest=x'], "quote")):
            self.assertIn(text, self.build(*words, check=False, status=2).err, words)

    def test_verify_reproducible(self):
        self.containerfile(BASE + "RUN echo same > /same; mkdir /d; ln -s x /d/l\n")
        out = self.build("-t", "app", "--verify-reproducible", "--provenance", "--sbom", env=EPOCH).out
        self.assertRegex(out, r"\Asha256:")
        self.containerfile(BASE + "RUN cat /proc/sys/kernel/random/uuid > /d\n")
        result = self.build("-t", "other", "--verify-reproducible", "-o", self.tmp / "no", env=EPOCH, check=False)
        self.assertRegex(result.err, r"not reproducible: layer 3 \(RUN .*\): 'd': content differs at byte \d+: 0x.., 0x..")
        self.assertFalse((self.tmp / "no").exists())

    def test_times(self):
        self.build("-o", f"type=tar,dest={self.tmp}/t.tar", "--timestamp", "100")
        self.assertEqual({entry.mtime for entry in members(self.tmp / "t.tar")}, {100})
        self.build("-o", f"type=tar,dest={self.tmp}/k.tar", "--source-date-epoch", "100", "--rewrite-timestamp=false")
        self.assertGreater(members(self.tmp / "k.tar")[-1].mtime, 100)


if __name__ == "__main__":
    main()
