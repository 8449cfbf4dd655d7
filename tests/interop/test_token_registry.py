"""A real registry with a token server: tokens for what is done and nothing more, mounts with both scopes, refusals."""
import base64
import http.server
import json
import subprocess
import threading
import time
import urllib.parse

from lade_testing import Case, Registry, certificate, check_layout, main, run, small_image, small_index


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenServer:
    """Gives tokens as the registry's documentation describes (JSON Web Tokens, signed by `key`); a context manager. "user" with "secret"
    may do everything, nobody may pull from "public"."""

    def __init__(self, key, made):
        der = run("openssl", "x509", "-in", made, "-outform", "DER", "-out", made.with_suffix(".der")) and made.with_suffix(".der").read_bytes()
        self.key, self.chain, self.scopes = key, [base64.b64encode(der).decode()], []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                given = self.headers.get("Authorization", "")
                if given and given != "Basic " + base64.b64encode(b"user:secret").decode():
                    self.send_error(401)
                    return
                scopes = [scope for text in query.get("scope", []) for scope in text.split()]
                server.scopes.append(scopes)
                body = json.dumps({"token": server.token(scopes, bool(given)), "expires_in": 300}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.http.server_address[1]}/token"

    def token(self, scopes, known):
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if known or (name == "public" and a == "pull")]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": "test", "sub": "user", "aud": "registry", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access}
        head = {"typ": "JWT", "alg": "RS256", "x5c": self.chain}
        signed = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), stdout=subprocess.PIPE, check=True)
        return f"{signed}.{encoded(signature.stdout)}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()


class TokenRegistry(Case):
    def setUp(self):
        super().setUp()
        key, made = certificate(self.tmp / "token", kind="rsa:2048")
        self.server = TokenServer(key, made)
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        token = {"realm": self.server.realm, "service": "registry", "issuer": "test", "rootcertbundle": str(made)}
        self.registry = Registry(self.tmp / "registry", auth={"token": token}, access_log=True)
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__)
        small_image(self.tmp / "l", "a", "one")
        small_index(self.tmp / "l", "all", "two")

    def place(self, name):
        return f"docker://{self.registry.host}/{name}"

    def test_images_go_in_and_out_with_tokens_for_both(self):
        self.lade("copy", "--all", "--dest-creds", "user:secret", f"oci:{self.tmp}/l:all", self.place("team/app:1"))
        self.assertTrue(all(scope.startswith("repository:team/app:") for scopes in self.server.scopes for scope in scopes), self.server.scopes)
        self.lade("copy", "--all", "--src-creds", "user:secret", self.place("team/app:1"), f"oci:{self.tmp}/to:a")
        check_layout(self.tmp / "to")
        run("skopeo", "copy", "-q", "--all", "--src-tls-verify=false", "--src-creds", "user:secret", self.place("team/app:1"), f"dir:{self.tmp}/d")
        self.assertEqual(self.lade("tags", "--creds", "user:secret", self.place("team/app")).out, "1\n")

    def test_a_mount_asks_for_the_rights_of_both_repositories(self):
        self.lade("copy", "--dest-creds", "user:secret", f"oci:{self.tmp}/l:a", self.place("team/app:1"))
        del self.server.scopes[:]
        self.lade("copy", "--src-creds", "user:secret", "--dest-creds", "user:secret", self.place("team/app:1"), self.place("other:1"))
        mounted = [path for method, path, _, status in self.registry.requests() if method == "POST" and "from=team" in path and status == "201"]
        self.assertEqual(len(mounted), 3)
        self.assertTrue(any(len({scope.split(":")[1] for scope in scopes}) == 2 for scopes in self.server.scopes), self.server.scopes)

    def test_what_the_server_does_not_grant_is_refused(self):
        self.lade("copy", "--dest-creds", "user:secret", f"oci:{self.tmp}/l:a", self.place("public:1"))
        self.lade("copy", self.place("public:1"), f"oci:{self.tmp}/anonymous:a")
        for words, source, destination in (([], f"oci:{self.tmp}/l:a", self.place("public:2")), ([], self.place("team/app:1"), f"dir:{self.tmp}/no"),
                                           (["--dest-creds", "user:wrong"], f"oci:{self.tmp}/l:a", self.place("public:2"))):
            result = self.lade_fails("copy", *words, source, destination)
            self.assertRegex(result.err, "401|UNAUTHORIZED|DENIED|credentials")
            self.assertNotIn("wrong", result.err)


if __name__ == "__main__":
    main()
