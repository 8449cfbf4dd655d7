"""A Docker engine as far as moving images goes: ping, inspect, save, load; on a unix socket or a port, with faults."""
import http.server
import io
import json
import os
import socket
import socketserver
import ssl
import tarfile
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "engine"

    def answer(self, status, body=b"", headers=()):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        """The request's content, chunked or not, piece by piece."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        engine = self.server.engine
        url = urllib.parse.urlsplit(self.path)
        engine.requests.append(f"GET {self.path}")
        path = url.path
        if path == "/_ping":
            return self.answer(200, b"OK", [("Api-Version", engine.version)] if engine.version else [])
        prefix = f"/v{engine.version}" if engine.version else ""
        if not path.startswith(prefix):
            return self.answer(400, {"message": "client version is too new"})
        path = path[len(prefix):]
        if path.startswith("/images/") and path.endswith("/json"):
            name = urllib.parse.unquote(path[len("/images/"):-len("/json")])
            if name in engine.images:
                return self.answer(200, {"Id": "sha256:" + "0" * 64})
            return self.answer(404, {"message": f"No such image: {name}"})
        if path == "/images/get":
            name = urllib.parse.parse_qs(url.query)["names"][0]
            if engine.fault == "save-500":
                return self.answer(500, {"message": "disk on fire"})
            content = engine.images[name]
            self.send_response(200)
            self.send_header("Content-Type", "application/x-tar")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if engine.fault == "save-cut":
                content = content[:len(content) // 2]
            for at in range(0, len(content), 1 << 16):
                piece = content[at:at + (1 << 16)]
                self.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            if engine.fault == "save-cut":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
            self.wfile.write(b"0\r\n\r\n")
            return None
        return self.answer(404, {"message": "page not found"})

    def do_POST(self):
        engine = self.server.engine
        engine.requests.append(f"POST {self.path}")
        if "/images/load" not in self.path:
            return self.answer(404, {"message": "page not found"})
        if engine.fault == "load-early":
            next(self.body())
            self.close_connection = True
            return self.answer(500, {"message": "no space left on device"}, [("Connection", "close")])
        content = b"".join(self.body())
        if engine.fault == "load-error":
            return self.answer(200, b'{"status":"Loading layer"}\r\n'
                               b'{"errorDetail":{"message":"bad layer\\u001b[2J"},"error":"bad layer"}\r\n')
        if engine.fault == "load-garbage":
            return self.answer(200, b"<html>gateway</html>")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            images = json.load(archive.extractfile("manifest.json"))
        for image in images:
            for tag in image["RepoTags"]:
                engine.images[tag] = content
        return self.answer(200, {"stream": "Loaded image: x\n"})


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class Engine:
    """A context manager. `images`: what save gives for a name as the client spells it."""

    def __init__(self, socket_path=None, version="1.41", fault=None, certificate=None, key=None, client_ca=None):
        self.images = {}
        self.requests = []
        self.version = version
        self.fault = fault
        if socket_path:
            self.server = UnixServer(str(socket_path), Handler)
            self.host = f"unix://{socket_path}"
        else:
            self.server = TcpServer(("127.0.0.1", 0), Handler)
            port = self.server.server_address[1]
            self.host = f"http://127.0.0.1:{port}"
            if certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, key)
                if client_ca:
                    context.load_verify_locations(client_ca)
                    context.verify_mode = ssl.CERT_REQUIRED
                self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
                self.host = f"tcp://127.0.0.1:{port}"
        self.server.engine = self

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        if self.host.startswith("unix://"):
            os.unlink(self.host[len("unix://"):])
