"""Events, replayed and live, and the metrics of Prometheus. Part of api.py, whose server it uses."""
import http.client
import json
import socket
import time

from api_runs import minimal
from server import V1, has


def read_events(s, query="", headers=None, want=3, timeout=10, kinds=None):
    """Reads a stream until `want` events (of `kinds`) came: [(id, type, data)]."""
    c = http.client.HTTPConnection(s.host, s.port, timeout=timeout)
    c.request("GET", V1 + "/events" + query, headers=dict({"Authorization": "Bearer " + s.token,
                                                           "Accept": "text/event-stream"}, **(headers or {})))
    r = c.getresponse()
    assert r.status == 200 and r.headers["Content-Type"] == "text/event-stream", r.status
    events, fields, end = [], {}, time.time() + timeout
    try:
        while len(events) < want and time.time() < end:
            line = r.fp.readline()
            if not line:
                break
            # Chunk sizes stand on lines of their own; event lines hold a colon.
            text = line.decode().rstrip("\r\n")
            if text == "" and "data" in fields:
                if kinds is None or fields.get("event") in kinds:
                    events.append((fields.get("id"), fields.get("event"), json.loads(fields["data"])))
                fields = {}
            elif ": " in text and not text.startswith(":"):
                k, v = text.split(": ", 1)
                fields[k] = v
    except socket.timeout:
        pass
    finally:
        c.close()
    return events


def events_replay(s):
    stored = s.json("GET", V1 + "/events?limit=500", headers={"Accept": "application/json"})["items"]
    states = [e for e in stored if e["type"] == "run.state" and e["run"] == 1]
    assert len(states) >= 4 and all("time" in e and "id" in e for e in stored)
    first = stored[0]["id"]
    got = read_events(s, "?after=0&run=1", want=len(states))
    assert [int(e[0]) for e in got] == [e["id"] for e in states], got
    assert all(e[2]["run"] == 1 for e in got)
    got = read_events(s, headers={"Last-Event-ID": str(first)}, want=2)
    assert int(got[0][0]) == stored[1]["id"]
    reset = read_events(s, "?after=999999999", want=1)
    assert reset[0][1] == "reset", reset
    s.json("GET", V1 + "/events?after=x", want=400)
    s.json("GET", V1 + "/events?run=999", want=404)
    assert s.request("HEAD", V1 + "/events")[2] == b""


def events_live(s):
    run = s.json("POST", V1 + "/runs", minimal("live"), want=201)
    progress = read_events(s, "?run=%d" % run["id"], want=3, kinds={"run.progress"}, timeout=5)
    assert len(progress) == 3 and all(e[0] is None for e in progress), progress
    has(progress[0][2], "run", "state", "phase", "step", "steps_total", "progress", "eta_seconds", "loss")
    text = s.request("GET", "/metrics")[2].decode()
    assert 'tpld_runs{state="running"} 1' in text and 'tpld_run_loss{run="%d"} 0.75' % run["id"] in text
    s.json("POST", V1 + "/runs/%d/pause" % run["id"], want=202)


def events_while_streaming(s):
    import threading
    got = []
    t = threading.Thread(target=lambda: got.extend(read_events(s, want=1, kinds={"run.state"}, timeout=8)))
    t.start()
    time.sleep(0.5)
    r = s.json("POST", V1 + "/runs", minimal("seen"), want=201)
    t.join()
    assert got and got[0][2]["run"] == r["id"] and int(got[0][0]) > 0, got


def prometheus(s):
    assert s.request("GET", "/metrics", token=False)[0] == 401
    status, h, data = s.request("GET", "/metrics")
    text = data.decode()
    assert status == 200 and h["Content-Type"].startswith("text/plain; version=0.0.4")
    for name in ("tpld_build_info", "tpld_runs", "tpld_http_requests_total", "tpld_uptime_seconds", "tpld_disk_free_bytes"):
        assert "# TYPE " + name in text, name
    assert 'route="/api/v1/runs/{id}",code="404"' in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rsplit(" ", 1)[1]) >= 0, line


TESTS = [events_replay, events_live, events_while_streaming, prometheus]
