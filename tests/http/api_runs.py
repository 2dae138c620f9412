"""Runs: fields, a life from queued to deleted, refusals, paging. Part of api.py, whose server it uses."""
import json

from server import V1, has, no_nan


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


TESTS = [runs, run_lifecycle, run_errors, runs_paging]
