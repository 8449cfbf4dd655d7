"""Devices of build steps: --device with paths and CDI names, RUN --device and its entitlement."""
import json

from lade_testing import Case, LADE, busybox_context, main, run

BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
SPEC = {"cdiVersion": "0.6.0", "kind": "vendor.com/toy",
        "containerEdits": {"env": ["KIND=toy"]},
        "devices": [{"name": "zero", "containerEdits": {
            "env": ["TOY=zero"], "additionalGids": [77],
            "deviceNodes": [{"path": "/dev/toy0", "hostPath": "/dev/zero", "permissions": "rw"}],
            "mounts": [{"hostPath": "/etc/hostname", "containerPath": "/toy/name", "options": ["bind", "ro"]}]}},
            {"name": "one", "containerEdits": {"deviceNodes": [{"path": "/dev/toy1", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "gid": 7}]}}]}


class Devices(Case):
    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")
        self.etc = self.tmp / "etc"
        (self.etc / "cdi").mkdir(parents=True)
        self.spec("toy.json", json.dumps(SPEC, indent="\t"))

    def spec(self, name, text):
        (self.etc / "cdi" / name).write_text(text)

    def build(self, text, *words, status=0, **options):
        """In a mount namespace whose /etc/cdi is the test's."""
        (self.context / "Containerfile").write_text(BASE + text)
        show = f'mount -t overlay overlay -o lowerdir={self.etc}:/etc /etc && exec "$@"'
        result = run("unshare", "-m", "--propagation", "private", "sh", "-c", show, "sh", LADE, "--store", self.store, "build", "--progress", "plain",
                     "-o", self.tmp / "out", *words, self.context, check=False, **options)
        self.assertEqual(result.status, status, result.out + result.err)
        return result.err

    def test_devices_of_this_machine(self):
        out = self.build("RUN stat -c '%t:%T %F' /dev/mine; head -c 3 /dev/mine | wc -c; ls /dev\nRUN ls /dev > /list\n", "--device", "/dev/zero:/dev/mine")
        self.assertIn("1:5 character special file", out)
        self.assertIn("] 3\n", out)
        self.assertFalse((self.tmp / "out/dev/mine").exists(), "no layer holds it")
        text = "RUN head -c 1 /dev/tun; head -c 1 /dev/zero > /dev/null; echo \"zero $?\"\n"
        self.assertNotIn("not permitted", self.build(text, "--device", "/dev/net/tun:/dev/tun"))
        out = self.build(text, "--device", "/dev/net/tun:/dev/tun:w")
        self.assertIn("/dev/tun: Operation not permitted", out, "it may be written alone")
        self.assertIn("zero 0", out)
        for word, status, text in (("/dev/nothing", 1, "No such file"), ("/etc/passwd", 2, "no device"), ("zero", 2, "/HOST"), ("/dev/zero:/x", 1, "/dev of the container"),
                                   ("/dev/zero:/dev/x:q", 2, "rwm"), ("vendor.com/none=x", 1, "no specification")):
            self.assertIn(text.lower(), self.build("RUN true\n", "--device", word, status=status).lower())

    def test_devices_by_their_cdi_names(self):
        out = self.build("RUN stat -c '%t:%T %a' /dev/toy0; env; cat /toy/name; id -G; ! test -e /dev/toy1\n", "--device", "vendor.com/toy=zero")
        for text in ("1:5", "KIND=toy", "TOY=zero", " 77"):
            self.assertIn(text, out)
        out = self.build("RUN stat -c '%t:%T %a %g' /dev/toy0 /dev/toy1\n", "--device", "vendor.com/toy=*")
        self.assertIn("1:5 640 7", out)
        self.spec("second.yaml", "cdiVersion: 0.5.0\nkind: vendor.com/toy\ndevices:\n- name: zero\n")
        self.assertIn("is in", self.build("RUN true\n", "--device", "vendor.com/toy=zero", status=1))
        self.spec("second.yaml", "kind: [\n")
        self.assertIn("second.yaml", self.build("RUN true\n", "--device", "vendor.com/toy=zero", status=1))

    def test_a_containerfile_asks_and_its_caller_allows(self):
        text = "RUN --device=vendor.com/toy=zero ls -l /dev/toy0 && echo \"TOY is $TOY\"\n"
        self.assertIn("--allow device", self.build(text, status=1))
        self.assertIn("--allow device", self.build(text, "--allow", "device=vendor.com/other=zero", status=1))
        for allow in ("device", "device=vendor.com/toy=zero", "device=vendor.com/toy"):
            self.assertIn("TOY is zero", self.build(text, "--allow", allow, "--no-cache"))
        self.build("RUN --device=vendor.com/toy=none true\nRUN --device=name=vendor.com/toy=one test -c /dev/toy1\nRUN --device=vendor.com/toy ls /dev/toy1\n", "--allow", "device")
        self.assertIn("this machine has none", self.build("RUN --device=vendor.com/toy=none,required true\n", "--allow", "device", status=1))
        self.assertIn("VENDOR/CLASS", self.build("RUN --device=x,y=z true\n", "--allow", "device", status=1))

    def test_hooks_are_for_runtimes_that_execute_them(self):
        self.write("hook", f"#!/bin/sh\ncat > /dev/null\necho ran >> {self.tmp}/ran\n", 0o755)
        self.spec("hook.json", json.dumps({"cdiVersion": "0.6.0", "kind": "vendor.com/hook", "devices": [{"name": "x", "containerEdits": {
            "hooks": [{"hookName": "createContainer", "path": str(self.tmp / "hook"), "args": ["hook"]}]}}]}))
        self.assertIn("hooks", self.build("RUN true\n", "--device", "vendor.com/hook=x", status=1))
        self.build("RUN true\n", "--device", "vendor.com/hook=x", "--runtime", "crun")
        self.assertEqual((self.tmp / "ran").read_text(), "ran\n" * 2)
        self.build("RUN head -c 1 /dev/toy0 | wc -c\n", "--device", "vendor.com/toy=zero", "--runtime", "crun")

    def test_kinds_of_isolation_are_named(self):
        for kind in ("oci", "rootless", "default"):
            self.build("", "--isolation", kind)
        for kind in ("chroot", "vm"):
            self.assertIn(f"--isolation {kind} is not implemented", self.build("", "--isolation", kind, status=1))
        self.build("", "--isolation", "x", status=2)


if __name__ == "__main__":
    main()
