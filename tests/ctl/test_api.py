"""Every command of tpldctl against the daemon's real HTTP layer and store (training is a fake).

usage: test_api.py TPLDCTL HTTP_FIXTURE MIGRATIONS_DIR
"""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import urllib.request

from ctl import run, wait_for

# What no command is for: pictures that only the dashboard shows.
WITHOUT_COMMAND = {"/api/v1/datasets/{id}/images/{index}/thumb.png", "/api/v1/datasets/{id}/images/{index}/image.png",
                   "/api/v1/runs/{id}/images/{image}/thumb.png"}


class Fixture:
    def __init__(self, program, migrations, state):
        self.state = state
        self.process = subprocess.Popen([program, state, "", migrations], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        with open(os.path.join(state, "endpoint"), "w", encoding="ascii") as f:
            f.write(self.url + "\n")
        with open(os.path.join(state, "token"), encoding="ascii") as f:
            self.token = f.read().strip()

    def get(self, path, accept="application/json"):
        r = urllib.request.Request(self.url + path, headers={"Authorization": "Bearer " + self.token, "Accept": accept})
        with urllib.request.urlopen(r, timeout=20) as answer:
            return answer.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.process.stdout.close()


def served(test):
    """Gives the test a server whose state directory is named to every call."""
    def wrapped(ctl, program, migrations):
        server = Fixture(program, migrations, os.path.join(ctl.dir, "state"))
        try:
            test(lambda *args, **more: ctl("--state-dir", server.state, *args, **more), server, ctl)
        finally:
            server.stop()
    wrapped.__name__ = test.__name__
    return wrapped


def safetensors():
    """A backbone's first tensor is enough for the reader to look further, and to refuse by name."""
    header = json.dumps({"features.0.0.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0\0\0\0"


def experiment_commands(tpldctl, server, ctl):
    ctl.write("e.json", json.dumps({"name": "grid", "seeds": [1], "config": {"source": "synth", "target": "real"},
                                    "variants": [{"name": "plain", "preset": "source-only"}, {"name": "tpld"}]}))
    grid = tpldctl("experiment", "run", "e.json", "--set", "seeds=[5,6]")[0].strip()
    e = json.loads(tpldctl("-o", "json", "experiment", "show", grid)[0])
    assert e["seeds"] == [5, 6] and e["runs_total"] == 4, e
    tpldctl("experiment", "delete", "grid", want=4)
    assert "is cancelled" in tpldctl("experiment", "cancel", "grid")[1]
    wait_for(lambda: all(r["state"] == "cancelled" for r in json.loads(server.get("/api/v1/runs"))["items"] if r["experiment"] == int(grid)))
    tpldctl("experiment", "watch", grid, want=1)
    tpldctl("experiment", "delete", grid, "--runs")
    tpldctl("experiment", "show", grid, want=3)
    err = tpldctl("experiment", "run", "e.json", "--set", "variants/0/config=1", "--set", "name=3", want=1)[1]
    assert "/name: " in err, err


@served
def every_endpoint_has_a_command(tpldctl, server, ctl):
    ctl.write("i.png", b"\x89PNG\r\n\x1a\n")
    ctl.write("w.safetensors", safetensors())
    config = {"name": "live", "source": "synth", "target": "real"}
    ctl.write("c.json", json.dumps(config))
    for args in (["status"], ["health"], ["server", "info"], ["metrics"], ["schema"], ["openapi"], ["events"], ["preset", "ls"],
                 ["preset", "show", "tpld"], ["class-set", "ls"], ["dataset", "ls"], ["dataset", "show", "synth"],
                 ["dataset", "images", "real"], ["weights", "ls"], ["run", "validate", "c.json"],
                 ["run", "validate", "c.json", "--time"], ["run", "ls"],
                 ["run", "show", "finished"], ["run", "config", "1"], ["run", "metrics", "1", "--keys", "loss"], ["run", "iou", "1"],
                 ["run", "confusion", "1", "--round", "0"], ["run", "rounds", "1"], ["run", "audit", "1"], ["run", "profile", "1"], ["run", "features", "finished", "1"], ["image", "ls", "1"], ["image", "show", "1", "3"],
                 ["checkpoint", "ls", "1"], ["checkpoint", "show", "1"], ["experiment", "list"], ["experiment", "show", "small"],
                 ["experiment", "show", "1", "--classes"], ["experiment", "show", "1", "--cells"], ["experiment", "watch", "1"]):
        for format in ("table", "json", "csv"):
            assert tpldctl("-o", format, *args)[0].strip() or args == ["weights", "ls"], args
    for args in (["image", "get", "1", "0", "3", "prediction", "-O", "l.png"], ["image", "probabilities", "1", "0", "3", "-O", "p.npy"],
                 ["checkpoint", "get", "1", "-O", "c.safetensors"], ["checkpoint", "infer", "1", "i.png", "-O", "o.png"]):
        tpldctl(*args)
    assert ctl.read("l.png") == server.get("/api/v1/runs/1/rounds/0/images/3/prediction.png", "image/png")
    assert ctl.read("c.safetensors") == server.get("/api/v1/checkpoints/1/file", "*/*")
    tpldctl("weights", "show", "99", want=3)
    tpldctl("weights", "infer", "99", "i.png", "-O", "o.png", want=3)
    assert "tensor" in tpldctl("weights", "add", "w.safetensors", "--name", "w", "--arch", "deeplabv2-mobilenetv2", want=1)[1]
    tpldctl("run", "create", "c.json")
    for action in ("pause", "cancel"):
        tpldctl("run", action, "@last")
    tpldctl("run", "resume", "1", want=4)
    experiment_commands(tpldctl, server, ctl)
    tpldctl("run", "rm", "1")
    tpldctl("dataset", "add", "--name", "again", "--layout", "folder", "--root", os.path.join(server.state, "data", "synth"), "--class-set", "cityscapes-19")
    tpldctl("dataset", "rm", "again")
    used = set(re.findall(r'tpld_http_requests_total\{method="(\w+)",route="([^"]+)"', tpldctl("metrics")[0]))
    api = json.loads(server.get("/api/v1/openapi.json"))
    known = {(method.upper(), re.sub(r":\w+\}", "}", path)) for path, methods in api["paths"].items() for method in methods
             if method in ("get", "post", "delete")}
    used = {(m, re.sub(r":\w+\}", "}", p)) for m, p in used}
    missing = {x for x in known - used if x[1] not in WITHOUT_COMMAND and not (x == ("GET", "/"))}
    assert not missing, missing


@served
def json_is_the_servers(tpldctl, server, ctl):
    for args, path in ((["dataset", "ls"], "/api/v1/datasets"), (["dataset", "show", "1"], "/api/v1/datasets/1"),
                       (["run", "rounds", "1"], "/api/v1/runs/1/rounds"), (["run", "iou", "1"], "/api/v1/runs/1/iou"),
                       (["run", "profile", "1"], "/api/v1/runs/1/profile"), (["run", "profile", "1", "--round", "source"], "/api/v1/runs/1/profile?round=source"),
                       (["run", "features", "1", "1"], "/api/v1/runs/1/rounds/1/features"),
                       (["image", "ls", "1", "--limit", "7", "--split", "hard"], "/api/v1/runs/1/images?limit=7&split=hard"),
                       (["experiment", "show", "small"], "/api/v1/experiments/1"), (["experiment", "list"], "/api/v1/experiments"),
                       (["schema"], "/api/v1/schema/run-config"), (["preset", "ls"], "/api/v1/presets")):
        assert tpldctl("-o", "json", *args)[0].encode() == server.get(path, "*/*") + b"\n", args
    assert tpldctl("-o", "csv", "experiment", "show", "1", "--cells")[0].encode() == server.get("/api/v1/experiments/1", "text/csv")
    assert tpldctl("-o", "csv", "run", "iou", "1")[0].encode() == server.get("/api/v1/runs/1/iou", "text/csv")


@served
def a_profile_is_sorted_by_time(tpldctl, server, ctl):
    lines = tpldctl("run", "profile", "finished", "--round", "source")[0].splitlines()
    assert re.match(r"phase +source_training$", lines[0]) and re.match(r"crop +64 128$", lines[3]), lines
    rows = [x.split() for x in lines[lines.index("") + 2:]]
    assert [x[0] for x in rows] == ["layer1.0.conv1", "conv1", "(loss)"] + [x[0] for x in rows[3:]], rows
    assert rows[0] == ["layer1.0.conv1", "winograd4", "7.00", "12.00", "19.00", "54.3", "%", "4.75", "250.00", "125.0", "%"]
    assert {"maxpool", "(waiting)", "(saving)", "(preparing)", "(optimiser)"} == {x[0] for x in rows[3:]}
    csv = tpldctl("-o", "csv", "run", "profile", "1")[0].splitlines()
    assert csv[0] == "layer,algorithm,forward_ms,backward_ms,ms,step_share,gflop_per_step,gflops,peak_share"
    assert csv[1].startswith("layer1.0.conv1,winograd4,7,12,19,") and csv[3].startswith("(loss),,,,2,"), csv
    tpldctl("run", "profile", "1", "--round", "7", want=3)
    tpldctl("run", "create", "--set", "name=idle", "--set", "source=synth", "--set", "target=real")
    out, err = tpldctl("run", "profile", "idle")
    assert "nothing was trained yet" in err and re.match(r"phase +-\n", out), (out, err)


@served
def rounds_show_what_is_alarming(tpldctl, server, ctl):
    lines = tpldctl("run", "rounds", "1")[0].splitlines()
    assert len(lines) == 7 and lines[3] == "" and "BY THRESHOLD" in lines[0] and " 87.5 %  " in lines[1], lines
    assert re.match(r"ROUND +KIND +ALARM$", lines[4]) and re.match(r" +1 +class_drift +sidewalk grows$", lines[5]), lines
    rows = tpldctl("-o", "csv", "run", "rounds", "1")[0].splitlines()
    assert len(rows) == 3 and rows[0].endswith("audit.accuracy.threshold,audit.entropy,audit.agreement,audit.label_agreement,"
                                               "audit.flip_agreement,alarms,thresholds"), rows[0]
    assert ",0.875,0.25,0.9,0.8,0.9375,2," in rows[2] and ",0.875,0.25,,,0.9375,0," in rows[1], rows


@served
def an_audit_has_a_row_for_each_class(tpldctl, server, ctl):
    lines = tpldctl("run", "audit", "finished", "1")[0].splitlines()
    assert len(lines) == 1 + 19 + 1 + 1 + 3 and lines == tpldctl("run", "audit", "1")[0].splitlines(), lines
    assert lines[2].split() == ["sidewalk"] + "2.0 % 2.0 % 2.0 % 0.12 75.0 % 20.0 % 90.0 % 10.0 % 80.0 % 0.0 % - 87.5 %".split(), lines[2]
    assert lines[20].split()[:6] == ["all", "classes", "-", "-", "-", "0.25"] and lines[23].split() == ["1", "class_drift", "sidewalk", "grows"], lines
    first = tpldctl("run", "audit", "1", "0")[0].splitlines()
    assert len(first) == 21 and first[2].split()[:7] == ["sidewalk", "2.0", "%", "2.0", "%", "-", "0.12"], first
    csv = tpldctl("-o", "csv", "run", "audit", "1", "0")[0].splitlines()
    assert csv[0] == ("class,share,share_first,share_previous,entropy,agreement,confident.coverage,confident.accuracy,voted.coverage,"
                      "voted.accuracy,soft.coverage,soft.accuracy,threshold_accuracy") and len(csv) == 21
    assert csv[2] == "sidewalk,0.02,0.02,,0.125,,0.2,0.9,0.1,0.8,0,,0.875", csv[2]
    assert csv[20] == "all classes,,,,0.25,,0.3,0.9,0.2,0.8,0.1,,0.875", csv[20]
    rounds = json.loads(server.get("/api/v1/runs/1/rounds"))
    assert json.loads(tpldctl("-o", "json", "run", "audit", "1", "0")[0]) == rounds[0]
    assert json.loads(tpldctl("-o", "json", "run", "audit", "1")[0]) == rounds[1]
    tpldctl("run", "audit", "1", "7", want=3)
    tpldctl("run", "audit", "1", "x", want=2)
    tpldctl("run", "create", "--set", "name=idle", "--set", "source=synth", "--set", "target=real")
    assert "no round" in tpldctl("run", "audit", "idle", want=3)[1]


@served
def features_are_points(tpldctl, server, ctl):
    csv = tpldctl("-o", "csv", "run", "features", "1", "1")[0].splitlines()
    assert csv[0] == "domain,image,name,x,y" and csv[1] == "source,0,scene_000,-1.5,0.25" and len(csv) == 5, csv
    lines = tpldctl("run", "features", "1", "1")[0].splitlines()
    assert any(x.split() == ["perplexity", "2"] for x in lines), lines
    assert lines[-1].split() == ["hard", "30", "scene_030", "1.75", "-0.25"], lines
    assert any(x.split() == ["network", "after"] for x in lines), lines
    lines = tpldctl("run", "features", "1", "1", "--before")[0].splitlines()
    assert any(x.split() == ["network", "before"] for x in lines), lines
    assert "no checkpoint" in tpldctl("run", "features", "1", "0", want=4)[1]
    tpldctl("run", "features", "1", "9", want=3)
    assert "a round" in tpldctl("run", "features", "1", "last", want=2)[1]


@served
def all_pages_of_images(tpldctl, server, ctl):
    whole = json.loads(tpldctl("-o", "json", "image", "ls", "1", "--all")[0])["items"]
    assert len(whole) == 60 and len({x["id"] for x in whole}) == 60
    ids, cursor = [], []
    while True:
        page = json.loads(tpldctl("-o", "json", "image", "ls", "1", "--limit", "25", *cursor)[0])
        ids += [x["id"] for x in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = ["--cursor", page["next_cursor"]]
    assert ids == [x["id"] for x in whole]


@served
def wrong_configurations(tpldctl, server, ctl):
    err = tpldctl("run", "create", "--set", "name=x", "--set", "source=synth", "--set", "target=real", "--set", "data.crp=[1,2]",
                  "--set", "seed=true", want=1)[1]
    assert "\n  /data/crp: " in err and "\n  /seed: " in err, err
    assert "/source" in tpldctl("run", "validate", "--set", "name=x", "--set", "source=no", "--set", "target=real", want=1)[0]
    assert "'no'" in tpldctl("run", "create", "--set", "name=x", "--set", "source=no", "--set", "target=real", want=1)[1]
    tpldctl("dataset", "show", "nobody", want=3)
    tpldctl("run", "pause", "1", want=4)
    tpldctl("--token-file", ctl.write("t", "wrong"), "run", "ls", want=5)


@served
def watching(tpldctl, server, ctl):
    """The fake runs what is named "live" at once and for ever, and leaves the others in the queue."""
    common = ["--set", "source=synth", "--set", "target=real"]
    live = tpldctl("run", "create", "--set", "name=live", *common)[0].strip()
    queued = tpldctl("run", "create", "--set", "name=queued", *common)[0].strip()
    watch_live = ctl.start("--state-dir", server.state, "run", "watch", "@running")
    watch_queued = ctl.start("--state-dir", server.state, "run", "watch", "queued")
    follow = ctl.start("--state-dir", server.state, "-o", "json", "events", "--run", queued, "--follow")
    try:
        assert "loss 0.75" in watch_live.stdout.readline().decode()
        assert "live  running" in watch_live.stdout.readline().decode()  # progress came over the stream
        assert "queued" in watch_queued.stdout.readline().decode()
        wait_for(lambda: b"tpld_sse_clients 3" in server.get("/metrics", "text/plain"))
        tpldctl("run", "cancel", queued)
        out, err = watch_queued.communicate(timeout=20)
        assert watch_queued.returncode == 1 and "is cancelled" in out.decode(), (out, err)
        assert json.loads(follow.stdout.readline())["state"] == "cancelled"
        tpldctl("run", "pause", live)
        wait_for(lambda: "pausing" in watch_live.stdout.readline().decode())
    finally:
        for p in (watch_live, watch_queued, follow):
            if p.poll() is None:
                p.send_signal(signal.SIGINT)
                p.communicate(timeout=20)
    assert watch_live.returncode == 130 and follow.returncode == 130


if __name__ == "__main__":
    sys.exit(run([every_endpoint_has_a_command, json_is_the_servers, a_profile_is_sorted_by_time, rounds_show_what_is_alarming,
                  an_audit_has_a_row_for_each_class, features_are_points, all_pages_of_images, wrong_configurations, watching], *sys.argv[1:]))
