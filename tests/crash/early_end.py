#!/usr/bin/env python3
"""A run that may teach with aligned norms only ends with its source model where the alignment is taken back:
completed, without rounds, and the same after every kill."""
import shutil
import time

import lib

# It moves a fifth of what this barely trained network predicts, and mirror images differ more.
ALIGNMENT = {"strength": 1, "images": 3}
SEED = 3


def config(**alignment):
    return lib.beyond_run(seed=SEED, entropy_training=None, self_training__norm_alignment=dict(ALIGNMENT, **alignment))


def finished(place, c):
    """-> the run as the API tells it, its events of alignment, its dump, seconds."""
    d = place.prepared(threads=2, checkpoint_seconds=30)
    d.start()
    began = time.monotonic()
    run = d.submit(c)
    r = d.wait_state(run)
    took = time.monotonic() - began
    d.term()
    rows = lib.database(d.state)
    events = rows.execute("SELECT data FROM event WHERE run = ? AND type = 'norms.aligned'", (run,)).fetchall()
    rows.close()
    whole = lib.dump(d.state, run)
    shutil.rmtree(d.state)
    return r, [e[0] for e in events], whole, took


def transferred(tap, place):
    """One source model: its source crops take the target's colours where it was trained on such."""
    d = place.prepared(threads=2)
    d.start()
    first = d.submit(config(required=True))
    d.wait_state(first)
    start = "checkpoint:%d" % d.get("/api/v1/runs/%d/checkpoints" % first)["items"][0]["id"]
    for chance in (None, {"chance": 1}, {"chance": 1}):
        c = config(required=True)
        c["model"]["init"], c["source_training"]["steps"], c["data"]["color_transfer"] = start, 0, chance
        d.wait_state(d.submit(c))
    d.term()
    rows = lib.database(d.state)
    found = [r[0] for r in rows.execute("SELECT data FROM event WHERE type = 'norms.aligned' ORDER BY id")]
    rows.close()
    shutil.rmtree(d.state)
    tap.ok(len(found) == 4 and found[1] != found[2] and found[2] == found[3],
           "the source's norms are measured in the colours that it is trained in", found)


def test(tap, place, rnd, args):
    r, events, want, whole = finished(place, config(required=True))
    tap.ok(len(events) == 1 and events[0].startswith('{"kept":false'), "the alignment is taken back", events)
    tap.equal((r["state"], r["phase"], r["round"], r["stage"], r["progress"]),
              ("completed", "norm_alignment", None, 2, 1.0), "and the run is completed there")
    tap.ok(want["round"] == [] and len(want["evaluation"]) == 1 and len(want["checkpoint"]) == 1,
           "with the source model and its figures, no rounds", want)
    tap.ok(r["miou"]["current"] == r["miou"]["source_only"], "whose mIoU is the run's", r["miou"])
    tap.ok(any(h["reason"].startswith("ends with the source model") for h in r["state_history"]),
           "the history says why", r["state_history"])

    r, events, taught, _ = finished(place, config(required=False))
    tap.ok(events[0].startswith('{"kept":false') and r["round"] == 1 and len(taught["round"]) == 2,
           "where it is not required, rounds follow all the same", r)
    r, events, taught, _ = finished(place, config(required=True, check=False))
    tap.ok(events[0].startswith('{"kept":true') and len(taught["round"]) == 2,
           "and where it is kept", events)

    transferred(tap, place)

    kills = 0
    while kills < (300 if args.long else 6):
        d = place.prepared(threads=2)
        d.start()
        run = d.submit(config(required=True))
        here = 0  # each kill leaves more time than the one before, or a fast machine would never reach a checkpoint
        while True:
            time.sleep(rnd.uniform(0.0, (0.7 + 0.1 * here) * whole))
            d.kill()
            if lib.standing(d.state, run)[0] == "completed":
                break
            kills += 1
            here += 1
            d.start()
        got = lib.dump(d.state, run)
        shutil.rmtree(d.state)
        if got != want:
            break
    tap.equal(got, want, "killed %d times, it ends the same" % kills)


lib.main(test, __doc__)
