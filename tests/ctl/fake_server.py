"""A server that answers what a test tells it to, for the client's behaviour on the wire: errors, silence,
broken transfers, event streams, restarts. What the real API answers is tested against the real one."""
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request:
    def __init__(self, handler):
        self.method = handler.command
        self.target = handler.path
        self.path, _, self.query = handler.path.partition("?")
        self.headers = handler.headers
        self.body = b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def serve(self):
        fake = self.server.fake
        if fake.listener is not self.server:  # stopped: connections kept alive end too
            self.close_connection = True
            return
        r = Request(self)
        handler = fake.find(r)
        if not getattr(handler, "refuses_early", False):
            r.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fake.requests.append(r)
        try:
            answer = handler(r)
            if callable(answer):  # writes to the connection itself
                answer(self)
                self.close_connection = True
            else:
                self.send(*answer)
            if getattr(handler, "refuses_early", False):
                self.close_connection = True
                self.linger()
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    def linger(self):
        """Closing on unread bytes would reset the connection, and the client might never see the answer."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(5)
        while self.connection.recv(1 << 16):
            pass

    do_GET = do_POST = do_DELETE = serve

    def send(self, status, body=b"", type="application/json", headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", type)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # the client has gone: some tests mean it to


class Fake:
    """routes: {"GET /path": function(request) -> (status, bytes, ...) or function(handler)}"""

    def __init__(self, routes=None):
        self.routes = dict(routes or {})
        self.requests = []
        self.listener = None
        self.start()

    def start(self):
        """On a free port, also after stop()."""
        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.listener.fake = self
        self.url = "http://127.0.0.1:%d" % self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.listener.shutdown()
        self.listener.server_close()

    def find(self, r):
        handler = self.routes.get(r.method + " " + r.path)
        return handler or (lambda _: problem(404, "there is nothing at " + r.path))

    def paths(self):
        return [r.method + " " + r.target for r in self.requests]


def ok(value, status=200):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return lambda _: (status, data)


def problem(status, detail, **more):
    body = dict({"type": "urn:tpld:problem:x", "title": "x", "status": status, "detail": detail}, **more)
    return status, json.dumps(body).encode(), "application/problem+json"


def refusal(status, detail, **more):
    return lambda _: problem(status, detail, **more)


def page(items, cursor=None, **more):
    return ok(dict({"items": items, "next_cursor": cursor}, **more))


def event(type, data, id=None):
    return (("id: %d\n" % id if id else "") + "event: %s\ndata: %s\n\n" % (type, json.dumps(data))).encode()


def stream(handler, parts):
    """Headers of an event stream, then each part as it is made."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(b"retry: 3000\n\n")
    handler.wfile.flush()
    for part in parts:
        handler.wfile.write(part)
        handler.wfile.flush()


def closed_port():
    """A port on which nobody listens."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
    s.close()
    return port
