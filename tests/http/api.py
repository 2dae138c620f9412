#!/usr/bin/env python3
"""The endpoints of contract.md section 4 over a seeded server: field names, paging, negotiation, errors,
events; and the OpenAPI description against what the server does."""
import csv
import hashlib
import http.client
import io
import json
import os
import socket
import struct
import sys
import time

import server

V1 = "/api/v1"


def has(obj, *names):
    missing = [n for n in names if n not in obj]
    assert not missing, "missing %s in %s" % (missing, json.dumps(obj)[:400])


def no_nan(data):
    json.loads(data, parse_constant=lambda c: (_ for _ in ()).throw(AssertionError("found " + c)))


def dashboard(s):
    status, h, data = s.request("GET", "/", token=False)
    assert status == 200 and h["Content-Type"].startswith("text/html"), (status, h)
    assert "default-src 'none'" in h["Content-Security-Policy"]
    etag = h["ETag"]
    status, h, again = s.request("GET", "/index.html", token=False, headers={"If-None-Match": etag})
    assert status == 304 and again == b"" and h["ETag"] == etag
    status, h, empty = s.request("HEAD", "/", token=False)
    assert status == 200 and empty == b"" and int(h["Content-Length"]) == len(data)
    assert s.request("POST", "/", body=b"x", token=False)[0] == 405
    status, h, data = s.request("GET", "/published.json", token=False)
    assert status == 200 and h["Content-Type"] == "application/json" and json.loads(data)["rows"]


def health(s):
    assert s.json("GET", "/healthz", token=False)["status"] == "ok"
    ready = s.json("GET", "/readyz", token=False)
    assert ready["ready"] is True and all(ready["checks"].values())


def token_file(s):
    path = os.path.join(s.state, "token")
    assert os.stat(path).st_mode & 0o777 == 0o600 and len(s.token) == 64


def problem_shape(s):
    status, h, data = s.request("GET", V1 + "/runs/999")
    p = json.loads(data)
    has(p, "type", "title", "status", "detail", "instance")
    assert status == p["status"] == 404 and p["type"].startswith("urn:tpld:problem:")
    assert p["instance"].endswith(h["X-Request-Id"])
    assert h["Cache-Control"] == "no-store" and h["Content-Type"] == "application/problem+json"
    status, h, data = s.request("GET", V1 + "/runs", token=False)
    assert status == 401 and h["WWW-Authenticate"].startswith("Bearer")
    status, h, data = s.request("DELETE", V1 + "/runs")
    assert status == 405 and h["Allow"] == "GET, HEAD, POST"
    status, h, data = s.request("GET", "/healthz", headers={"Host": "rebound.example"})
    assert status == 421 and b"allowed_hosts" in data


def datasets(s):
    page = s.json("GET", V1 + "/datasets")
    assert [d["name"] for d in page["items"]] == ["synth", "real"] and page["next_cursor"] is None
    d = s.json("GET", V1 + "/datasets/1")
    has(d, "id", "name", "layout", "images", "labelled", "classes", "root", "class_set")
    assert d["images"] == d["labelled"] == 60 and len(d["classes"]) == 19
    has(d["classes"][0], "id", "name", "color")
    first = s.json("GET", V1 + "/datasets?limit=1")
    assert first["next_cursor"] is not None
    second = s.json("GET", V1 + "/datasets?limit=1&cursor=" + first["next_cursor"])
    assert second["items"][0]["name"] == "real"
    images = s.json("GET", V1 + "/datasets/1/images?limit=25")
    names = [i["name"] for i in images["items"]]
    while images["next_cursor"]:
        images = s.json("GET", V1 + "/datasets/1/images?limit=25&cursor=" + images["next_cursor"])
        names += [i["name"] for i in images["items"]]
    assert len(names) == images["total"] == 60 and names == sorted(set(names))
    png = s.request("GET", V1 + "/datasets/1/images/0/thumb.png")
    assert png[0] == 200 and png[2][:4] == b"\x89PNG", png[0]
    assert s.request("GET", V1 + "/datasets/1/images/0/image.png")[2][:4] == b"\x89PNG"
    s.json("GET", V1 + "/datasets/1/images/60/thumb.png", want=404)
    s.json("GET", V1 + "/datasets/9", want=404)


def dataset_lifecycle(s):
    body = {"name": "more", "layout": "folder", "root": os.path.join(s.state, "data", "real"), "include": "scene_00*"}
    status, h, data = s.request("POST", V1 + "/datasets", body)
    assert status == 201, data
    d = json.loads(data)
    assert h["Location"] == V1 + "/datasets/%d" % d["id"] and d["images"] == 10, d
    p = s.json("POST", V1 + "/datasets", body, want=409)
    assert "more" in p["detail"]
    p = s.json("POST", V1 + "/datasets", dict(body, name="x", colour=1), want=422)
    assert p["errors"][0]["pointer"] == "/colour", p
    p = s.json("POST", V1 + "/datasets", dict(body, name="x", root="/no/such/folder"), want=422)
    assert "/no/such/folder" in p["detail"], p
    assert s.request("DELETE", V1 + "/datasets/%d" % d["id"])[0] == 204
    s.json("GET", V1 + "/datasets/%d" % d["id"], want=404)
    s.json("DELETE", V1 + "/datasets/1", want=409)  # a run names it


def catalogues(s):
    sets = s.json("GET", V1 + "/class-sets")["items"]
    assert {"cityscapes-19", "synthia-16", "synthia-13", "camvid-11"} <= {c["name"] for c in sets}
    for c in sets:
        assert len(c["classes"]) == int(c["name"].rsplit("-", 1)[1])
    presets = s.json("GET", V1 + "/presets")["items"]
    assert [p["name"] for p in presets] == ["source-only", "minent", "advent", "intrada", "cbst", "crst-mrkld", "crst-lrent", "crst-mrent",
                                                  "crst-mrl2", "tpld-phase1", "tpld", "tpld-cbst", "tpld-lrent",
                                                  "gta5-to-cityscapes", "gta5-to-cityscapes-vgg16",
                                                  "synthia-to-cityscapes", "synthia-to-cityscapes-vgg16",
                                                  "tpld-plus"]
    for p in presets:
        has(p["config"], "model", "data", "source_training", "self_training", "evaluation")
    about = s.json("GET", V1 + "/server")
    has(about, "version", "threads", "memory", "disk", "uptime_seconds", "limits")
    assert s.json("GET", V1 + "/schema/run-config")["properties"]["source"]


def runs(s):
    page = s.json("GET", V1 + "/runs")
    has(page, "items", "next_cursor")
    r = s.json("GET", V1 + "/runs/1")
    has(r, "id", "name", "state", "phase", "round", "rounds_total", "stage", "step", "steps_total", "progress", "eta_seconds",
        "config", "error", "miou", "created", "updated", "preset", "seed", "source", "target", "eval", "state_history",
        "allowed_actions")
    has(r["miou"], "source_only", "current", "best")
    assert r["state"] == "completed" and r["error"] is None and r["round"] is None and r["allowed_actions"] == []
    assert [h["to"] for h in r["state_history"]][-1] == "completed"
    assert s.json("GET", V1 + "/runs?state=paused")["items"] == []
    no_nan(s.request("GET", V1 + "/runs/1")[2])


def minimal(name="plain", **more):
    return dict({"name": name, "preset": "tpld", "source": "synth", "target": "real"}, **more)


def run_lifecycle(s):
    status, h, data = s.request("POST", V1 + "/runs", minimal())
    assert status == 201, data
    r = json.loads(data)
    where = V1 + "/runs/%d" % r["id"]
    assert h["Location"] == where and r["state"] == "queued" and r["preset"] == "tpld"
    assert r["config"]["self_training"]["voting"]["window"] == 5
    p = s.json("DELETE", where, want=409)
    assert p["state"] == "queued" and p["allowed_actions"] == ["pause", "cancel"], p
    assert s.json("POST", where + "/pause", want=202)["state"] == "paused"
    assert s.json("POST", where + "/pause", {}, want=202)["state"] == "paused"
    s.json("POST", where + "/pause", {"force": True}, want=422)
    assert s.json("POST", where + "/resume", want=202)["state"] == "queued"
    assert s.json("POST", where + "/cancel", want=202)["state"] == "cancelled"
    p = s.json("POST", where + "/resume", want=409)
    assert p["state"] == "cancelled" and p["allowed_actions"] == [], p
    assert s.request("DELETE", where)[0] == 204
    s.json("GET", where, want=404)
    s.json("POST", where + "/pause", want=404)


def run_errors(s):
    bad = minimal(seed="x", self_training={"voting": {"windw": 3}})
    p = s.json("POST", V1 + "/runs", bad, want=422)
    pointers = {e["pointer"] for e in p["errors"]}
    assert {"/seed", "/self_training/voting/windw"} <= pointers, p
    v = s.json("POST", V1 + "/runs:validate", bad)
    assert v["ok"] is False and {e["pointer"] for e in v["errors"]} == pointers and v["estimate"] is None
    p = s.json("POST", V1 + "/runs", minimal(source="nowhere"), want=422)
    assert p["errors"][0]["pointer"] == "/source" and "nowhere" in p["errors"][0]["detail"]
    v = s.json("POST", V1 + "/runs:validate", minimal())
    has(v["estimate"], "memory_bytes", "disk_bytes", "steps_total")
    timed = s.json("POST", V1 + "/runs:estimate", minimal())
    assert timed["seconds"] > 0 and abs(sum(timed["phase_seconds"].values()) / timed["seconds"] - 1) < 1e-6, timed
    assert "source_training" in timed["phase_seconds"] and "scoring" in timed["phase_seconds"], timed
    assert v["ok"] is True and v["errors"] == []
    assert len(s.json("GET", V1 + "/runs")["items"]) == 1


def runs_paging(s):
    ids = [s.json("POST", V1 + "/runs", minimal("p%d" % i), want=201)["id"] for i in range(7)]
    seen, cursor = [], None
    for _ in range(10):
        page = s.json("GET", V1 + "/runs?limit=3" + ("&cursor=" + cursor if cursor else ""))
        seen += [r["id"] for r in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(ids + [1], reverse=True), seen
    promised = s.json("POST", V1 + "/runs:validate", minimal())["estimate"]
    for i in ids:
        r = s.json("GET", V1 + "/runs/%d" % i)
        assert all(r[k] == promised[k] for k in ("memory_bytes", "disk_bytes")), r
        s.json("POST", V1 + "/runs/%d/cancel" % i, want=202)
        assert s.request("DELETE", V1 + "/runs/%d" % i)[0] == 204


def experiment(name="grid", **more):
    return dict({"name": name, "seeds": [1, 2], "config": {"source": "synth", "target": "real"}, "variants": [
        {"name": "plain", "preset": "source-only"}, {"name": "tpld", "preset": "tpld", "config": {"threads": 2}}]}, **more)


def experiments(s):
    item = s.json("GET", V1 + "/experiments")["items"][0]
    has(item, "id", "name", "state", "created", "runs_total", "runs_done", "progress", "variants", "seeds")
    assert (item["variants"], item["seeds"], item["runs_total"], item["runs_done"], item["progress"]) == (1, 1, 1, 1, 1), item
    e = s.json("GET", V1 + "/experiments/1")
    has(e, "error", "baseline", "upper_bound", "eta_seconds", "classes", "source_runs", "config")
    assert e["state"] == "completed" and e["baseline"] == "tpld" and e["upper_bound"] is None and e["seeds"] == [1]
    v = e["variants"][0]
    assert v["count"] == 1 and v["miou"] == {"mean": 0.5, "deviation": None, "min": 0.5, "max": 0.5}, v
    assert v["difference"] is None and v["gap_closed"] is None and v["iou"][3] is None
    assert v["iou"][0] == {"mean": 0.5, "deviation": None}
    cell = v["cells"][0]
    assert (cell["run"], cell["state"], cell["miou_source"], cell["miou"], cell["miou_best"]) == (1, "completed", 0.4, 0.5, 0.5)
    assert cell["iou"][3] is None and len(cell["iou"]) == len(e["classes"]) == 19
    status, h, data = s.request("GET", V1 + "/experiments/1", headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(data.decode())))
    assert h["Content-Type"].startswith("text/csv") and len(rows) == 2
    assert rows[0] == ["variant", "preset", "seed", "run", "state", "miou_source", "miou", "miou_best"] + [
        c["name"] for c in e["classes"]]
    assert rows[1][:8] == ["tpld", "tpld", "1", "1", "completed", "0.400000", "0.500000", "0.500000"] and rows[1][11] == ""
    assert s.json("GET", V1 + "/runs/1")["experiment"] == 1
    s.json("GET", V1 + "/experiments/9", want=404)
    no_nan(s.request("GET", V1 + "/experiments/1")[2])


def wait_runs(s, where, state, count):
    for _ in range(100):
        e = s.json("GET", where)
        cells = e["source_runs"] + [c for v in e["variants"] for c in v["cells"]]
        if sum(c["state"] == state for c in cells) == count:
            return e
        time.sleep(0.05)
    raise AssertionError(json.dumps(e)[:2000])


def experiment_lifecycle(s):
    status, h, data = s.request("POST", V1 + "/experiments", experiment())
    assert status == 201, data
    e = json.loads(data)
    where = V1 + "/experiments/%d" % e["id"]
    assert h["Location"] == where and e["state"] == "running" and e["config"] == experiment()
    assert e["runs_total"] == 4 and e["runs_done"] == 0 and len(e["source_runs"]) == 2, e
    # The source trainings are queued, and are the plain cells themselves; the others wait.
    e = wait_runs(s, where, "queued", 4)
    plain, tpld = (v["cells"] for v in e["variants"])
    assert [c["run"] for c in plain] == [r["run"] for r in e["source_runs"]] == [c["source_run"] for c in tpld], e
    assert [c["state"] for c in tpld] == ["waiting"] * 2 and [c["run"] for c in tpld] == [None] * 2
    run = s.json("GET", V1 + "/runs/%d" % plain[1]["run"])
    assert run["name"] == "grid / source / seed 2" and run["preset"] == "source-only" and run["seed"] == 2, run
    assert run["experiment"] == e["id"]
    p = s.json("DELETE", where, want=409)
    assert "running" in p["detail"], p
    # A run that ends otherwise fails its cells; the experiment goes on with the others.
    s.json("POST", V1 + "/runs/%d/cancel" % plain[0]["run"], want=202)
    e = wait_runs(s, where, "failed", 1)
    assert e["state"] == "running" and tpld[0]["seed"] == 1 and e["variants"][1]["cells"][0]["state"] == "failed"
    s.json("DELETE", V1 + "/runs/%d" % plain[0]["run"], want=409)
    s.json("POST", where + "/cancel", {"now": True}, want=422)
    assert s.json("POST", where + "/cancel", want=202)["state"] == "cancelled"
    e = wait_runs(s, where, "cancelled", 5)
    assert e["state"] == "cancelled" and e["eta_seconds"] is None, e
    s.json("POST", where + "/cancel", {}, want=202)
    s.json("POST", V1 + "/experiments/1/cancel", want=409)
    s.json("POST", V1 + "/experiments/99/cancel", want=404)
    assert s.request("DELETE", where + "?runs=true")[0] == 204
    s.json("GET", where, want=404)
    s.json("GET", V1 + "/runs/%d" % plain[0]["run"], want=404)
    assert len(s.json("GET", V1 + "/runs")["items"]) == 1
    kinds = [x for x in s.json("GET", V1 + "/events?limit=500", headers={"Accept": "application/json"})["items"]
             if x["type"] == "experiment.state" and x["experiment"] == e["id"]]
    assert [x["state"] for x in kinds][0] == "running" and [x["state"] for x in kinds][-1] == "deleted", kinds


def experiment_errors(s):
    def pointers(body):
        p = s.json("POST", V1 + "/experiments", body, want=422)
        return {e["pointer"]: e["detail"] for e in p["errors"]}

    got = pointers(experiment(colour=1, seeds=[1, "2", 1], baseline="nobody"))
    assert set(got) == {"/colour", "/seeds/1", "/seeds/2", "/baseline"}, got
    bad = experiment()
    bad["config"]["data"] = {"batch": 0}
    bad["variants"][1]["config"] = {"self_training": {"voting": {"windw": 3}}, "source": "nowhere"}
    got = pointers(bad)
    assert set(got) == {"/config/data/batch", "/variants/1/config/self_training/voting/windw"}, got
    del bad["config"]["data"], bad["variants"][1]["config"]["self_training"]
    got = pointers(bad)
    assert set(got) == {"/variants/1/config/source"} and "nowhere" in got["/variants/1/config/source"], got
    got = pointers(experiment(config={"target": "real", "seed": 3, "name": "x", "preset": "tpld"}))
    assert set(got) == {"/config/source", "/config/seed", "/config/name", "/config/preset"}, got
    got = pointers(experiment(variants=[{"name": "a"}, {"name": "a", "preset": "tpl"}]))
    assert set(got) == {"/variants/1/name", "/variants/1/preset"}, got
    got = pointers({"seeds": [], "variants": [], "name": "n"})
    assert set(got) == {"/seeds", "/variants"}, got
    s.json("POST", V1 + "/experiments", b"[]", headers={"Content-Type": "application/json"}, want=400)
    assert len(s.json("GET", V1 + "/experiments")["items"]) == 1
    assert len(s.json("GET", V1 + "/runs")["items"]) == 1


def experiments_paging(s):
    ids = [s.json("POST", V1 + "/experiments", experiment("p%d" % i), want=201)["id"] for i in range(4)]
    seen, cursor = [], None
    while cursor is not None or not seen:
        page = s.json("GET", V1 + "/experiments?limit=2" + ("&cursor=" + cursor if cursor else ""))
        seen += [e["id"] for e in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(ids + [1], reverse=True), seen
    s.json("DELETE", V1 + "/datasets/2", want=409)
    for i in ids:
        s.json("POST", V1 + "/experiments/%d/cancel" % i, want=202)
        wait_runs(s, V1 + "/experiments/%d" % i, "cancelled", 6)
        assert s.request("DELETE", V1 + "/experiments/%d?runs=true" % i)[0] == 204
    assert len(s.json("GET", V1 + "/runs")["items"]) == 1


def metrics(s):
    m = s.json("GET", V1 + "/runs/1/metrics")
    assert sorted(x["key"] for x in m["series"]) == ["loss", "lr"]
    m = s.json("GET", V1 + "/runs/1/metrics?keys=loss&from_step=50&max_points=10")
    points = m["series"][0]["points"]
    assert 2 <= len(points) <= 10 and points[0][0] >= 50 and len(points[0]) == 2
    s.json("GET", V1 + "/runs/99/metrics", want=404)


def iou(s):
    j = s.json("GET", V1 + "/runs/1/iou")
    assert len(j["classes"]) == 19 and len(j["points"]) == 3
    has(j["points"][0], "step", "round", "phase", "miou", "iou")
    assert j["points"][0]["round"] is None and j["points"][1]["round"] == 0
    assert j["points"][0]["iou"][3] is None and len(j["points"][0]["iou"]) == 19
    status, h, data = s.request("GET", V1 + "/runs/1/iou", headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(data.decode())))
    assert h["Content-Type"].startswith("text/csv") and rows[0][:4] == ["step", "round", "phase", "miou"]
    assert rows[0][4:] == j["classes"] and len(rows) == 4 and rows[1][7] == "" and rows[1][1] == ""
    s.json("GET", V1 + "/runs/1/iou", headers={"Accept": "image/png"}, want=406)
    for accept in ("*/*", "application/*", "text/csv;q=0.5, application/json", "text/html, */*;q=0.1"):
        kind = s.request("GET", V1 + "/runs/1/iou", headers={"Accept": accept})[1]["Content-Type"]
        assert kind == "application/json", (accept, kind)


def confusion(s):
    c = s.json("GET", V1 + "/runs/1/confusion")
    has(c, "classes", "matrix")
    assert c["round"] == 1 and c["matrix"] == [[5, 1], [2, 7]]
    assert s.json("GET", V1 + "/runs/1/confusion?round=0")["round"] == 0
    assert s.json("GET", V1 + "/runs/1/confusion?round=source")["round"] is None
    s.json("GET", V1 + "/runs/1/confusion?round=7", want=404)
    s.json("GET", V1 + "/runs/1/confusion?round=x", want=400)


def profile(s):
    p = s.json("GET", V1 + "/runs/1/profile")
    has(p, "phase", "round", "steps", "crop", "threads", "kernels", "sgemm_peak_gflops", "seconds_per_step", "layers",
        "outside")
    assert (p["phase"], p["round"], p["steps"], p["crop"]) == ("phase1_training", 0, 100, [64, 128]), p
    assert [x["layer"] for x in p["layers"]] == ["conv1", "maxpool", "layer1.0.conv1"]
    has(p["layers"][0], "algorithm", "forward_ms", "backward_ms", "gflop_per_step", "gflops", "peak_share")
    assert p["layers"][1]["gflops"] is None and p["layers"][2]["peak_share"] == 1.25
    source = s.json("GET", V1 + "/runs/1/profile?round=source")
    assert source["phase"] == "source_training" and source["round"] is None and source["steps"] == 99
    explained = sum(x["forward_ms"] + x["backward_ms"] for x in source["layers"]) + sum(x["ms"] for x in source["outside"])
    assert abs(explained - 1000 * source["seconds_per_step"]) < 1e-6, explained
    s.json("GET", V1 + "/runs/1/profile?round=1", want=404)
    s.json("GET", V1 + "/runs/1/profile?round=x", want=400)
    s.json("GET", V1 + "/runs/99/profile", want=404)
    fresh = s.json("POST", V1 + "/runs", minimal("untrained"), want=201)["id"]
    p = s.json("GET", V1 + "/runs/%d/profile" % fresh)
    assert p["layers"] == p["outside"] == [] and p["steps"] == 0 and p["phase"] is None and p["crop"] is None, p
    s.json("GET", V1 + "/runs/%d/profile?round=0" % fresh, want=404)
    s.json("POST", V1 + "/runs/%d/cancel" % fresh, want=202)
    assert s.request("DELETE", V1 + "/runs/%d" % fresh)[0] == 204


def rounds(s):
    r = s.json("GET", V1 + "/runs/1/rounds")
    assert [x["round"] for x in r] == [0, 1]
    has(r[0], "round", "phase", "portion", "thresholds", "coverage", "easy", "hard", "pseudo_accuracy")
    has(r[0]["coverage"], "confident", "voted", "soft", "ignored")
    assert r[0]["thresholds"][2] is None and r[0]["easy"] + r[0]["hard"] == 60
    a = r[1]["audit"]
    has(a, "entropy", "flip_agreement", "agreement", "label_agreement", "truth_pixels", "accuracy", "classes")
    assert a["accuracy"] == {"confident": 0.9, "voted": 0.8, "soft": None, "all": 0.866666666667, "threshold": 0.875}, a["accuracy"]
    assert len(a["classes"]) == 19 and a["truth_pixels"] == 4000 and a["agreement"] == 0.9
    assert a["classes"][3] == {
        "share": 0.04, "share_first": 0.04, "share_previous": 0.02, "entropy": 0.125, "agreement": 0.75,
        "confident": {"coverage": 0.2, "accuracy": 0.9, "pixels": 100}, "voted": {"coverage": 0.1, "accuracy": 0.8, "pixels": 50},
        "soft": {"coverage": 0.0, "accuracy": None, "pixels": 0}, "threshold_accuracy": None}, a["classes"][3]
    assert r[1]["alarms"] == [{"kind": "class_drift", "class": 1, "text": "sidewalk grows", "value": 0.185, "limit": 0.177},
                              {"kind": "labels_unstable", "class": None, "text": "labels change", "value": 0.8, "limit": 0.9}]
    first = r[0]["audit"]
    assert first["agreement"] is None and first["label_agreement"] is None and r[0]["alarms"] == []
    assert all(c["share_previous"] is None and c["agreement"] is None for c in first["classes"])


def features(s):
    path = V1 + "/runs/1/rounds/%s/features"
    f = s.json("GET", path % 1)
    has(f, "round", "perplexity", "kl", "source", "target", "points")
    assert f["round"] == 1 and f["source"] == {"shown": 2, "of": 60} and len(f["points"]) == 4, f
    assert [p["domain"] for p in f["points"]] == ["source", "source", "easy", "hard"]
    has(f["points"][3], "domain", "image", "name", "x", "y")
    no_nan(s.request("GET", path % 1)[2])
    p = s.json("GET", path % 0, want=409)
    assert "checkpoint" in p["detail"], p
    s.json("GET", path % 9, want=404)
    s.json("GET", path % "first", want=400)
    s.json("GET", path % 1 + "?method=pca", want=400)
    s.json("GET", V1 + "/runs/99/rounds/1/features", want=404)
    assert s.request("POST", path % 1)[0] == 405


def all_images(s, query):
    items, cursor, pages = [], None, 0
    while True:
        page = s.json("GET", V1 + "/runs/1/images?limit=7&%s%s" % (query, "&cursor=" + cursor if cursor else ""))
        items += page["items"]
        cursor = page["next_cursor"]
        pages += 1
        assert pages < 20
        if cursor is None:
            return items, page["total"]


def images(s):
    for query, count in (("round=0", 60), ("round=0&split=easy", 18), ("round=1&split=hard", 42), ("", 60)):
        for sort, key in (("confidence", lambda i: i["confidence"]), ("-confidence", lambda i: -i["confidence"]),
                          ("name", lambda i: i["name"])):
            items, total = all_images(s, query + "&sort=" + sort)
            keys = [key(i) for i in items]
            assert len(items) == total == count and len({i["id"] for i in items}) == count, (query, sort, len(items))
            assert keys == sorted(keys), (query, sort)
    i = items[0]
    has(i, "id", "name", "confidence", "split", "rank", "coverage", "class_confidence")
    assert i["round"] == 1  # the newest when no round is named
    page = s.json("GET", V1 + "/runs/1/images?limit=7&sort=name")
    s.json("GET", V1 + "/runs/1/images?limit=7&sort=confidence&cursor=" + page["next_cursor"], want=400)
    s.json("GET", V1 + "/runs/1/images?limit=7&sort=name&round=0&cursor=" + page["next_cursor"], want=400)
    one = s.json("GET", V1 + "/runs/1/images/5")
    assert one["id"] == 5 and [h["round"] for h in one["history"]] == [0, 1]
    has(one["history"][0], "confidence", "split", "coverage", "round")
    s.json("GET", V1 + "/runs/1/images/60", want=404)


def pictures(s):
    for layer in ("image", "prediction", "pseudo_confident", "pseudo_voted", "pseudo_final", "origin", "confidence"):
        path = V1 + "/runs/1/rounds/0/images/3/%s.png" % layer
        status, h, data = s.request("GET", path)
        assert status == 200 and h["Content-Type"] == "image/png" and data[:4] == b"\x89PNG", (layer, status)
        if layer != "image":
            again = s.request("GET", path, headers={"If-None-Match": h["ETag"]})
            assert again[0] == 304 and again[2] == b""
    assert s.request("GET", V1 + "/runs/1/images/3/thumb.png")[2][:4] == b"\x89PNG"
    s.json("GET", V1 + "/runs/1/rounds/0/images/3/secret.png", want=404)
    s.json("GET", V1 + "/runs/1/rounds/0/images/30/prediction.png", want=404)
    s.json("GET", V1 + "/runs/1/rounds/9/images/3/prediction.png", want=404)
    s.json("GET", V1 + "/runs/2/rounds/0/images/3/prediction.png", want=404)
    status, h, data = s.request("GET", V1 + "/runs/1/rounds/0/images/3/probabilities.npy")
    assert status == 200 and h["Content-Type"] == "application/x-npy" and data[:6] == b"\x93NUMPY"


def checkpoints(s):
    page = s.json("GET", V1 + "/runs/1/checkpoints")
    c = page["items"][0]
    has(c, "id", "run", "round", "step", "sha256", "bytes")
    assert c["round"] is None and s.json("GET", V1 + "/checkpoints/%d" % c["id"]) == c
    path = V1 + "/checkpoints/%d/file" % c["id"]
    status, h, data = s.request("GET", path)
    assert status == 200 and len(data) == c["bytes"] and hashlib.sha256(data).hexdigest() == c["sha256"]
    assert h["ETag"] == '"%s"' % c["sha256"] and "attachment" in h["Content-Disposition"]
    for spec, want in (("bytes=0-9", data[:10]), ("bytes=990-", data[990:]), ("bytes=-5", data[-5:]),
                       ("bytes=990-5000", data[990:])):
        status, h, part = s.request("GET", path, headers={"Range": spec})
        assert status == 206 and part == want, (spec, status)
    assert s.request("GET", path, headers={"Range": "bytes=1000-"})[0] == 416
    for spec in ("bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"):
        assert s.request("GET", path, headers={"Range": spec})[0] == 200, spec
    assert s.request("HEAD", path)[2] == b""
    s.json("GET", V1 + "/checkpoints/99/file", want=404)


def inference(s):
    path = V1 + "/checkpoints/1/infer"
    png = {"Content-Type": "image/png"}
    status, h, data = s.request("POST", path, b"picture", dict(png))
    assert status == 200 and h["Content-Type"] == "image/png", data
    status, h, data = s.request("POST", path, b"picture", dict(png, Accept="application/x-npy"))
    assert status == 200 and h["Content-Type"] == "application/x-npy" and data[:6] == b"\x93NUMPY"
    s.json("POST", path, b"picture", headers=dict(png, Accept="text/html"), want=406)
    s.json("POST", path, b"x", headers={"Content-Type": "image/gif"}, want=415)
    p = s.json("POST", path, b"BAD", headers=png, want=422)
    assert "PNG" in p["detail"]
    s.json("POST", V1 + "/checkpoints/99/infer", b"x", headers=png, want=404)
    s.json("POST", V1 + "/weights/99/infer", b"x", headers=png, want=404)


def safetensors(tensors):
    header, blob = {}, b""
    for name, (shape, values) in tensors.items():
        data = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + blob


def weights(s):
    assert s.json("GET", V1 + "/weights")["items"] == []
    octets = {"Content-Type": "application/octet-stream"}
    good = V1 + "/weights?name=w&arch=deeplabv2-mobilenetv2"
    small = safetensors({"features.0.0.weight": ([1], [1.0])})
    p = s.json("POST", good, small, headers=octets, want=422)
    assert p["detail"], p
    s.json("POST", good, b"no safetensors at all", headers=octets, want=422)
    s.json("POST", V1 + "/weights?arch=deeplabv2-vgg16", small, headers=octets, want=400)
    s.json("POST", V1 + "/weights?name=w&arch=resnet", small, headers=octets, want=400)
    s.json("POST", good + "&aspp_dilations=6,,12", small, headers=octets, want=400)
    s.json("POST", good, small, headers={"Content-Type": "application/json"}, want=415)
    assert os.listdir(os.path.join(s.state, "tmp")) == []
    s.json("GET", V1 + "/weights/1", want=404)


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


def resolve(doc, schema):
    return doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema


def conforms(doc, schema, value, at):
    """The subset of JSON Schema that our descriptions use."""
    schema = resolve(doc, schema)
    if "anyOf" in schema:
        for choice in schema["anyOf"]:
            try:
                conforms(doc, choice, value, at)
                return
            except AssertionError:
                pass
        raise AssertionError("%s: %r fits none of %s" % (at, value, schema))
    if "enum" in schema:
        assert value in schema["enum"], "%s: %r" % (at, value)
    kind = schema.get("type")
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
             "null": type(None)}
    if kind:
        assert isinstance(value, types[kind]) and not (kind in ("integer", "number") and isinstance(value, bool)), \
            "%s: %r is no %s" % (at, value, kind)
    if kind == "object" and "properties" in schema:
        for name in schema.get("required", []):
            assert name in value, "%s: %s is missing" % (at, name)
        for name, v in value.items():
            if name not in schema["properties"] and schema.get("additionalProperties", False):
                continue
            assert name in schema["properties"], "%s: %s is not described" % (at, name)
            conforms(doc, schema["properties"][name], v, at + "/" + name)
    if kind == "array":
        for i, v in enumerate(value):
            conforms(doc, schema["items"], v, "%s/%d" % (at, i))


def openapi_is_sound(s):
    doc = s.json("GET", V1 + "/openapi.json")
    assert doc["openapi"] == "3.1.0"
    text = json.dumps(doc)
    for ref in set(x.split('"')[0] for x in text.split('"$ref": "#/components/schemas/')[1:]):
        assert ref in doc["components"]["schemas"], ref
    for name, schema in doc["components"]["schemas"].items():
        assert schema, "shape %s is empty: a mistake in its notation" % name
    for path, item in doc["paths"].items():
        for method, op in item.items():
            names = {p["name"] for p in op["parameters"] if p["in"] == "path"}
            assert names == {x.split("}")[0] for x in path.split("{")[1:]}, path
            for p in op["parameters"]:
                assert p["schema"], (path, p)


def openapi_tells_the_truth(s):
    """Every described operation exists, wants a token unless it says otherwise, and every JSON answer to
    GET has the described shape, no key more or less."""
    doc = s.json("GET", V1 + "/openapi.json")
    values = {"id": "1", "image": "3", "index": "3", "round": "0", "layer": "prediction"}
    walked = 0
    for path, item in doc["paths"].items():
        url = path
        if path.endswith("/features"):
            url = url.replace("{round}", "1")  # round 0 has none, to be refused
        for name, value in values.items():
            url = url.replace("{%s}" % name, value)
        for method, op in item.items():
            status = s.request(method.upper(), url, token=False, headers={"Content-Length": "0"} if method == "post" else {})[0]
            public = op.get("security") == []
            # Wrong tokens are slowed down after ten a second.
            assert (status not in (401, 429)) if public else (status in (401, 429)), (method, path, status)
            if method != "get" or url.startswith(V1 + "/weights/"):
                continue
            code, answer = next(iter(op["responses"].items()))
            content = answer["content"].get("application/json")
            headers = {"Accept": "application/json"} if content else {"Accept": next(iter(answer["content"]))}
            status, h, data = s.request("GET", url, headers=headers)
            assert status == int(code), (path, status, data[:200])
            if content and content["schema"]:
                conforms(doc, content["schema"], json.loads(data), path)
                walked += 1
    assert walked >= 18, walked
    # And an undescribed path does not exist.
    s.json("GET", V1 + "/secrets", want=404)


if __name__ == "__main__":
    sys.exit(server.run([dashboard, health, token_file, problem_shape, datasets, dataset_lifecycle, catalogues, runs,
                         run_lifecycle, run_errors, runs_paging, experiments, experiment_lifecycle, experiment_errors,
                         experiments_paging, metrics, iou, confusion, profile, rounds, features, images, pictures,
                         checkpoints, inference, weights, events_replay, events_live, events_while_streaming, prometheus,
                         openapi_is_sound, openapi_tells_the_truth]))
