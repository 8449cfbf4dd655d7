"""The cases of testdata/build that say so are built by buildah too and compared: trees and configs of both images."""
import concurrent.futures
import os

import corpus
from lade_testing import Case, main, need, run

# What buildah's chroot isolation leaves in the tree; ours leaves nothing.
LEFT_BEHIND = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run", "/run/.containerenv", "/run/secrets", "/proc", "/sys", "/dev"}
COMPARED = ("User", "Entrypoint", "Cmd", "WorkingDir", "Labels", "StopSignal", "Volumes", "Env", "ExposedPorts")


def plain(config):
    """The compared members, without what buildah adds and in one order."""
    out = {key: config.get(key) or None for key in COMPARED}
    labels = dict(out["Labels"] or {})
    labels.pop("io.buildah.version", None)
    out["Labels"] = labels or None
    out["Env"] = sorted(out["Env"] or [])
    out["WorkingDir"] = out["WorkingDir"] or "/"
    return out


def entry_of(entry):
    """What is compared of a path: all but times, which buildah's layers have in whole seconds, and of links their mode."""
    keys = ("target",) if entry["type"] == "l" else ("mode", "owner", "size", "content", "xattrs", "same_as")
    return {"type": entry["type"], **{key: entry[key] for key in keys if key in entry}}


def unmount_below(directory):
    """buildah leaves mounts of its store behind where several run at once."""
    mounts = [line.split()[4] for line in open("/proc/self/mountinfo", encoding="utf-8")]
    for mount in sorted((m for m in mounts if m.startswith(f"{directory}/")), reverse=True):
        run("umount", "-l", mount, check=False)


class AgainstBuildah(Case):
    def test_both_build_the_same(self):
        need("buildah")
        corpus.make_context(self.tmp / "context")
        base = corpus.make_base(self.tmp / "base", self.store)
        only = os.environ.get("LADE_CASE", "")
        cases = [case for case in corpus.cases() if case.buildah == "" and only in case.name]
        self.assertGreaterEqual(len(cases), 1 if only else 40)
        storage = ["--root", self.tmp / "buildah", "--runroot", self.tmp / "buildah-run", "--storage-driver", "overlay"]
        (self.tmp / "theirs").mkdir()
        self.addCleanup(unmount_below, self.tmp)

        def problems(case):
            ours, theirs = (f"{self.tmp}/{who}/{case.name}" for who in ("ours", "theirs"))
            self.lade("build", *case.words(base), "-o", f"oci:{ours}:out", self.tmp / "context")
            result = run("buildah", *storage, "build", "--isolation", "chroot", "--network", "host", "--layers=false", *case.words(base),
                         "-t", f"oci:{theirs}:out", self.tmp / "context", check=False)
            if result.status != 0:
                return [f"{case.name}: buildah fails: {result.err}"]
            ours, theirs = corpus.Image(ours, "out"), corpus.Image(theirs, "out")
            lines = []
            for path in sorted(set(ours.tree) | set(theirs.tree)):
                left, right = (entry_of(image.tree[path]) if path in image.tree else None for image in (ours, theirs))
                if left != right and not (left is None and path in LEFT_BEHIND):
                    lines.append(f"{case.name}: {path}: {left} and buildah {right}")
            left, right = plain(ours.config["config"]), plain(theirs.config["config"])
            lines += [f"{case.name}: {key}: {left[key]} and buildah {right[key]}" for key in COMPARED if left[key] != right[key]]
            if case.author is not None and theirs.config.get("author") != ours.config.get("author"):
                lines.append(f"{case.name}: author: buildah {theirs.config.get('author')}")
            return lines

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            lines = [line for found in pool.map(problems, cases) for line in found]
        self.assertEqual(lines, [], "\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
