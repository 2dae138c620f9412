#!/usr/bin/env python3
"""Memory: what a run is predicted to need is what it takes, whatever its stages; a run that cannot fit
is refused with both numbers. `bench/memory.py` shows the same for whole networks."""
import os
import re

import lib

TOLERANCE = 0.10  # of the daemon's peak; small runs, so a MiB here or there shows


def config(preset, crop, batch, adapt):
    return lib.tiny_run(preset=preset, eval="target" if adapt else None, data__crop=crop,
                        data__batch=batch, source_training__steps=2,
                        self_training__steps_per_round=2 if adapt else 0,
                        self_training__phase1_rounds=1 if adapt else 0,
                        self_training__phase2_rounds=1 if preset == "tpld" else 0)


def ratio(place, c):
    """Predicted over measured memory of one run in a daemon of its own. A checkpoint follows every
    step, as a long run meets one."""
    d = place.daemon(threads=2, checkpoint_seconds=0)
    os.makedirs(d.state)
    d.start()
    place.register(d)
    said = d.post("/api/v1/runs:validate", c, want=200)["estimate"]["memory_bytes"]
    run = d.submit(c)
    r = d.wait_state(run)
    kept = d.run(run)["memory_bytes"]
    if kept != said:
        raise AssertionError("%d bytes promised, %d kept with the run" % (said, kept))
    took = d.peak()
    d.term()
    if r["state"] != "completed":
        raise AssertionError("the run is %s: %s" % (r["state"], r["error"]))
    return said / took, "%.0f MiB predicted, %.0f taken" % (said / 2 ** 20, took / 2 ** 20)


def prediction_holds(tap, place):
    place.scenes("source", "renderer", 3, "768x384", 1)
    place.scenes("target", "camera", 2, "768x384", 2)
    cases = [("training", config("source-only", [384, 768], 1, False)),
             ("soft labels", config("crst-lrent", [192, 384], 2, True)),
             ("scoring and the discriminator", config("tpld", [192, 384], 2, True)),
             ("a teacher, mixing and norms", config("tpld-plus", [192, 384], 2, True))]
    for text, c in cases:
        r, numbers = ratio(place, c)
        tap.ok(abs(r - 1) < TOLERANCE, "memory of %s: prediction and peak agree" % text, numbers)
        tap.note(numbers)


def refused(tap, place):
    d = place.daemon()
    os.makedirs(d.state)
    d.start()
    place.register(d)
    has = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2 ** 30
    side, errors = 1024, []
    while not errors and side < 16384:  # until even this machine is too small
        side *= 2
        c = config("source-only", [side, side], 64, False)
        c["model"] = {"arch": "deeplabv2-resnet101"}
        errors = d.post("/api/v1/runs:validate", c, want=200)["errors"]
    tap.equal([e["pointer"] for e in errors], ["/data/crop"], "a run that cannot fit is refused")
    m = re.search(r"needs about ([0-9.]+) GiB of memory, this machine has ([0-9.]+)",
                  errors[0]["detail"])
    tap.ok(m is not None and float(m[1]) > has and abs(float(m[2]) - has) < 0.1,
           "with what it needs and what there is", errors)
    tap.equal(d.post("/api/v1/runs", c)[0], 422, "and never queued")
    d.term()


def test(tap, place, random, args):
    os.environ.pop("MALLOC_PERTURB_", None)  # of meson: glibc then writes to memory nobody asked for
    lib.shutil.rmtree(place.data)
    prediction_holds(tap, place)
    refused(tap, place)


lib.main(test, __doc__)
