"""Options of `lade build` about arguments, the image's configuration and the container of RUN."""
import glob
import json
import os
import re

from lade_testing import Case, busybox_context, main

BASE = 'FROM scratch AS base\nENV OLD=1\nLABEL old=1 kept=1\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\nFROM base\n'


class Options(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")

    def build(self, text, *words, check=True, status=1, base=BASE, **options):
        (self.context / "Containerfile").write_text(base + text)
        words = ("build", "--progress", "plain", "-o", f"oci:{self.tmp}/out:t", *words, self.context)
        return self.lade(*words, **options) if check else self.lade_fails(*words, status=status, **options)

    def config(self):
        return json.loads(self.lade("inspect", "--config", f"oci:{self.tmp}/out:t").out)["config"]

    def test_arguments_from_files(self):
        self.write("args", "# comment\nA=1\n\nB=from file\nHOMELESS\nC\n")
        self.build('ARG A\nARG B\nARG C\nLABEL got="$A $B $C"\n', "--build-arg-file", self.tmp / "args", "--build-arg", "B=from line", env={"C": "env"})
        self.assertEqual(self.config()["Labels"]["got"], "1 from line env")

    def test_the_images_configuration(self):
        self.build("RUN test \"$NEW\" = 2\nENV GONE=1\n", "--env", "NEW=2", "--unsetenv", "GONE", "--unsetlabel", "old", "--label", "mine=3")
        config = self.config()
        self.assertEqual([e for e in config["Env"] if not e.startswith("PATH=")], ["OLD=1", "NEW=2"])
        self.assertEqual(config["Labels"], {"kept": "1", "mine": "3"})

    def test_the_container_of_run(self):
        (self.tmp / "shared").mkdir()
        (self.tmp / "shared/f").write_text("shared")
        out = self.build("RUN cat /etc/hosts /etc/resolv.conf; ulimit -n; df -k /dev/shm | tail -1; cat /v/f; "
                         "grep -E 'CapBnd|NoNewPrivs' /proc/self/status; ! touch /v/x\n",
                         "--add-host", "db:10.1.2.3", "--add-host=six=[fd00::1]", "--dns", "10.9.9.9", "--dns-search", "example.com",
                         "--dns-option", "ndots:3", "--ulimit", "nofile=100:200", "--shm-size", "8m", "-v", f"{self.tmp}/shared:/v:ro",
                         "--cap-add", "NET_RAW", "--cap-drop", "chown,KILL", "--security-opt", "no-new-privileges").err
        for text in ("10.1.2.3\tdb", "fd00::1\tsix", "nameserver 10.9.9.9", "search example.com", "options ndots:3", "] 100\n", " 8192 ",
                     "shared", "CapBnd:\t00000000800425da", "NoNewPrivs:\t1"):
            self.assertIn(text, out)
        self.build("RUN test ! -s /etc/resolv.conf\n", "--dns", "none")
        self.build("RUN head -c 100000000 /dev/zero | tail > /dev/null\n", "--memory", "32m", "--cpus", "0.5", check=False, status=137)
        for words, text in ((("--add-host", "x"), "NAME:ADDRESS"), (("--ulimit", "nofiles=1"), "did you mean nofile?"),
                            (("--cap-add", "FLY"), "'FLY'"), (("--security-opt", "x=y"), "unknown option"), (("-v", "a:b"), "/SOURCE:/TARGET"),
                            (("--dns", "x"), "an address")):
            self.assertIn(text, self.build("", *words, check=False, status=2).err)

    def test_a_seccomp_profile_counts_by_its_content(self):
        profile = self.write("one.json", '{"defaultAction":"SCMP_ACT_ALLOW"}')
        text = "RUN grep Seccomp: /proc/self/status\n"
        self.assertNotIn("CACHED", self.build(text, "--security-opt", f"seccomp={profile}").err.split(text[:12])[-1])
        same = self.write("two.json", profile.read_text())
        self.assertRegex(self.build(text, "--security-opt", f"seccomp={same}").err, "RUN grep.*: CACHED")
        self.write("two.json", '{"defaultAction": "SCMP_ACT_ALLOW"}')
        changed = self.build(text, "--security-opt", f"seccomp={same}", "--explain").err
        self.assertRegex(changed, "option --security-opt seccomp: 'sha256:[0-9a-f]*' -> 'sha256:[0-9a-f]*'")
        self.assertIn("open", self.build(text, "--security-opt", "seccomp=/nonexistent", check=False).err)

    def test_explanations_name_options_networks_and_rights(self):
        text = "RUN --security=insecure true\n"
        self.build(text, "--allow", "security.insecure")
        words = ("--allow", "security.insecure", "--network", "none", "--ulimit", "nofile=9:10", "--cap-add", "NET_RAW", "--explain")
        changed = self.build(text, *words).err
        for line in ("network: 'host' -> 'none'", "option --ulimit RLIMIT_NOFILE: added, '9:10'", "option --cap-add CAP_NET_RAW: added"):
            self.assertIn(line, changed)

    def test_steps_have_their_group_below_the_parent(self):
        def remove_groups():  # the parent is the user's: it stays
            for name in ("lade-test/deep", "lade-test"):
                for group in [*glob.glob(f"/sys/fs/cgroup/{name}"), *glob.glob(f"/sys/fs/cgroup/*/{name}")]:
                    os.rmdir(group)

        self.addCleanup(remove_groups)
        out = self.build("RUN cat /proc/self/cgroup; cat /proc/1/cgroup\n", "--cgroup-parent", "/lade-test/deep", check=True).err
        if "has no control group" not in out:  # a machine that lets nobody make groups says so
            self.assertNotIn("limits are not set", out)
        for bad in ("relative", "/", "/x.slice"):
            self.assertIn("--cgroup-parent", self.build("", "--cgroup-parent", bad, check=False, status=2).err)

    def test_a_log_file_gets_what_would_be_printed(self):
        done = self.build("RUN echo said\n", "--logfile", self.tmp / "log")
        self.assertEqual(done.err, "")
        self.assertTrue(done.out.startswith("sha256:"))
        log = (self.tmp / "log").read_text()
        self.assertIn("] said\n", log)
        failed = self.build("RUN exit 3\n", "--logfile", self.tmp / "log", check=False, status=3)
        self.assertIn("RUN exit 3", failed.err)
        self.assertNotIn("said", (self.tmp / "log").read_text())
        self.assertIn("--logsplit", self.build("", "--logsplit", check=False).err)

    def test_annotations_of_the_base_on_request(self):
        self.build("", "--annotation", "a=1", "--annotation", "b=2", "-t", "annotated")

        def annotations(*words):
            self.build("LABEL x=y\n", *words, base="FROM annotated\n")
            return json.loads(self.lade("inspect", "--raw", f"oci:{self.tmp}/out:t").out).get("annotations")

        self.assertIsNone(annotations())
        self.assertEqual(annotations("--inherit-annotations", "--unsetannotation", "b", "--annotation", "c=3"), {"a": "1", "c": "3"})

    def test_credentials_in_urls_are_shown_nowhere(self):
        for text in ("ADD http://user:hunter2@127.0.0.1:1/f /f\n", "ADD http://user:hunter2@127.0.0.1:1/x.git /f\n",
                     "FROM scratch\nCOPY --from=http://user:hunter2@127.0.0.1:1/f x y\n", "RUN https_proxy=http://user:hunter2@p/ false\n"):
            for progress in ("plain", "json"):
                (self.context / "Containerfile").write_text(BASE + text)
                failed = self.lade_fails("build", "--progress", progress, self.context)
                self.assertNotIn("hunter2", failed.err, text)
        self.assertNotIn("hunter2", self.lade_fails("build", "http://user:hunter2@127.0.0.1:1/c.tar").err)
        self.assertNotIn("hunter2", self.build("FROM c\n", "--build-context", "c=http://user:hunter2@127.0.0.1:1/c.tar", check=False).err)

    def test_options_of_other_builders_are_refused_with_the_reason(self):
        for word, reason in (("--no-cache-filter=base", "--cache-ttl"), ("--layers", "every step is a layer"), ("--mount=x", "at the RUN"),
                             ("--sbom-output=x", "sbom.spdx.json"), ("--force-rm", "no containers")):
            self.assertRegex(self.build("", word, check=False, status=2).err, f"there is no option '{word.split('=')[0]}': .*{reason}")
        self.assertIn("unknown option '--layer'", self.build("", "--layer", check=False, status=2).err)

    def test_insecure_steps_are_allowed_by_name_only(self):
        text = "RUN --security=insecure grep -E 'CapBnd|Seccomp:' /proc/self/status\n"
        self.assertIn("--allow security.insecure", self.build(text, check=False).err)
        out = self.build(text, "--allow", "security.insecure").err
        self.assertTrue(int(re.search(r"CapBnd:\t([0-9a-f]+)", out)[1], 16) & 1 << 21, out)  # CAP_SYS_ADMIN
        self.assertIn("Seccomp:\t0", out)

    def test_extensions_are_off_by_default(self):
        for line in ("COPY --lade-optional none /\n", "RUN --lade-no-cache date\n", "WORKDIR --lade-chown=3:4 --lade-chmod=0700 /w\n",
                     "EXPOSE --lade-reset 80\n", "VOLUME --lade-reset\n"):
            self.assertIn("allow it with --extensions", self.build(line, check=False).err)
        text = ("EXPOSE 1\nVOLUME /x\nENTRYPOINT [\"a\"]\nFROM mid\nCOPY --lade-optional none /\nWORKDIR --lade-chown=3:4 --lade-chmod=0700 /w\n"
                "EXPOSE --lade-reset 80\nVOLUME --lade-reset\nENTRYPOINT []\nRUN --lade-no-cache stat -c '%u:%g %a' /w\n")
        for _ in range(2):  # the command is executed again
            self.assertIn("3:4 700", self.build(text, "--extensions", base=BASE[:-1] + " AS mid\n").err)
        config = self.config()
        self.assertEqual(config["ExposedPorts"], {"80/tcp": {}})
        self.assertNotIn("Volumes", config)
        self.assertNotIn("Entrypoint", config)


if __name__ == "__main__":
    main()
