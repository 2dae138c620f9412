#!/usr/bin/python3
"""How much HTTP clients slow a training run: one JSON line.

usage: clients.py BUILD [--clients N] [--threads N] [--windows N] [--seconds N]

A MobileNetV2 trains in a daemon, in windows with and without clients in turn. Each client is an open
dashboard: a connection kept alive that asks for the run, its loss curve and its IoU history every 2
seconds, and every fourth an event stream besides. "slowdown" compares steps per second; the clients
themselves run on the same cores, and what they take counts against us. "serving_share" is the processor
time of a step that the daemon spent beyond what it takes undisturbed.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time

top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(top, "tests", "crash"))
import lib

PERIOD = 2.0
STREAM_EACH = 4
WARM_UP = 1.0  # seconds that clients have to connect
SIZE = 129  # a step of some tens of milliseconds: many in a window


class Server(lib.Daemon):
    def configure(self):
        super().configure()
        with open(self.config, "a") as f:
            f.write("[server]\nmax_connections = 128\n")


# ---- the clients: a process of their own ----------------------------------------------------

def answer(connection):
    """Reads one answer of a connection kept alive."""
    text = b""
    while b"\r\n\r\n" not in text:
        more = connection.recv(65536)
        if not more:
            raise OSError("closed")
        text += more
    head, _, body = text.partition(b"\r\n\r\n")
    length = [int(l.split(b":")[1]) for l in head.lower().split(b"\r\n")
              if l.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200") or not length:
        raise OSError("answered %r" % head[:200])
    while len(body) < length[0]:
        more = connection.recv(65536)
        if not more:
            raise OSError("closed within an answer")
        body += more


def visit(port, token, run, clients):
    """Clients until the end; prints how many answers came when told to stop."""
    head = " HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n\r\n" % (port, token)
    asked = [("GET /api/v1/runs/%s%s%s" % (run, rest, head)).encode()
             for rest in ("", "/metrics?keys=loss&max_points=500", "/iou")]
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    streams = [socket.create_connection(("127.0.0.1", port))
               for _ in range(clients // STREAM_EACH)]
    for s in streams:
        s.sendall(("GET /api/v1/events" + head).encode())
    count, stop = 0, []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    at = time.monotonic()
    while not stop:  # spread evenly over the period, as people's browsers are
        for c in connections:
            for text in asked:
                c.sendall(text)
                answer(c)
                count += 1
            at += PERIOD / clients
            time.sleep(max(0, at - time.monotonic()))
    print(count, flush=True)


# ---- the measurement -----------------------------------------------------------------------

def seen(daemon, run):
    """(time, step, the daemon's processor time in seconds)."""
    step = daemon.run(run)["step"]
    with open("/proc/%d/stat" % daemon.process.pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return time.monotonic(), step, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def window(daemon, run, seconds, clients):
    """(seconds, steps, processor seconds, answers); the clients run a second longer."""
    visitors, answers = None, 0
    if clients:
        visitors = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--visit",
                                     str(daemon.port), daemon.token, str(run), str(clients)],
                                    stdout=subprocess.PIPE, universal_newlines=True)
        time.sleep(WARM_UP)
    begin = seen(daemon, run)
    time.sleep(seconds)
    end = seen(daemon, run)
    if visitors:
        visitors.terminate()
        answers = int(visitors.communicate()[0] or 0)
        if answers == 0:
            raise AssertionError("the clients got no answers")
    return tuple(b - a for a, b in zip(begin, end)) + (answers,)


def measure(daemon, run, args):
    sums = {False: [0.0] * 4, True: [0.0] * 4}
    for _ in range(args.windows):
        for busy in (False, True):
            w = window(daemon, run, args.seconds, args.clients if busy else 0)
            sums[busy] = [a + b for a, b in zip(sums[busy], w)]
    quiet, busy = sums[False], sums[True]
    return {"bench": "clients", "arch": "deeplabv2-mobilenetv2", "height": SIZE, "width": SIZE,
            "threads": args.threads, "clients": args.clients,
            "streams": args.clients // STREAM_EACH,
            "answers_per_second": round(busy[3] / (busy[0] + args.windows * WARM_UP), 1),
            "steps_per_second_alone": round(quiet[1] / quiet[0], 2),
            "steps_per_second": round(busy[1] / busy[0], 2), "steps": int(quiet[1] + busy[1]),
            "slowdown": round(quiet[1] / quiet[0] / (busy[1] / busy[0]) - 1, 4),
            "serving_share": round(busy[2] / busy[1] / (quiet[2] / quiet[1]) - 1, 4)}


def main():
    if sys.argv[1:2] == ["--visit"]:
        visit(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
        return 0
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--clients", type=int, default=64)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--windows", type=int, default=5)
    p.add_argument("--seconds", type=float, default=8)
    args = p.parse_args()
    place = lib.Place.of_build(args.build)
    daemon = Server(place, os.path.join(place.folder, "state"), threads=args.threads,
                    checkpoint_seconds=3600)
    try:
        os.makedirs(daemon.state)
        daemon.start()
        place.scenes("source", "renderer", 8, "256x256", 1)
        place.scenes("target", "camera", 2, "256x256", 2)
        place.register(daemon)
        run = daemon.submit({
            "name": "clients", "preset": "source-only", "source": "source", "target": "target",
            "eval": None, "model": {"arch": "deeplabv2-mobilenetv2"},
            "data": {"crop": [SIZE, SIZE], "batch": 1}, "source_training": {"steps": 1000000}})
        daemon.wait_state(run, ("running",))
        until = time.monotonic() + lib.RUN_SECONDS
        while daemon.run(run)["step"] <= 20:
            if time.monotonic() > until:
                raise AssertionError("no steps after %d s" % lib.RUN_SECONDS)
            time.sleep(0.2)
        print(json.dumps(measure(daemon, run, args)), flush=True)
    finally:
        daemon.stop()
        place.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
