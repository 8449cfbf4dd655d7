"""The main job on a real Debian root file system, held against buildah, skopeo, umoci, runc and crun."""
import json
import os
import shutil
import subprocess
import time

from lade_testing import (Case, Registry, SOURCE, check_layout, debian_rootfs, differences, layout_from_tar, layout_json, main,
                          need, run, tree)

EPOCH = "1700000000"


def unpack(layout, bundle):
    run("umoci", "unpack", "--image", layout, bundle, timeout=600)
    return bundle / "rootfs"


class Debian(Case):
    """Built once for all tests of the class."""

    @classmethod
    def setUpClass(cls):
        need("umoci", "skopeo", "buildah", "runc", "crun", "mmdebstrap", "docker-registry")
        case = Case()
        case.setUp()
        cls.case = case
        cls.addClassCleanup(case.doCleanups)
        cls.tmp = case.tmp
        cls.started = time.time_ns()
        layout_from_tar(debian_rootfs(), cls.tmp / "base", "bookworm")
        cls.base = f"oci:{cls.tmp}/base:bookworm"
        cls.context = cls.tmp / "context"
        shutil.copytree(SOURCE / "testdata/build/debian", cls.context, symlinks=True)
        extra = cls.tmp / "extra"
        extra.mkdir()
        (extra / "data").write_text("from an archive\n")
        (extra / "hard").hardlink_to(extra / "data")
        (extra / "link").symlink_to("data")
        os.chmod(extra / "data", 0o640)
        os.setxattr(extra / "data", "user.note", b"kept")
        os.chown(extra / "data", 77, 88)
        run("tar", "--xattrs", "--numeric-owner", "-C", extra, "-czf", cls.context / "extra.tar.gz", "data", "hard", "link")
        cls.build(cls.tmp / "out", "app", cls.tmp / "store", env={"SOURCE_DATE_EPOCH": EPOCH})

    def setUp(self):
        pass  # shares the class's directory

    @classmethod
    def build(cls, layout, tag, store, *words, name="debian-test", env=None):
        return run(os.environ["LADE"], "--store", store, "build", "--progress", "plain", "--build-arg", f"BASE={cls.base}",
                   "--build-arg", "VERSION=1.2.3", "-t", name, "-o", f"oci:{layout}:{tag}", *words, cls.context,
                   env=env, timeout=900)

    def config(self, layout):
        index = json.loads((layout / "index.json").read_text())
        manifest = layout_json(layout, index["manifests"][-1]["digest"])
        return layout_json(layout, manifest["config"]["digest"])

    def test_a_layout_is_valid_for_every_reader(self):
        check_layout(self.tmp / "out")
        run("oci-image-tool", "validate", "--type", "image", "--ref", "name=app", self.tmp / "out")
        raw = run("skopeo", "inspect", "--raw", f"oci:{self.tmp}/out:app").out
        self.assertEqual(json.loads(raw)["mediaType"], "application/vnd.oci.image.manifest.v1+json")
        run("umoci", "stat", "--image", f"{self.tmp}/out:app")

    def test_b_twice_and_with_other_threads_gives_the_same_digests(self):
        digest = json.loads((self.tmp / "out/index.json").read_text())["manifests"][0]["digest"]
        for jobs in ("1", "2"):
            self.build(self.tmp / f"again{jobs}", "app", self.tmp / f"store{jobs}", "--jobs", jobs, "--no-cache",
                       env={"SOURCE_DATE_EPOCH": EPOCH})
            again = json.loads((self.tmp / f"again{jobs}/index.json").read_text())["manifests"][0]["digest"]
            if again != digest:
                a = tree(unpack(f"{self.tmp}/out:app", self.tmp / "cmp-a"))
                b = tree(unpack(f"{self.tmp}/again{jobs}:app", self.tmp / "cmp-b"))
                self.fail("builds differ:\n" + "\n".join(differences(a, b)[:40]))

    def test_c_a_second_build_is_cached(self):
        result = self.build(self.tmp / "out2", "app", self.tmp / "store", env={"SOURCE_DATE_EPOCH": EPOCH})
        self.assertNotIn("Setting up file", result.err)
        first, second = (json.loads((self.tmp / d / "index.json").read_text())["manifests"][0]["digest"] for d in ("out", "out2"))
        self.assertEqual(first, second)

    def test_d_equals_what_buildah_builds(self):
        storage = ["--root", self.tmp / "buildah", "--runroot", self.tmp / "buildah-run", "--storage-driver", "overlay"]
        run("buildah", *storage, "build", "--isolation", "chroot", "--network", "host", "--build-arg", f"BASE={self.base}",
            "--build-arg", "VERSION=1.2.3", "-t", f"oci:{self.tmp}/buildah-out:app", self.context, timeout=1200)
        self.build(self.tmp / "dated", "app", self.tmp / "store", name="dated")  # buildah clamps nothing, so neither does this
        ours = tree(unpack(f"{self.tmp}/dated:app", self.tmp / "ours"))
        theirs = tree(unpack(f"{self.tmp}/buildah-out:app", self.tmp / "theirs"))

        def excused(path, key):
            if key == "mtime":
                a, b = ours[path]["mtime"], theirs[path]["mtime"]
                # The clock: what a step of this test wrote has the time at which it ran.
                if a >= self.started and b >= self.started:
                    return True
                # buildah's layers have whole seconds.
                if abs(a - b) < 10**9 and b % 10**9 == 0:
                    return True
                # Directories in which only a COPY makes a file keep their time in ours: the layer repeats them as they are.
                return ours[path]["mode"][0] == "d" and b >= self.started
            # COPY --chmod gives its mode to the parents that it makes, as BuildKit has it.
            if (path, key) == ("opt/app/bin", "mode"):
                return True
            # Files whose content is a date or a random number, not a result.
            if key in ("sha256", "size") and path in ("etc/shadow", "etc/shadow-", "var/cache/ldconfig/aux-cache"):
                return True
            # buildah leaves mount points of its isolation behind; ours leave none.
            if key == "exists" and path in ("etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv", "run/secrets", "data"):
                return True
            return False

        self.assertEqual(differences(ours, theirs, excused), [])
        ours, theirs = self.config(self.tmp / "out")["config"], self.config(self.tmp / "buildah-out")["config"]
        theirs["Labels"].pop("io.buildah.version", None)
        # EXPOSE with a range: a port each, as BuildKit has it; buildah keeps the range.
        self.assertEqual(set(ours.pop("ExposedPorts")), {"8080/tcp", "9000/tcp", "9001/tcp"})
        self.assertEqual(set(theirs.pop("ExposedPorts")), {"8080/tcp", "9000-9001/tcp"})
        for key in ("User", "Entrypoint", "Cmd", "WorkingDir", "Labels", "StopSignal", "Volumes"):
            self.assertEqual(ours.get(key), theirs.get(key), key)
        self.assertEqual(sorted(ours["Env"]), sorted(theirs["Env"]))

    def test_e_tree_is_what_the_instructions_say(self):
        root = unpack(f"{self.tmp}/out:app", self.tmp / "said")
        files = tree(root)
        self.assertIn("file-", (root / "etc/file-version").read_text())
        self.assertEqual((root / "opt/app/version").read_text(), "1.2.3\n")
        self.assertEqual(files["opt/app/work/counts"]["uid"], 1234)
        self.assertEqual(files["opt/app/work/counts"]["gid"], 4321)
        self.assertEqual(files["opt/app/work/src/one.txt"]["same_as"], files["opt/app/work/hardlink"]["same_as"])
        self.assertEqual(files["opt/app/work/src/tool.sh"]["mode"], "-rwsr-xr-x")
        self.assertEqual(files["opt/app/work/pipe"]["mode"][0], "p")
        self.assertEqual(files["opt/app/work/old"]["mtime"], 981173106_789000000)
        self.assertNotIn("opt/app/work/deep", files)
        self.assertNotIn("opt/app/work/src/ignored.log", files)
        self.assertEqual(files["opt/app/bin/tool"]["mode"], "-rwxr-x---")
        self.assertEqual((files["opt/app/bin/tool"]["uid"], files["opt/app/bin/tool"]["gid"]), (1, 50))
        self.assertEqual(files["opt/extra/data"]["xattrs"], {"user.note": b"kept".hex()})
        self.assertEqual((files["opt/extra/data"]["uid"], files["opt/extra/data"]["gid"]), (77, 88))
        self.assertEqual(files["opt/extra/data"]["same_as"], files["opt/extra/hard"]["same_as"])
        self.assertEqual(files["etc/motd"]["target"], "/opt/app/version")
        self.assertEqual(os.listdir(root / "usr/share/doc"), ["README"])
        config = self.config(self.tmp / "out")
        self.assertEqual(config["created"], "2023-11-14T22:13:20Z")
        layers = [h for h in config["history"] if not h.get("empty_layer")]
        self.assertEqual(len(layers), len(config["rootfs"]["diff_ids"]))
        self.assertGreaterEqual(len(config["history"]), 17)

    def test_f_goes_through_a_registry_and_runs_under_runc_and_crun(self):
        with Registry(self.tmp / "registry") as registry:
            name = f"docker://{registry.host}/team/app:1"
            run(os.environ["LADE"], "--store", self.tmp / "store", "copy", "--dest-tls-verify=false", "debian-test", name)
            run("skopeo", "copy", "--src-tls-verify=false", name, f"oci:{self.tmp}/back:app")
        self.assertEqual(check_layout(self.tmp / "back")["manifests"][0]["digest"],
                         check_layout(self.tmp / "out")["manifests"][0]["digest"])
        bundle = self.tmp / "bundle"
        unpack(f"{self.tmp}/back:app", bundle)
        config = json.loads((bundle / "config.json").read_text())
        config["process"]["terminal"] = False
        config["process"]["args"] = ["/bin/sh", "-c", "id -u; cat /opt/app/version; file --version | head -n 1; pwd"]
        (bundle / "config.json").write_text(json.dumps(config))
        root = self.tmp / "runtime"
        outputs = [run("runc", "--root", root, "run", "-b", bundle, "lade-test-runc").out]
        # Debian's crun refuses a hybrid cgroup tree: it runs where the unified mount is hidden.
        script = f"umount /sys/fs/cgroup/unified 2>/dev/null; exec crun --root {root}-crun run -b {bundle} lade-test-crun"
        outputs.append(run("unshare", "-m", "--propagation", "private", "sh", "-c", script).out)
        for output in outputs:
            self.assertEqual(output.splitlines()[:2], ["1500", "1.2.3"], output)
            self.assertTrue(output.splitlines()[2].startswith("file-"), output)
            self.assertEqual(output.splitlines()[3], "/opt/app")


if __name__ == "__main__":
    main()
