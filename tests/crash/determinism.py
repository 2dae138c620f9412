#!/usr/bin/env python3
"""The same run gives the same bits: again, with any number of threads, in any folder; another seed
does not."""
import lib


def test(tap, place, rnd, args):
    want = place.undisturbed(lib.tiny_run(), threads=1)
    for threads in (1, 2, 3, 4) + ((5, 7, 8, 16) if args.long else ()):
        got = place.undisturbed(lib.tiny_run(), threads=threads)
        tap.equal(got, want, "%d thread%s: the same weights, rows and label files" % (
            threads, "" if threads == 1 else "s"))
    got = place.undisturbed(lib.tiny_run(threads=3), threads=1)
    tap.equal(got, want, "threads chosen by the run, not the daemon: the same")
    for name, change in (("soft labels", {"preset": "crst-lrent"}),
                         ("class balance without voting", {"preset": "cbst"})):
        config = lib.tiny_run(self_training__phase2_rounds=0, **change)
        a, b = (place.undisturbed(config, threads=n) for n in (1, 3))
        tap.equal(a, b, "%s: the same with 1 and 3 threads" % name)
    config = lib.tiny_run(self_training__voting={
        "window": 9, "value": "p", "kernel": "triangle", "color_distance": 30, "rare_share": 0.2, "flips_agree": True})
    a, b = (place.undisturbed(config, threads=n) for n in (1, 3))
    tap.equal(a, b, "votes by colour, with triangles, where flips agree: the same with 1 and 3 threads")
    tap.ok(a["round"] != want["round"], "and other labels than without", a["round"])
    a, b = (place.undisturbed(lib.beyond_run(), threads=n) for n in (1, 3))
    tap.equal(a, b, "entropy training, aligned norms, teacher, mixing: the same with 1 and 3 threads")
    tap.ok(len(a["checkpoint"]) == 5, "and a network is kept of every training", a["checkpoint"])
    got = place.undisturbed(lib.tiny_run(seed=2))
    for table in ("checkpoint", "metric", "round", "image_score"):
        tap.ok(got[table] != want[table], "another seed: another %s" % table)


    measured(tap, place)


def measured(tap, place):
    """Each training has a profile, of all its steps, whose places add up to the step."""
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(lib.tiny_run())
    d.wait_state(run)
    for n, phase, steps in (("source", "source_training", 10), (0, "phase1_training", 8), (1, "phase2_training", 8)):
        p = d.get("/api/v1/runs/%d/profile?round=%s" % (run, n))
        ms = sum(x["forward_ms"] + x["backward_ms"] for x in p["layers"]) + sum(x["ms"] for x in p["outside"])
        names = [x["layer"] for x in p["layers"]]
        tap.ok((p["phase"], p["steps"]) == (phase, steps) and p["sgemm_peak_gflops"] > 0 and
               abs(ms / 1000 / p["seconds_per_step"] - 1) < 1e-3 and len(names) == len(set(names)) and
               all(x["backward_ms"] > 0 and x["gflops"] > 0 for x in p["layers"] if x["algorithm"]) and
               ("discriminator.0" in names) == (n == 1), "%s has a profile" % phase, p)
    tap.ok(d.get("/api/v1/runs/%d/profile" % run)["round"] == 1, "the newest training's is given first")


lib.main(test, __doc__)
