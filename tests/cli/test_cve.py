"""Attacks on builders that became known, each tried under its number; those on runtimes are in tests/sandbox/cve_test.cpp and
escape_test.cpp, those on archives in tests/layer. docs/security.md lists them all."""
import contextlib
import ctypes
import gzip
import io
import json
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
import threading
import time

from lade_testing import Case, LADE, busybox_context, main, put_layout_blob, put_layout_entry, remove_tree, run, small_image

INSTALL = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
CANARY = "canary-6c7b1f"


def tar_of(*members):
    """A tar of (name, content) files, (name, ">", target) links, (name, "=", target) hard links and (name, "/") directories."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, *what in members:
            info = tarfile.TarInfo(name)
            content = b""
            if what[0] in (">", "="):
                info.type = tarfile.SYMTYPE if what[0] == ">" else tarfile.LNKTYPE
                info.linkname = what[1]
            elif what[0] == "/":
                info.type = tarfile.DIRTYPE
            else:
                content = what[0].encode()
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Exchange(threading.Thread):
    """Swaps two paths without end."""

    def __init__(self, a, b):
        super().__init__()
        self.paths = (os.fsencode(a), os.fsencode(b))
        self.done = threading.Event()
        self.libc = ctypes.CDLL(None, use_errno=True)

    def run(self):
        while not self.done.is_set():
            self.libc.renameat2(-100, self.paths[0], -100, self.paths[1], 2)
            time.sleep(0.0002)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()


class Cve(Case):
    @classmethod
    def setUpClass(cls):
        cls.room = pathlib.Path(tempfile.mkdtemp(prefix="lade-test-x", suffix="x"))
        cls.addClassCleanup(remove_tree, cls.room)
        context = busybox_context(cls.room / "context")
        (context / "Containerfile").write_text(INSTALL)
        run(LADE, "--store", cls.room / "store", "build", "-t", "base", context)

    def setUp(self):
        super().setUp()
        self.store = self.room / "store"
        self.context = self.tmp / "context"
        self.context.mkdir()
        self.host = self.tmp / "host"
        self.write("host/file", CANARY)
        self.host_before = self.host_state()

    def tearDown(self):
        self.assertEqual(self.host_state(), self.host_before, "the host's directory was touched")

    def host_state(self):
        return [(str(p), p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_ino, p.lstat().st_mtime_ns) for p in sorted(self.host.rglob("*"))]

    def build(self, text, *words, fails=False, status=1, base="FROM base\n", context=None, **options):
        """The printed progress; `fails`: the build must not succeed. Its tree is in self.tmp/out."""
        (self.tmp / "Containerfile").write_text(base + text)
        out = self.tmp / "out"
        shutil.rmtree(out, ignore_errors=True)
        result = self.lade("build", "--progress", "plain", "-f", self.tmp / "Containerfile", "-o", out, *words,
                           context or self.context, check=False, **options)
        self.assertEqual(result.status, (status if fails else 0), result.out + result.err)
        return result.err

    def content(self):
        """Every name and every byte of the exported tree but busybox."""
        found = b""
        for path in sorted((self.tmp / "out").rglob("*")):
            found += os.fsencode(str(path)) + b"\n"
            if path.is_file() and not path.is_symlink() and path.name != "busybox":
                found += path.read_bytes()
        return found.decode("utf-8", "replace")

    def put_file(self, name, data):
        target = self.context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())

    # -- archives and copies -------------------------------------------------------------------------------------------

    def test_cve_2014_6407_2020_10696_2021_29136_2026_28406_links_in_an_added_archive(self):
        up = "../" * 12 + str(self.host)[1:]
        for members in ((("d", ">", str(self.host)), ("d/new", "x")), (("d", ">", up), ("d/file", "x")),
                        (("f", ">", f"{self.host}/file"), ("f", "x")), (("h", "=", f"{self.host}/file"), ("h", "x")),
                        (("h", "=", up + "/file"),), ((f"{up}/new", "x"),), ((f"{self.host}/new", "x"),),
                        ((".", ">", str(self.host)), ("new", "x")), (("d", ">", str(self.host)), ("d", "/")),
                        (("d", ">", str(self.host)), ("d/.wh.file", ""))):
            self.put_file("a.tar", tar_of(*members))
            (self.tmp / "Containerfile").write_text("FROM scratch\nADD a.tar /\n")
            self.lade("build", "-f", self.tmp / "Containerfile", "-o", f"oci:{self.tmp}/layout:t", self.context, check=False)
            self.assertEqual(self.host_state(), self.host_before, members)

    def test_cve_2014_9356_2024_3727_names_that_are_paths(self):
        for base in ("x@sha256:../../../../etc/passwd", "x@sha256:" + "0" * 63 + "/", f"oci:{self.tmp}/l:../../x", "x:../y"):
            self.build("", fails=True, base=f"FROM {base}\n")
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:../../../host/file", "size": 14}}
        put_layout_entry(self.tmp / "l", "t", put_layout_blob(self.tmp / "l", manifest["mediaType"], json.dumps(manifest).encode()))
        self.assertNotIn(CANARY, self.build("", fails=True, base=f"FROM oci:{self.tmp}/l:t\n"))

    def test_cve_2014_9357_2026_41567_decompressors_of_the_image(self):
        marker = "#!/bin/sh\necho x > /was-executed\necho x > " + str(self.host) + "/new\ncat\n"
        self.put_file("fake", marker)
        os.chmod(self.context / "fake", 0o755)
        self.put_file("a.tar.xz", lzma.compress(tar_of(("inside", "x"))))
        self.build("".join(f"COPY fake /{d}/{p}\n" for d in ("bin", "usr/bin") for p in ("xz", "unxz", "tar", "gzip", "git"))
                   + "ADD a.tar.xz /a/\n", base="FROM scratch\n")
        self.assertFalse((self.tmp / "out/was-executed").exists())
        self.assertTrue((self.tmp / "out/a/inside").exists())

    def test_cve_2017_14992_padding_without_end(self):
        self.put_file("a.tar.gz", gzip.compress(tar_of(("f", "x"))) + gzip.compress(b"\0" * (1 << 24), 9) * 16)
        (self.tmp / "Containerfile").write_text("FROM scratch\nADD a.tar.gz /\n")
        child = subprocess.Popen([LADE, "--store", self.store, "build", "-f", self.tmp / "Containerfile", "-o", f"oci:{self.tmp}/l:t", self.context],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        self.assertLess(usage.ru_maxrss, 192 * 1024, "a quarter of a gigabyte of padding is not held")

    def test_cve_2021_20291_xz_that_is_no_xz(self):
        whole = lzma.compress(tar_of(("f", "x" * 5000)))
        for data in (whole[:len(whole) // 2], whole[:12] + b"garbage" * 100, whole[:-4] + b"\0\0\0\0"):
            self.put_file("a.tar.xz", data)
            (self.tmp / "Containerfile").write_text("FROM scratch\nADD a.tar.xz /a/\n")  # what is no archive is a file
            self.lade("build", "-f", self.tmp / "Containerfile", "-o", self.tmp / "out", self.context, check=False, timeout=20)

    def test_cve_2018_15664_2024_23651_2026_41568_a_directory_exchanged_for_a_link_while_it_is_copied(self):
        for i in range(20):
            self.put_file(f"d/sub/f{i}", "mine")
        self.put_file("d/sub/file", "mine")
        (self.context / "link").symlink_to(self.host)
        with Exchange(self.context / "d/sub", self.context / "link"):
            for i in range(12):
                (self.tmp / "Containerfile").write_text(f"FROM scratch\nLABEL i={i}\nCOPY d /d\nCOPY d/sub/file /g\n")
                self.lade("build", "-f", self.tmp / "Containerfile", "-o", self.tmp / "out", self.context, check=False)
                self.assertNotIn(CANARY, self.content())

    def test_cve_2019_10152_2019_18466_patterns_through_links(self):
        self.build(f"RUN ln -s {self.host} /l; ln -s ../../../../../.. /up\nFROM base\nCOPY --from=a /l/f* /got/\n", base="FROM base AS a\n", fails=True)
        self.build(f"RUN ln -s ../../../../../.. /up\nFROM base\nCOPY --from=a /up{self.host}/* /got/\n", base="FROM base AS a\n", fails=True)
        (self.context / "l").symlink_to(self.host)
        self.build("COPY l/* /got/\n", fails=True)
        self.build("COPY l/file /got/\n", fails=True)

    def test_cve_2022_4122_2026_44517_links_as_files_of_the_context(self):
        (self.context / "Containerfile").symlink_to(self.host / "file")
        self.assertNotIn(CANARY, self.lade_fails("build", "-o", self.tmp / "out", self.context).err)
        (self.context / "Containerfile").unlink()
        (self.context / ".containerignore").symlink_to(self.host / "file")
        self.assertNotIn(CANARY, self.lade("build", "-f", "-", "-o", self.tmp / "out", self.context, check=False, stdin=b"FROM scratch\nCOPY . /\n").err)
        (self.context / ".containerignore").unlink()
        (self.context / "dir").symlink_to("/")
        self.build(f"COPY dir{self.host}/file /got\n", fails=True)
        self.build(f"RUN --mount=type=bind,source=dir{self.host},target=/m cat /m/file\n", fails=True)

    def test_cve_2023_0778_a_blob_that_is_a_link(self):
        small_image(self.tmp / "l", "t", "seed")
        blobs = self.tmp / "l/blobs/sha256"
        layer = max(blobs.iterdir(), key=lambda p: p.read_bytes()[:2] == b"\x1f\x8b")
        layer.unlink()
        layer.symlink_to(self.host / "file")
        self.assertNotIn(CANARY, self.build("COPY --from=base /bin/busybox /b/busybox\nRUN [\"/b/busybox\", \"true\"]\n", fails=True, base=f"FROM oci:{self.tmp}/l:t\n"))

    # -- Git -----------------------------------------------------------------------------------------------------------

    def test_cve_2019_13139_2026_33747_2026_33748_references_that_are_options_or_paths(self):
        repository = self.tmp / "r"
        run("git", "init", "-q", repository)
        (repository / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
        (repository / "out").symlink_to(self.host)
        run("git", "-C", repository, "add", ".")
        run("git", "-C", repository, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x")
        for fragment in (f"--upload-pack=touch {self.host}/new", "master:../../host", "master:out", f"master:{self.host}", "-c", "a b"):
            result = self.lade("build", "-o", self.tmp / "out", f"file://{repository}/.git#{fragment}", check=False)
            self.assertNotEqual(result.status, 0, fragment)
            self.assertNotIn(CANARY, result.err)

    def test_cve_2023_26054_credentials_of_urls(self):
        for line in ("ADD http://user:pa55word@127.0.0.1:1/f /\n", "ADD http://user:pa55word@127.0.0.1:1/r.git#main /\n"):
            self.assertNotIn("pa55word", self.build(line, fails=True))
        err = self.lade("build", "-o", self.tmp / "out", "http://user:pa55word@127.0.0.1:1/r.git#main", check=False).err
        self.assertNotIn("pa55word", err)

    # -- mounts --------------------------------------------------------------------------------------------------------

    def test_cve_2015_3630_mounts_over_the_kernels_file_systems(self):
        for target in ("/proc", "/proc/sys", "/", "/dev/../proc/self", "/x/.."):
            self.build(f"RUN --mount=type=tmpfs,target={target} true\n", fails=True)

    def test_cve_2024_1753_sources_that_are_links(self):
        make = f"RUN ln -s / /rootlink; ln -s {self.host} /link; ln -s ../../../../../../.. /up; ln -s /proc/self/fd/3 /fd\n"
        for source in ("/rootlink", "/up", "/../../../.."):  # the stage's own root
            self.build(f"{make}FROM base\nRUN --mount=type=bind,from=a,source={source},target=/m,rw cp -r /m{self.host} /got; "
                       f"echo x > /m{self.host}/new; echo x > /m/new; ! test -e /m/etc/shadow\n", base="FROM base AS a\n")
            self.assertNotIn(CANARY, self.content())
        for source in ("/link", f"/up{self.host}", f"/rootlink{self.host}", "/fd"):
            self.build(f"{make}FROM base\nRUN --mount=type=bind,from=a,source={source},target=/m,rw cat /m/file\n", base="FROM base AS a\n", fails=True)

    def test_cve_2024_9407_options_in_values(self):
        for word in ("bind-propagation=rw", "bind-propagation=shared,rshared", "ro=x,upperdir=/", "readonly=maybe", "uid=0:0", "sharing=x", "mode=9z", "size=1,x"):
            self.build(f"RUN --mount=type=bind,target=/m,{word} true\n", fails=True)

    def test_cve_2024_9675_cache_ids_that_are_paths(self):
        for name in ("../../../../../../../.." + str(self.host), str(self.host), "..", ".", "a/../../../x", "a\\x"):
            self.build(f"RUN --mount=type=cache,id={name},target=/c ! test -e /c/file && touch /c/was-here\n")
        self.assertFalse((self.store / "was-here").exists())
        self.build("RUN ln -s /etc /l\nFROM base\nRUN --mount=type=cache,id=other,from=a,source=/l,target=/c ls /c\n", base="FROM base AS a\n", fails=True)
        self.build(f"RUN --mount=type=cache,id=third,from=base,source=../../../../..{self.host},target=/c ls /c\n", fails=True)

    def test_cve_2021_30465_2024_11218_2024_45310_steps_that_share_a_cache(self):
        racer = ("RUN --mount=type=cache,id=race,target=/c mkdir -p /c/d; ln -sfn " + str(self.host) + " /c/l; i=0; while [ $i -lt 400 ]; do "
                 "mv /c/d /c/t; ln -sfn " + str(self.host) + " /c/d; rm -f /c/d; mv /c/t /c/d; i=$((i+1)); done\n")
        steps = "".join(f"FROM base AS s{i}\nRUN --mount=type=cache,id=race,target=/c --mount=type=tmpfs,target=/c/d/below{i % 2} "
                        f"touch /c/d/below{i % 2}/x 2>/dev/null; cat /c/d/file 2>/dev/null; echo {i} > /i\n" for i in range(8))
        end = "FROM base\nCOPY --from=racer /bin/true /\n" + "".join(f"COPY --from=s{i} /i /i{i}\n" for i in range(8))
        (self.tmp / "Containerfile").write_text("FROM base AS racer\n" + racer + steps + end)
        result = self.lade("build", "--progress", "plain", "-j", "3", "-f", self.tmp / "Containerfile", "-o", self.tmp / "out", self.context, check=False)
        self.assertNotIn(CANARY, result.err)

    def test_cve_2024_23652_mount_points_that_the_step_replaces(self):
        for made in ("/m", "/a/b/m"):
            self.build(f"RUN --mount=type=tmpfs,target={made} mkdir -p /keep; true\n"
                       f"RUN --mount=type=bind,source=.,target=/etc/m/n mv /etc/m /x 2>/dev/null; ln -s {self.host} /etc/m 2>/dev/null; true\n")

    def test_cve_2025_4953_writes_to_a_bind_of_the_context(self):
        self.put_file("f", "mine")
        before = (self.context / "f").stat().st_mtime_ns
        self.build("RUN --mount=type=bind,target=/m,rw echo changed > /m/f; echo new > /m/new; mkdir /m/d; chmod 777 /m; rm /m/f\n")
        self.assertEqual(os.listdir(self.context), ["f"])
        self.assertEqual(((self.context / "f").read_text(), (self.context / "f").stat().st_mtime_ns), ("mine", before))

    def test_cve_2025_9566_secrets_through_links(self):
        self.write("secret", "top-53cr3t")
        out = self.build(f"RUN ln -s {self.host} /link; ln -s {self.host}/file /f\n"
                         "RUN --mount=type=secret,id=s,target=/link/s test -s /link/s\nRUN --mount=type=secret,id=s,target=/f test -s /f\n",
                         "--secret", f"id=s,src={self.tmp}/secret")
        self.assertNotIn("top-53cr3t", self.content() + out)

    def test_cve_2019_13509_secrets_in_what_is_kept(self):
        self.write("secret", "top-53cr3t-2")
        out = self.lade("build", "--progress", "json", "--explain", "-t", "secretive", "--provenance", "--secret", f"id=s,src={self.tmp}/secret",
                        "--secret", "id=e,env=IN_ENV", "-f", "-", self.context, env={"IN_ENV": "top-53cr3t-3"},
                        stdin=b"FROM base\nRUN --mount=type=secret,id=s --mount=type=secret,id=e,env=V test -n \"$V\" && test -s /run/secrets/s\n")
        self.assertNotIn("top-53cr3t", out.out + out.err)
        found = subprocess.run(["grep", "-rla", "top-53cr3t", self.store], stdout=subprocess.PIPE, check=False)
        self.assertEqual(found.stdout, b"")

    # -- accounts and working directories ------------------------------------------------------------------------------

    def test_cve_2016_3697_2026_30892_2024_40635_2026_46680_users(self):
        self.put_file("passwd", "root:x:0:0::/root:/bin/sh\n1000:x:0:0::/root:/bin/sh\n0x1:x:0:0::/:/bin/sh\nnegative:x:-1:-1::/:/bin/sh\nbig:x:4294967296:0::/:/bin/sh\n")
        head = "COPY passwd /etc/passwd\n"
        self.build(head + "USER 1000\nRUN test $(id -u) = 1000\n")
        for user in ("4294967296", "-1", "4294967295", "2147483648", "1000:4294967296", "1:2:3", "0x10", "+1", "1.0", "1:-1", "negative", "big"):
            self.build(f"{head}USER {user}\nRUN true\n", fails=True)

    def test_cve_2022_2989_2022_36109_2023_25173_groups(self):
        self.put_file("passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1001::/:/bin/sh\n")
        self.put_file("group", "root:x:0:\nmain:x:1001:\nmore:x:7:ann,bob\nother:x:8:bob\nlast:x:9:ann\n")
        for user, groups in (("ann", "1001 7 9"), ("ann:other", "8"), ("1000", "1001 7 9"), ("1000:0", "0"), ("5", "0"), ("5:7", "7"), ("root", "0"), ("ann:9", "9")):
            out = self.build(f"COPY passwd group /etc/\nUSER {user}\nRUN echo \"groups=$(id -G)\"\n")
            self.assertEqual(sorted(re.findall(r"groups=([0-9 ]+)", out)[-1].split()), sorted(groups.split()), user)

    def test_cve_2024_9676_2026_47262_account_files_that_are_none(self):
        for make in ("mkfifo /etc/passwd", "ln -s /dev/zero /etc/passwd", f"ln -s {self.host}/file /etc/passwd", "mkdir /etc/passwd",
                     "ln -s passwd /etc/passwd", "head -c 20000000 /dev/zero > /etc/passwd"):
            err = self.build(f"RUN mkdir -p /etc; {make}\nUSER someone\nRUN true\n", fails=True, timeout=30)
            self.assertNotIn(CANARY, err)

    def test_cve_2024_21626_2026_55686_working_directories(self):
        for number in (0, 3, 5, 7, 9, 11, 20):
            self.build(f"WORKDIR /proc/self/fd/{number}\nRUN ls -la ../../../.. | grep shadow\n", fails=True)
        self.build(f"RUN ln -s {self.host} /link\nWORKDIR /link/new\nRUN touch here\n")
        self.assertTrue((self.tmp / "out" / str(self.host)[1:] / "new/here").exists())

    def test_cve_2022_23648_volumes_and_directories_above_the_root(self):
        self.build(f'VOLUME ["/../../../../../../../..{self.host}"]\nWORKDIR /../../../../..{self.host}\nRUN ls -A; test -z "$(ls -A)"\n')
        self.assertNotIn(CANARY, self.content())

    def test_cve_2015_3627_2026_41579_links_of_the_image_in_place_of_the_systems_directories(self):
        for name in ("etc", "run", "dev"):
            self.build(f"RUN rmdir /{name} 2>/dev/null; mv /{name} /old-{name} 2>/dev/null; true\nFROM scratch\nCOPY --from=a /bin /bin\n"
                       f"COPY links/{name} /\nRUN [\"/bin/busybox\", \"true\"]\n", base="FROM base AS a\n", context=self.links(name))

    def links(self, name):
        place = self.context / "links" / name
        place.mkdir(parents=True)
        (place / name).symlink_to(self.host)
        return self.context

    # -- rights --------------------------------------------------------------------------------------------------------

    def test_cve_2024_23653_rights_without_leave(self):
        for text in ("RUN --security=insecure true\n", "ONBUILD RUN --security=insecure true\nFROM a\n"):
            self.assertIn("--allow security.insecure", self.build(text, fails=True, base="FROM base AS a\n"))
        self.assertIn("--allow network.host", self.build("RUN --network=host true\n", "--network", "none", fails=True))
        self.build("RUN --network=host true\n", "--network", "none", "--allow", "network.host")

    def test_cve_2020_14370_2021_3602_environment_of_the_caller_and_of_other_steps(self):
        out = self.build("RUN export LEAK=from-the-first; env\nRUN env; cat /proc/1/environ; ! env | grep -E 'LEAK|TOKEN'\n",
                         env={"TOKEN": "of-the-host", "http_proxy": "http://u:pa55@127.0.0.1:1", "AWS_TOKEN": "of-the-host"})
        self.assertNotIn("of-the-host", out)

    def test_cve_2021_21284_2021_41091_2021_41103_2024_25621_the_stores_directories(self):
        self.assertEqual(stat.S_IMODE(self.store.stat().st_mode) & 0o077, 0)

    def test_cve_2026_53488_labels_are_no_orders(self):
        self.build(f'LABEL run.oci.hooks.stdout="{self.host}/new" run.oci.handler=krun run.oci.delegate-cgroup=x io.lade.runtime=/bin/false\nRUN true\n')
        self.build("RUN echo again\n", "--runtime", "crun", "--label", f"run.oci.hooks.stderr={self.host}/new")

    # -- documents -----------------------------------------------------------------------------------------------------

    def image_with(self, name, config, layers=()):
        layout = self.tmp / "images"
        described = [put_layout_blob(layout, "application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(l, mtime=0)) for l in layers]
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": described,
                    "config": put_layout_blob(layout, "application/vnd.oci.image.config.v1+json", config.encode())}
        put_layout_entry(layout, name, put_layout_blob(layout, manifest["mediaType"], json.dumps(manifest).encode()))
        return f"FROM oci:{layout}:{name}\n"

    def test_cve_2024_23650_2024_36620_malformed_configs(self):
        whole = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}'
        for i, config in enumerate(('{}', 'null', '[]', '{"rootfs":null}', whole + ',"history":null}', whole + ',"history":[null]}', whole + ',"config":null}',
                                    whole + ',"config":{"Env":null,"Labels":null}}', whole + ',"config":{"Env":[null]}}', whole + ',"config":{"User":7}}',
                                    whole + ',"history":[{"empty_layer":false}]}', '{"rootfs":{"type":"layers","diff_ids":["x"]}}', '[' * 5000)):
            base = self.image_with(f"t{i}", config)
            (self.tmp / "Containerfile").write_text(base + "LABEL a=b\nCOPY --from=base /bin/busybox /b/busybox\nRUN [\"/b/busybox\", \"true\"]\n")
            result = self.lade("build", "-f", self.tmp / "Containerfile", "-o", f"oci:{self.tmp}/l:t", self.context, check=False)
            self.assertIn(result.status, (0, 1), (config, result.err))
            self.assertNotIn("terminate", result.err)

    def test_cve_2024_24557_a_forged_history(self):
        import hashlib
        out = []
        for i, text in enumerate(("honest", "forged")):
            layer = tar_of(("f", text))
            config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
                      "history": [{"created_by": "COPY f /f"}]}
            base = self.image_with(f"h{i}", json.dumps(config), [layer])
            self.build("COPY --from=base /bin/busybox /b/busybox\nRUN [\"/b/busybox\", \"cp\", \"/f\", \"/g\"]\n", base=base)
            out.append((self.tmp / "out/g").read_text())
        self.assertEqual(out, ["honest", "forged"])


if __name__ == "__main__":
    main()
