#!/usr/bin/env python3
"""SIGKILL at any moment: the run continues at the next start by itself and ends with the same
weights and rows as an undisturbed one."""
import collections
import os
import shutil
import sqlite3
import struct
import time

import lib

WANTED_KILLS = 20
# What durability rests on, and a third of how often a whole run asks for it.
SYSCALLS = (("fsync", 20), ("fdatasync", 20), ("renameat", 50), ("unlinkat", 50), ("pwrite64", 150),
            ("fallocate", 10), ("syncfs", 2), ("openat", 200), ("write", 2500))


def phase_killed(state, run, stages=lib.STAGES):
    """The phase that a killed daemon was in, or None when the run had not begun or was over."""
    where = lib.standing(state, run)
    if where is None or where[0] != "running" or where[1] >= len(stages):
        return None
    return stages[where[1]]


def finish(daemon, run, threads):
    daemon.threads = threads
    daemon.checkpoint_seconds = 30
    daemon.start()
    daemon.wait_state(run)
    daemon.term()
    return lib.dump(daemon.state, run)


def storm(place, rnd, config, kills, seconds):
    """One run, killed at random moments, up to `seconds` after each start; threads change too."""
    d = place.prepared(threads=rnd.choice((1, 2, 3)))
    d.start()
    run = d.submit(config)
    hit = collections.Counter()
    while sum(hit.values()) < kills:
        time.sleep(rnd.uniform(0.0, seconds))
        d.kill()
        if lib.standing(d.state, run)[0] in lib.FINAL:
            break
        hit[phase_killed(d.state, run) or "start"] += 1
        d.threads = rnd.choice((1, 2, 3))
        d.checkpoint_seconds = rnd.choice((0, 1))
        d.spawn()
    d.stop()
    ret = finish(d, run, 2)
    shutil.rmtree(d.state)
    return ret, hit


def strike(place, rnd, config, missing, stages):
    """One run, killed as soon as it is seen in a phase of `missing`, once for each."""
    d = place.prepared(threads=2, checkpoint_seconds=0)
    d.start()
    run = d.submit(config)
    hit = collections.Counter()
    while missing - set(hit):
        r = d.get("/api/v1/runs/%d" % run)
        if r["state"] in lib.FINAL:
            break
        if r["state"] == "running" and r["phase"] in missing - set(hit):
            time.sleep(rnd.uniform(0.0, 0.02))
            d.kill()
            phase = phase_killed(d.state, run, stages)
            if phase is not None:
                hit[phase] += 1
            d.start()
        else:
            time.sleep(0.002)
    d.stop()
    ret = finish(d, run, 2)
    shutil.rmtree(d.state)
    return ret, hit


def syscall_storm(place, rnd, config, points):
    """One run, each daemon killed on entering the n-th call of a kind that durability rests on."""
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(config)
    d.kill()
    died = []
    d.threads = 1  # strace stops every thread at every call
    for _ in range(points):
        call, most = rnd.choice(SYSCALLS)
        when = int(most ** rnd.random())  # early and late ones alike
        d.checkpoint_seconds = 0
        d.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
                     "trace=" + call, "-e", "inject=%s:signal=KILL:when=%d" % (call, when)]
        d.spawn()
        try:
            d.wait_ready()
            while d.alive() and d.run(run)["state"] not in lib.FINAL:
                time.sleep(0.02)
        except (lib.Refused, OSError, ValueError):
            pass  # it died, as it should
        time.sleep(0.05)
        ended = d.alive()
        d.stop()
        d.wait()
        if ended:
            break
        died.append("%s %d" % (call, when))
    d.wrapper = []
    ret = finish(d, run, 2)
    shutil.rmtree(d.state)
    return ret, died


def damaged(place, config, count):
    """The newest checkpoints have a flipped byte: an older one must serve, or the run starts over."""
    d, run, files = stopped_half_way(place, config)
    for name in files[:count]:
        with open(os.path.join(d.state, name), "r+b") as f:
            f.seek(-1000, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1000, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
    ret = finish(d, run, 2)
    db = lib.database(d.state)
    alarms = db.execute("SELECT count(*) FROM event WHERE type = 'run.alarm'").fetchone()[0]
    db.close()
    return ret, alarms


def tampered(place, config):
    """The negative control: one momentum is changed and the checksum made right. A comparison that
    does not notice would notice nothing."""
    d, run, files = stopped_half_way(place, config)
    path = os.path.join(d.state, files[0])
    with open(path, "r+b") as f:
        data = f.read()
        header = struct.unpack("<Q", data[:8])[0]
        tensors = lib.json.loads(data[8:8 + header])
        name = next(n for n in tensors if n.startswith("momentum.classifier") and
                    n.endswith("bias"))
        f.seek(8 + header + tensors[name]["data_offsets"][0])
        f.write(struct.pack("<f", 0.5))
    db = sqlite3.connect(d.state + "/tpldd.db")
    db.execute("UPDATE checkpoint SET sha256 = ? WHERE file = ?", (lib.sha256(path), files[0]))
    db.commit()
    db.close()
    return finish(d, run, 2)


def stopped_half_way(place, config):
    """A daemon stopped in phase 1 with two checkpoints, newest first."""
    while True:
        d = place.prepared(threads=2, checkpoint_seconds=0)
        d.start()
        run = d.submit(config)
        while True:
            r = d.run(run)
            if r["phase"] == "phase1_training" and r["step"] >= 3 or r["state"] in lib.FINAL:
                break
            time.sleep(0.002)
        d.kill()
        db = lib.database(d.state)
        rows = db.execute("SELECT file, stage, stage_step FROM checkpoint WHERE run = ? AND "
                          "resume = 1 ORDER BY id DESC", (run,)).fetchall()
        db.close()
        if len(rows) == 2 and all(stage == 3 and 0 < step < 8 for _, stage, step in rows):
            return d, run, [r[0] for r in rows]
        shutil.rmtree(d.state)


def each_phase(tap, place, rnd, config, want, stages):
    missing = set(stages)
    for attempt in range(6):
        got, hit = strike(place, rnd, config, missing, stages)
        missing -= set(hit)
        tap.equal(got, want, "a run killed in %s ends the same" % ", ".join(sorted(hit)))
        if not missing:
            break
    tap.ok(not missing, "a kill struck in each phase", "none in " + ", ".join(missing))


def test(tap, place, rnd, args):
    wanted = 200 if args.long else WANTED_KILLS
    config = lib.tiny_run()
    started = time.monotonic()
    want = place.undisturbed(config)
    whole = time.monotonic() - started
    tap.ok(want["run"][0][0] == "completed" and len(want["checkpoint"]) == 3 and
           want["files no row names"] == [], "an undisturbed run leaves a complete record",
           want["run"])

    hits = collections.Counter()
    storms = 0
    while sum(hits.values()) < wanted:
        got, hit = storm(place, rnd, config, min(10, wanted - sum(hits.values())),
                         0.5 * whole)
        hits += hit
        storms += 1
        tap.equal(got, want, "run %d, killed %d times at random, ends the same" % (
            storms, sum(hit.values())))
    tap.ok(sum(hits.values()) >= wanted, "%d random kills: %s" % (
        sum(hits.values()), ", ".join("%s %d" % h for h in sorted(hits.items()))))

    each_phase(tap, place, rnd, config, want, lib.STAGES)
    beyond = lib.beyond_run()
    each_phase(tap, place, rnd, beyond, place.undisturbed(beyond), lib.BEYOND_STAGES)

    if shutil.which("strace") is None:
        tap.skip("kills on entering system calls", "no strace")
    else:
        for _ in range(10 if args.long else 1):
            got, died = syscall_storm(place, rnd, config, 8)
            tap.equal(got, want, "killed on entering %s, ends the same" % ", ".join(died))

    for count, text in ((1, "a damaged newest checkpoint gives way to the one before it"),
                        (2, "with both checkpoints damaged the run starts over")):
        got, alarms = damaged(place, config, count)
        tap.equal(got, want, text + ", and it ends the same")
        tap.ok(alarms == count, "each damaged checkpoint raises an alarm", alarms)
    got = tampered(place, config)
    tap.ok(got["run"][0][0] == "completed" and got["checkpoint"] != want["checkpoint"],
           "control: a changed momentum in a checkpoint is noticed")
    other = place.undisturbed(lib.tiny_run(seed=2))
    tap.ok(other["checkpoint"] != want["checkpoint"] and other["metric"] != want["metric"] and
           other["image_score"] != want["image_score"], "control: another seed is another run")


lib.main(test, __doc__)
