"""containers-storage:, with podman, buildah and skopeo as the other side."""
import json
import os
import pathlib
import signal
import subprocess
import time

from lade_testing import LADE, Case, Registry, check_layout, layout_from_tar, main, need, run, tree


class Store:
    """One store of podman's and buildah's, of one driver."""

    def __init__(self, directory, driver):
        self.root, self.run_root, self.driver = directory / "graph", directory / "run", driver
        self.spec = f"[{driver}@{self.root}+{self.run_root}]"
        self.options = ["--root", self.root, "--runroot", self.run_root, "--storage-driver", driver]

    def name(self, image):
        return f"containers-storage:{self.spec}{image}"

    def podman(self, *words, **options):
        return run("podman", *self.options, *words, **options)

    def buildah(self, *words, **options):
        return run("buildah", *self.options, *words, **options)

    def records(self, what):
        path = self.root / f"{self.driver}-{what}" / f"{what}.json"
        return json.loads(path.read_text()) if path.exists() else []

    def layer_trees(self):
        """Each layer's tree by the layer's ID; of the root directory only the mode."""
        home, below = (self.root / "overlay", "diff") if self.driver == "overlay" else (self.root / "vfs/dir", "")
        found = {}
        for layer in sorted(home.iterdir()):
            if len(layer.name) != 64:
                continue
            found[layer.name] = tree(layer / below)
            found[layer.name].get(".", {}).pop("mtime", None)
            for entry in found[layer.name].values():
                if entry["mode"].startswith("c"):  # whiteouts are of the moment
                    entry.pop("mtime", None)
        return found


class ContainersStorage(Case):
    def setUp(self):
        super().setUp()
        need("podman", "buildah", "skopeo", "runc")
        self.stores = 0

    def new_store(self, driver="overlay"):
        self.stores += 1
        store = Store(self.tmp / f"s{self.stores}", driver)
        # What podman mounts over the store itself is in the way of its removal.
        self.addCleanup(subprocess.run, ["umount", "-l", store.root / driver], check=False, stderr=subprocess.DEVNULL)
        return store

    def built(self, store):
        """An image of three layers as buildah makes them: whiteouts, links, xattrs, capabilities."""
        self.write("ctx/bin/busybox", pathlib.Path("/bin/busybox").read_bytes(), 0o755)
        for name in ("sh", "ls", "cat"):
            (self.tmp / f"ctx/bin/{name}").hardlink_to(self.tmp / "ctx/bin/busybox")
        self.write("ctx/etc/x", "hello\n")
        self.write("ctx/d/e/f", "f")
        self.write("ctx/d/g", "g")
        (self.tmp / "ctx/etc/link").symlink_to("x")
        os.mkfifo(self.tmp / "ctx/d/fifo")
        base = store.buildah("from", "scratch").out.strip()
        store.buildah("copy", base, self.tmp / "ctx", "/")
        store.buildah("config", "--cmd", "/bin/sh", "--label", "a=b", base)
        store.buildah("commit", base, "localhost/base")
        for number, change in enumerate((
                "rm {m}/d/g; rm -r {m}/d/e; mkdir {m}/d/e; echo n > {m}/d/e/n; chmod 4711 {m}/d/e/n; chown 5:6 {m}/d/e",
                "setfattr -n user.foo -v bar {m}/etc/x; cp {m}/bin/busybox {m}/bin/ping;"
                " setcap cap_net_bind_service+ep {m}/bin/ping; rm {m}/etc/link; touch -d 1970-01-01 {m}/etc")):
            parent = "localhost/base" if number == 0 else "localhost/step0"
            container = store.buildah("from", parent).out.strip()
            mounted = store.buildah("mount", container).out.strip()
            run("sh", "-ec", change.format(m=mounted))
            store.buildah("umount", container)
            store.buildah("commit", "--rm", container, f"localhost/step{number}")
        store.buildah("rm", "-a")
        return "localhost/step1"

    def config_of(self, name):
        return run("skopeo", "inspect", "--config", "--raw", name).out

    def test_images_of_buildah_are_read_as_skopeo_reads_them(self):
        for driver in ("overlay", "vfs"):
            store = self.new_store(driver)
            image = store.name(self.built(store))
            self.lade("copy", image, f"oci:{self.tmp}/ours-{driver}:x")
            run("skopeo", "copy", image, f"oci:{self.tmp}/theirs-{driver}:x")
            check_layout(self.tmp / f"ours-{driver}")
            ours, theirs = (self.config_of(f"oci:{self.tmp}/{side}-{driver}:x") for side in ("ours", "theirs"))
            self.assertEqual(ours, theirs)
            self.assertEqual(len(json.loads(ours)["rootfs"]["diff_ids"]), 3)
            # Without compression the manifests are the same too.
            self.lade("copy", image, f"dir:{self.tmp}/ours-{driver}.dir")
            run("skopeo", "copy", image, f"dir:{self.tmp}/theirs-{driver}.dir")
            run("diff", "-r", self.tmp / f"ours-{driver}.dir", self.tmp / f"theirs-{driver}.dir")
            run("rm", "-rf", self.tmp / "ctx")

    def layout(self):
        """The same image in a layout, without the peers' store."""
        store = self.new_store()
        run("skopeo", "copy", store.name(self.built(store)), f"oci:{self.tmp}/layout:x")
        return f"oci:{self.tmp}/layout:x"

    def test_what_we_write_is_what_skopeo_writes(self):
        layout = self.layout()
        for driver in ("overlay", "vfs"):
            ours, theirs = self.new_store(driver), self.new_store(driver)
            self.lade("copy", layout, ours.name("localhost/a:b"))
            run("skopeo", "copy", layout, theirs.name("localhost/a:b"))
            self.assertEqual(ours.layer_trees(), theirs.layer_trees())
            for what in ("layers", "images"):
                records = []
                for store in (ours, theirs):
                    records.append(store.records(what))
                    for record in records[-1]:
                        if what == "layers":
                            record.pop("created")
                        for name in ("metadata", "flags"):
                            record.pop(name, None)
                        # An empty list of signatures, which skopeo keeps too.
                        record["big-data-names"] = [n for n in record.get("big-data-names", []) if n[:10] != "signature-"]
                        for name in ("big-data-sizes", "big-data-digests"):
                            record[name] = {k: v for k, v in record.get(name, {}).items() if k[:10] != "signature-"}
                        record["big-data-names"].sort()
                self.assertEqual(records[0], records[1], what)

    def test_podman_and_buildah_see_use_and_remove_what_we_write(self):
        layout = self.layout()
        for driver in ("overlay", "vfs"):
            store = self.new_store(driver)
            store.podman("images")  # a store that is in use already
            self.lade("copy", layout, store.name("localhost/a:b"))
            listed = json.loads(store.podman("images", "--format", "json").out)
            self.assertEqual([entry["Names"] for entry in listed], [["localhost/a:b"]])
            out = store.podman("--runtime", "runc", "run", "--rm", "--pull=never", "--network", "none", "--ulimit",
                               "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "localhost/a:b", "/bin/sh", "-c",
                               "cat /etc/x /d/e/n; ls /d; test -e /etc/link || echo gone; mkdir /new").out
            self.assertEqual(out.split(), ["hello", "n", "e", "fifo", "gone"])
            # Built upon, and what is built read by us.
            container = store.buildah("from", "--pull-never", "localhost/a:b").out.strip()
            mounted = pathlib.Path(store.buildah("mount", container).out.strip())
            (mounted / "added").write_text("added")
            store.buildah("umount", container)
            failed = self.lade_fails("delete", store.name("localhost/a:b"))
            self.assertIn("is used by container", failed.err)
            store.buildah("commit", "--rm", container, "localhost/child")
            self.lade("copy", store.name("localhost/child"), f"oci:{self.tmp}/child-{driver}:x")
            self.assertEqual(len(json.loads(self.config_of(f"oci:{self.tmp}/child-{driver}:x"))["rootfs"]["diff_ids"]), 4)
            with Registry(self.tmp / f"registry-{driver}") as registry:
                store.podman("push", "--tls-verify=false", "localhost/a:b", f"{registry.host}/a:b")
                self.assertEqual(self.config_of(layout),
                                 run("skopeo", "inspect", "--tls-verify=false", "--config", "--raw",
                                     f"docker://{registry.host}/a:b").out)
            store.podman("push", "localhost/a:b", f"dir:{self.tmp}/pushed-{driver}")
            store.podman("rmi", "localhost/child", "localhost/a:b")
            self.assertEqual(store.records("layers"), [])
            self.assertEqual(store.layer_trees(), {})

    def test_images_are_deleted_with_their_layers(self):
        layout = self.layout()
        store = self.new_store()
        self.lade("copy", layout, store.name("localhost/a:b"))
        self.lade("copy", layout, store.name("localhost/a:c"))
        self.lade("delete", store.name("localhost/a:b"))
        self.assertEqual(json.loads(store.podman("images", "--format", "json").out)[0]["Names"], ["localhost/a:c"])
        self.lade("delete", store.name("localhost/a:c"))
        self.assertEqual(store.records("images"), [])
        self.assertEqual(store.layer_trees(), {})
        self.assertEqual(list((store.root / "overlay/l").iterdir()), [])
        store.podman("images")

    def test_names_are_listed(self):
        layout = self.layout()
        store = self.new_store()
        for name in ("localhost/a:b", "localhost/c"):
            self.lade("copy", layout, store.name(name))
        self.assertEqual(sorted(self.lade("tags", store.name("")).out.split()), ["localhost/a:b", "localhost/c:latest"])

    def test_a_store_is_sound_whenever_we_are_killed(self):
        layout = self.layout()
        store = self.new_store()
        command = [LADE, "copy", layout, store.name("localhost/a:b")]
        for number in range(25):
            process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.002 * number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            listed = json.loads(store.podman("images", "--format", "json").out)
            for layer in store.records("layers"):
                self.assertTrue((store.root / "overlay" / layer["id"] / "diff").is_dir())
            if listed:
                store.podman("rmi", "-f", listed[0]["Id"])
        run(*command)
        store.podman("push", "localhost/a:b", f"dir:{self.tmp}/pushed")
        leftovers = [p for p in (store.root / "overlay/.lade-staging").iterdir() if p.name != ".lock"]
        self.assertEqual(leftovers, [])

    def test_writers_at_once_lose_nothing(self):
        layout = self.layout()
        store = self.new_store()
        copies = [subprocess.Popen([str(word) for word in (LADE, "copy", layout, store.name(f"localhost/n{n}"))],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for n in range(4)]
        copies.append(subprocess.Popen(["skopeo", "copy", layout, store.name("localhost/theirs")],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        for copy in copies:
            err = copy.communicate()[1]
            self.assertEqual(copy.returncode, 0, err)
        names = json.loads(store.podman("images", "--format", "json").out)
        self.assertEqual({name for entry in names for name in entry["Names"]},
                         {f"localhost/n{n}:latest" for n in range(4)} | {"localhost/theirs:latest"})

    def test_the_configuration_says_where_the_store_is(self):
        layout = self.layout()
        store = self.new_store()
        conf = self.write("storage.conf", f'[storage]\ndriver = "overlay"\ngraphroot = "{store.root}"\n'
                                          f'runroot = "{store.run_root}"\n')
        environment = {"CONTAINERS_STORAGE_CONF": str(conf)}
        self.lade("copy", layout, "containers-storage:localhost/a:b", env=environment)
        self.assertEqual([image["names"] for image in store.records("images")], [["localhost/a:b"]])
        run("skopeo", "inspect", "containers-storage:localhost/a:b", env=environment)
        self.lade("inspect", "containers-storage:localhost/a:b", env=environment)


if __name__ == "__main__":
    main()
