#!/usr/bin/env python3
"""SIGTERM at any moment: the daemon saves and exits 0 within a step, and the run continues at the
next start. Pause, resume and cancel over HTTP at any moment: nothing is lost."""
import os
import shutil
import time

import lib

QUICK = 20  # seconds; a step of the tiny run takes 0.05 of them, but the machine may be busy


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def terminations(tap, place, rnd, config, want, whole, count):
    done = 0
    slowest = 0.0
    while done < count:
        d = place.prepared(threads=2)
        d.start()
        run = d.submit(config)
        stops = []
        while done < count:
            time.sleep(rnd.uniform(0.0, 0.5 * whole))
            t0 = time.monotonic()
            code = d.term()
            slowest = max(slowest, time.monotonic() - t0)
            state, stage = lib.standing(d.state, run)
            orderly = code == 0 and not os.path.exists(os.path.join(d.state, "endpoint"))
            if state == "completed":
                break
            stops.append("%s (stage %d)" % (state, stage))
            text = "stopped in stage %d: exit %d, the run is %s" % (stage, code, state)
            if not tap.ok(orderly and state == "queued", text, d.log_text()[-1500:]):
                return
            done += 1
            d.start()
        if not d.alive():
            d.start()
        d.wait_state(run)
        d.term()
        tap.equal(lib.dump(d.state, run), want, "a run stopped %d times ends the same" % len(stops))
        shutil.rmtree(d.state)
    tap.ok(slowest < QUICK, "the slowest of %d stops took %.2f s" % (done, slowest))


def second_signal(tap, place, rnd, config, want, count):
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(config)
    codes = []
    for _ in range(count):
        time.sleep(rnd.uniform(0.0, 0.3))
        os.kill(d.process.pid, 15)
        time.sleep(rnd.uniform(0.0, 0.05))
        codes.append(d.term())
        d.start()
    tap.ok(codes == [0] * count, "two SIGTERMs in a row, %d times: exit 0" % count, codes)
    tap.note("the second one cut %d of them short" % d.log_text().count("second signal"))
    d.wait_state(run)
    d.term()
    tap.equal(lib.dump(d.state, run), want, "and the run ends the same")


def pauses(tap, place, rnd, config, want, whole, count):
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(config)
    paused = 0
    idle = []
    for _ in range(count):
        time.sleep(rnd.uniform(0.0, 0.3 * whole))
        status, r = d.post("/api/v1/runs/%d/pause" % run)
        if status == 409 and d.run(run)["state"] in ("completing", "completed"):
            break
        accepted = status == 202 and r["state"] in ("pausing", "paused")
        if not tap.ok(accepted, "pause is accepted", r):
            return
        d.wait_state(run, ("paused",))
        paused += 1
        before = cpu_seconds(d.process.pid)
        time.sleep(0.3)
        idle.append(cpu_seconds(d.process.pid) - before)
        status, r = d.post("/api/v1/runs/%d/pause" % run)
        if status != 202 or r["state"] != "paused":
            tap.ok(False, "pausing a paused run changes nothing", r)
        if rnd.random() < 0.5:  # a pause outlives the daemon, however it ends
            d.kill() if rnd.random() < 0.5 else d.term()
            d.start()
            time.sleep(0.1)
            if d.run(run)["state"] != "paused":
                tap.ok(False, "a paused run stays paused over a restart", d.run(run))
        d.post("/api/v1/runs/%d/resume" % run, want=202)
    d.wait_state(run)
    d.term()
    tap.ok(paused > 0 and max(idle) <= 0.15, "a paused run takes no time of the cores",
           idle)
    tap.equal(lib.dump(d.state, run), want, "a run paused %d times ends the same" % paused)


def memory(tap, place):
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(lib.tiny_run(data__crop=[256, 256], source_training__steps=1000))
    d.wait_state(run, ("running",))
    while d.run(run)["step"] < 1:
        time.sleep(0.05)
    busy = resident_mib(d.process.pid)
    d.post("/api/v1/runs/%d/pause" % run, want=202)
    d.wait_state(run, ("paused",))
    idle = resident_mib(d.process.pid)
    with open("/proc/%d/maps" % d.process.pid) as f:
        sanitized = "libasan" in f.read()
    text = "a paused run gives its memory back: %.0f MiB, then %.0f" % (busy, idle)
    if sanitized:
        tap.skip(text, "the sanitizer keeps freed memory")
    else:
        tap.ok(idle < 0.7 * busy, text)
    d.post("/api/v1/runs/%d/cancel" % run, want=202)
    d.term()


def cancels(tap, place, rnd, config):
    d = place.prepared(threads=2)
    d.start()
    first, second = d.submit(config), d.submit(config)
    d.post("/api/v1/runs/%d/pause" % second, want=202)
    tap.ok(d.run(second)["state"] == "paused", "a queued run pauses at once")
    d.wait_state(first, ("running",))
    time.sleep(rnd.uniform(0.0, 0.5))
    r = d.post("/api/v1/runs/%d/cancel" % first, want=202)
    tap.ok(r["state"] in ("cancelling", "cancelled"), "cancel is accepted", r)
    r = d.wait_state(first)
    tap.ok(r["state"] == "cancelled", "the run is cancelled", r)
    for action in ("pause", "resume"):
        status, p = d.post("/api/v1/runs/%d/%s" % (first, action))
        tap.ok(status == 409 and "cancelled" in p["detail"], "%s of a cancelled run: 409, %s" % (
            action, p.get("detail")))
    status, p = d.request("DELETE", "/api/v1/runs/%d" % second)[::2]
    tap.ok(status == 409, "a paused run cannot be deleted", (status, p))
    d.post("/api/v1/runs/%d/cancel" % second, want=202)
    tap.ok(d.run(second)["state"] == "cancelled", "a paused run is cancelled at once")
    d.kill()
    d.start()
    tap.ok([d.run(i)["state"] for i in (first, second)] == ["cancelled"] * 2,
           "both are still cancelled after a restart")
    status = d.request("DELETE", "/api/v1/runs/%d" % first)[0]
    tap.ok(status in (200, 204) and not os.path.exists("%s/runs/%d" % (d.state, first)),
           "a cancelled run is deleted with its files", status)
    os.makedirs("%s/runs/%d/checkpoints" % (d.state, first))  # as if killed between rows and files
    d.kill()
    d.start()
    tap.ok(not os.path.exists("%s/runs/%d" % (d.state, first)) and d.request(
        "GET", "/api/v1/runs/%d" % first)[0] == 404, "files of a deleted run go at the next start")
    d.term()


def test(tap, place, rnd, args):
    config = lib.tiny_run()
    started = time.monotonic()
    want = place.undisturbed(config)
    whole = time.monotonic() - started
    terminations(tap, place, rnd, config, want, whole, 100 if args.long else 8)
    second_signal(tap, place, rnd, config, want, 40 if args.long else 5)
    pauses(tap, place, rnd, config, want, whole, 50 if args.long else 6)
    memory(tap, place)
    cancels(tap, place, rnd, config)


lib.main(test, __doc__)
