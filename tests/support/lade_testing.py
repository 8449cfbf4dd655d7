"""What the tests of the binary share: running it and its peers, registries on free ports, trees compared."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

LADE = os.environ["LADE"]
SOURCE = pathlib.Path(os.environ["LADE_SOURCE_DIR"])
FIXTURES = pathlib.Path(os.environ["LADE_FIXTURES"])
_CACHE = tempfile.TemporaryDirectory(prefix="lade-cache-")


class Result:
    """A finished command: status, out, err (text)."""

    def __init__(self, done):
        self.status = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")


def run(*command, check=True, env=None, cwd=None, stdin=None, timeout=300):
    """Runs a command; with `check` a status other than 0 fails the test and shows what was printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("SOURCE_DATE_EPOCH", "LADE_STORE", "REGISTRY_AUTH_FILE")}
    environment["XDG_CACHE_HOME"] = _CACHE.name  # what one test program learns is no other's business
    environment.update(env or {})
    done = subprocess.run([str(word) for word in command], env=environment, cwd=cwd, input=stdin,
                          stdin=None if stdin is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, check=False)
    result = Result(done)
    if check and result.status != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: status {result.status}\n{result.out}\n{result.err}")
    return result


def need(*programs):
    """Fails, never skips, where a peer is missing."""
    for program in programs:
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            raise AssertionError(f"{program} is missing: run ./test, which installs it")


class Case(unittest.TestCase):
    """A test with a temporary directory `self.tmp` and a local store of its own in it."""

    maxDiff = None

    def setUp(self):
        # A letter at each end: buildah takes the path for a name, which cannot begin or end with the random part's "_".
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="lade-test-x", suffix="x"))
        self.addCleanup(remove_tree, self.tmp)
        self.store = self.tmp / "store"

    def lade(self, *words, **options):
        return run(LADE, "--store", self.store, *words, **options)

    def lade_fails(self, *words, status=1, **options):
        result = self.lade(*words, check=False, **options)
        self.assertEqual(result.status, status, result.out + result.err)
        return result

    def write(self, path, text, mode=0o644):
        target = self.tmp / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, str):
            text = text.encode()
        target.write_bytes(text)
        target.chmod(mode)
        return target


def remove_tree(path):
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=False)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Registry:
    """Debian's docker-registry on a free loopback port; a context manager."""

    def __init__(self, directory, htpasswd=None, certificate=None, key=None, delete=True, readonly=False, access_log=False, auth=None):
        need("docker-registry")
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": not access_log}},
                  "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")},
                              "delete": {"enabled": delete}},
                  "http": {"addr": self.host}}
        if readonly:
            config["storage"]["maintenance"] = {"readonly": {"enabled": True}}
        if htpasswd:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(htpasswd)}}
        if auth:
            config["auth"] = auth
        if certificate:
            config["http"]["tls"] = {"certificate": str(certificate), "key": str(key)}
        self.config = self.directory / "config.json"
        self.config.write_text(json.dumps(config))  # JSON is YAML

    def __enter__(self):
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(self.config)], stdout=self.log, stderr=self.log)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError("docker-registry did not start: " + (self.directory / "log").read_text())

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.log.close()


    def requests(self):
        """(method, path, protocol, status) of the requests so far, where there is an access log."""
        pattern = r'"([A-Z]+) (\S+) (HTTP/[0-9.]+)" ([0-9]{3}) '
        return re.findall(pattern, (self.directory / "log").read_text(errors="replace"))


def certificate(directory, name="IP:127.0.0.1", kind="ec"):
    """A key and a certificate for `name` in a directory that works as --cert-dir: (key, certificate)."""
    need("openssl")
    directory.mkdir(parents=True, exist_ok=True)
    key, made = directory / "server.pem", directory / "ca.crt"
    curve = ["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else []
    run("openssl", "req", "-x509", "-newkey", kind, *curve, "-nodes", "-days", "3", "-subj", "/CN=test",
        "-addext", f"subjectAltName={name}", "-keyout", key, "-out", made)
    return key, made


def tree(root, mtimes=True):
    """Every path below `root` with all that a layer records of it."""
    root = os.fsencode(root)
    found = {}
    links = {}
    for directory, names, files in os.walk(root):
        for name in [b"."] * (directory == root) + names + files:
            path = os.path.normpath(os.path.join(directory, name))
            st = os.lstat(path)
            relative = os.path.relpath(path, root).decode("utf-8", "surrogateescape")
            entry = {"mode": stat.filemode(st.st_mode), "uid": st.st_uid, "gid": st.st_gid}
            if mtimes:
                entry["mtime"] = st.st_mtime_ns
            if stat.S_ISREG(st.st_mode):
                entry["size"] = st.st_size
                with open(path, "rb") as f:
                    entry["sha256"] = hashlib.sha256(f.read()).hexdigest()
                if st.st_nlink > 1:
                    entry["same_as"] = links.setdefault((st.st_dev, st.st_ino), relative)
            elif stat.S_ISLNK(st.st_mode):
                entry["target"] = os.readlink(path).decode("utf-8", "surrogateescape")
            elif stat.S_ISCHR(st.st_mode) or stat.S_ISBLK(st.st_mode):
                entry["device"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
            xattrs = {}
            for key in os.listxattr(path, follow_symlinks=False):
                if not key.startswith("trusted.overlay."):
                    xattrs[key] = os.getxattr(path, key, follow_symlinks=False).hex()
            if xattrs:
                entry["xattrs"] = xattrs
            found[relative] = entry
    return found


def differences(a, b, ignore=()):
    """Lines that say how two trees differ; `ignore(path, key)` may excuse one."""
    lines = []
    for path in sorted(set(a) | set(b)):
        left, right = a.get(path), b.get(path)
        if left is None or right is None:
            key = "exists"
            if not (ignore and ignore(path, key)):
                lines.append(f"{path}: only in the {'second' if left is None else 'first'}")
            continue
        for key in sorted(set(left) | set(right)):
            if left.get(key) != right.get(key) and not (ignore and ignore(path, key)):
                lines.append(f"{path}: {key}: {left.get(key)} != {right.get(key)}")
    return lines


def layout_blob(layout, digest):
    algorithm, encoded = digest.split(":")
    return pathlib.Path(layout) / "blobs" / algorithm / encoded


def layout_json(layout, digest):
    return json.loads(layout_blob(layout, digest).read_bytes())


def check_layout(layout):
    """Independent of our code: every blob that is reachable exists, and every blob hashes to its name."""
    layout = pathlib.Path(layout)
    assert json.loads((layout / "oci-layout").read_text())["imageLayoutVersion"].startswith("1.")
    index = json.loads((layout / "index.json").read_text())
    for algorithm in os.listdir(layout / "blobs"):
        for name in os.listdir(layout / "blobs" / algorithm):
            if name.startswith("."):
                continue
            digest = hashlib.new(algorithm)
            with open(layout / "blobs" / algorithm / name, "rb") as f:
                while chunk := f.read(1 << 20):
                    digest.update(chunk)
            assert digest.hexdigest() == name, f"blob {name} has other content"

    def walk(descriptor):
        blob = layout_blob(layout, descriptor["digest"])
        assert blob.exists(), f"missing {descriptor}"
        assert blob.stat().st_size == descriptor["size"], f"wrong size of {descriptor}"
        kind = descriptor["mediaType"]
        if "manifest" in kind or "index" in kind:
            document = json.loads(blob.read_bytes())
            for child in document.get("manifests", []) + document.get("layers", []):
                walk(child)
            if "config" in document:
                walk(document["config"])

    for entry in index["manifests"]:
        walk(entry)
    return index


def put_layout_blob(layout, media_type, content):
    """Stores bytes in a layout; the descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    blobs = pathlib.Path(layout) / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (blobs / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def put_layout_entry(layout, name, descriptor):
    """Adds an entry to a layout's index.json, which is made where missing."""
    layout = pathlib.Path(layout)
    (layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "manifests": []}
    with contextlib.suppress(FileNotFoundError):
        index = json.loads((layout / "index.json").read_text())
    index["manifests"].append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
    (layout / "index.json").write_text(json.dumps(index))


def small_image(layout, name, seed, architecture="amd64", base=b"base", **members):
    """A two-layer image of a few hundred bytes in a layout, made without our code; its descriptor. `name` None: not listed."""
    import gzip
    import io
    import tarfile
    layers, diff_ids = [], []
    for label, content in (("base", base), ("top", seed.encode())):
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as out:
            info = tarfile.TarInfo(label)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
        diff_ids.append("sha256:" + hashlib.sha256(tar.getvalue()).hexdigest())
        layers.append(put_layout_blob(layout, "application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(tar.getvalue(), mtime=0)))
    config = {"architecture": architecture, "os": "linux", "config": {"Labels": {"seed": seed}},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": put_layout_blob(layout, "application/vnd.oci.image.config.v1+json", json.dumps(config).encode()),
                "layers": layers, **members}
    descriptor = put_layout_blob(layout, manifest["mediaType"], json.dumps(manifest).encode())
    if name is not None:
        put_layout_entry(layout, name, descriptor)
    return descriptor


def small_index(layout, name, seed, architectures=("amd64", "arm64")):
    """An index of small images in a layout; its descriptor."""
    entries = [{**small_image(layout, None, f"{seed}-{a}", a), "platform": {"architecture": a, "os": "linux"}} for a in architectures]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    descriptor = put_layout_blob(layout, index["mediaType"], json.dumps(index).encode())
    put_layout_entry(layout, name, descriptor)
    return descriptor


def apt_sources():
    """The machine's own Debian sources, for mmdebstrap."""
    for path in ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"):
        if os.path.exists(path) and os.path.getsize(path) > 0:
            return [path]
    return []


def debian_rootfs():
    """A Debian bookworm minbase root file system as a tar, made once for each build directory."""
    need("mmdebstrap")
    target = FIXTURES / "bookworm.tar"
    FIXTURES.mkdir(parents=True, exist_ok=True)
    import fcntl
    with open(FIXTURES / "bookworm.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = FIXTURES / "bookworm.partial.tar"
            partial.unlink(missing_ok=True)
            run("mmdebstrap", "--variant=minbase", "bookworm", partial, *apt_sources(), timeout=900)
            partial.rename(target)
    return target


def layout_from_tar(rootfs, layout, tag):
    """A one-layer image made by umoci from a root file system tar, without our code."""
    need("umoci")
    run("umoci", "init", "--layout", layout)
    run("umoci", "new", "--image", f"{layout}:{tag}")
    run("umoci", "raw", "add-layer", "--image", f"{layout}:{tag}", rootfs, timeout=900)


def busybox_context(directory):
    """A build context with the static busybox in it."""
    need("busybox")
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox"), directory / "busybox")
    return directory


def main():
    unittest.main(verbosity=2)
