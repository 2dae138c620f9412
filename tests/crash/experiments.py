#!/usr/bin/env python3
"""An experiment works itself through, also over kills: no run lost, none doubled, the same numbers; its
cells, which start from a shared source model, end with the bits of runs that trained it themselves."""
import os
import time

import lib

V1 = "/api/v1"


def definition(**more):
    config = lib.tiny_run()
    for key in ("name", "preset", "seed"):
        del config[key]
    return dict({"name": "grid", "seeds": [1, 2], "config": config, "upper_bound": "oracle", "variants": [
        {"name": "plain", "preset": "source-only"}, {"name": "tpld", "preset": "tpld"},
        {"name": "oracle", "preset": "source-only", "config": {"source": "target"}}]}, **more)


def wait(d, where, state, seconds=lib.RUN_SECONDS):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        e = d.get(where)
        if e["state"] == state:
            return e
        if e["state"] != "running":
            raise AssertionError("the experiment is %s: %s" % (e["state"], e["error"]))
        time.sleep(0.05)
    raise AssertionError("the experiment is still %s" % e["state"])


def numbers(e):
    """What must not depend on interruptions: all but ids and times."""
    cells = [[{k: c[k] for k in c if k not in ("run", "source_run")} for c in v["cells"]] for v in e["variants"]]
    return [cells, [{k: v[k] for k in v if k != "cells"} for v in e["variants"]],
            [(s["seed"], s["state"], s["miou"]) for s in e["source_runs"]], e["progress"], e["runs_done"], e["runs_total"]]


def whole(place):
    """Undisturbed: (report, runs by name)."""
    d = place.prepared(threads=2, checkpoint_seconds=30).start()
    where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", definition(), want=201)["id"]
    e = wait(d, where, "completed")
    runs = {r["name"]: r for r in d.get(V1 + "/runs")["items"]}
    status, _, text = d.request("GET", where, accept="text/csv")
    return d, where, e, runs, text.decode().splitlines()


def shape(tap, e, runs, lines):
    tap.equal(sorted(runs), ["grid / oracle / seed 1", "grid / oracle / seed 2", "grid / source / seed 1",
                             "grid / source / seed 2", "grid / tpld / seed 1", "grid / tpld / seed 2"],
              "source trainings are shared: six runs for six cells that would train six source models")
    plain, tpld, oracle = (v["cells"] for v in e["variants"])
    source = [r["run"] for r in e["source_runs"]]
    tap.equal([[c["run"] for c in plain], [c["source_run"] for c in tpld], [c["source_run"] for c in oracle]],
              [source, source, [None, None]], "plain cells are the source runs, tpld's start from them")
    tap.equal([c["miou_source"] for c in tpld], [c["miou"] for c in plain], "and with their mIoU")
    config = runs["grid / tpld / seed 2"]["config"]
    tap.ok(config["source_training"]["steps"] == 0 and config["model"]["init"].startswith("checkpoint:"),
           "a cell's configuration says where it starts", config)
    v = e["variants"][1]
    got = [c["miou"] for c in tpld]
    mean = sum(got) / 2
    base = [c["miou"] for c in plain]
    tap.ok(v["count"] == 2 and abs(v["miou"]["mean"] - mean) < 1e-9 and
           abs(v["difference"]["mean"] - (mean - sum(base) / 2)) < 1e-9 and v["difference"]["count"] == 2 and
           e["variants"][0]["difference"] is None, "means and differences are those of the cells", v)
    tap.ok(e["progress"] == 1 and e["runs_total"] == e["runs_done"] == 6 and e["eta_seconds"] is None, "all is done", e)
    tap.ok(len(lines) == 7 and lines[0].startswith("variant,preset,seed,run,state,") and
           all(len(x.split(",")) == 8 + len(e["classes"]) for x in lines), "one CSV line for each cell", lines)


def weights_of_parts(tap, d, e):
    cost = [r[0] for r in lib.database(d.state).execute(
        "SELECT cost FROM experiment_part WHERE experiment = %d AND config != '' ORDER BY idx" % e["id"])]
    step = 3 * 2 * 32 * 48  # passes, batch, crop
    source, tpld, flipped = cost[:2], cost[2:4], cost[4:]
    tap.ok(source == [10 * step] * 2 and all(c > 16 * step for c in tpld) and all(0 < c < 16 * step for c in flipped),
           "parts weigh what they compute: steps, scoring, an evaluation alone", cost)


def same_bits(tap, place, d, e):
    """A cell against a run that trains its source model itself."""
    run = e["variants"][1]["cells"][1]["run"]
    cell = lib.dump(d.state, run)
    alone = place.undisturbed(lib.tiny_run(seed=2))

    def weights(dump):
        return [row[:2] + row[6:] for row in dump["checkpoint"]]

    def results(dump):
        return [(row[0], row[1]) + row[3:] for row in dump["evaluation"]]

    tap.equal(weights(cell), weights(alone), "a cell's weights are those of a run that trained the source model itself")
    tap.equal([results(cell), cell["round"], cell["image_score"]], [results(alone), alone["round"], alone["image_score"]],
              "and so are its evaluations and scores")
    # Logits carry their run's id.
    tap.equal({k: v for k, v in cell["files"].items() if not k.endswith(".logits")},
              {k: v for k, v in alone["files"].items() if not k.endswith(".logits")}, "and so are its files")


def same_bits_of_all_stages(tap, place):
    """The same with all that can lie between source training and the rounds."""
    changes = {"entropy_training": {"steps": 6}, "self_training": {"norm_alignment": {"images": 4}, "teacher": {}, "class_mix": {}}}
    d = place.prepared(threads=2, checkpoint_seconds=30).start()
    body = definition(seeds=[3], upper_bound=None)
    body["variants"] = [{"name": "plain", "preset": "source-only"}, {"name": "all", "config": changes}]
    where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", body, want=201)["id"]
    e = wait(d, where, "completed")
    d.term()
    config = lib.tiny_run(seed=3, entropy_training=changes["entropy_training"])
    config["self_training"].update(changes["self_training"])
    alone = place.undisturbed(config)
    cell = lib.dump(d.state, e["variants"][1]["cells"][0]["run"])
    tap.ok(e["runs_total"] == 2 and len(cell["checkpoint"]) == 5, "source, entropy, alignment and two rounds", cell["checkpoint"])
    tap.equal([row[:2] + row[6:] for row in cell["checkpoint"]], [row[:2] + row[6:] for row in alone["checkpoint"]],
              "with entropy training, aligned norms and a teacher: the same weights")


def initial_checkpoints(tap, d, where, e):
    """/model/init = checkpoint:ID outside of experiments."""
    def errors(**changes):
        v = d.post(V1 + "/runs:validate", lib.tiny_run(**changes), want=200)
        return [(x["pointer"], x["detail"]) for x in v["errors"]]

    source = e["source_runs"][0]["run"]
    c = d.get(V1 + "/runs/%d/checkpoints" % source)["items"][0]["id"]
    init = "checkpoint:%d" % c
    tap.equal(errors(model__init=init, source_training__steps=0), [], "a checkpoint of an ended run is taken")
    tap.equal([errors(model__init="checkpoint:999"), errors(model__init="checkpoint:x")],
              [[("/model/init", "there is no checkpoint 999")], [("/model/init", "'checkpoint:x' is not checkpoint:ID")]],
              "one that is not there is named")
    tap.equal([errors(model__init=init, model__width_divisor=2), errors(model__init=init, model__arch="deeplabv2-resnet50", model__output_stride=8),
               errors(model__init=init, model__aspp_branches=2)],
              [[("/model/init", init + " has a width divisor of 4, not 2")],
               [("/model/init", init + " is a network of deeplabv2-mobilenetv2, not deeplabv2-resnet50")],
               [("/model/init", init + " has 4 branches in its head, not 2")]], "one of another network is refused")
    user = d.submit(lib.tiny_run(name="user", model__init=init, source_training__steps=0))
    d.post(V1 + "/runs/%d/pause" % user, want=202)
    d.wait_state(user, ("paused",))
    status, _, p = d.request("DELETE", where + "?runs=true")
    tap.ok(status == 409 and "run %d starts from a checkpoint of run %d" % (user, source) in p["detail"],
           "what an unfinished run starts from stays", p)
    status, _, p = d.request("DELETE", V1 + "/runs/%d" % source)
    tap.ok(status == 409 and "run %d" % user in p["detail"], "also when its run is deleted by itself", p)
    d.post(V1 + "/runs/%d/resume" % user, want=202)
    d.wait_state(user)
    live = d.submit(lib.tiny_run(name="live", self_training__steps_per_round=2000))
    while not d.get(V1 + "/runs/%d/checkpoints" % live)["items"]:
        time.sleep(0.02)
    c = d.get(V1 + "/runs/%d/checkpoints" % live)["items"][0]["id"]
    tap.ok("not ended" in errors(model__init="checkpoint:%d" % c)[0][1], "one of a run that goes on is refused")
    d.post(V1 + "/runs/%d/cancel" % live, want=202)
    d.wait_state(live)


def deleted(tap, d, where, e):
    runs = sorted({c["run"] for v in e["variants"] for c in v["cells"]})
    status, _, p = d.request("DELETE", where + "?runs=true")
    left = [r for r in runs if os.path.exists(os.path.join(d.state, "runs", str(r)))]
    tap.ok(status == 204 and left == [] and d.request("GET", V1 + "/runs/%d" % runs[0])[0] == 404,
           "deleting it with its runs leaves nothing", (status, left, p))


def killed(tap, place, rnd, want, kills):
    d = place.prepared(threads=2, checkpoint_seconds=0).start()
    where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", definition(), want=201)["id"]
    for _ in range(kills):
        time.sleep(rnd.uniform(0.0, 1.2))
        d.kill()
        d.start()
    e = wait(d, where, "completed")
    tap.equal(numbers(e), numbers(want), "killed %d times, it ends with the same numbers" % kills)
    rows = lib.database(d.state).execute("SELECT count(*), count(DISTINCT part) FROM run WHERE experiment = 1").fetchall()
    tap.equal(rows, [(6, 6)], "with no run lost and none doubled")
    tap.ok(d.term() == 0, "and the daemon stops in order")


def cancelled(tap, place):
    """While a run computes, with a kill right after the request."""
    d = place.prepared(threads=2).start()
    body = definition()
    body["config"]["source_training"] = {"steps": 100000}
    where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", body, want=201)["id"]
    while not any(r["state"] == "running" for r in d.get(where)["source_runs"]):
        time.sleep(0.02)
    e = d.post(where + "/cancel", want=202)
    d.kill()
    d.start()
    until = time.monotonic() + 60
    while time.monotonic() < until and {c["state"] for v in d.get(where)["variants"] for c in v["cells"]} != {"cancelled"}:
        time.sleep(0.05)
    now = d.get(where)
    tap.ok(e["state"] == now["state"] == "cancelled" and
           {c["state"] for v in now["variants"] for c in v["cells"]} == {"cancelled"} and
           all(r["state"] == "cancelled" for r in d.get(V1 + "/runs")["items"]), "cancelled for good, over a kill", now)
    d.term()


def failing(tap, place):
    """A source training that fails takes its cells along and no others."""
    d = place.prepared(threads=2).start()
    body = definition(seeds=[1])
    body["variants"] += [{"name": "wild", "preset": "source-only", "config": {"source_training": {"lr": 10, "steps": 60}}},
                         {"name": "wild tpld", "config": {"source_training": {"lr": 10, "steps": 60}}}]
    where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", body, want=201)["id"]
    e = wait(d, where, "failed")
    states = [v["cells"][0]["state"] for v in e["variants"]]
    tap.ok(states == ["completed", "completed", "completed", "failed", "failed"] and "2 of 5 cells failed" in e["error"] and
           e["variants"][4]["cells"][0]["run"] is None, "a failed source run fails its cells, the others go on", e["error"])
    d.term()


def mended(tap, place, want):
    """Pictures are away for a while: what failed is resumed, and the experiment goes on."""
    d = place.prepared(threads=2).start()
    pictures = os.path.join(place.data, "source", "images")
    os.rename(pictures, pictures + ".away")
    try:
        where = V1 + "/experiments/%d" % d.post(V1 + "/experiments", definition(), want=201)["id"]
        e = wait(d, where, "failed")
    finally:
        os.rename(pictures + ".away", pictures)
    failed = [r["id"] for r in d.get(V1 + "/runs")["items"] if r["state"] == "failed"]
    tap.ok(len(failed) > 0 and "images" in e["error"], "without pictures an experiment fails: %s" % e["error"], e)
    for run in failed:
        d.post(V1 + "/runs/%d/resume" % run, want=202)
    tap.equal(d.get(where)["state"], "running", "a run resumed, it is running again")
    e = wait(d, where, "completed")
    tap.equal(numbers(e), numbers(want), "and ends with the same numbers")
    tap.equal(e["error"], None, "and without an error")
    d.term()


def test(tap, place, rnd, args):
    d, where, e, runs, lines = whole(place)
    shape(tap, e, runs, lines)
    weights_of_parts(tap, d, e)
    same_bits(tap, place, d, e)
    initial_checkpoints(tap, d, where, e)
    deleted(tap, d, where, e)
    d.term()
    same_bits_of_all_stages(tap, place)
    killed(tap, place, rnd, e, 40 if args.long else 6)
    cancelled(tap, place)
    failing(tap, place)
    mended(tap, place, e)


lib.main(test, __doc__)
