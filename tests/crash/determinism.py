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
    got = place.undisturbed(lib.tiny_run(seed=2))
    for table in ("checkpoint", "metric", "round", "image_score"):
        tap.ok(got[table] != want[table], "another seed: another %s" % table)


lib.main(test, __doc__)
