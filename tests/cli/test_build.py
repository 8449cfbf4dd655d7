"""lade build on the command line: the main job, outputs, the cache, refusals, failures."""
import json
import os
import pty
import subprocess
import time

from lade_testing import Case, LADE, busybox_context, check_layout, layout_from_tar, layout_json, main, run, tree

BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'


class Build(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")

    def containerfile(self, text, base=BASE):
        (self.context / "Containerfile").write_text(base + text)

    def build(self, *words, check=True, **options):
        call = self.lade if check else self.lade_fails
        return call("build", "--progress", "plain", "-t", "test", "-o", f"oci:{self.tmp}/out:test", *words, self.context, **options)

    def config(self):
        index = check_layout(self.tmp / "out")
        return layout_json(self.tmp / "out", layout_json(self.tmp / "out", index["manifests"][-1]["digest"])["config"]["digest"])

    def root(self):
        run("rm", "-rf", self.tmp / "bundle")
        run("umoci", "unpack", "--image", f"{self.tmp}/out:test", self.tmp / "bundle")
        return self.tmp / "bundle/rootfs"

    def test_prints_the_image_digest_and_nothing_else_on_stdout(self):
        self.containerfile("CMD [\"sh\"]\n")
        out = self.build().out
        self.assertRegex(out, r"\Asha256:[0-9a-f]{64}\n\Z")

    def test_a_step_sees_a_container_and_leaves_no_trace(self):
        self.containerfile("RUN id -u > /id; hostname > /name; env | sort > /env; cat /proc/1/comm > /comm; ls /dev > /dev-list; "
                           "cat /proc/self/status > /status; ls -a / > /root-list; test -e /etc/resolv.conf; wc -l < /etc/hosts\n")
        self.build(env={"LEAK": "secret"})
        root = self.root()
        self.assertEqual((root / "id").read_text(), "0\n")
        self.assertNotIn("LEAK", (root / "env").read_text())
        self.assertIn("PATH=", (root / "env").read_text())
        self.assertIn("null", (root / "dev-list").read_text().split())
        status = dict(line.split(":\t", 1) for line in (root / "status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(status["CapBnd"].strip(), "00000000800405fb")
        self.assertEqual(status["CapInh"].strip(), "0" * 16)
        self.assertEqual(status["Seccomp"].strip(), "2")
        self.assertEqual(sorted(os.listdir(root)), sorted(["bin", "id", "name", "env", "comm", "dev-list", "status", "root-list"]))

    def test_exit_status_of_a_step_is_passed_on(self):
        self.containerfile("RUN exit 7\n")
        result = self.build(check=False, status=7)
        self.assertRegex(result.err, r"Containerfile:4")
        self.assertIn("RUN exit 7", result.err)
        self.assertFalse((self.tmp / "out").exists())
        self.containerfile("RUN nonexistent-command\n")
        self.build(check=False, status=127)

    def test_everything_is_cached_the_second_time_and_explained_by_changes(self):
        (self.context / "file").write_text("one")
        self.containerfile("COPY file /file\nRUN cat /file /file > /twice\nENV A=b\nRUN echo $A > /a\n")
        first = self.build(env={"SOURCE_DATE_EPOCH": "1"})
        again = self.build(env={"SOURCE_DATE_EPOCH": "1"})
        self.assertEqual(first.out, again.out)
        self.assertEqual(again.err.count(": CACHED"), 5, again.err)
        os.utime(self.context / "file", (1, 1))  # mtime is no part of the key
        self.assertEqual(self.build(env={"SOURCE_DATE_EPOCH": "1"}).err.count(": CACHED"), 5)
        (self.context / "file").write_text("two")
        changed = self.build(env={"SOURCE_DATE_EPOCH": "1"})
        self.assertEqual((self.root() / "twice").read_text(), "twotwo")
        self.assertNotEqual(first.out, changed.out)
        cold = self.build("--no-cache", env={"SOURCE_DATE_EPOCH": "1"})
        self.assertEqual(cold.err.count(": CACHED"), 0)
        self.assertEqual(cold.out, changed.out)

    def test_several_names_and_outputs(self):
        self.containerfile("LABEL a=b\n")
        self.lade("build", "-t", "one", "-t", "docker.io/me/two:3", "-o", f"dir:{self.tmp}/d", "-o", f"docker-archive:{self.tmp}/x.tar:a:b",
                  self.context)
        names = [row["name"] for row in json.loads(self.lade("images", "--format", "json").out)]
        self.assertEqual(sorted(names), ["docker.io/me/two:3", "localhost/one:latest"])
        run("skopeo", "inspect", f"dir:{self.tmp}/d")
        run("skopeo", "inspect", f"docker-archive:{self.tmp}/x.tar:a:b")
        self.containerfile("RUN test -x /bin/busybox && echo child > /child\n", base="FROM one\n")
        self.build()
        self.assertEqual((self.root() / "child").read_text(), "child\n")

    def test_target_build_args_and_stages(self):
        self.containerfile('ARG WHO=nobody\nRUN echo "$WHO" > /who\nFROM scratch AS second\nCOPY --from=0 /who /who\n'
                           "FROM scratch AS third\nCOPY --from=second /who /third\n")
        self.build("--target", "second", "--build-arg", "WHO=me")
        self.assertEqual((self.root() / "who").read_text(), "me\n")
        self.build("--build-arg", "WHO=you")
        self.assertEqual(sorted(os.listdir(self.root())), ["third"])
        self.assertIn("no stage", self.build("--target", "fourth", check=False).err)

    def test_base_from_a_layout_archive_or_unknown_place(self):
        self.write("r/base-file", "base")
        run("tar", "-C", self.tmp / "r", "-cf", self.tmp / "r.tar", ".")
        layout_from_tar(self.tmp / "r.tar", self.tmp / "l", "b")
        run("skopeo", "copy", f"oci:{self.tmp}/l:b", f"docker-archive:{self.tmp}/b.tar:b:c")
        for base in (f"oci:{self.tmp}/l:b", f"docker-archive:{self.tmp}/b.tar"):
            self.containerfile("COPY busybox /added\n", base=f"FROM {base}\n")
            self.build()
            self.assertEqual(sorted(os.listdir(self.root())), ["added", "base-file"])
        self.containerfile("", base="FROM 127.0.0.1:1/no/such\n")
        self.assertIn("127.0.0.1:1/no/such", self.build(check=False).err)

    def test_ignore_files(self):
        for name in ("keep", "drop.log", "sub/drop.log", "sub/keep"):
            self.write(f"context/{name}", name)
        (self.context / ".dockerignore").write_text("**/*.log\n!sub/keep\nbusybox\n")
        self.containerfile("COPY . /c/\n", base="FROM scratch\n")
        self.build()
        self.assertEqual(sorted(p for p in tree(self.root()) if p.startswith("c/")),
                         ["c/.dockerignore", "c/Containerfile", "c/keep", "c/sub", "c/sub/keep"])

    def test_the_context_cannot_be_left(self):
        os.symlink("/etc/passwd", self.context / "evil")
        os.symlink("/", self.context / "rootlink")
        self.containerfile("COPY rootlink/etc/passwd /p\n", base="FROM scratch\n")
        self.build(check=False)
        self.containerfile("COPY ../../../etc/passwd /p\n", base="FROM scratch\n")
        self.build(check=False)
        os.remove(self.context / "Containerfile")
        os.symlink("/etc/passwd", self.context / "Containerfile")
        self.assertNotIn("root:x", self.build(check=False).err)

    def test_what_is_not_implemented_is_refused_by_name(self):
        for line, word in (("RUN --mount=type=nfs,target=/x true", "--mount"), ("RUN --device=vendor.com/x=all true", "--device"),
                           ("RUN --security=insecure true", "--security"), ("COPY --frm=a b c", "--from"), ("RUNN true", "RUN")):
            self.containerfile(line + "\n")
            result = self.build(check=False)
            self.assertIn(word, result.err)
            self.assertIn("Containerfile:4", result.err)

    def test_containerfile_from_elsewhere_and_from_stdin(self):
        other = self.write("Other.file", "FROM scratch\nCOPY busybox /here\n")
        self.build("-f", other)
        self.assertEqual(os.listdir(self.root()), ["here"])
        self.lade("build", "-t", "x", "-f", "-", self.context, stdin=b"FROM scratch\nLABEL from=stdin\n")
        self.assertEqual(json.loads(self.lade("inspect", "--config", "x").out)["config"]["Labels"], {"from": "stdin"})

    def test_format_docker(self):
        self.containerfile("LABEL x=y\n")
        self.lade("build", "--format", "docker", "-t", "d", "-o", f"dir:{self.tmp}/d", self.context)
        manifest = json.loads((self.tmp / "d/manifest.json").read_text())
        self.assertEqual(manifest["mediaType"], "application/vnd.docker.distribution.manifest.v2+json")

    def test_closed_standard_streams_are_not_taken_by_files_of_the_store(self):
        self.containerfile("RUN echo noise-of-the-step >&2\nCOPY busybox /again\n")
        command = [str(LADE), "--store", str(self.tmp / "store"), "build", "--progress", "plain", "-t", "test",
                   "-o", f"oci:{self.tmp}/out:test", str(self.context)]
        closed = subprocess.run(["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *command], stdout=subprocess.PIPE, text=True, check=True)
        self.assertRegex(closed.stdout, r"\Asha256:[0-9a-f]{64}\n\Z")
        self.root()
        for file in (self.tmp / "store").rglob("*"):
            if file.is_file() and file.parent.name != "logs":  # which keep what steps print
                self.assertNotIn(b"noise-of-the-step\n", file.read_bytes(), file)

    def test_a_step_cannot_steer_the_terminal(self):
        self.containerfile(r"RUN printf '\033[31mred\033[0m \033]0;title\007\033[2J\033]52;c;eA==\033\\\303\244\302\233A\033[6nend\n'" "\n")
        for mode in ("plain", "tty"):
            output = b""
            master, slave = pty.openpty()
            with subprocess.Popen([str(LADE), "--store", str(self.tmp / "store"), "build", "--no-cache", "--progress", mode, str(self.context)],
                                  stdout=subprocess.DEVNULL, stderr=slave) as process:
                os.close(slave)
                try:
                    while piece := os.read(master, 65536):
                        output += piece
                except OSError:  # the other side is closed
                    pass
                self.assertEqual(process.wait(), 0)
            os.close(master)
            line = output[output.index(b"\x1b[31mred"):].split(b"\r\n")[0]
            self.assertEqual(line, "\x1b[31mred\x1b[0m \u00e4Aend".encode(), mode)

    def test_files_for_digests_may_be_pipes_and_devices(self):
        self.containerfile("LABEL a=b\n")
        pipe = self.tmp / "pipe"
        os.mkfifo(pipe)
        with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
            out = self.build("--digestfile", pipe).out
            self.assertEqual(reader.stdout.read(), out.strip())
        self.assertTrue(pipe.is_fifo())

    def test_a_policy_refuses_base_images_but_none_of_the_local_store(self):
        self.containerfile("")
        self.build("-t", "mine", "-o", f"oci:{self.tmp}/l:base")
        env = {"XDG_CONFIG_HOME": str(self.tmp / "config")}
        self.write("config/containers/policy.json", '{"default": [{"type": "reject"}]}')
        self.containerfile("COPY busybox /added\n", base="FROM mine\n")
        self.build(env=env)
        for text, base in (("", f"FROM oci:{self.tmp}/l:base\n"), ("", "FROM docker://127.0.0.1:1/no/such:1\n"),
                           ("", "FROM 127.0.0.1:1/no/such:1\n"), (f"COPY --from=oci:{self.tmp}/l:base /bin/busybox /b\n", "FROM scratch\n")):
            self.containerfile(text, base=base)
            self.assertIn("is rejected by policy", self.build(env=env, check=False).err)
        self.write("config/containers/policy.json", '{"default": [{"type": "sigstoreSigned", "keyPath": "/none"}]}')
        self.assertIn("demands a signature", self.build(env=env, check=False).err)
        self.write("config/containers/policy.json", "{")
        self.assertIn("invalid policy", self.build(env=env, check=False).err)

    def test_iidfile(self):
        self.containerfile("LABEL x=y\n")
        self.build("--iidfile", self.tmp / "iid")
        self.assertRegex((self.tmp / "iid").read_text(), r"\Asha256:[0-9a-f]{64}\n?\Z")

    def test_network_none_has_only_loopback(self):
        self.containerfile("RUN ls /sys/class/net > /net\n")
        self.build("--network", "none")
        self.assertEqual((self.root() / "net").read_text().split(), ["lo"])

    def test_interrupt_kills_the_step_and_exits_130(self):
        self.containerfile("RUN sleep 1000.5\n")
        process = subprocess.Popen([LADE, "--store", self.store, "build", "-t", "x", self.context], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(100):
            if "sleep 1000.5" in run("ps", "-eo", "args").out:
                break
            time.sleep(0.1)
        process.send_signal(2)
        process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertNotIn("sleep 1000.5", run("ps", "-eo", "args").out)
        self.assertEqual(list((self.store / "tmp").iterdir()), [])

    def test_ten_builds_at_once_share_a_store(self):
        self.containerfile("ARG N\nRUN echo same > /same\nRUN echo $N > /n && sleep 0.1\n")
        processes = [subprocess.Popen([LADE, "--store", self.store, "build", "-t", f"app{i % 3}", "--build-arg", f"N={i}", self.context],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(10)]
        for process in processes:
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
        check_layout(self.store)
        self.lade("prune", "--all")
        check_layout(self.store)
        self.assertEqual(len(json.loads(self.lade("images", "--format", "json").out)), 3)

    def test_prune_frees_what_nothing_needs(self):
        self.containerfile("RUN head -c 3000000 /dev/urandom > /big\n")
        self.build()
        self.lade("rmi", "test")
        self.lade("prune", "--all")
        blobs = [p for p in (self.store / "blobs").rglob("*") if p.is_file()]
        self.assertEqual(blobs, [])
        self.assertEqual(list((self.store / "snapshots").iterdir()), [])


if __name__ == "__main__":
    main()
