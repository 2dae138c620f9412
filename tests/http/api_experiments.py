"""Experiments: fields, a life with its runs, refusals, paging. Part of api.py, whose server it uses."""
import csv
import io
import json
import time

from server import V1, has, no_nan


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


TESTS = [experiments, experiment_lifecycle, experiment_errors, experiments_paging]
