#!/usr/bin/env python3
"""The picture of a round's features, from a real network: what it shows, that it is the same however often it
is made, what is kept of it, and that neither a kill nor the run it belongs to suffers from it."""
import os
import threading
import time

import lib


def where(run, n):
    return "/api/v1/runs/%d/rounds/%d/features" % (run, n)


def test(tap, place, rnd, args):
    d = place.prepared(threads=2).start()
    run = d.submit(lib.tiny_run())
    d.wait_state(run)
    kept = os.path.join(d.state, "runs/%d/rounds/1/features" % run)
    first = shows_the_images(tap, d, run)
    is_made_again(tap, d, run, kept, first)
    names_what_is_missing(tap, d, run, kept)
    goes_with_its_run(tap, d, run)
    leaves_the_run_alone(tap, place)
    ends_with_the_daemon(tap, place, rnd)


def shows_the_images(tap, d, run):
    f = d.get(where(run, 1))
    tap.ok((f["source"], f["target"]) == ({"shown": 14, "of": 14}, {"shown": 10, "of": 10}) and f["round"] == 1,
           "all images of both domains are there", f)
    tap.ok(abs(f["perplexity"] - 23 / 3) < 1e-4 and 0 < f["kl"] < 5, "perplexity for few points, and a cost", f)
    split = {i["id"]: (i["split"], i["name"]) for i in d.get("/api/v1/runs/%d/images?round=1" % run)["items"]}
    target = {p["image"]: (p["domain"], p["name"]) for p in f["points"] if p["domain"] != "source"}
    tap.equal(target, split, "target images are easy or hard as the round found them")
    source = [(p["image"], p["name"]) for p in f["points"] if p["domain"] == "source"]
    names = [(i["id"], i["name"]) for i in d.get("/api/v1/datasets/1/images")["items"]]
    tap.equal(source, names, "source images are the data set's")
    places = {(p["x"], p["y"]) for p in f["points"]}
    tap.ok(len(places) == 24, "every image has its own place", f["points"])
    other = d.get(where(run, 0))
    tap.ok(other["round"] == 0 and other["points"] != f["points"], "another round has another picture", other)
    before = d.get(where(run, 1) + "?network=before")
    tap.ok((f["network"], before["network"]) == ("after", "before") and domains(before) == domains(f),
           "before its training the round's images are split alike", before)
    tap.ok(before["points"] != f["points"] and sorted(places_of(before)) == sorted(places_of(other)),
           "and lie where the network of the round before puts them")
    source = d.get(where(run, 0) + "?network=before")
    tap.ok(domains(source) == domains(other) and source["points"] != other["points"],
           "round 0 began with the source model", source)
    tap.equal(d.get(where(run, 1)), f, "and the picture after it is still the same")
    return f


def domains(f):
    return [(p["domain"], p["image"]) for p in f["points"]]


def places_of(f):
    return [(p["x"], p["y"]) for p in f["points"]]


def is_made_again(tap, d, run, kept, first):
    with open(kept, "rb") as f:
        good = f.read()
    tap.equal(d.get(where(run, 1)), first, "asked again: the same")
    bad = {"cut off": good[:-40], "empty": b"", "a changed digit": good.replace(b"\"shown\":14", b"\"shown\":13"),
           "of another checkpoint": b"tpldd-features-2 " + b"0" * 64 + good[81:], "of another format": b"x" + good[1:]}
    for what, data in bad.items():
        assert data != good
        with open(kept, "wb") as f:
            f.write(data)
        tap.equal(d.get(where(run, 1)), first, "the kept file is %s: made again, the same" % what)
        tap.ok(open(kept, "rb").read() == good, "and kept, the same bytes")
    d.term()
    d.threads = 1
    d.start()
    tap.equal(d.get(where(run, 1)), first, "after a restart it is still there")


def names_what_is_missing(tap, d, run, kept):
    def problem(path, want):
        status, _, p = d.request("GET", path)
        return tap.ok(status == want, "%s: %s" % (status, p["detail"]), p) and p["detail"]

    tap.ok("round 7" in problem(where(run, 7), 404), "a round that was not scored is named")
    problem(where(99, 0), 404)
    file = os.path.join(d.state, "runs/%d/checkpoints/round-1.safetensors" % run)
    with open(file, "rb") as f:
        good = f.read()
    os.unlink(kept)
    with open(file, "wb") as f:
        f.write(good[:-1] + bytes([good[-1] ^ 1]))
    tap.ok("round-1.safetensors" in problem(where(run, 1), 500), "a damaged checkpoint is named")
    os.unlink(file)
    tap.ok("round-1.safetensors" in problem(where(run, 1), 404), "a missing checkpoint file is named")
    tap.ok(not os.path.exists(kept), "and nothing is kept of it")
    with open(file, "wb") as f:
        f.write(good)
    # A round in training has been scored, but has no checkpoint.
    slow = d.submit(lib.tiny_run(name="slow", self_training__steps_per_round=100000))
    while d.run(slow)["phase"] != "phase1_training":
        time.sleep(0.05)
    tap.ok("round 0 has no checkpoint" in problem(where(slow, 0), 409), "a round still in training")
    tap.ok(d.get(where(slow, 0) + "?network=before")["network"] == "before", "whose images can be seen as they were ranked")
    d.post("/api/v1/runs/%d/cancel" % slow, want=202)
    d.wait_state(slow)


def goes_with_its_run(tap, d, run):
    d.get(where(run, 1))
    status = d.request("DELETE", "/api/v1/runs/%d" % run)[0]
    tap.ok(status == 204 and not os.path.exists(os.path.join(d.state, "runs/%d" % run)), "deleted with its run")
    d.term()


def leaves_the_run_alone(tap, place):
    """Asked while the run goes on; then the run is killed and finishes."""
    want = place.undisturbed(lib.tiny_run())
    d = place.prepared(threads=2).start()
    run = d.submit(lib.tiny_run())
    while True:
        status, _, f = d.request("GET", where(run, 0))
        if status == 200:
            break
        time.sleep(0.02)
    state = d.run(run)["state"]
    d.kill()
    d.start()
    tap.equal(d.get(where(run, 0)), f, "after a kill the picture of round 0 is the same (run was %s)" % state)
    d.wait_state(run)
    d.term()
    got = lib.dump(d.state, run)
    tap.ok(got["files"].pop("rounds/0/features", None) is not None, "it lies with its round")
    tap.equal(got, want, "the run has the same rows, weights and label files as without")


def ends_with_the_daemon(tap, place, rnd):
    """While a larger one is made: a second is refused, SIGTERM ends it, SIGKILL leaves nothing half."""
    place.scenes("many", "camera", 200, "160x96", 5)
    d = place.prepared(threads=2).start()
    d.dataset("many", os.path.join(place.data, "many"))
    run = d.submit(lib.tiny_run(target="many", eval=None, self_training__phase2_rounds=0))
    d.wait_state(run)
    path = where(run, 0)
    kept = os.path.join(d.state, "runs/%d/rounds/0/features" % run)

    def ask(answers):
        try:
            answers.append(d.request("GET", path))
        except OSError:
            answers.append((None, None, None))

    def under_way():
        """Two ask; once one is refused, the other's map is being made. Returns (answers, threads)."""
        while True:
            answers = []
            threads = [threading.Thread(target=ask, args=(answers,)) for _ in range(2)]
            for t in threads:
                t.start()
            while not answers:
                time.sleep(0.005)
            if answers[0][0] == 409:
                return answers, threads
            for t in threads:
                t.join()
            os.unlink(kept)  # one came after the other had finished

    answers, threads = under_way()
    tap.ok("run %d, round 0 are being computed" % run in answers[0][2]["detail"],
           "a second at the same time is refused", answers)
    began = time.monotonic()
    code = d.term()
    took = time.monotonic() - began
    for t in threads:
        t.join()
    tap.ok(code == 0 and answers[1][0] in (503, None), "SIGTERM ends it: exit %s, answer %s, %.1f s" % (
        code, answers[1][0], took), d.log_text()[-1000:])
    tap.ok(not os.path.exists(kept), "and nothing is kept of it")
    d.start()
    answers, threads = under_way()
    time.sleep(rnd.random())
    d.kill()
    for t in threads:
        t.join()
    d.start()
    want = d.get(path)
    os.unlink(kept)
    tap.equal(d.get(path), want, "after SIGKILL it is made as if nothing had been")
    tap.ok(want["target"] == {"shown": 200, "of": 200} and abs(want["perplexity"] - 30) < 1e-9, "of all 214 images")
    d.term()


lib.main(test, __doc__)
