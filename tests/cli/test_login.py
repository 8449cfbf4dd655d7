"""lade login and logout, credentials of other tools, registries.conf and proxies, against Debian's docker-registry."""
import base64
import json
import os
import pty
import re
import stat
import subprocess
import time

from lade_testing import Case, LADE, Registry, main, need, run
from proxy import Proxy


def auth_of(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class Credentials(Case):
    """One registry that wants a password."""

    def setUp(self):
        super().setUp()
        need("htpasswd", "skopeo", "umoci")
        passwords = self.write("passwords", run("htpasswd", "-Bbn", "-C", "4", "user", "secret").out)
        self.registry = Registry(self.tmp / "registry", htpasswd=passwords)
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)
        self.host = self.registry.host
        (self.tmp / "run").mkdir()
        (self.tmp / "home").mkdir()
        self.env = {"HOME": str(self.tmp / "home"), "XDG_RUNTIME_DIR": str(self.tmp / "run"), "XDG_CONFIG_HOME": "",
                    "DOCKER_CONFIG": "", "CONTAINERS_REGISTRIES_CONF": str(self.write("empty.conf", ""))}
        self.auth = self.tmp / "run/containers/auth.json"

    def lade(self, *words, **options):
        options.setdefault("env", self.env)
        return super().lade(*words, **options)

    def login(self, *words, **options):
        return self.lade("login", "-u", "user", "-p", "secret", *words, self.host, **options)

    def image(self):
        layout = self.tmp / "layout"
        if not layout.exists():
            run("umoci", "init", "--layout", layout)
            run("umoci", "new", "--image", f"{layout}:a")
        return f"oci:{layout}:a"


class Login(Credentials):
    def test_asks_the_registry_then_keeps_the_credentials(self):
        self.assertEqual(self.login().out, "Login Succeeded!\n")
        self.assertEqual(json.loads(self.auth.read_text()), {"auths": {self.host: {"auth": auth_of("user", "secret")}}})
        self.assertEqual(stat.S_IMODE(self.auth.stat().st_mode), 0o600)
        self.assertEqual(self.lade("login", "--get-login", self.host).out, "user\n")
        self.assertEqual(self.lade("login", "--get-login", f"https://{self.host}/v2/").out, "user\n")

    def test_keeps_nothing_that_the_registry_refuses(self):
        failed = self.lade_fails("login", "-u", "user", "-p", "wrong", self.host, env=self.env)
        self.assertIn(f'logging into "{self.host}": invalid username/password', failed.err)
        self.assertEqual(failed.out, "")
        self.assertFalse(self.auth.exists())
        self.assertNotIn("wrong", failed.err)

    def test_reads_the_password_from_input(self):
        self.lade("login", "-u", "user", "--password-stdin", self.host, stdin=b"secret\n")
        self.assertTrue(self.auth.exists())
        self.lade_fails("login", "--password-stdin", self.host, stdin=b"secret\n", status=2, env=self.env)
        self.lade_fails("login", "-u", "user", "-p", "x", "--password-stdin", self.host, stdin=b"s", status=2, env=self.env)

    def test_asks_on_a_terminal_without_showing_the_password(self):
        parent, child = pty.openpty()
        process = subprocess.Popen([LADE, "login", self.host], stdin=child, stdout=child, stderr=child,
                                   env={**os.environ, **self.env}, start_new_session=True)
        os.close(child)
        shown = b""

        def wait_for(text):
            nonlocal shown
            end = time.monotonic() + 60
            while text not in shown and time.monotonic() < end:
                try:
                    shown += os.read(parent, 4096)
                except OSError:
                    break
            self.assertIn(text, shown)

        wait_for(b"Username: ")
        os.write(parent, b"user\n")
        wait_for(b"Password: ")
        os.write(parent, b"secret\n")
        wait_for(b"Login Succeeded!")
        self.assertEqual(process.wait(60), 0)
        os.close(parent)
        self.assertNotIn(b"secret", shown)

    def test_without_a_terminal_nothing_is_asked_for(self):
        failed = self.lade_fails("login", "-u", "user", self.host, env=self.env)
        self.assertIn("cannot ask for password: standard input is no terminal", failed.err)

    def test_existing_credentials_are_tried_first(self):
        self.login()
        again = self.lade("login", self.host)
        self.assertEqual(again.out, f"Authenticating with existing credentials for {self.host}\n"
                                    f"Existing credentials are valid. Already logged in to {self.host}\n")
        self.auth.write_text(json.dumps({"auths": {self.host: {"auth": auth_of("user", "old")}}}))
        failed = self.lade_fails("login", self.host, env=self.env)
        self.assertIn("Existing credentials are invalid", failed.out)

    def test_says_where_they_are_kept(self):
        target = self.tmp / "deep/auth.json"
        self.assertEqual(self.login("-v", "--authfile", target).out, f"Used:  {target}\nLogin Succeeded!\n")
        self.assertFalse(self.auth.exists())
        self.login(env={**self.env, "REGISTRY_AUTH_FILE": str(self.tmp / "env.json")})
        self.assertTrue((self.tmp / "env.json").exists())
        self.login(env={**self.env, "DOCKER_CONFIG": str(self.tmp / "docker")})
        self.assertTrue((self.tmp / "docker/config.json").exists())
        failed = self.lade_fails("login", "-u", "user", "-p", "secret", self.host,
                                 env={**self.env, "XDG_RUNTIME_DIR": "/nonexistent"})
        self.assertIn("set by $XDG_RUNTIME_DIR does not exist", failed.err)

    def test_keys_of_repositories(self):
        self.lade("login", "-u", "user", "-p", "secret", f"{self.host}/team")
        self.lade("copy", self.image(), f"docker://{self.host}/team/app:1")
        self.assertIn("no credentials for it were given or found",
                      self.lade_fails("copy", self.image(), f"docker://{self.host}/other/app:1", env=self.env).err)
        self.assertEqual(self.lade("logout", f"{self.host}/team").out, f"Removed login credentials for {self.host}/team\n")
        self.lade_fails("login", "-u", "u", "-p", "p", f"{self.host}/team:tag", env=self.env)

    def test_docker_compatible_files(self):
        target = self.write("config.json", json.dumps({"HttpHeaders": {"X": "y"}}))
        self.login("--compat-auth-file", target)
        self.assertEqual(json.loads(target.read_text()),
                         {"HttpHeaders": {"X": "y"}, "auths": {self.host: {"auth": auth_of("user", "secret")}}})
        self.lade("logout", "--compat-auth-file", target, self.host)
        self.assertEqual(json.loads(target.read_text()), {"HttpHeaders": {"X": "y"}, "auths": {}})
        self.lade_fails("login", "--authfile", "a", "--compat-auth-file", "b", self.host, status=2, env=self.env)

    def test_credential_helpers(self):
        helper = self.write("bin/docker-credential-box", f"""#!/bin/sh
case $1 in
store) cat > {self.tmp}/box;;
get) test -f {self.tmp}/box && cat {self.tmp}/box || {{ echo credentials not found in native keychain; exit 1; }};;
erase) test -f {self.tmp}/box && rm {self.tmp}/box || {{ echo credentials not found in native keychain; exit 1; }};;
esac
""", 0o755)
        env = {**self.env, "PATH": f"{helper.parent}:{os.environ['PATH']}"}
        self.auth.parent.mkdir()
        self.auth.write_text(json.dumps({"credHelpers": {self.host: "box"}}))
        self.assertEqual(self.login("-v", env=env).out, "Used:  credential helper: box\nLogin Succeeded!\n")
        self.assertEqual(json.loads((self.tmp / "box").read_text()), {"ServerURL": self.host, "Username": "user", "Secret": "secret"})
        self.assertNotIn("auths", self.auth.read_text())
        self.lade("copy", self.image(), f"docker://{self.host}/app:1", env=env)
        self.assertEqual(self.lade("logout", self.host, env=env).out, f"Removed login credentials for {self.host}\n")
        self.assertFalse((self.tmp / "box").exists())
        conf = self.write("helpers.conf", 'credential-helpers = ["box"]\n')
        self.auth.unlink()
        self.login("--registries-conf", conf, env=env)
        self.assertFalse(self.auth.exists())
        self.lade("copy", "--registries-conf", conf, self.image(), f"docker://{self.host}/app:2", env=env)

    def test_logout(self):
        self.assertIn(f"not logged into {self.host}", self.lade_fails("logout", self.host, env=self.env).err)
        self.login()
        self.assertEqual(self.lade("logout", self.host).out, f"Removed login credentials for {self.host}\n")
        self.assertIn("not logged into", self.lade_fails("login", "--get-login", self.host, env=self.env).err)
        self.login()
        self.assertEqual(self.lade("logout", "--all").out, "Removed login credentials for all registries\n")
        self.assertEqual(json.loads(self.auth.read_text())["auths"], {})
        self.write("home/.docker/config.json", json.dumps({"auths": {self.host: {"auth": auth_of("user", "secret")}}}))
        self.assertIn("Please use docker logout instead", self.lade("logout", self.host).out)
        self.lade_fails("logout", "--authfile", "/nonexistent", self.host, env=self.env)

    def test_a_damaged_file_is_refused_and_stays(self):
        self.auth.parent.mkdir()
        self.auth.write_text("{")
        self.lade_fails("login", "-u", "user", "-p", "secret", self.host, env=self.env)
        self.assertEqual(self.auth.read_text(), "{")

    def test_skopeo_reads_what_lade_keeps_and_the_other_way_round(self):
        self.login()
        run("skopeo", "copy", "--dest-tls-verify=false", "--insecure-policy", self.image(), f"docker://{self.host}/app:1", env=self.env)
        run("skopeo", "logout", self.host, env=self.env)
        self.assertIn("not logged into", self.lade_fails("logout", self.host, env=self.env).err)
        run("skopeo", "login", "--tls-verify=false", "-u", "user", "-p", "secret", self.host, env=self.env)
        self.lade("inspect", f"docker://{self.host}/app:1")
        self.assertEqual(self.lade("logout", self.host).out, f"Removed login credentials for {self.host}\n")


class Options(Credentials):
    def test_credentials_of_the_command_line(self):
        name = f"docker://{self.host}/app:1"
        self.lade("copy", "--dest-username", "user", "--dest-password", "secret", self.image(), name)
        self.lade("inspect", "--creds", "user:secret", name)
        self.lade("inspect", "--username", "user", "--password", "secret", name)
        self.login()
        self.lade("inspect", name)
        self.assertIn("401", self.lade_fails("inspect", "--no-creds", name, env=self.env).err)
        self.assertIn("401", self.lade_fails("inspect", "--creds", "user:wrong", name, env=self.env).err)
        cases = {("--username", "u"): "password must be specified when username is specified",
                 ("--password", "p"): "username must be specified when password is specified",
                 ("--creds", "u:p", "--no-creds"): "--creds and --no-creds cannot be specified at the same time",
                 ("--creds", "u:p", "--username", "u", "--password", "p"): "--creds and --username cannot be specified"}
        for words, text in cases.items():
            self.assertIn(text, self.lade_fails("inspect", *words, name, status=2, env=self.env).err)

    def test_files_for_each_side(self):
        good = self.write("good.json", json.dumps({"auths": {self.host: {"auth": auth_of("user", "secret")}}}))
        bad = self.write("bad.json", "{}")
        self.lade("copy", "--authfile", bad, "--dest-authfile", good, self.image(), f"docker://{self.host}/app:1")
        self.lade("copy", "--authfile", good, f"docker://{self.host}/app:1", f"docker://{self.host}/app:2")
        self.lade_fails("copy", "--authfile", good, "--src-authfile", bad, f"docker://{self.host}/app:1", f"oci:{self.tmp}/x:1", env=self.env)
        self.lade_fails("copy", "--dest-authfile", "/nonexistent", self.image(), f"docker://{self.host}/app:1", env=self.env)

    def test_variables_and_plain_fields(self):
        plain = self.write("docker/config.json", json.dumps({"auths": {self.host: {"username": "user", "password": "secret"}}}))
        self.lade("copy", self.image(), f"docker://{self.host}/app:1", env={**self.env, "DOCKER_CONFIG": str(plain.parent)})
        self.lade("copy", self.image(), f"docker://{self.host}/app:2", env={**self.env, "REGISTRY_AUTH_FILE": str(plain)})
        self.lade_fails("copy", self.image(), f"docker://{self.host}/app:3", env=self.env)


class TwoRegistries(Case):
    """Without passwords, reached under other names."""

    def setUp(self):
        super().setUp()
        need("umoci")
        self.registries = [Registry(self.tmp / name) for name in ("one", "two")]
        for registry in self.registries:
            registry.__enter__()
            self.addCleanup(registry.__exit__)
        self.one, self.two = (registry.host for registry in self.registries)
        run("umoci", "init", "--layout", self.tmp / "layout")
        run("umoci", "new", "--image", f"{self.tmp}/layout:a")
        self.image = f"oci:{self.tmp}/layout:a"

    def conf(self, text):
        return {"CONTAINERS_REGISTRIES_CONF": str(self.write("registries.conf", text))}

    def certificate(self, name):
        key, certificate = self.tmp / "key.pem", self.tmp / "cert.crt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-keyout", key, "-out", certificate)
        return key, certificate


class RegistriesConf(TwoRegistries):
    def test_locations_mirrors_and_blocks(self):
        env = self.conf(f"""
[[registry]]
prefix = "registry.example/team"
location = "{self.one}/copied"
[[registry.mirror]]
location = "{self.two}/mirror"
[[registry]]
location = "bad.example"
blocked = true
""")
        self.lade("copy", self.image, "docker://registry.example/team/app:1", env=env)
        self.lade("inspect", f"docker://{self.one}/copied/app:1")
        self.lade("inspect", "docker://registry.example/team/app:1", env=env)  # not in the mirror
        self.lade("copy", self.image, f"docker://{self.two}/mirror/app:only-here")
        self.lade("inspect", "docker://registry.example/team/app:only-here", env=env)
        self.lade("inspect", "--registries-conf", env["CONTAINERS_REGISTRIES_CONF"], "docker://registry.example/team/app:1")
        for words in (("inspect", "docker://bad.example/app"), ("copy", self.image, "docker://bad.example/app")):
            failed = self.lade_fails(*words, env=env)
            self.assertIn(f"registry bad.example is blocked in {self.tmp}/registries.conf", failed.err)

    def test_mistakes_are_told_only_where_a_registry_is_asked(self):
        env = self.conf("x = ")
        self.lade("inspect", self.image, env=env)
        self.assertIn("registries.conf: line 1", self.lade_fails("inspect", f"docker://{self.one}/app", env=env).err)
        failed = self.lade_fails("inspect", "--registries-conf", "/nonexistent", f"docker://{self.one}/app")
        self.assertIn("no such file or directory", failed.err)

    def test_base_images_have_short_names(self):
        self.lade("copy", self.image, f"docker://{self.two}/base:1")
        env = self.conf(f"""
unqualified-search-registries = ["{self.one}", "{self.two}"]
[aliases]
"short" = "{self.two}/base"
""")
        for name in ("base:1", "short:1"):
            self.write("context/Containerfile", f"FROM {name}\nLABEL a=b\n")
            self.lade("build", self.tmp / "context", env=env)
        self.write("context/Containerfile", "FROM none:1\n")
        failed = self.lade_fails("build", self.tmp / "context", env=env)
        self.assertIn(f"[{self.one}/none:1: ", failed.err)
        self.assertIn(f"[{self.two}/none:1: ", failed.err)

    def test_insecure_registries_are_not_verified(self):
        need("openssl")
        key, certificate = self.certificate("IP:127.0.0.1")
        with Registry(self.tmp / "tls", certificate=certificate, key=key) as registry:
            self.lade_fails("copy", self.image, f"docker://{registry.host}/app:1")
            env = self.conf(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
            self.lade("copy", self.image, f"docker://{registry.host}/app:1", env=env)
            self.lade_fails("copy", "--dest-tls-verify=true", self.image, f"docker://{registry.host}/app:1", env=env)


class Proxies(TwoRegistries):
    def environment(self, **variables):
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")
        return {**self.conf(""), **{name: "" for name in names}, **variables}

    def test_plain_http_goes_through_either_spelling(self):
        for variable in ("HTTP_PROXY", "http_proxy"):
            with Proxy(self.registries[0].port) as proxy:
                env = self.environment(**{variable: proxy.url, "https_proxy": proxy.url})
                self.lade("copy", "--dest-tls-verify=false", self.image, "docker://registry.test/app:1", env=env)
                self.assertTrue([line for line in proxy.lines() if "http://registry.test/v2/app/" in line], proxy.lines())

    def test_https_goes_through_a_tunnel_that_sees_no_credentials(self):
        need("htpasswd", "openssl")
        key, certificate = self.certificate("DNS:registry.test")
        passwords = self.write("passwords", run("htpasswd", "-Bbn", "-C", "4", "user", "secret").out)
        certs = self.tmp / "certs"
        certs.mkdir()
        (certs / "ca.crt").write_bytes(certificate.read_bytes())
        with Registry(self.tmp / "tls", htpasswd=passwords, certificate=certificate, key=key) as registry:
            for variable in ("HTTPS_PROXY", "https_proxy"):
                with Proxy(registry.port) as proxy:
                    env = self.environment(**{variable: proxy.url})
                    self.lade("copy", "--dest-cert-dir", certs, "--dest-creds", "user:secret", self.image,
                              "docker://registry.test/app:1", env=env)
                    self.assertEqual(set(proxy.lines()), {"CONNECT registry.test:443 HTTP/1.1"})
                    for head in proxy.requests:
                        self.assertNotIn("authorization", head.lower())

    def test_certificates_of_docker_hub_are_in_the_directory_docker_io(self):
        """The server has another name than the registry; a client certificate is demanded of nobody here."""
        need("openssl")
        key, certificate = self.certificate("DNS:registry-1.docker.io")
        with Registry(self.tmp / "tls", certificate=certificate, key=key) as registry, Proxy(registry.port) as proxy:
            env = self.environment(HTTPS_PROXY=proxy.url, XDG_CONFIG_HOME=str(self.tmp / "home"))
            self.lade_fails("copy", self.image, "docker://team/app:1", env=env)
            certs = self.tmp / "home/containers/certs.d/docker.io"
            certs.mkdir(parents=True)
            (certs / "ca.crt").write_bytes(certificate.read_bytes())
            self.lade("copy", self.image, "docker://team/app:1", env=env)
            self.assertEqual(set(proxy.lines()), {"CONNECT registry-1.docker.io:443 HTTP/1.1"})
            self.assertEqual(self.lade("tags", "docker://docker.io/team/app", env=env).out, "1\n")

    def test_loopback_and_no_proxy_are_reached_directly(self):
        with Proxy(self.registries[0].port) as proxy:
            env = self.environment(HTTP_PROXY=proxy.url, HTTPS_PROXY=proxy.url, NO_PROXY="registry.invalid")
            self.lade("copy", self.image, f"docker://{self.one}/app:1", env=env)
            self.lade_fails("inspect", "--tls-verify=false", "docker://registry.invalid/app:1", env=env)
            self.assertEqual(proxy.requests, [])


if __name__ == "__main__":
    main()
