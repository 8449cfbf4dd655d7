"""OCI layouts made from nothing, the same each time: images of many layers, of many platforms."""
import gzip
import hashlib
import io
import json
import random
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PLATFORMS = [("amd64", ""), ("arm64", "v8"), ("arm", "v7"), ("arm", "v6"), ("386", ""), ("ppc64le", ""), ("s390x", ""),
             ("riscv64", "")]


class Layout:
    """A layout directory; `image` and `index` add to it, `tag` names what they returned."""

    def __init__(self, path):
        self.path = path
        self.named = []
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def layer(self, size, seed):
        """A layer with one file of `size` bytes that hardly compresses, and its diff ID."""
        file = tarfile.TarInfo(f"data-{seed}")
        file.size = size
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            tar.addfile(file, io.BytesIO(random.Random(seed).randbytes(size)))
        tar_bytes = out.getvalue()
        packed = gzip.compress(tar_bytes, compresslevel=1, mtime=0)
        return self.blob(LAYER, packed), "sha256:" + hashlib.sha256(tar_bytes).hexdigest()

    def image(self, sizes, seed, platform=PLATFORMS[0]):
        layers = [self.layer(size, f"{seed}-{number}") for number, size in enumerate(sizes)]
        about = {"architecture": platform[0], "os": "linux"}
        if platform[1]:
            about["variant"] = platform[1]
        config = {**about, "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST,
                    "config": self.blob(CONFIG, json.dumps(config).encode()),
                    "layers": [descriptor for descriptor, _ in layers]}
        return {**self.blob(MANIFEST, json.dumps(manifest).encode()), "platform": about}

    def index(self, manifests):
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
        return self.blob(INDEX, json.dumps(document).encode())

    def tag(self, name, descriptor):
        plain = {key: descriptor[key] for key in ("mediaType", "digest", "size")}
        self.named.append({**plain, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.named}))


def make(path):
    """The images of the copy cases: `eight` platforms, `hundred` layers, fifty `small` layers, `repo0` to `repo49`."""
    layout = Layout(path)
    layout.tag("eight", layout.index([layout.image([2_000_000, 500_000, 1000], f"eight{number}", platform)
                                      for number, platform in enumerate(PLATFORMS)]))
    layout.tag("hundred", layout.image([1_000_000] * 100, "hundred"))
    layout.tag("small", layout.image([20_000] * 50, "small"))
    for number in range(50):
        layout.tag(f"repo{number}", layout.image([200_000, 20_000, 2000], f"repo{number}"))
