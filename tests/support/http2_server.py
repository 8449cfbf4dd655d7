"""A small HTTP/2 server over TLS on a free loopback port that breaks streams and connections when it is told to."""
import ssl
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import hyperframe.frame

from h2.errors import ErrorCodes

from loopback import Loopback


class Request:
    def __init__(self, fields):
        self.method, self.path = fields[":method"], fields[":path"]
        self.headers = {name: value for name, value in fields.items() if not name.startswith(":")}
        self.body = bytearray()


class Answer:
    """`fault` is (after how many bytes of the body, what): what is done to the connection, see Faults."""

    def __init__(self, status, headers=(), body=b"", fault=None):
        self.status, self.headers, self.body, self.fault, self.sent = status, headers, body, fault, 0


class Faults:
    """Each is called with a Connection and the number of the stream; True: the stream goes on."""

    @staticmethod
    def reset(code=ErrorCodes.INTERNAL_ERROR):
        def apply(connection, stream):
            connection.h2.reset_stream(stream, code)
            return False
        return apply

    @staticmethod
    def go_away(code=ErrorCodes.NO_ERROR, last=None, then="close"):
        """GOAWAY that names `last` (None: this stream) as the last one; "close": at once, "finish": this stream is finished first."""
        def apply(connection, stream):
            frame = hyperframe.frame.GoAwayFrame(0, stream if last is None else last, int(code))
            connection.flush()
            connection.socket.sendall(frame.serialize())
            if then == "close":
                raise Closed()
            connection.last_stream = stream
            return True
        return apply

    @staticmethod
    def close(connection, _stream):
        connection.flush()
        connection.socket.sendall(b"\x00\x40\x00")  # the beginning of a frame
        raise Closed()


class Closed(Exception):
    pass


class Connection:
    def __init__(self, server, connected):
        self.server, self.socket = server, connected
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.requests, self.answers, self.last_stream = {}, {}, None

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def serve(self):
        self.h2.initiate_connection()
        self.flush()
        while data := self.socket.recv(65536):
            for event in self.h2.receive_data(data):
                self.take(event)
            for stream in list(self.answers):
                self.give(stream)
            self.flush()
            if self.last_stream is not None and self.last_stream not in self.answers:
                return

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = Request(dict(event.headers))
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            request = self.requests.get(event.stream_id)
            if request is None:
                return
            request.body += event.data
            fault = self.server.upload_fault(request)
            if fault:
                del self.requests[event.stream_id]
                fault(self, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            request = self.requests.pop(event.stream_id, None)
            if request is None:
                return
            answer = self.server.handle(request)
            fields = [(":status", str(answer.status)), ("content-length", str(len(answer.body))), *answer.headers]
            ends = request.method == "HEAD" or not answer.body
            self.h2.send_headers(event.stream_id, fields, end_stream=ends)
            if not ends:
                self.answers[event.stream_id] = answer
        elif isinstance(event, h2.events.StreamReset):
            self.answers.pop(event.stream_id, None)
            self.requests.pop(event.stream_id, None)

    def give(self, stream):
        """As much of an answer's body as the client wants now."""
        answer = self.answers[stream]
        while answer.sent < len(answer.body):
            if answer.fault and answer.sent >= answer.fault[0]:
                fault, answer.fault = answer.fault[1], None
                if not fault(self, stream):
                    del self.answers[stream]
                    return
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(answer.body) - answer.sent)
            if size <= 0:
                return
            self.h2.send_data(stream, answer.body[answer.sent:answer.sent + size])
            answer.sent += size
        self.h2.end_stream(stream)
        del self.answers[stream]


class Http2Server(Loopback):
    """A context manager. `handle(request)` gives an Answer; `upload_fault(request)`, asked for each piece of a body, a fault or None.
    Both are called by one thread for each connection."""

    def __init__(self, key, certificate, handle, upload_fault=lambda request: None):
        super().__init__()
        self.handle, self.upload_fault = handle, upload_fault
        self.connections, self.lock = 0, threading.Lock()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(["h2"])

    def _serve(self, client):
        with self.lock:
            self.connections += 1
        try:
            with self.context.wrap_socket(client, server_side=True) as connected:
                Connection(self, connected).serve()
        except (OSError, Closed, h2.exceptions.ProtocolError):  # the client went, or is to see that we did
            client.close()
