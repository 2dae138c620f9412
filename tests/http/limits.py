#!/usr/bin/env python3
"""Limits: slow and greedy clients, large bodies, many streams, and stopping while requests run. The slow
cases wait side by side, so that the test takes one deadline and not all of them."""
import json
import os
import signal
import socket
import sys
import threading
import time

import server
from server import V1


def head(s, method, path, *lines):
    return ("\r\n".join(["%s %s HTTP/1.1" % (method, path), "Host: 127.0.0.1:%d" % s.port,
                         "Authorization: Bearer " + s.token] + list(lines)) + "\r\n\r\n").encode()


def connect(s):
    c = socket.create_connection((s.host, s.port), timeout=60)
    return c


def drip(c, data, pause, limit):
    """Sends byte by byte; seconds until the server closed, or None."""
    start = time.time()
    c.settimeout(pause)
    for i in range(10 ** 6):
        if time.time() - start > limit:
            return None
        try:
            c.sendall(data[i % len(data):][:1])
            if c.recv(100) == b"":
                return time.time() - start
        except socket.timeout:
            pass
        except OSError:
            return time.time() - start


def slow_clients(s):
    """Bytes that trickle in must not hold a connection; those that come steadily may take their time."""
    results = {}

    def header():
        with connect(s) as c:
            c.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            results["header"] = drip(c, b"a", 0.5, 30)

    def request_line():
        with connect(s) as c:
            results["line"] = drip(c, b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0.5, 30)

    def silent():
        with connect(s) as c:
            start = time.time()
            c.settimeout(30)
            results["silent"] = time.time() - start if c.recv(10) == b"" else None
            results["silent"] = time.time() - start

    def body():
        with connect(s) as c:
            c.sendall(head(s, "POST", V1 + "/runs:validate", "Content-Type: application/json", "Content-Length: 1000"))
            results["body"] = drip(c, b" ", 0.5, 50)

    def keep_alive():
        with connect(s) as c:
            c.sendall(head(s, "GET", "/healthz"))
            time.sleep(0.3)
            c.recv(65536)
            results["keep-alive"] = drip(c, b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0.5, 40)

    threads = [threading.Thread(target=f) for f in (header, request_line, silent, body, keep_alive)]
    for t in threads:
        t.start()
    time.sleep(1)
    # Meanwhile others are served at once.
    start = time.time()
    for _ in range(20):
        assert s.request("GET", "/healthz", token=False)[0] == 200
    assert time.time() - start < 2
    for t in threads:
        t.join()
    limits = {"header": 18, "line": 18, "silent": 12, "body": 34, "keep-alive": 29}
    for name, limit in limits.items():
        assert results[name] is not None and results[name] < limit, results
    assert results["header"] > 10 and results["body"] > 25, results


def many_connections(s):
    """More clients than connections: the surplus waits or is refused, and the server recovers."""
    held = [connect(s) for _ in range(80)]
    time.sleep(0.2)
    for c in held:
        c.close()
    time.sleep(0.3)
    assert s.request("GET", "/healthz", token=False)[0] == 200


def large_bodies(s):
    path = V1 + "/runs:validate"
    j = "Content-Type: application/json"
    # Announced too large: refused before the body.
    answer, closed = s.raw(head(s, "POST", path, j, "Content-Length: 2000000"))
    assert b" 413 " in answer.split(b"\r\n")[0] and closed, answer
    # Expect: 100-continue is not answered with 100 when the request will be refused.
    answer, closed = s.raw(head(s, "POST", path, j, "Content-Length: 2000000", "Expect: 100-continue"))
    assert b"100 Continue" not in answer and b" 413 " in answer.split(b"\r\n")[0], answer
    # Chunked without end: counted.
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer, closed = s.raw(head(s, "POST", path, j, "Transfer-Encoding: chunked"), pieces=[chunk] * 20 + [b"0\r\n\r\n"])
    assert b" 413 " in answer.split(b"\r\n")[0], answer[:200]
    # Just the limit is taken (and is bad JSON).
    status, _, data = s.request("POST", path, b" " * (1 << 20), {"Content-Type": "application/json"})
    assert status == 400, (status, data)
    # A refused body that a client sends after the headers does not hide the answer.
    with connect(s) as c:
        c.sendall(head(s, "POST", path, j, "Content-Length: 100000").replace(s.token.encode(), b"wrong"))
        time.sleep(0.2)
        c.sendall(b" " * 100000)
        c.settimeout(5)
        line = c.recv(65536).split(b"\r\n")[0]
        assert b" 401 " in line or b" 429 " in line, line
    infer = V1 + "/checkpoints/1/infer"
    answer, _ = s.raw(head(s, "POST", infer, "Content-Type: image/png", "Content-Length: %d" % ((32 << 20) + 1)))
    assert b" 413 " in answer.split(b"\r\n")[0], answer
    answer, _ = s.raw(head(s, "POST", V1 + "/weights?name=a&arch=deeplabv2-vgg16", "Content-Type: application/octet-stream",
                           "Content-Length: %d" % ((1 << 30) + 1)))
    assert b" 413 " in answer.split(b"\r\n")[0], answer


def uploads_go_to_files(s):
    tmp = os.path.join(s.state, "tmp")
    size = 24 << 20
    c = connect(s)
    c.sendall(head(s, "POST", V1 + "/weights?name=a&arch=deeplabv2-vgg16", "Content-Type: application/octet-stream",
                   "Content-Length: %d" % size))
    block = b"\xff" * (1 << 20)
    for _ in range(12):
        c.sendall(block)
    time.sleep(0.5)
    files = os.listdir(tmp)
    assert len(files) == 1, files
    with open("/proc/%d/statm" % s.process.pid) as f:
        resident = int(f.read().split()[1]) * 4096
    for _ in range(12):
        c.sendall(block)
    c.settimeout(30)
    answer = c.recv(65536)
    assert b" 422 " in answer.split(b"\r\n")[0], answer
    c.close()
    assert os.listdir(tmp) == [], os.listdir(tmp)
    assert resident < 400 << 20, resident
    # A client that leaves in the middle leaves nothing behind.
    c = connect(s)
    c.sendall(head(s, "POST", V1 + "/weights?name=a&arch=deeplabv2-vgg16", "Content-Type: application/octet-stream",
                   "Content-Length: %d" % size) + block)
    time.sleep(0.3)
    c.close()
    time.sleep(0.5)
    assert os.listdir(tmp) == [], os.listdir(tmp)


def open_stream(s):
    c = connect(s)
    c.sendall(head(s, "GET", V1 + "/events", "Accept: text/event-stream"))
    c.settimeout(5)
    return c, c.recv(65536)


def streams_are_limited(s):
    held = [open_stream(s) for _ in range(32)]
    assert all(b" 200 " in first for _, first in held)
    c, first = open_stream(s)
    assert b" 503 " in first.split(b"\r\n")[0] and b"Retry-After" in first, first
    c.close()
    assert b"tpld_sse_clients 32" in s.request("GET", "/metrics")[2]
    # Clients that left are noticed when an event is written to them.
    for c, _ in held:
        c.close()
    for _ in range(2):
        body = {"name": "e", "preset": "cbst", "source": "synth", "target": "real"}
        run = s.json("POST", V1 + "/runs", body, want=201)
        s.json("POST", V1 + "/runs/%d/cancel" % run["id"], want=202)
        time.sleep(0.8)
    assert b"tpld_sse_clients 0" in s.request("GET", "/metrics")[2]
    c, first = open_stream(s)
    assert b" 200 " in first
    c.close()


def long_requests_wait_in_line(s):
    """Inference computes two at a time; meanwhile everything else is quick."""
    done = []

    def infer():
        done.append(s.request("POST", V1 + "/checkpoints/1/infer", b"SLOW", {"Content-Type": "image/png"})[0])

    threads = [threading.Thread(target=infer) for _ in range(6)]
    start = time.time()
    for t in threads:
        t.start()
    time.sleep(0.3)
    quick = time.time()
    for _ in range(10):
        s.json("GET", V1 + "/runs")
    assert time.time() - quick < 0.8
    for t in threads:
        t.join()
    assert done == [200] * 6 and 1.4 < time.time() - start < 4, (done, time.time() - start)
    many = [threading.Thread(target=infer) for _ in range(25)]
    del done[:]
    for t in many:
        t.start()
    for t in many:
        t.join()
    assert done.count(200) >= 18 and done.count(503) >= 5, done


def clients_may_leave(s):
    """Connections cut in every phase of a request."""
    full = head(s, "GET", V1 + "/runs/1") + head(s, "POST", V1 + "/runs:validate", "Content-Type: application/json",
                                                 "Content-Length: 2") + b"{}"
    for n in range(0, len(full), 7):
        with connect(s) as c:
            c.sendall(full[:n])
    for _ in range(5):
        with connect(s) as c:
            c.sendall(head(s, "POST", V1 + "/checkpoints/1/infer", "Content-Type: image/png", "Content-Length: 4") + b"SLOW")
    assert s.json("GET", V1 + "/runs")["items"]


def stops_in_order(s):
    """SIGTERM with an open stream and requests: the stream hears of it, those that run are answered, the one
    that waits is refused, and the process ends within the drain time."""
    time.sleep(2)  # those of the test before
    stream, _ = open_stream(s)
    running = []
    for _ in range(3):
        running.append(connect(s))
        running[-1].sendall(head(s, "POST", V1 + "/checkpoints/1/infer", "Content-Type: image/png", "Content-Length: 4")
                            + b"SLOW")
        time.sleep(0.05)
    start = time.time()
    s.process.send_signal(signal.SIGTERM)
    stream.settimeout(5)
    heard = b""
    while True:
        part = stream.recv(65536)
        if not part:
            break
        heard += part
    assert b"server.shutdown" in heard, heard
    for c, want in zip(running, (b" 200 ", b" 200 ", b" 503 ")):
        c.settimeout(5)
        line = c.recv(65536).split(b"\r\n")[0]
        assert want in line, (want, line)
    s.process.wait(10)
    assert time.time() - start < 5, time.time() - start


if __name__ == "__main__":
    sys.exit(server.run([slow_clients, many_connections, large_bodies, uploads_go_to_files, streams_are_limited,
                         long_requests_wait_in_line, clients_may_leave, stops_in_order]))
