"""Bundles for OCI runtimes: a root file system of one static busybox, and what the specification's default is."""
import copy
import json
import os
import pathlib

APPLETS = ("sh cat grep sed ls readlink id hostname stat mkdir mknod sleep env sort head true false echo touch rm "
           "kill ps mount awk test dd tty stty ulimit seq wc").split()
CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def capabilities(names):
    return {"bounding": list(names), "effective": list(names), "permitted": list(names)}


def config(*args, **process):
    """A config.json as `runc spec` begins one, without a terminal."""
    return copy.deepcopy({
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": list(args) or ["/bin/true"], "cwd": "/",
                    "env": ["PATH=/bin", "TERM=xterm"], "capabilities": capabilities(CAPABILITIES),
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], **process},
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    })


def make_root(root):
    """A new root at `root` whose files are links to one busybox, which nothing may write."""
    root = pathlib.Path(root)
    (root / "bin").mkdir(parents=True)
    os.link(busybox_beside(root), root / "bin" / "busybox")
    for applet in APPLETS:
        os.symlink("busybox", root / "bin" / applet)
    for name in ("proc", "sys", "dev", "tmp", "etc"):
        (root / name).mkdir()
    return root


def busybox_beside(root):
    """A copy of busybox on the same file system as `root`, made once for each temporary directory."""
    place = root.parent
    while not (place / ".busybox").exists() and not place.name.startswith("lade-test-"):
        place = place.parent
    copied = place / ".busybox"
    if not copied.exists():
        copied.write_bytes(pathlib.Path("/bin/busybox").read_bytes())
        copied.chmod(0o755)
    return copied


def make_bundle(path, content):
    """A bundle at `path` with the configuration `content`."""
    path = pathlib.Path(path)
    path.mkdir(parents=True)
    make_root(path / "rootfs")
    (path / "config.json").write_text(json.dumps(content))
    return path
