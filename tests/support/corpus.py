"""The corpus of Containerfiles in testdata/build: its common context, what its cases expect, and trees of images read without our code.

testdata/build/README.md describes the form of the cases."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import stat
import tarfile

from lade_testing import LADE, SOURCE, layout_blob, layout_json, need, run

CASES = SOURCE / "testdata/build"
TIME = 1_600_000_000
FILES = {  # path: (mode, content)
    "a.txt": (0o644, "a\n"), "b.txt": (0o644, "b\n"), "tool.sh": (0o755, "#!/bin/sh\necho tool\n"), "secret.txt": (0o600, "s\n"),
    "suid": (0o4755, "x\n"), "with space.txt": (0o644, "w\n"), "[x].txt": (0o644, "x\n"), "xattr.txt": (0o644, "x\n"),
    "text.tar": (0o644, "not a tar\n"), "dir/one.txt": (0o644, "1\n"), "dir/two.md": (0o644, "2\n"), "dir/.hidden": (0o644, "h\n"),
    "dir/sub/three.txt": (0o640, "3\n"), "dir/sub/deep/four.txt": (0o644, "4\n"), "many/a1": (0o644, "1\n"), "many/a2": (0o644, "2\n"),
    "many/b1": (0o644, "3\n"), "hard/one": (0o644, "h\n"), "tree2/sub/f": (0o644, "f\n"),
    "etc/passwd": (0o644, "root:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\n"), "etc/group": (0o644, "root:x:0:\napp:x:1001:\nstaff:x:50:\n"),
}
LINKS = {"link": "a.txt", "dirlink": "dir", "outside": "../../../../nowhere/hostname", "dir/up": "../a.txt", "tree2/rel": "sub/f",
         "tree2/abs": "/etc/passwd", "tree2/dangling": "nowhere"}


def make_context(directory):
    """The context that all cases share: files of every kind, all of the same time."""
    directory = pathlib.Path(directory)
    for path, (mode, content) in FILES.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)
    for path, target in LINKS.items():
        (directory / path).symlink_to(target)
    (directory / "dir/sub").chmod(0o700)
    (directory / "empty").mkdir(mode=0o711)
    (directory / "tree/kept").mkdir(parents=True)
    (directory / "tree/kept").chmod(0o711)
    (directory / "hard/two").hardlink_to(directory / "hard/one")
    os.setxattr(directory / "xattr.txt", "user.note", b"kept")
    os.chown(directory / "b.txt", 1234, 4321)
    for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz"), (".tar.bz2", "w:bz2"), (".tar.xz", "w:xz")):
        with tarfile.open(directory / f"data{suffix}", mode) as archive:
            add_member(archive, "top.txt", b"t\n", 0o640, 77, 88)
            add_member(archive, "folder", None, 0o750, 1, 1)
            add_member(archive, "folder/in.txt", b"i\n", 0o644, 1, 1)
            add_member(archive, "ln", None, 0o777, 0, 0, "top.txt")
    for path in sorted(directory.rglob("*"), reverse=True):
        os.utime(path, (TIME, TIME), follow_symlinks=False)


def add_member(archive, name, content, mode, uid, gid, link=None):
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid, member.mtime = mode, uid, gid, TIME
    if link is not None:
        member.type, member.linkname = tarfile.SYMTYPE, link
    elif content is None:
        member.type = tarfile.DIRTYPE
    else:
        member.size = len(content)
    archive.addfile(member, None if content is None else io.BytesIO(content))


def make_base(directory, store):
    """An image with the static busybox and its commands, for cases that run something; its name."""
    need("busybox")
    directory = pathlib.Path(directory)
    (directory / "context").mkdir(parents=True)
    run("cp", "/bin/busybox", directory / "context/busybox")
    (directory / "context/Containerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n"
        "RUN mkdir -m 1777 /tmp && mkdir -p /etc /srv && echo base > /etc/base && echo old > /srv/old\n")
    run(LADE, "--store", store, "build", "-o", f"oci:{directory}/base:base", directory / "context")
    return f"oci:{directory}/base:base"


class Case:
    """A directory of testdata/build with a Containerfile and what is expected of it."""

    def __init__(self, directory):
        self.name = directory.name
        self.containerfile = directory / "Containerfile"
        self.uses_base = "BASE" in self.containerfile.read_text()
        self.buildah = None        # "": compared; a text: why it is not; None: not said
        self.arguments, self.errors, self.warnings = [], [], []
        self.status = 1
        self.config, self.history, self.author, self.layers = {}, None, None, None
        self.entries, self.gone, self.same, self.matches, self.links = {}, [], [], [], []
        for line in (directory / "expected").read_text().splitlines():
            self.read(line)

    def read(self, line):
        word, _, rest = line.partition(" ")
        if word == "buildah":
            self.buildah = rest.removeprefix("differs:").strip()
        elif word == "arguments":
            self.arguments += rest.split()
        elif word == "error":
            self.errors.append(rest)
        elif word == "warning":
            self.warnings.append(rest)
        elif word == "status":
            self.status = int(rest)
        elif word == "config":
            self.config.update(json.loads(rest))
        elif word == "history":
            self.history = json.loads(rest)
        elif word == "author":
            self.author = rest
        elif word == "layers":
            self.layers = int(rest)
        elif word in ("gone", "same", "matches", "h"):
            {"gone": self.gone, "same": self.same, "matches": self.matches, "h": self.links}[word].append(path_words(rest))
        elif word in ("f", "file", "d", "l", "p"):
            self.read_entry(word, rest)
        else:
            raise AssertionError(f"{self.name}: cannot read {line!r}")

    def read_entry(self, kind, rest):
        if kind == "l":
            path, target = rest.split(" -> ")
            self.entries[path] = {"type": "l", "target": target}
            return
        mode, owner, rest = rest.split(" ", 2)
        path, *rest = path_words(rest)
        entry = {"type": "f" if kind == "file" else kind, "mode": int(mode, 8), "owner": owner}
        if kind == "f":
            entry["content"] = rest.pop(0)
            entry["xattrs"] = {}
        for word in rest:
            if word.startswith("@"):
                entry["mtime"] = int(word[1:])
            else:
                key, value = word.split("=")
                entry["xattrs"][key] = value
        self.entries[path] = entry

    def words(self, base):
        """What follows `build` on either program's command line, but for the context."""
        return ["-f", self.containerfile, *self.arguments, *(["--build-arg", f"BASE={base}"] if self.uses_base else [])]

    def problems(self, image, base):
        """What of the image is not as expected."""
        base_tree = base.tree if self.uses_base and not self.config_only(image, base) else {}
        out = []
        named = set(self.entries) | {path for path, *_ in self.links} | {p for path, *_ in self.gone for p in [path]}
        named |= {path for words in self.same for path in words} | {path for path, *_ in self.matches}
        for path, entry in self.entries.items():
            out += entry_problems(path, entry, image.tree.get(path))
        for path, other in self.links:
            if image.tree.get(path, {}).get("same_as") != image.tree.get(other, {}).get("same_as") or "same_as" not in image.tree.get(path, {}):
                out.append(f"{path} is no other name of {other}")
        for (path,) in self.gone:
            if path in image.tree:
                out.append(f"{path} is there")
        for left, right in self.same:
            if image.tree.get(left, {}).get("content") != image.tree.get(right, {}).get("content") or left not in image.tree:
                out.append(f"{left} and {right} differ")
        for path, pattern in self.matches:
            if not re.search(pattern, image.tree.get(path, {}).get("content", "")):
                out.append(f"{path} holds {image.tree.get(path)}")
        for path in sorted(set(image.tree) | set(base_tree)):
            if path not in named and timeless(image.tree.get(path)) != timeless(base_tree.get(path)):
                out.append(f"{path}: {base_tree.get(path)} became {image.tree.get(path)}")
        return out + self.config_problems(image)

    def config_only(self, image, base):
        """True if the image does not stand on the base: a stage of it did."""
        return not all(layer in image.layers for layer in base.layers)

    def config_problems(self, image):
        out = [f"{key}: {image.config['config'].get(key)} is not {value}" for key, value in self.config.items()
               if image.config["config"].get(key) != value]
        if self.author is not None and image.config.get("author") != self.author:
            out.append(f"author: {image.config.get('author')}")
        if self.history is not None:
            found = [entry["created_by"] for entry in image.config["history"]][-len(self.history):]
            found = [text.removesuffix(" # buildkit") for text in found]
            if found != self.history:
                out.append(f"history: {found}")
        if self.layers is not None and len(image.layers) != self.layers:
            out.append(f"{len(image.layers)} layers")
        return out


def timeless(entry):
    """An entry without what every change of a directory's content changes."""
    return {k: v for k, v in entry.items() if k != "mtime"} if entry and entry["type"] == "d" else entry


def entry_problems(path, expected, found):
    if found is None:
        return [f"{path} is not there"]
    return [f"{path}: {key}: {found.get(key)!r} is not {value!r}" for key, value in expected.items() if found.get(key) != value]


def path_words(text):
    """Words, some of them JSON strings."""
    out = []
    while text := text.strip():
        if text.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(text)
            out.append(value)
            text = text[end:]
        else:
            word, _, text = text.partition(" ")
            out.append(word)
    return out


def cases():
    return [Case(path.parent) for path in sorted(CASES.glob("*/expected"))]


class Image:
    """An image of a layout: config, and the tree that its layers make, read by Python's tarfile."""

    _layers = {}  # digest to members: bases are read once

    def __init__(self, layout, tag):
        index = json.loads((pathlib.Path(layout) / "index.json").read_text())
        name = "org.opencontainers.image.ref.name"
        entry = next(e for e in index["manifests"] if e.get("annotations", {}).get(name) == tag)
        manifest = layout_json(layout, entry["digest"])
        self.config = layout_json(layout, manifest["config"]["digest"])
        self.config.setdefault("config", {})
        self.layers = [layer["digest"] for layer in manifest["layers"]]
        self.tree = {}
        for digest in self.layers:
            for member in self.members(layout, digest):
                self.apply(*member)

    @classmethod
    def members(cls, layout, digest):
        if digest not in cls._layers:
            data = layout_blob(layout, digest).read_bytes()
            data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            cls._layers[digest] = list(layer_members(data))
        return cls._layers[digest]

    def apply(self, path, entry):
        parent, _, name = path.rpartition("/")
        if name == ".wh..wh..opq":
            self.remove(parent, keep=True)
        elif name.startswith(".wh."):
            self.remove(f"{parent}/{name[4:]}")
        else:
            if self.tree.get(path, entry)["type"] != entry["type"]:
                self.remove(path)
            self.tree[path] = entry

    def remove(self, path, keep=False):
        for known in [known for known in self.tree if known.startswith(path + "/") or (known == path and not keep)]:
            del self.tree[known]


KINDS = {tarfile.REGTYPE: "f", tarfile.AREGTYPE: "f", tarfile.LNKTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.FIFOTYPE: "p",
         tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b"}


def layer_members(data):
    by_name = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            path = "/" + member.name.removeprefix("./").strip("/")
            if path == "/":
                continue
            if member.islnk():
                target = "/" + member.linkname.removeprefix("./").strip("/")
                by_name[target]["same_as"] = by_name[target].get("same_as", target)
                entry = by_name[target]
            else:
                entry = {"type": KINDS[member.type], "mode": stat.S_IMODE(member.mode), "owner": f"{member.uid}:{member.gid}",
                         "mtime": int(member.mtime)}
                if member.issym():
                    entry["target"] = member.linkname
                if member.isreg():
                    entry["size"] = member.size
                    entry["content"] = content_of(archive.extractfile(member).read())
                prefix = "SCHILY.xattr."
                entry["xattrs"] = {k.removeprefix(prefix): v for k, v in member.pax_headers.items() if k.startswith(prefix)}
            by_name[path] = entry
            yield path, entry


def content_of(data):
    """Small texts as they are, all else by its digest."""
    if len(data) < 4096:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return hashlib.sha256(data).hexdigest()
