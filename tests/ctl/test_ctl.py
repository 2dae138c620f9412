"""tpldctl against a server that misbehaves to order. usage: test_ctl.py TPLDCTL"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time

from ctl import run, wait_for
from fake_server import Fake, closed_port, event, ok, page, problem, refusal, stream

RUN = {"id": 7, "name": "night", "state": "running", "phase": "phase1_training", "round": 1, "rounds_total": 9,
       "step": 40, "steps_total": 100, "progress": 0.25, "eta_seconds": 754.0, "loss": 0.4312, "seconds": 62.0,
       "error": None, "miou": {"source_only": 0.31, "current": 0.345, "best": 0.35}, "state_history": []}


def run_in(state, **more):
    return dict(RUN, state=state, **more)


def help_is_complete(ctl):
    text = ctl("--help")[0]
    lines = [x for x in text.split("Commands", 1)[1].split("Options:")[0].splitlines() if x.startswith("  ")]
    assert len(lines) > 40
    for line in lines:
        words = re.match(r"  ((?: ?[a-z][a-z-]*)+)", line).group(1).split()
        out = ctl(*words, "--help")[0]
        assert out.startswith("usage: tpldctl " + " ".join(words)), out
    assert "run watch" in ctl("run", "--help")[0] and "\n  image ls" not in ctl("run", "--help")[0]
    assert ctl("--version")[0].startswith("tpldctl ")
    assert ctl("help")[0] == text and ctl("help", "run", "create")[0] == ctl("run", "create", "--help")[0]


def usage_errors(ctl):
    for args in ([], ["foo"], ["help", "run", "foo"], ["run"], ["run", "foo"], ["run", "show"], ["run", "show", "1", "2"], ["run", "ls", "--nope"],
                 ["run", "ls", "-x"], ["-o", "xml", "run", "ls"], ["run", "ls", "--limit"], ["run", "ls", "--all=1"],
                 ["image", "ls", "1", "--split", "odd"], ["--timeout", "0", "status"], ["--server", "ftp://x", "status"],
                 ["--token-file", "absent", "status"], ["checkpoint", "show", "first"], ["image", "show", "1", "../2"],
                 ["image", "get", "1", "-1", "2", "image"], ["run", "create", "--set", "novalue"],
                 ["run", "create", "--seed", "x"], ["weights", "add", "/dev/null"], ["completion", "fish"]):
        out, err = ctl(*args, want=2)
        assert out == "" and err.startswith("tpldctl: "), (args, out, err)


def json_is_unchanged(ctl):
    body = b'{"id":7,  "name":"\xc3\xa4",\n "x": [1.50, 1e-7]}'
    f = Fake({"GET /api/v1/runs/7": ok(body)})
    for args in (["-o", "json", "run", "show", "7"], ["run", "show", "-ojson", "7"], ["run", "show", "7", "--output=json"]):
        assert ctl("--server", f.url, *args)[0].encode() == body + b"\n"


def tables_and_csv(ctl):
    items = [{"id": 1, "name": "a\x1b[31m,\"b\"", "arch": "x", "tensors": 12, "bytes": 178 << 20, "whole": True,
              "created": "2026-08-05T10:11:12.345Z"},
             {"id": 20, "name": "größe", "arch": "longer", "tensors": 3, "bytes": 1000, "whole": False, "created": None}]
    f = Fake({"GET /api/v1/weights": page(items)})
    lines = ctl("--server", f.url, "weights", "ls")[0].splitlines()
    assert lines[0].split() == ["ID", "NAME", "ARCHITECTURE", "TENSORS", "SIZE", "WHOLE", "CREATED"]
    assert "\x1b" not in lines[1] and "178.0 MiB" in lines[1] and "2026-08-05 10:11:12Z" in lines[1]
    assert "1000 B" in lines[2] and lines[2].endswith("-") and " no " in lines[2]
    assert len({x.index(y) for x, y in zip(lines, ("ARCHITECTURE", "x  ", "longer"))}) == 1
    rows = ctl("--server", f.url, "-o", "csv", "weights", "ls")[0].splitlines()
    assert rows[0] == "id,name,arch,tensors,bytes,whole,created"
    assert rows[1].endswith('"a\x1b[31m,""b""",x,12,%d,true,2026-08-05T10:11:12.345Z' % (178 << 20)) and rows[2].endswith(",false,")
    shares = dict(RUN, eta_seconds=3723, miou={"source_only": 0.5, "best": None})
    f = Fake({"GET /api/v1/runs/7": ok(shares)})
    out = ctl("--server", f.url, "run", "show", "7")[0]
    assert re.search(r"left +1h 02m\n", out) and re.search(r"mIoU source only +50.0 %\n", out) and re.search(r"mIoU best +-\n", out)


def exit_codes(ctl):
    f = Fake({"GET /api/v1/runs/1": refusal(404, "no run 1"), "GET /api/v1/runs/2": refusal(401, "a token is needed"),
              "POST /api/v1/runs/3/pause": refusal(409, "the run is completed", state="completed", allowed_actions=[]),
              "POST /api/v1/runs/4/resume": refusal(409, "the run is running", state="running", allowed_actions=["pause", "cancel"]),
              "POST /api/v1/runs": refusal(422, "/data/crop: wrong", errors=[{"pointer": "/data/crop", "detail": "wrong \x1b[2J"}, {"pointer": "/seed", "detail": "too large"}]),
              "GET /api/v1/runs/5": lambda _: (500, b"<html>", "text/html"), "GET /api/v1/runs/6": ok(b"no json"),
              "GET /api/v1/runs/8": lambda _: lambda h: None,
              "GET /api/v1/runs/9": lambda _: lambda h: time.sleep(4)})
    assert "no run 1" in ctl("--server", f.url, "run", "show", "1", want=3)[1]
    assert "--token-file" in ctl("--server", f.url, "run", "show", "2", want=5)[1]
    err = ctl("--server", f.url, "run", "pause", "3", want=4)[1]
    assert "the run is completed" in err and "no action is allowed" in err
    assert "allowed now: pause cancel" in ctl("--server", f.url, "run", "resume", "4", want=4)[1]
    err = ctl("--server", f.url, "run", "create", want=1)[1]
    assert "\n  /data/crop: wrong ?[2J\n  /seed: too large\n" in err, err
    assert "status 500" in ctl("--server", f.url, "run", "show", "5", want=1)[1]
    assert "no JSON" in ctl("--server", f.url, "run", "show", "6", want=1)[1]
    ctl("--server", f.url, "run", "show", "8", want=6)
    ctl("--server", f.url, "--timeout", "1", "run", "show", "9", want=7)
    assert "cannot reach" in ctl("--server", "http://127.0.0.1:%d" % closed_port(), "status", want=6)[1]
    ctl("--state-dir", "absent", "status", want=6)


def tokens_go_where_they_belong(ctl):
    f, proxy = Fake({"GET /api/v1/runs/7": ok(RUN)}), Fake()
    os.mkdir(ctl.path("state"))
    ctl.write("state/endpoint", f.url + "\n")
    ctl.write("state/token", "from-state\n")
    token = ctl.write("token", "from-file\n")

    def sent(*args, **env):
        del f.requests[:]
        ctl(*args, "run", "show", "7", env=env)
        return f.requests[0].headers.get("Authorization")

    assert sent("--state-dir", "state") == "Bearer from-state"
    assert sent("--state-dir", "state", "--token-file", token) == "Bearer from-file"
    assert sent(TPLD_SERVER=f.url, TPLD_TOKEN_FILE=token) == "Bearer from-file"
    assert sent("--server", f.url.replace("http://", "")) in (None, "Bearer " + local_token())
    assert sent("--state-dir", "state", http_proxy=proxy.url, ALL_PROXY=proxy.url) == "Bearer from-state"
    assert proxy.requests == []
    ctl.write("bad", "two words\r\nX: y\n")
    ctl("--server", f.url, "--token-file", "bad", "status", want=2)


def local_token():
    """Of a daemon that happens to be installed on this machine."""
    try:
        with open("/var/lib/tpldd/token", encoding="ascii") as f:
            return f.readline().strip()
    except OSError:
        return ""


def references(ctl):
    first = [{"id": 9, "name": "a b/c?", "state": "running"}, {"id": 8, "name": "twice", "state": "completed"}]
    second = [{"id": 3, "name": "twice", "state": "failed"}, {"id": 2, "name": "old", "state": "failed"}]

    def runs(r):
        if "state=completing" in r.query:
            return page(first[:1])(r)
        if "state=" in r.query:
            return page([])(r)
        return page(second)(r) if "cursor=c%261" in r.query else page(first, "c&1")(r)

    f = Fake({"GET /api/v1/runs": runs})
    for i in (2, 3, 8, 9):
        f.routes["GET /api/v1/runs/%d" % i] = ok(dict(RUN, id=i))

    def shown(text):
        del f.requests[:]
        ctl("--server", f.url, "run", "show", text)
        return int(f.requests[-1].path.rsplit("/", 1)[1])

    assert shown("2") == 2 and len(f.requests) == 1
    assert shown("old") == 2 and shown("a b/c?") == 9 and shown("@last") == 9 and shown("@running") == 9
    assert "several" in ctl("--server", f.url, "run", "show", "twice", want=2)[1]
    ctl("--server", f.url, "run", "show", "nobody", want=3)
    f.routes["GET /api/v1/runs"] = page([])
    ctl("--server", f.url, "run", "show", "@last", want=3)
    ctl("--server", f.url, "run", "show", "@running", want=3)


def new_runs(ctl):
    f = Fake({"POST /api/v1/runs": ok(run_in("queued"), 201), "POST /api/v1/runs:validate": ok({"ok": True, "errors": [], "estimate": {"memory_bytes": 1 << 30, "disk_bytes": 5, "steps_total": 42}})})
    config = {"name": "n", "data": {"crop": [4, 8]}, "x/y": {"~": 1}, "source_training": {"lr": 2.5e-4}}
    ctl.write("c.json", json.dumps(config))

    def body(*args, **more):
        out, _ = ctl("--server", f.url, "run", "create", *args, **more)
        assert out == "7\n"
        return json.loads(f.requests[-1].body)

    assert body("c.json") == config
    assert body("-", stdin=json.dumps(config).encode()) == config
    got = body("c.json", "--set", "data.crop=[16,32]", "--set", "/x~1y/~0=2", "--set", "self_training.voting.window=7",
               "--set", "name=two words", "--set", "eval=null", "--set", "/data/crop/1=64", "--seed", "3", "--set", "a=")
    assert got == {"name": "two words", "data": {"crop": [16, 64]}, "x/y": {"~": 2}, "source_training": {"lr": 2.5e-4},
                   "self_training": {"voting": {"window": 7}}, "eval": None, "seed": 3, "a": ""}, got
    assert body("--set", "name=x") == {"name": "x"}
    ctl("--server", f.url, "run", "create", "c.json", "--set", "name.inner=1", want=2)
    ctl("--server", f.url, "run", "create", "absent.json", want=1)
    ctl.write("bad.json", '{"a": 1,\n "a": 2}')
    assert "bad.json:2" in ctl("--server", f.url, "run", "create", "bad.json", want=1)[1]
    assert re.search(r"memory +1.0 GiB", ctl("--server", f.url, "run", "validate", "c.json")[0])
    f.routes["POST /api/v1/runs:estimate"] = ok({"seconds": 5400, "phase_seconds": {"source_training": 3600, "scoring": 1800}})
    out = ctl("--server", f.url, "run", "validate", "-", "--time", stdin=json.dumps(config).encode())[0]
    assert re.search(r"time +1h 30m", out) and re.search(r"scoring +30m", out), out
    assert [json.loads(r.body) for r in f.requests[-2:]] == [config, config]
    f.routes["POST /api/v1/runs:validate"] = ok({"ok": False, "errors": [{"pointer": "/source", "detail": "there is no data set 'x'"}], "estimate": None})
    assert "/source" in ctl("--server", f.url, "run", "validate", "c.json", want=1)[0]


def several_at_once(ctl):
    f = Fake({"DELETE /api/v1/runs/1": lambda _: (204, b""), "DELETE /api/v1/runs/2": refusal(409, "is running"), "DELETE /api/v1/runs/3": lambda _: (204, b"")})
    ctl("--server", f.url, "run", "rm", "1", "2", "3", want=4)
    assert f.paths() == ["DELETE /api/v1/runs/%d" % i for i in (1, 2, 3)]


def pages(ctl):
    def runs(r):
        return page([{"id": 1, "name": "last"}])(r) if "cursor=next%2B1" in r.query else page([{"id": 2, "name": "first"}], "next+1")(r)

    f = Fake({"GET /api/v1/runs": runs})
    out, err = ctl("--server", f.url, "run", "ls", "--limit", "1")
    assert "first" in out and "last" not in out and "--cursor next+1" in err and "limit=1" in f.requests[-1].query
    out, err = ctl("--server", f.url, "run", "ls", "--all")
    assert "first" in out and "last" in out and err == ""
    all_ = json.loads(ctl("--server", f.url, "-o", "json", "run", "ls", "--all")[0])
    assert [x["id"] for x in all_["items"]] == [2, 1] and all_["next_cursor"] is None
    f.routes["GET /api/v1/runs/7/images"] = page([{"id": 4, "name": "x"}], "q", total=60)
    out, err = ctl("--server", f.url, "image", "ls", "7", "--round", "2", "--split", "hard", "--sort", "-confidence", "--class", "3")
    assert f.requests[-1].query == "round=2&split=hard&sort=-confidence&class=3" and "1 of 60" in err


def downloads(ctl):
    data = bytes(range(256)) * 5000

    def broken(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:70000])

    f = Fake({"GET /api/v1/checkpoints/1/file": lambda _: (200, data, "application/octet-stream"),
              "GET /api/v1/checkpoints/2/file": lambda _: broken, "GET /api/v1/checkpoints/3/file": refusal(404, "no checkpoint 3"),
              "GET /api/v1/runs/7/rounds/0/images/5/origin.png": lambda _: (200, b"PNG", "image/png")})
    ctl("--server", f.url, "checkpoint", "get", "1", "-O", "c.safetensors")
    assert ctl.read("c.safetensors") == data and os.listdir(ctl.dir) == ["c.safetensors"]
    mask = os.umask(0)
    os.umask(mask)
    assert os.stat(ctl.path("c.safetensors")).st_mode & 0o777 == 0o666 & ~mask
    ctl("--server", f.url, "checkpoint", "get", "2", "-O", "c.safetensors", want=6)
    ctl("--server", f.url, "checkpoint", "get", "3", "-O", "c.safetensors", want=3)
    assert ctl.read("c.safetensors") == data and os.listdir(ctl.dir) == ["c.safetensors"]
    ctl("--server", f.url, "checkpoint", "get", "1", "-O", "absent/c", want=1)
    assert ctl("--server", f.url, "image", "get", "7", "0", "5", "origin", "-O", "-")[0] == "PNG"
    assert ctl("--server", f.url, "image", "get", "7", "0", "5", "origin")[0] == "PNG"
    ctl("--server", f.url, "image", "get", "7", "0", "5", "../x", want=3)
    assert f.requests[-1].target.endswith("/..%2Fx.png")


def uploads(ctl):
    def refuse(_):
        return problem(413, "the body may have 5 bytes")

    refuse.refuses_early = True
    f = Fake({"POST /api/v1/weights": ok({"id": 1, "name": "w", "tensors": 3}, 201), "POST /api/v1/checkpoints/4/infer": lambda r: (200, b"answer", r.headers["Accept"])})
    data = os.urandom(3 << 20)
    ctl.write("w.safetensors", data)
    ctl("--server", f.url, "weights", "add", "w.safetensors", "--name", "a&b=c ü", "--arch", "deeplabv2-vgg16", "--aspp-dilations", "6,12")
    r = f.requests[-1]
    assert r.body == data and r.headers["Content-Type"] == "application/octet-stream"
    assert r.query == "name=a%26b%3Dc%20%C3%BC&arch=deeplabv2-vgg16&aspp_dilations=6%2C12", r.query
    f.routes["POST /api/v1/weights"] = refuse
    assert "may have 5 bytes" in ctl("--server", f.url, "weights", "add", "w.safetensors", "--name", "n", "--arch", "a", want=1)[1]
    ctl.write("i.png", b"\x89PNG\r\n\x1a\nrest")
    ctl.write("i.jpg", b"\xff\xd8\xff\xe0rest")
    ctl.write("i.txt", b"text")
    for name, type, extra, accept in (("i.png", "image/png", [], "image/png"), ("i.jpg", "image/jpeg", ["--npy"], "application/x-npy")):
        ctl("--server", f.url, "checkpoint", "infer", "4", name, "-O", "out", *extra)
        r = f.requests[-1]
        assert ctl.read("out") == b"answer" and r.headers["Content-Type"] == type and r.headers["Accept"] == accept
    ctl("--server", f.url, "checkpoint", "infer", "4", "i.txt", "-O", "out", want=1)
    ctl("--server", f.url, "checkpoint", "infer", "4", "absent.png", "-O", "out", want=1)


def new_data_sets(ctl):
    f = Fake({"POST /api/v1/datasets": ok({"id": 1, "name": "d"}, 201), "DELETE /api/v1/datasets/1": lambda _: (204, b"")})
    os.mkdir(ctl.path("images"))
    ctl.write("set.json", '{"classes": [{"id": 0, "name": "road", "color": [1, 2, 3]}]}')
    ctl.write("map.json", '{"7": 0}')
    ctl("--server", f.url, "dataset", "add", "--name", "d", "--layout", "folder", "--root", "images", "--split", "train",
        "--include", "a*", "--class-set", "set.json", "--class-map", "map.json")
    got = json.loads(f.requests[-1].body)
    assert os.path.samefile(got.pop("root"), ctl.path("images"))
    assert got == {"name": "d", "layout": "folder", "split": "train", "include": "a*", "class_map": {"7": 0},
                   "class_set": {"classes": [{"id": 0, "name": "road", "color": [1, 2, 3]}]}}
    ctl("--server", f.url, "dataset", "add", "--name", "d", "--layout", "gta5", "--root", "/on/the/server", "--class-set", "synthia-13")
    assert json.loads(f.requests[-1].body) == {"name": "d", "layout": "gta5", "root": "/on/the/server", "class_set": "synthia-13"}
    ctl("--server", f.url, "dataset", "add", "--name", "d", "--layout", "gta5", want=2)
    ctl("--server", f.url, "dataset", "add", "--name", "d", "--layout", "gta5", "--root", "absent", want=1)
    ctl("--server", f.url, "dataset", "rm", "1")


class Life:
    """A run whose state a test moves on; its stream sends what is put into `parts`."""

    def __init__(self):
        self.run, self.parts, self.open = run_in("running"), [], 0
        self.fake = Fake({"GET /api/v1/runs/7": lambda r: ok(self.run)(r), "GET /api/v1/events": lambda r: self.follow})

    def follow(self, handler):
        self.open += 1
        sent, listener = 0, self.fake.listener

        def parts():
            nonlocal sent
            while self.fake.listener is listener:
                if sent < len(self.parts):
                    sent += 1
                    yield self.parts[sent - 1]
                else:
                    time.sleep(0.02)

        stream(handler, parts())

    def end(self, state, **more):
        self.run = run_in(state, **more)
        self.parts.append(event("run.state", {"run": 7, "state": state}, id=5))


def finish(process, want, seconds=20):
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == want, (process.returncode, out, err)
    return out.decode(), err.decode()


def watching(ctl):
    life = Life()
    p = ctl.start("--server", life.fake.url, "run", "watch", "7")
    wait_for(lambda: life.open == 1)
    life.parts.append(event("run.progress", {"run": 7, "phase": "evaluation", "step": 77, "steps_total": 80}))
    time.sleep(0.2)
    life.end("completed", progress=1.0)
    out, err = finish(p, 0)
    lines = out.splitlines()
    assert lines[0] == "run 7 night  running  round 1 of 9  phase1_training  step 40/100  loss 0.4312  mIoU 34.5 %  25.0 %  ETA 12m 34s", lines
    assert any("evaluation  step 77/80" in x for x in lines), lines
    assert lines[-1] == "run 7 is completed  after 1m 02s  mIoU source only 31.0 %  now 34.5 %  best 35.0 %" and "\r" not in out, lines
    for state, code in (("failed", 1), ("cancelled", 1)):
        life = Life()
        p = ctl.start("--server", life.fake.url, "-o", "json", "run", "watch", "7")
        wait_for(lambda: life.open == 1)
        life.end(state, error="loss is NaN at step 3")
        out, err = finish(p, code)
        assert json.loads(out)["state"] == state and "loss is NaN at step 3" in err, (out, err)
    ctl("--server", life.fake.url, "run", "watch", "7", want=1)  # over before it begins
    ctl("--server", life.fake.url, "run", "watch", "6", want=3)


def watching_from_creation(ctl):
    life = Life()
    life.fake.routes["POST /api/v1/runs"] = ok(run_in("queued"), 201)
    p = ctl.start("--server", life.fake.url, "run", "create", "--set", "name=x", "--watch")
    wait_for(lambda: life.open == 1)
    life.end("completed")
    finish(p, 0)


def watching_a_pause(ctl):
    life = Life()
    p = ctl.start("--server", life.fake.url, "run", "watch", "7", "--no-wait")
    q = ctl.start("--server", life.fake.url, "run", "watch", "7")
    wait_for(lambda: life.open == 2)
    life.end("paused")
    assert "is paused" in finish(p, 4)[0]
    time.sleep(0.3)
    assert q.poll() is None
    life.end("completed")
    finish(q, 0)


def watching_on_a_terminal(ctl):
    life = Life()
    leader, follower = pty.openpty()
    p = subprocess.Popen([ctl.program, "--server", life.fake.url, "run", "watch", "7"], stdout=follower,
                         stderr=subprocess.PIPE, env=ctl.env())
    os.close(follower)
    wait_for(lambda: life.open == 1)
    for step in range(41, 46):
        life.parts.append(event("run.progress", {"run": 7, "step": step}))
        time.sleep(0.25)
    life.end("completed")
    assert p.wait(20) == 0
    text = b""
    while select.select([leader], [], [], 0.2)[0]:
        try:
            text += os.read(leader, 65536)
        except OSError:
            break
    os.close(leader)
    p.stderr.close()
    assert text.count(b"\x1b[K") >= 5 and b"step 45/100" in text, text
    assert text.count(b"\n") == 2, text  # the line itself, and the result
    longest = max(len(x.replace("\x1b[K", "")) for x in text.decode().replace("\n", "\r").split("\r"))
    assert longest <= 90, longest


def watching_through_a_restart(ctl):
    life = Life()
    os.mkdir(ctl.path("state"))
    ctl.write("state/endpoint", life.fake.url)
    ctl.write("state/token", "t1")
    p = ctl.start("--state-dir", "state", "run", "watch", "7")
    wait_for(lambda: life.open == 1)
    life.parts.append(event("server.shutdown", {}))
    old = life.fake.listener
    life.fake.listener = None
    old.shutdown()
    old.server_close()
    time.sleep(1.5)
    assert p.poll() is None
    life.fake.start()  # another port
    ctl.write("state/token", "t2")
    ctl.write("state/endpoint", life.fake.url)
    wait_for(lambda: life.open == 2)
    assert life.fake.requests[-1].headers["Authorization"] == "Bearer t2"
    life.end("completed")
    out, err = finish(p, 0)
    assert "waiting for the daemon" in out and "is completed" in out, (out, err)


def watching_without_a_stream(ctl):
    life = Life()
    life.fake.routes["GET /api/v1/events"] = refusal(503, "too many streams")
    p = ctl.start("--server", life.fake.url, "run", "watch", "7")
    wait_for(lambda: len(life.fake.requests) > 4)
    life.run = run_in("completed")
    finish(p, 0)


def interrupting(ctl):
    life = Life()
    p = ctl.start("--server", life.fake.url, "run", "watch", "7")
    wait_for(lambda: life.open == 1)
    time.sleep(0.1)
    p.send_signal(signal.SIGINT)
    assert "the run goes on" in finish(p, 130)[1]
    slow = Fake({"GET /api/v1/checkpoints/1/file": lambda _: lambda h: (h.send_response(200), h.end_headers(), h.wfile.write(b"x" * 9), h.wfile.flush(), time.sleep(5))})
    p = ctl.start("--server", slow.url, "checkpoint", "get", "1", "-O", "file")
    wait_for(lambda: os.listdir(ctl.dir))
    time.sleep(0.2)
    p.send_signal(signal.SIGTERM)
    finish(p, 130)
    assert os.listdir(ctl.dir) == []


def variant(name, mean, deviation=None, difference=None, p=None, gap=None, state="completed"):
    return {"name": name, "preset": "tpld", "count": 3, "gap_closed": gap, "iou": [{"mean": mean, "deviation": deviation}, None],
            "miou": {"mean": mean, "deviation": deviation, "min": mean, "max": mean} if mean else None,
            "difference": {"mean": difference, "deviation": 0.004, "t": 9.1, "p": p, "count": 3, "iou": [0.1, None]} if difference else None,
            "cells": [{"seed": 1, "run": 9, "state": state, "source_run": None, "miou_source": 0.5, "miou": mean, "miou_best": mean, "iou": [mean, None]}]}


def experiment_in(state, **more):
    return dict({"id": 3, "name": "grid", "state": state, "created": None, "error": None, "baseline": "plain", "upper_bound": None, "seeds": [1, 2, 3],
                 "runs_total": 6, "runs_done": 4, "progress": 0.75, "eta_seconds": 61.0, "source_runs": [], "config": {},
                 "classes": [{"id": 0, "name": "road", "color": [1, 2, 3]}, {"id": 1, "name": "sky", "color": [1, 2, 3]}],
                 "variants": [variant("plain", 0.512, 0.0108), variant("tpld, q=.5", 0.5874, None, 0.0754, 0.00283, 0.625), variant("late", None, state="waiting")]}, **more)


def experiments(ctl):
    f = Fake({"GET /api/v1/experiments/3": ok(experiment_in("running")),
              "GET /api/v1/experiments": page([{"id": 3, "name": "grid", "state": "running", "created": None, "runs_total": 6, "runs_done": 4, "progress": 0.75, "variants": 3, "seeds": 3}])})
    out = ctl("--server", f.url, "experiment", "show", "grid")[0]
    table = out.split("\n\n")[1].splitlines()
    assert table[0].split() == ["VARIANT", "N", "mIoU", "DIFFERENCE", "P", "GAP", "CLOSED"], table
    assert table[1].split() == ["plain", "3", "51.2", "±", "1.1", "%", "-", "-", "-"], table
    assert table[2].split()[2:] == ["3", "58.7", "%", "+7.5", "±", "0.4", "%", "0.0028", "62.5", "%"], table
    assert table[3].split() == ["late", "3", "-", "-", "-", "-"] and re.search(r"left +1m 01", out), out
    rows = ctl("--server", f.url, "-o", "csv", "experiment", "show", "3")[0].splitlines()
    assert rows[0].startswith("name,preset,count,miou.mean,miou.deviation,") and rows[2].startswith('"tpld, q=.5",tpld,3,0.5874,,'), rows
    lines = ctl("--server", f.url, "experiment", "show", "3", "--classes")[0].splitlines()
    assert lines[1].split() == ["road", "51.2", "±", "1.1", "%", "58.7", "%", "-"] and lines[2].split() == ["sky", "-", "-", "-"], lines
    cells = ctl("--server", f.url, "experiment", "show", "3", "--cells")[0].splitlines()
    assert len(cells) == 4 and cells[3].split() == ["late", "1", "9", "waiting", "-", "50.0", "%", "-", "-"], cells
    assert "75.0 %" in ctl("--server", f.url, "experiment", "list")[0]
    ctl("--server", f.url, "experiment", "show", "nobody", want=3)


def watching_an_experiment(ctl):
    now = {"state": "running"}

    def events(request):
        def parts():
            yield event("run.state", {"run": 9, "state": "completed"}, id=5)
            now["state"] = "failed"
            yield event("experiment.state", {"experiment": 3, "state": "failed"}, id=6)
            time.sleep(20)
        return lambda h: stream(h, parts())

    f = Fake({"GET /api/v1/experiments/3": lambda r: ok(experiment_in(now["state"], error="1 of 9 cells failed"))(r), "GET /api/v1/events": events,
              "POST /api/v1/experiments": ok(experiment_in("running"), 201)})
    ctl.write("e.json", "{}")
    out, err = ctl("--server", f.url, "experiment", "run", "e.json", "--set", "seeds=[4]", "--watch", want=1)
    assert json.loads([r for r in f.requests if r.method == "POST"][0].body) == {"seeds": [4]}
    assert "experiment 3 grid  running  4 of 6 runs  75.0 %  ETA 1m 01" in out and "  failed  4 of 6 runs" in out, out
    assert "GAP CLOSED" in out and "1 of 9 cells failed" in out and "created" in err, (out, err)
    assert len(out.splitlines()) < 30, out
    now["state"] = "completed"
    ctl("--server", f.url, "experiment", "watch", "3")
    assert json.loads(ctl("--server", f.url, "-o", "json", "experiment", "watch", "3")[0])["id"] == 3


def events(ctl):
    f = Fake({"GET /api/v1/events": page([{"id": 4, "time": "2026-08-05T10:11:12.345Z", "run": 7, "type": "run.state", "state": "paused", "reason": None}])})
    out = ctl("--server", f.url, "events", "--run", "7", "--after", "3")[0]
    assert "state=paused" in out and "reason" not in out and "run=7&after=3" in f.requests[-1].query
    assert f.requests[-1].headers["Accept"] == "application/json"

    def two(request):
        seen = request.headers.get("Last-Event-ID")
        return lambda h: stream(h, [b": ping\n\n", event("run.state", {"run": 7, "n": 1}, id=11)] if seen is None else
                                [b"event: run.state\nid: 12\ndata: {\"run\": 7,\ndata: \"n\": 2}\n\n", event("run.progress", {"run": 7, "n": 3})])

    f.routes["GET /api/v1/events"] = two
    p = ctl.start("--server", f.url, "-o", "json", "events", "--follow")
    wait_for(lambda: any(r.headers.get("Last-Event-ID") == "12" for r in f.requests))
    p.send_signal(signal.SIGINT)
    out, _ = finish(p, 130)
    got = [json.loads(x) for x in out.splitlines()]
    assert got[0] == {"run": 7, "n": 1, "id": 11, "type": "run.state"} and got[1]["id"] == 12 and got[1]["n"] == 2
    assert got[2] == {"run": 7, "n": 3, "type": "run.progress"}
    assert [r.headers.get("Last-Event-ID") for r in f.requests[1:4]] == [None, "11", "12"]


def health(ctl):
    f = Fake({"GET /healthz": ok({"status": "ok"}), "GET /readyz": ok({"ready": True, "checks": {"database": True}})})
    assert re.search(r"ready +yes", ctl("--server", f.url, "health")[0])
    f.routes["GET /readyz"] = ok({"ready": False, "checks": {"database": True, "disk": False}}, 503)
    out = ctl("--server", f.url, "health", want=1)[0]
    assert re.search(r"disk +no", out) and re.search(r"database +yes", out)


def completion(ctl):
    ctl.write("c.bash", ctl("completion", "bash")[0])

    def words(*line):
        script = "source c.bash; COMP_WORDS=(%s); COMP_CWORD=%d; _tpldctl; printf '%%s\\n' \"${COMPREPLY[@]}\"" % (
            " ".join("'%s'" % w for w in ("tpldctl",) + line), len(line))
        r = subprocess.run(["bash", "-euc", script], cwd=ctl.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert r.returncode == 0, r.stderr
        return set(r.stdout.split())

    assert {"run", "image", "status"} <= words("") and words("sta") == {"status"}
    assert {"create", "watch", "rm"} <= words("run", "") and words("--server", "x", "run", "wa") == {"watch"}
    assert {"--set", "--seed", "--watch", "--server"} <= words("run", "create", "--")
    assert words("image", "ls", "1", "--split", "") == {"easy", "hard"} and words("-o", "") == {"table", "json", "csv"}
    assert "@last" in words("run", "show", "@")


def full_disk(ctl):
    f = Fake({"GET /api/v1/checkpoints/1/file": lambda _: (200, bytes(1 << 20), "application/octet-stream"), "GET /api/v1/runs/7": ok(RUN)})
    with open("/dev/full", "wb") as full:
        for args in (["run", "show", "7"], ["checkpoint", "get", "1", "-O", "-"]):
            r = subprocess.run([ctl.program, "--server", f.url, *args], stdout=full, stderr=subprocess.PIPE, env=ctl.env())
            assert r.returncode == 1 and b"cannot write" in r.stderr, (args, r)


if __name__ == "__main__":
    sys.exit(run([help_is_complete, usage_errors, json_is_unchanged, tables_and_csv, exit_codes, tokens_go_where_they_belong,
                  references, new_runs, several_at_once, pages, downloads, uploads, new_data_sets, watching,
                  watching_from_creation, watching_a_pause, watching_on_a_terminal, watching_through_a_restart,
                  watching_without_a_stream, interrupting, experiments,
                  watching_an_experiment, events, health, completion, full_disk], *sys.argv[1:]))
