"""Networks of build steps: the host's, none, one of their own behind slirp4netns, a namespace by its path."""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from lade_testing import Case, LADE, busybox_context, main, need, run

BASE = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'


class Server(threading.Thread):
    """Answers each connection to a free port of the host's loopback with a word."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    connection.sendall(b"word-of-the-host\n")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def helpers():
    return set(subprocess.run(["pgrep", "-x", "slirp4netns"], stdout=subprocess.PIPE, text=True, check=False).stdout.split())


class Network(Case):
    @classmethod
    def setUpClass(cls):
        need("slirp4netns", "ip", "unshare")

    def setUp(self):
        super().setUp()
        self.context = busybox_context(self.tmp / "context")
        self.before = helpers()

    def build(self, text, *words, check=True, **options):
        (self.context / "Containerfile").write_text(BASE + text)
        words = ("build", "--progress", "plain", "-t", "t", *words, self.context)
        return (self.lade(*words, **options) if check else self.lade_fails(*words, **options)).err

    def assert_no_helper_is_left(self):
        for _ in range(200):
            if not helpers() - self.before:
                return
            time.sleep(0.02)
        self.fail("helpers are left")

    def test_private_has_a_way_out_and_none_to_the_hosts_loopback(self):
        with Server() as server:
            text = (f"RUN ip addr; ip route; cat /etc/resolv.conf /etc/hosts; nc -w 3 10.0.2.2 {server.port} < /dev/null; echo status $?\n"
                    f"RUN nc -w 1 127.0.0.1 {server.port} < /dev/null; echo second $?\n")
            out = self.build(text, "--network", "slirp4netns", "--add-host", "me:host-gateway")
            for words in ("inet 10.0.2.100", "default via 10.0.2.2", "inet 127.0.0.1/8", "nameserver 10.0.2.3\n", "10.0.2.2\tme", "status 1", "second 1"):
                self.assertIn(words, out)
            self.assertNotIn("word-of-the-host", out)
            out = self.build(text + "RUN true\n", "--network", "slirp4netns:allow_host_loopback=true,mtu=1500", "--no-cache", "--dns", "10.9.9.9")
            self.assertIn("word-of-the-host", out)
            self.assertIn("nameserver 10.9.9.9", out)
            out = self.build(f"RUN nc -w 1 10.0.2.2 {server.port} < /dev/null; ip addr\n", "--network", "private", "--no-cache")
            self.assertIn("inet 10.0.2.100", out)
            self.assertNotIn("word-of-the-host", out)
        self.assert_no_helper_is_left()

    def test_steps_share_the_network_of_their_build_and_may_have_none(self):
        out = self.build("RUN readlink /proc/self/ns/net; ip link add made type veth peer name other\nRUN readlink /proc/self/ns/net; ip link show made\n"
                         "RUN --network=none ip addr; cat /etc/resolv.conf /etc/hosts; echo end-of-none\n",
                         "--network", "private", "--cap-add", "NET_ADMIN", "--add-host", "me:host-gateway")
        found = [line.split()[-1] for line in out.splitlines() if "net:[" in line]
        self.assertEqual(len(found), 2)
        self.assertEqual(found[0], found[1])
        self.assertNotEqual(found[0], os.readlink("/proc/self/ns/net"))
        none = out[out.rindex("RUN --network=none ip addr"):] if "end-of-none" in out else out
        self.assertNotIn("10.0.2.100", none)

    def test_other_runtimes_get_the_same_network(self):
        for runtime in ("crun", "runc"):
            out = self.build("RUN ip addr\n", "--network", "private", "--runtime", runtime, "--no-cache")
            self.assertIn("inet 10.0.2.100", out, runtime)
        self.assert_no_helper_is_left()

    def test_a_namespace_by_its_path(self):
        name = f"lade-test-{os.getpid()}"
        run("ip", "netns", "add", name)
        self.addCleanup(run, "ip", "netns", "del", name)
        run("ip", "-n", name, "link", "add", "mine0", "type", "veth", "peer", "name", "other0")
        run("ip", "-n", name, "addr", "add", "10.77.0.2/24", "dev", "mine0")
        for link in ("mine0", "other0"):
            run("ip", "-n", name, "link", "set", link, "up")
        run("ip", "-n", name, "route", "add", "default", "via", "10.77.0.1")
        out = self.build("RUN ip addr; cat /etc/hosts\n", "--network", f"ns:/run/netns/{name}", "--add-host", "me:host-gateway")
        self.assertIn("inet 10.77.0.2/24", out)
        self.assertIn("10.77.0.1\tme", out)
        self.assertIn("open network namespace", self.build("RUN true\n", "--network", "ns:/run/netns/nothing", "--no-cache", check=False))
        self.assertIn("namespace", self.build("RUN true\n", "--network", "ns:/proc/self/ns/uts", "--no-cache", check=False))

    def test_what_is_missing_or_unknown_is_said(self):
        for word, status, text in (("private", 1, "package passt"), ("slirp4netns", 1, "package slirp4netns"), ("pasta", 1, "package passt")):
            empty = self.tmp / "empty"
            empty.mkdir(exist_ok=True)
            hidden = "for p in slirp4netns pasta; do for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do " \
                     "[ -e $d/$p ] && mount --bind /dev/null $d/$p; done; done; exec \"$@\""
            (self.context / "Containerfile").write_text(BASE)
            result = run("unshare", "-m", "sh", "-c", hidden, "sh", LADE, "--store", self.store, "build", "--network", word, self.context, check=False)
            self.assertEqual(result.status, status, result.err)
            self.assertIn(text, result.err)
        for word, status, text in (("podman", 1, "not implemented"), ("container:x", 2, "not 'container:x'"), ("ns:x", 2, "ns:/PATH"),
                                   ("slirp4netns:port_handler=x", 2, "port_handler"), ("slirp4netns:mtu=1", 2, "mtu")):
            self.assertIn(text, self.build("", "--network", word, check=False, status=status) if False else
                          self.lade_fails("build", "--network", word, self.context, status=status).err)
        self.assertIn("no way leads to the host", self.build("RUN true\n", "--network", "none", "--add-host", "me:host-gateway", check=False))
        self.assertIn("slirp4netns ended", self.build("RUN true\n", "--network", "slirp4netns:cidr=nonsense", "--no-cache", check=False))

    def test_a_killed_build_leaves_no_helper(self):
        (self.context / "Containerfile").write_text(BASE + "RUN echo started; sleep 30\n")
        build = subprocess.Popen([LADE, "--store", self.store, "build", "--progress", "plain", "--network", "private", self.context],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in build.stderr:
            if line.rstrip().endswith(" started"):
                break
        self.assertTrue(helpers() - self.before)
        build.send_signal(signal.SIGKILL)
        build.wait()
        build.stderr.close()
        self.assert_no_helper_is_left()


if __name__ == "__main__":
    main()
