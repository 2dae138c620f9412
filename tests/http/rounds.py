#!/usr/bin/env python3
"""The audit of a round, from the generated scenes to GET /rounds: whole runs of the daemon, and every
figure computed again here from the pictures and probabilities that the API serves and from the label
files. With labels, without them, with a layer of an earlier round gone, and from a class that grows."""
import json
import math
import os
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crash"))
import lib  # noqa: E402

K, NONE = 19, 255
ORIGINS = {"confident": 1, "voted": 2, "soft": 3}


# ---- pictures ------------------------------------------------------------------------------

def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def png_values(data):
    """The samples of an 8-bit palette or grey PNG, row by row in one list."""
    at, w, h, packed = 8, 0, 0, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            w, h, depth, color = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert depth == 8 and color in (0, 3), (depth, color)
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + n]
        at += 12 + n
    raw, rows, last = zlib.decompress(packed), [], [0] * w
    for y in range(h):
        kind, line = raw[y * (w + 1)], list(raw[y * (w + 1) + 1:(y + 1) * (w + 1)])
        for x in range(w):
            a, b, c = line[x - 1] if x else 0, last[x], last[x - 1] if x else 0
            line[x] = (line[x] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) % 256
        rows += line
        last = line
    return rows


def npy_planes(data):
    head = struct.unpack("<H", data[8:10])[0]
    values = struct.unpack("<%df" % ((len(data) - 10 - head) // 4), data[10 + head:])
    pixels = len(values) // K
    return [values[k * pixels:(k + 1) * pixels] for k in range(K)]


# ---- the same figures, naively ----------------------------------------------------------------

def image_maps(d, run, r, image, truth_file):
    at = "/api/v1/runs/%d/rounds/%d/images/%d/" % (run, r, image)

    def layer(name):
        return png_values(d.get(at + name + ".png"))

    m = {"prediction": layer("prediction"), "final": layer("pseudo_final"), "origin": layer("origin"),
         "p": npy_planes(d.get(at + "probabilities.npy")), "truth": None}
    if truth_file:
        with open(truth_file, "rb") as f:
            m["truth"] = png_values(f.read())
    return m


def share(part, whole):
    return part / whole if whole else None


def same(pairs):
    pairs = [(a, b) for a, b in pairs if a < K and b < K]
    return share(sum(a == b for a, b in pairs), len(pairs))


def best_accuracy(ranked, n):
    """Of the n pixels with the largest r, and how far bins may be off: by the pixels that lie within a bin of
    the last one. Pixels that are equally large count as their mean. ranked: (r, right, width of a bin)."""
    ranked = sorted(ranked, reverse=True)
    n = min(n, len(ranked))
    if n == 0:
        return None, 0.0
    limit = ranked[n - 1][0]
    above, ties = [x for x in ranked if x[0] > limit], [x[1] for x in ranked if x[0] == limit]
    return (sum(x[1] for x in above) + (n - len(above)) * sum(ties) / len(ties)) / n, \
        min(1 + sum(abs(x[0] - limit) <= x[2] for x in ranked), max(3, 0.02 * n)) / n


def expected(now, before, first_share, before_share, easy, phase2, lambdas):
    """The audit of a round as GET /rounds must show it; `easy`: of the images."""
    pixels = [x for m in now for x in m["prediction"]]
    entropy = [-sum(p * math.log(p) for p in column if p > 0) / math.log(K) for m in now for column in zip(*m["p"])]
    used = [i for i in range(len(now)) if not phase2 or easy[i]]
    base = [x for i in used for x in now[i]["prediction"]]
    labels = [(k, o, t) for i in used for k, o, t in
              zip(now[i]["final"], now[i]["origin"], now[i]["truth"] or [NONE] * len(now[i]["final"])) if k < K]
    ranked = []
    for i in used:
        for column, t in zip(zip(*now[i]["p"]), now[i]["truth"] or []):
            r = [p / lam for p, lam in zip(column, lambdas)]
            k = max(range(K), key=lambda j: r[j])
            if t < K:
                ranked.append((r[k], t == k, (1 - column[k]) / 64 / lambdas[k], k))

    def figures(keep):
        of, got = [x for x in labels if keep(x[0])], {}
        for name, o in ORIGINS.items():
            mine = [x for x in of if x[1] == o]
            known = [x for x in mine if x[2] < K]
            got[name] = (len(mine), len(known), share(sum(x[0] == x[2] for x in known), len(known)))
        n = got["confident"][1] + got["voted"][1]
        got["threshold"] = best_accuracy([x[:3] for x in ranked if keep(x[3])], n)
        return got

    pairs = list(zip(pixels, (x for m in before for x in m["prediction"]))) if before else []
    whole = figures(lambda k: True)
    known = [x for x in labels if x[2] < K]
    ret = {"entropy": sum(entropy) / len(entropy), "agreement": same(pairs),
           "label_agreement": same([x for i in used for x in zip(now[i]["final"], before[i]["final"])]) if before else None,
           "truth_pixels": sum(t < K for i in used for t in now[i]["truth"] or []),
           "accuracy": {"all": share(sum(x[0] == x[2] for x in known), len(known)), "threshold": whole["threshold"],
                        **{o: whole[o][2] for o in ORIGINS}}, "classes": []}
    for k in range(K):
        got = figures(lambda x: x == k)
        mine = [e for x, e in zip(pixels, entropy) if x == k]
        now_share = len(mine) / len(pixels)
        c = {"share": now_share, "share_first": first_share[k] if first_share else now_share,
             "share_previous": before_share[k] if before_share else None,
             "entropy": sum(mine) / len(mine) if mine else 0.0,
             "agreement": share(sum(a == b == k for a, b in pairs), sum(k in x for x in pairs)),
             "threshold_accuracy": got["threshold"]}
        for o in ORIGINS:
            c[o] = {"coverage": share(got[o][0], base.count(k)) or 0.0, "pixels": got[o][1], "accuracy": got[o][2]}
        ret["classes"].append(c)
    return ret


def differences(got, want, at=""):
    if isinstance(want, dict):
        return [x for k in want for x in differences(got[k], want[k], at + "/" + k)]
    if isinstance(want, list):
        return [x for i, (g, w) in enumerate(zip(got, want)) for x in differences(g, w, "%s/%d" % (at, i))]
    # Entropies come from logarithms of floats, thresholds from bins; all else are quotients of whole numbers.
    want, limit = want if isinstance(want, tuple) else (want, 1e-4 if "entropy" in at else 1e-9)
    good = got is None if want is None else got is not None and abs(got - want) <= limit
    return [] if good else ["%s: %r, not %r" % (at, got, want)]


# ---- runs ------------------------------------------------------------------------------------

def config(**more):
    return lib.tiny_run(**dict({"self_training__phase1_rounds": 2, "self_training__phase2_rounds": 1}, **more))


def truth_files(place, d):
    """By image id; the target's labels are train ids as they are."""
    items = d.get("/api/v1/datasets/2/images?limit=100")["items"]
    return [os.path.join(place.data, "target", "labels", i["name"] + ".png") for i in items]


def check_run(tap, d, run, truths, what):
    rounds = d.get("/api/v1/runs/%d/rounds" % run)
    tap.equal([r["round"] for r in rounds], [0, 1, 2], what + ": three rounds")
    maps, shares = [], []
    for r in rounds:
        n, phase2 = r["round"], r["phase"] == "phase2_training"
        items = d.get("/api/v1/runs/%d/images?round=%d&limit=100&sort=name" % (run, n))["items"]
        maps.append([image_maps(d, run, n, i["id"], truths[i["id"]] if truths else None) for i in items])
        want = expected(maps[n], maps[n - 1] if n else None, shares[0] if n else None, shares[n - 1] if n else None,
                        [i["split"] == "easy" for i in items], phase2, r["thresholds"])
        shares.append([c["share"] for c in want["classes"]])
        wrong = differences(r["audit"], want)
        tap.ok(not wrong, "%s: every figure of round %d" % (what, n), "\n".join(wrong))
        tap.equal(r.get("pseudo_accuracy"), r["audit"]["accuracy"]["all"] if truths else None,
                  "%s: pseudo_accuracy of round %d is the accuracy of all labels" % (what, n))
    return rounds


def with_and_without_labels(tap, place):
    d = place.prepared(threads=2).start()
    run = d.submit(config())
    tap.equal(d.wait_state(run)["state"], "completed", "with labels: the run ends")
    judged = check_run(tap, d, run, truth_files(place, d), "with labels")
    tap.ok(judged[0]["audit"]["accuracy"]["voted"] is not None and judged[0]["audit"]["accuracy"]["threshold"] is not None and
           judged[2]["audit"]["accuracy"]["soft"] is not None,
           "with labels: voting and the plain threshold can be compared", [r["audit"]["accuracy"] for r in judged])
    both = [r["audit"]["flip_agreement"] for r in judged]
    tap.ok(all(0 < x <= 1 for x in both), "two passes agree somewhere", both)
    alone = d.submit(config(eval=None))
    tap.equal(d.wait_state(alone)["state"], "completed", "without labels: the run ends")
    blind = check_run(tap, d, alone, None, "without labels")
    tap.ok(all(r["audit"]["truth_pixels"] == 0 and set(r["audit"]["accuracy"].values()) == {None} for r in blind),
           "without labels: nothing is judged")
    unjudged = [[{k: c[k] for k in ("share", "share_first", "share_previous", "entropy", "agreement")}
                 for c in r["audit"]["classes"]] for r in judged]
    tap.equal([[{k: c[k] for k in unjudged[0][0]} for c in r["audit"]["classes"]] for r in blind], unjudged,
              "labels or not: the same is predicted")
    d.term()


def flips(tap, place):
    d = place.prepared(threads=2).start()
    run = d.submit(config(self_training__flip_average=False))
    d.wait_state(run)
    rounds = d.get("/api/v1/runs/%d/rounds" % run)
    tap.ok(len(rounds) == 3 and all(r["audit"]["flip_agreement"] is None for r in rounds),
           "a single pass has nothing to agree with", [r["audit"]["flip_agreement"] for r in rounds])
    d.term()


def paused_after_scoring(d):
    """A run that is paused while it trains on the labels of round 0; None when it was too quick."""
    run = d.submit(config(self_training__steps_per_round=40, self_training__phase2_rounds=0))
    until = lib.time.monotonic() + lib.RUN_SECONDS
    while not d.get("/api/v1/runs/%d/rounds" % run) and lib.time.monotonic() < until:
        lib.time.sleep(0.005)
    d.post("/api/v1/runs/%d/pause" % run, {})
    d.wait_state(run, ("paused",) + lib.FINAL)
    return run if len(d.get("/api/v1/runs/%d/rounds" % run)) == 1 else None


def a_missing_layer(tap, place):
    """The predictions of the round before are gone for all images but two, and one of these is damaged.
    (Its labels must stay: training reads them.)"""
    d = place.prepared(threads=2).start()
    run = paused_after_scoring(d) or paused_after_scoring(d) or paused_after_scoring(d)
    if not tap.ok(run is not None, "paused in round 0"):
        return
    folder = os.path.join(d.state, "runs", str(run), "rounds", "0")
    for name in os.listdir(folder):
        if name.endswith(".prediction.png") and name != "3.prediction.png":
            os.unlink(os.path.join(folder, name))
    with open(os.path.join(folder, "4.prediction.png"), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n damaged")
    d.post("/api/v1/runs/%d/resume" % run, {}, want=202)
    tap.equal(d.wait_state(run)["state"], "completed", "the run does not need them")
    a = d.get("/api/v1/runs/%d/rounds" % run)[1]["audit"]
    tap.ok(a["label_agreement"] is not None and a["agreement"] is not None, "what is left counts", a)
    at = "/api/v1/runs/%d/rounds/%%d/images/3/prediction.png" % run
    got, want = a["agreement"], same(zip(png_values(d.get(at % 1)), png_values(d.get(at % 0))))
    tap.ok(abs(got - want) < 1e-9, "and it counts exactly", (got, want))
    d.term()


def a_class_runs_away(tap, place):
    """A learning rate that is too high: the predictions of round 1 are not those of round 0."""
    d = place.prepared(threads=2).start()
    run = d.submit(config(self_training__lr=0.003, self_training__steps_per_round=40))
    d.wait_state(run)
    rounds = d.get("/api/v1/runs/%d/rounds" % run)
    drift = [(r["round"], a) for r in rounds for a in r["alarms"] if a["kind"] in ("class_drift", "class_collapsed")]
    tap.ok(drift and drift[0][0] == 1 and all(a["class"] is not None and "%" in a["text"] for _, a in drift),
           "a class that runs away is an alarm of the next round", drift)
    tap.ok(not [a for a in rounds[0]["alarms"] if a["kind"] != "labels_wrong"], "round 0 has nothing to drift from",
           rounds[0]["alarms"])
    events = d.request("GET", "/api/v1/events?run=%d&limit=500" % run, accept="application/json")[2]["items"]
    got = [{k: e[k] for k in ("round", "kind", "class", "text")} for e in events if e["type"] == "round.alarm"]
    want = [dict({k: a[k] for k in ("kind", "class", "text")}, round=r["round"]) for r in rounds for a in r["alarms"]]
    tap.equal(got, want, "every alarm is an event")
    d.term()


def test(tap, place, rnd, args):
    a_class_runs_away(tap, place)
    a_missing_layer(tap, place)
    flips(tap, place)
    with_and_without_labels(tap, place)


if __name__ == "__main__":
    lib.main(test, __doc__)
