"""A small HTTP proxy on a free loopback port: CONNECT and plain requests, every host led to one address."""
import socket
import threading

from loopback import Loopback


class Proxy(Loopback):
    """A context manager. `requests` has the head of each request that the proxy itself read."""

    def __init__(self, target_port):
        super().__init__()
        self.target = ("127.0.0.1", target_port)
        self.requests = []
        self.url = f"http://{self.host}"

    def lines(self):
        """The request lines."""
        return [head.split("\r\n")[0] for head in self.requests]

    def _serve(self, client):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = client.recv(65536)
            if not chunk:
                return client.close()
            data += chunk
        head, rest = data.split(b"\r\n\r\n", 1)
        self.requests.append(head.decode("latin-1"))
        server = socket.create_connection(self.target)
        method, url, version = head.split(b"\r\n")[0].split(b" ")
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            server.sendall(rest)
        else:  # one request a connection
            path = b"/" + url.split(b"/", 3)[3]
            fields = [line for line in head.split(b"\r\n")[1:] if not line.lower().startswith((b"connection:", b"proxy-"))]
            server.sendall(b"\r\n".join([b" ".join([method, path, version]), *fields, b"Connection: close"]) + b"\r\n\r\n" + rest)
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def _pump(source, sink):
        try:
            while chunk := source.recv(65536):
                sink.sendall(chunk)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Cut(Loopback):
    """A proxy of plain TCP that cuts connections to one server: a context manager. `up` and `down` are how many bytes may go to the
    server and come from it by one connection; `times`, how many connections are cut. `before`: only where something that begins so
    would go next. `stalls`: they are held instead of cut, and `stalled` is set."""

    def __init__(self, target_port, up=None, down=None, times=1, before=b"", stalls=False):
        super().__init__()
        self.target, self.limits, self.left, self.before, self.stalls = ("127.0.0.1", target_port), (up, down), times, before, stalls
        self.stalled, self.lock = threading.Event(), threading.Lock()

    def _serve(self, client):
        try:
            server = socket.create_connection(self.target)
        except OSError:
            return client.close()
        for source, sink, limit in ((client, server, self.limits[0]), (server, client, self.limits[1])):
            threading.Thread(target=self._pump, args=(source, sink, limit), daemon=True).start()

    def _may_cut(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def _pump(self, source, sink, limit):
        passed = 0
        try:
            while chunk := source.recv(65536):
                passed += len(chunk)
                if limit is not None and passed > limit and chunk.startswith(self.before):
                    if self._may_cut():
                        if not self.stalls:
                            break
                        self.stalled.set()
                        while source.recv(65536):  # until the client is gone
                            pass
                        break
                    limit = None
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
