#!/usr/bin/env python3
"""Labels of the target are never read for training: with labels, without them, and with garbage in
their place a run ends in the same bits, and without an evaluation data set no label file of the
target is opened at all."""
import os
import shutil

import lib


def variant(place, config, spoil, wrapper=()):
    """Dump of a run on a target whose label files were spoilt after registration."""
    target = os.path.join(place.data, "target")
    kept = os.path.join(place.data, "kept-labels")
    d = place.prepared(threads=2, checkpoint_seconds=30)
    shutil.copytree(os.path.join(target, "labels"), kept)
    try:
        spoil(os.path.join(target, "labels"))
        d.wrapper = list(wrapper)
        d.start()
        run = d.submit(config)
        r = d.wait_state(run)
        if r["state"] != "completed":
            raise AssertionError("the run is %s: %s" % (r["state"], r["error"]))
        d.signal(15)
        d.wait()
        return lib.dump(d.state, run)
    finally:
        d.stop()
        shutil.rmtree(os.path.join(target, "labels"), ignore_errors=True)
        os.rename(kept, os.path.join(target, "labels"))


def untouched(labels):
    pass


def garbage(labels):
    for name in os.listdir(labels):
        size = os.path.getsize(os.path.join(labels, name))
        with open(os.path.join(labels, name), "wb") as f:
            f.write(os.urandom(size))


def swapped(labels):
    """Every label is a valid file of the right size, but the next picture's."""
    for wide in (False, True):
        names = sorted(n for n in os.listdir(labels) if n.startswith("b") == wide)
        data = [open(os.path.join(labels, n), "rb").read() for n in names]
        for name, d in zip(names, data[1:] + data[:1]):
            with open(os.path.join(labels, name), "wb") as f:
                f.write(d)


def no_labels(place):
    """The same pictures, registered without a labels folder."""
    bare = os.path.join(place.data, "bare")
    shutil.copytree(os.path.join(place.data, "target", "images"), os.path.join(bare, "images"))
    d = place.daemon(threads=2, checkpoint_seconds=30).start()
    d.dataset("source", os.path.join(place.data, "source"))
    d.dataset("target", bare)
    run = d.submit(lib.tiny_run(eval=None))
    d.wait_state(run)
    d.term()
    return lib.dump(d.state, run)


def opened(place, config):
    """Label files of the target that any thread opened during a run."""
    log = os.path.join(place.folder, "opened")
    variant(place, config, untouched,
            ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2", "-o", log])
    below = os.path.join(place.data, "target", "labels")
    with open(log, errors="replace") as f:
        lines = [line for line in f if "target/" in line]
    return {line.split('"')[1] for line in lines if below in line}, len(lines)


def learned(d):
    """Without what only evaluation adds."""
    return {k: v for k, v in d.items()
            if k not in ("evaluation", "run", "round", "round_audit", "round_class", "round_alarm")}


def test(tap, place, rnd, args):
    alone = lib.tiny_run(eval=None)
    want = variant(place, alone, untouched)
    tap.ok(want["evaluation"] == [] and want["run"][0][0] == "completed" and
           all(r[11] == -1 for r in want["round"]) and
           all(r[5] == 0 and r[6] == -1 for r in want["round_audit"]),
           "without evaluation nothing is judged",
           want["round"])
    tap.equal(no_labels(place), want, "a target without labels: the same weights, rows and files")
    tap.equal(variant(place, alone, garbage), want, "garbage in the target's label files: the same")

    judged = variant(place, lib.tiny_run(), untouched)
    tap.ok(len(judged["evaluation"]) == 3, "with evaluation there are figures")
    tap.equal({c[5]: c[6] for c in judged["checkpoint"]}, {c[5]: c[6] for c in want["checkpoint"]},
              "evaluating on the target's labels changes no weight")
    wrong = variant(place, lib.tiny_run(), swapped)
    tap.equal(learned(wrong), learned(judged),
              "wrong labels in the target change no weight and no score")
    tap.ok(wrong["evaluation"] != judged["evaluation"] and wrong["round"] != judged["round"] and
           wrong["round_class"] != judged["round_class"],
           "control: the evaluation does see them")

    if shutil.which("strace") is None:
        tap.skip("no label file of the target is opened", "no strace")
        return
    names, seen = opened(place, alone)
    tap.ok(names == set() and seen >= 10,
           "no label file of the target is opened (of %d files below it)" % seen, names)
    names, seen = opened(place, lib.tiny_run())
    tap.ok(len(names) == 10, "control: with evaluation all 10 are", names)


lib.main(test, __doc__)
