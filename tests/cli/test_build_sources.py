"""What `lade build` takes from elsewhere: contexts, git repositories, http servers, Containerfiles in pieces."""
import contextlib
import http.server
import io
import os
import subprocess
import tarfile
import threading
import time
import socket

from lade_testing import Case, LADE, free_port, main, need, run

GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "1600000000 +0000",
       "GIT_COMMITTER_DATE": "1600000000 +0000"}


class Files(http.server.BaseHTTPRequestHandler):
    """Serves `files` of the server, with validators, and notes what was asked."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        found = self.server.files.get(self.path.split("?")[0])
        etag = f'"{hash(found)}"'
        if found is None or self.headers.get("If-None-Match") == etag:
            self.send_response(404 if found is None else 304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_):
        pass


class Sources(Case):
    def setUp(self):
        super().setUp()
        self.context = self.tmp / "context"
        self.context.mkdir()

    def containerfile(self, text, name="Containerfile"):
        (self.context / name).write_text(text)

    def build(self, *words, context=None, check=True, **options):
        call = self.lade if check else self.lade_fails
        return call("build", "-q", "-o", f"oci:{self.tmp}/out:t", *words, self.context if context is None else context, **options)

    def root(self):
        run("rm", "-rf", self.tmp / "bundle")
        run("umoci", "unpack", "--image", f"{self.tmp}/out:t", self.tmp / "bundle")
        return self.tmp / "bundle/rootfs"

    def paths(self):
        root = self.root()
        return sorted(os.path.relpath(os.path.join(d, n), root) for d, ds, fs in os.walk(root) for n in ds + fs)

    @contextlib.contextmanager
    def http(self, files):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
        server.files, server.asked = files, []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server, f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def git(self, *words, cwd):
        return run("git", *words, cwd=cwd, env=GIT).out.strip()

    def repository(self, name, files):
        path = self.tmp / "git" / name
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main", ".", cwd=path)
        for file, text in files.items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(text)
        self.git("add", ".", cwd=path)
        self.git("commit", "-q", "-m", "one", cwd=path)
        return path

    @contextlib.contextmanager
    def git_daemon(self):
        need("git")
        port = free_port()
        daemon = subprocess.Popen(["git", "daemon", "--listen=127.0.0.1", f"--port={port}", f"--base-path={self.tmp}/git", "--export-all",
                                   "--reuseaddr", str(self.tmp / "git")], env={**os.environ, **GIT}, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.02)
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(daemon.pid, 15)
            daemon.wait()

    def test_add_from_an_http_server(self):
        with self.http({"/a/file.txt": b"hello"}) as (server, url):
            self.containerfile(f"FROM scratch\nADD {url}/a/file.txt?x=1 /d/\n")
            self.build()
            found = self.root() / "d/file.txt"
            self.assertEqual((found.read_text(), found.stat().st_mode & 0o7777, int(found.stat().st_mtime)), ("hello", 0o600, 784111777))
            self.build()
            self.assertEqual([path for path, _ in server.asked], ["/a/file.txt?x=1"] * 2)
            self.assertIn("If-None-Match", server.asked[1][1])
            self.containerfile(f"FROM scratch\nADD --checksum=sha256:{'0' * 64} {url}/a/file.txt /\n")
            self.assertIn("not sha256:0000", self.build(check=False).err)
            self.containerfile(f"FROM scratch\nADD {url}/none /\n")
            self.assertIn("the server answers 404", self.build(check=False).err)

    def test_add_from_git(self):
        lib = self.repository("lib", {"lib.c": "lib"})
        path = self.repository("app", {"src/main.c": "main", "run": "x"})
        os.chmod(path / "run", 0o775)
        with self.git_daemon() as url:
            self.git("submodule", "add", "-q", f"{url}/lib", "deps/lib", cwd=path)
            self.git("commit", "-q", "-am", "two", cwd=path)
            head = self.git("rev-parse", "HEAD", cwd=path)
            self.git("tag", "-a", "-m", "v1", "v1", "HEAD~1", cwd=path)
            self.containerfile(f"FROM scratch\nADD {url}/app#main /a/\nADD --exclude=run {url}/app?tag=v1&subdir=/ /b/\n"
                               f"ADD --keep-git-dir=true {url}/lib /c/\nADD --chown=5 {url}/app#{head}:src /d\n")
            self.build()
            paths = [p for p in self.paths() if not p.startswith("c/.git/")]
            self.assertEqual(paths, ["a", "a/.gitmodules", "a/deps", "a/deps/lib", "a/deps/lib/lib.c", "a/run", "a/src", "a/src/main.c",
                                     "b", "b/src", "b/src/main.c", "c", "c/.git", "c/lib.c", "d", "d/main.c"])
            root = self.root()
            self.assertEqual(((root / "a/run").stat().st_mode & 0o7777, int((root / "a/run").stat().st_mtime)), (0o755, 1600000000))
            self.assertEqual((root / "d/main.c").stat().st_uid, 5)
            self.containerfile(f"FROM scratch\nADD {url}/app#{head}:src /d\n")
            self.build()
            self.git("commit", "-q", "--allow-empty", "-m", "three", cwd=path)
            self.containerfile(f"FROM scratch\nADD --checksum={head[:12]} {url}/app#main /a/\n")
            self.assertIn(f", not {head[:12]}", self.build(check=False).err)
            self.containerfile(f"FROM scratch\nADD {url}/app#nosuch /a/\n")
            self.assertIn("no ref 'nosuch'", self.build(check=False).err)
        # What the commit's name pins is cached, and needs no server.
        self.containerfile(f"FROM scratch\nADD {url}/app#{head}:src /d\n")
        self.build()

    def test_a_git_repository_is_a_context_and_nothing_leaves_it(self):
        path = self.repository("ctx", {"Containerfile": "FROM scratch\nCOPY . /c/\n", "sub/Dockerfile": "FROM scratch\nCOPY f /\n", "sub/f": "1",
                                       ".dockerignore": "*\n"})
        with self.git_daemon() as url:
            self.build(context=f"{url}/ctx")
            self.assertEqual(self.paths(), ["c", "c/.dockerignore", "c/Containerfile", "c/sub", "c/sub/Dockerfile", "c/sub/f"])
            self.build(context=f"{url}/ctx#main:sub")
            self.assertEqual(self.paths(), ["f"])
            self.build("--build-context", f"src={url}/ctx#main:sub", "-f", "-", stdin=b"FROM scratch\nCOPY --from=src f /named\n")
            self.assertEqual(self.paths(), ["named"])
            (path / "sub/Dockerfile").unlink()
            os.symlink("/etc/passwd", path / "sub/Dockerfile")
            os.symlink("/", path / "out")
            self.git("add", "-A", cwd=path)
            self.git("commit", "-q", "-m", "links", cwd=path)
            self.assertIn("'Dockerfile'", self.build(context=f"{url}/ctx#main:sub", check=False).err)
            self.assertRegex(self.build(context=f"{url}/ctx#main:out/etc", check=False).err, "no such file")
        marker = self.tmp / "touched"
        for bad in (f"git://127.0.0.1:1/x#--upload-pack=touch {marker}", f"git://127.0.0.1:1/x#--upload-pack=touch${{IFS}}{marker}",
                    "ssh://-oProxyCommand=x/y"):
            self.build(context=bad, check=False)
        self.assertFalse(marker.exists())

    def test_tars_and_standard_input_as_contexts(self):
        (self.context / "f").write_text("x")
        self.containerfile("FROM scratch\nCOPY f /f\n", "Dockerfile")
        for flag, name in (("", "c.tar"), ("z", "c.tgz"), ("j", "c.tar.bz2"), ("J", "c.tar.xz")):
            run("tar", f"-c{flag}f", self.tmp / name, "-C", self.context, ".")
            self.build(context=self.tmp / name)
            self.assertEqual(self.paths(), ["f"])
        self.build(context="-", stdin=(self.tmp / "c.tgz").read_bytes())
        self.assertEqual(self.paths(), ["f"])
        self.build(context="-", stdin=b"FROM scratch\nCOPY <<x /\nx\n")
        self.assertEqual(self.paths(), ["x"])
        with self.http({"/c.tgz": (self.tmp / "c.tgz").read_bytes(), "/Dockerfile": b"FROM scratch\nLABEL a=b\n"}) as (_, url):
            self.build(context=f"{url}/c.tgz")
            self.assertEqual(self.paths(), ["f"])
            self.build(context=f"{url}/Dockerfile")
            self.build("-f", f"{url}/Dockerfile")
        evil = io.BytesIO()
        with tarfile.open(fileobj=evil, mode="w") as tar:
            for name, target in (("d", "/"), ("Dockerfile", f"{self.tmp}/context/Dockerfile")):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, target
                tar.addfile(link)
            tar.addfile(tarfile.TarInfo("d/lade-escaped"))
        self.build(context="-", stdin=evil.getvalue(), check=False)
        self.assertFalse(os.path.exists("/lade-escaped"))
        self.assertEqual(self.lade_fails("build", "-f", "-", "-", status=2, stdin=b"").out, "")

    def test_named_contexts(self):
        other = self.tmp / "other"
        other.mkdir()
        (other / "f").write_text("other")
        run("tar", "-czf", self.tmp / "other.tgz", "-C", other, ".")
        self.containerfile("FROM scratch\nLABEL kind=real\nCOPY <<x /\nx\n")
        self.build("-t", "real")
        digest = self.lade("digest", f"oci:{self.tmp}/out:t").out.strip()
        run("cp", "-a", self.tmp / "out", self.tmp / "layout")
        for place in (other, self.tmp / "other.tgz"):
            self.containerfile("FROM scratch\nCOPY --from=alias f /\n")
            self.build("--build-context", f"alias={place}")
            self.assertEqual(self.paths(), ["f"])
        self.containerfile("FROM base:1\n")
        for place in ("docker-image://real", f"oci-layout://{self.tmp}/layout:t", f"oci-layout://{self.tmp}/layout@{digest}"):
            self.build("--build-context", f"base:1={place}")
            self.assertEqual(self.paths(), ["x"])
        self.assertEqual(self.lade_fails("build", "--build-context", "x", ".", status=2).out, "")

    def test_containerfiles_in_pieces_and_through_cpp(self):
        self.containerfile('#include "common"\nLABEL b=NAME\n', "second.in")
        self.containerfile("LABEL c=d\n", "common")
        self.containerfile("FROM scratch\nLABEL a=b", "first")
        self.build("-f", self.context / "first", "-f", "second.in", "--cpp-flag=-DNAME=two", "-t", "pieces")
        config = self.lade("inspect", "--config", f"oci:{self.tmp}/out:t").out
        for text in ('"a": "b"', '"b": "two"', '"c": "d"'):
            self.assertIn(text.replace(" ", ""), config.replace(" ", ""))
        self.containerfile("FROM scratch\n#error no\n", "bad.in")
        self.assertIn("cpp 'bad.in'", self.build("-f", "bad.in", check=False).err)


if __name__ == "__main__":
    main()
