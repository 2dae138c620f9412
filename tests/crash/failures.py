#!/usr/bin/env python3
"""What goes wrong around the daemon is answered with a clear error and loses nothing: full disks,
failing writes, damaged and impossible input, a second daemon, a newer database, a taken port."""
import os
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import zlib

import lib

NAMESPACE = "TPLDD_TEST_NAMESPACE"  # set in the process that may mount


def own_namespace():
    """Starts this script again where mounts are its own, if that is allowed here."""
    if NAMESPACE in os.environ or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
        env = dict(os.environ, **{NAMESPACE: "1"})
        os.execvpe("unshare", ["unshare", "-m", sys.executable, "-B"] + sys.argv, env)


# ---- pictures ----------------------------------------------------------------------------

def png(width, height, pixels, kind=0):
    """kind 0: grey; 2: RGB. The header may lie: pixels are only packed."""
    def chunk(name, data):
        return (struct.pack(">I", len(data)) + name + data +
                struct.pack(">I", zlib.crc32(name + data)))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind,
                                                             0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


def grey(width, height, value):
    return png(width, height, (b"\0" + bytes([value]) * width) * height)


def colour(width, height, value):
    return png(width, height, (b"\0" + bytes([value, 90, 200]) * width) * height, 2)


def folder(place, name, images, labels=None):
    root = os.path.join(place.data, name)
    for kind, files in (("images", images), ("labels", labels)):
        if files is None:
            continue
        os.makedirs(os.path.join(root, kind))
        for stem, data in files.items():
            with open(os.path.join(root, kind, stem + ".png"), "wb") as f:
                f.write(data)
    return root


def copy_of(place, name, of):
    root = os.path.join(place.data, name)
    shutil.copytree(os.path.join(place.data, of), root)
    return root


# ---- the disk ----------------------------------------------------------------------------

def mount(path, kib, again=False):
    options = "%ssize=%dk" % ("remount," if again else "", kib)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)


def disk_full(tap, place, rnd, want, points):
    """A disk that grows step by step: the run pauses wherever it is full, and ends the same."""
    d = place.prepared(threads=2, checkpoint_seconds=1, min_free="0")
    contents = d.state + ".contents"
    os.rename(d.state, contents)
    os.mkdir(d.state)
    kib = 6 * 1024
    mount(d.state, kib)
    try:
        subprocess.run(["cp", "-a", contents + "/.", d.state], check=True)
        d.start()
        run = d.submit(lib.tiny_run())
        reasons = []
        states = set()
        while True:
            r = d.wait_state(run, lib.FINAL + ("paused",))
            states.add(r["state"])
            if r["state"] != "paused":
                break
            reasons.append(r["error"] or "")
            status = d.request("GET", "/healthz")[0]
            if status != 200 or len(reasons) > 4 * points:
                break
            kib += int(rnd.uniform(0.2, 1.8) * 260 * 1024 / points)
            mount(d.state, kib, again=True)
            d.post("/api/v1/runs/%d/resume" % run, want=202)
        named = [x for x in reasons if "space" in x or "disk" in x]
        tap.ok(len(reasons) >= 2 and len(named) == len(reasons),
               "a full disk pauses the run, %d times, always with the reason" % len(reasons),
               reasons)
        tap.note("for example: " + (reasons[0] if reasons else ""))
        tap.ok(states == {"paused", "completed"}, "nothing else happens to it",
               (states, r["error"]))
        tap.ok(r["error"] in (None, ""), "no error stays behind", r["error"])
        d.term()
        tap.equal(lib.dump(d.state, run), want, "with space again it ends the same")
    finally:
        d.stop()
        subprocess.run(["umount", "-l", d.state])


def no_byte_left(tap, place, rnd, want):
    """Somebody else takes the last byte while a run computes: even so it is recorded as paused."""
    d = place.prepared(threads=2, checkpoint_seconds=0, min_free="0")
    contents = d.state + ".contents"
    os.rename(d.state, contents)
    os.mkdir(d.state)
    mount(d.state, 400 * 1024)
    ballast = os.path.join(d.state, "ballast")
    try:
        subprocess.run(["cp", "-a", contents + "/.", d.state], check=True)
        d.start()
        run = d.submit(lib.tiny_run())
        d.wait_state(run, ("running",))
        time.sleep(rnd.uniform(0.0, 0.5))
        with open(ballast, "wb", buffering=0) as f:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass
        r = d.wait_state(run, lib.FINAL + ("paused",), seconds=60)
        tap.ok(r["state"] == "paused" and ("No space" in r["error"] or "disk" in r["error"]),
               "not a byte left: paused, '%s'" % r["error"], r)
        os.unlink(ballast)
        d.post("/api/v1/runs/%d/resume" % run, want=202)
        d.wait_state(run)
        d.term()
        tap.equal(lib.dump(d.state, run), want, "and with space again it ends the same")
    finally:
        d.stop()
        subprocess.run(["umount", "-l", d.state])


def little_free(tap, place, want):
    """The configured minimum stops a run before the disk is full."""
    d = place.prepared(threads=2, min_free="1000000G")
    d.start()
    run = d.submit(lib.tiny_run())
    r = d.wait_state(run, lib.FINAL + ("paused",))
    tap.ok(r["state"] == "paused" and "disk" in r["error"], "less than min_free: paused, '%s'" %
           r["error"], r)
    d.term()
    d.min_free = "1M"
    d.start()
    d.post("/api/v1/runs/%d/resume" % run, want=202)
    d.wait_state(run)
    d.term()
    tap.equal(lib.dump(d.state, run), want, "allowed again it ends the same")


def failing_fsync(tap, place, want):
    if shutil.which("strace") is None:
        tap.skip("a failing fsync", "no strace")
        return
    d = place.prepared(threads=1, checkpoint_seconds=0)
    d.wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                 "inject=fsync:error=EIO:when=9"]
    d.start()
    run = d.submit(lib.tiny_run())
    r = d.wait_state(run)
    tap.ok(r["state"] == "failed" and "fsync" in r["error"] and "source_training" in r["error"],
           "fsync fails: the run fails, '%s'" % r["error"], r)
    db = lib.database(d.state)
    rows = db.execute("SELECT file, sha256 FROM checkpoint WHERE run = ?", (run,)).fetchall()
    db.close()
    tap.ok(len(rows) >= 1 and all(lib.sha256(os.path.join(d.state, f)) == s for f, s in rows),
           "the checkpoints before it are intact", rows)
    d.stop()
    d.wrapper = []
    d.start()
    d.post("/api/v1/runs/%d/resume" % run, want=202)
    r = d.wait_state(run)
    d.term()
    tap.ok(r["error"] is None, "resumed on a sound disk it forgets the error", r)
    tap.equal(lib.dump(d.state, run), want, "and ends as if nothing had failed")


# ---- numbers -----------------------------------------------------------------------------

def tensors(data):
    size = struct.unpack("<Q", data[:8])[0]
    return 8 + size, lib.json.loads(data[8:8 + size])


def not_finite(tap, place):
    d = place.prepared(threads=2)
    d.start()
    run = d.submit(lib.tiny_run(self_training__lr=10.0, self_training__steps_per_round=40))
    r = d.wait_state(run)
    text = r["error"] or ""
    tap.ok(r["state"] == "failed" and text.startswith("phase1_training, round 0, step ") and
           ("NaN" in text or "finite" in text or "infinite" in text),
           "an exploding loss fails the run: '%s'" % text, r)
    kept = d.get("/api/v1/runs/%d/checkpoints" % run)
    kept = kept["items"] if isinstance(kept, dict) else kept
    tap.ok(len(kept) == 1 and kept[0]["round"] in (None, -1), "the checkpoint before stays", kept)
    path = "/api/v1/checkpoints/%d" % kept[0]["id"]
    status, _, data = d.request("GET", path + "/file")
    tap.ok(status == 200 and lib.hashlib.sha256(data).hexdigest() == kept[0]["sha256"],
           "it can be downloaded", status)
    picture = open(os.path.join(place.data, "target", "images", sorted(os.listdir(
        os.path.join(place.data, "target", "images")))[0]), "rb").read()
    status, head, answer = d.request("POST", path + "/infer", picture, kind="image/png",
                                     accept="image/png")
    tap.ok(status == 200 and answer[:4] == b"\x89PNG", "and predicts", (status, answer[:300]))
    for action in ("pause", "cancel"):
        status, p = d.post("/api/v1/runs/%d/%s" % (run, action))
        tap.ok(status == 409 and "failed" in p["detail"], "%s of a failed run: 409" % action, p)
    d.post("/api/v1/runs/%d/resume" % run, want=202)
    d.wait_state(run, ("starting", "running"))
    r = d.wait_state(run)
    tap.ok(r["state"] == "failed" and r["error"] == text, "resumed it fails at the same step", (r["error"], text))

    upload = ("/api/v1/weights?name=%s&arch=deeplabv2-mobilenetv2&output_stride=16"
              "&aspp_dilations=1,2,3,4")
    status, p = d.post(upload % "good", data, kind="application/octet-stream")
    tap.ok(status == 201, "good weights are taken", p)
    start, named = tensors(data)
    name = "features.3.conv.1.0.weight"
    at = start + named[name]["data_offsets"][0]
    bad = data[:at] + struct.pack("<f", float("nan")) + data[at + 4:]
    status, p = d.post(upload % "bad", bad, kind="application/octet-stream")
    tap.ok(400 <= status < 500 and name in p["detail"] and "not finite" in p["detail"],
           "NaN in weights: %s, '%s'" % (status, p.get("detail")), p)
    for text, broken in (("cut short", data[:-100]), ("no safetensors", b"hello" * 100),
                         ("a header of 2^60 bytes", struct.pack("<Q", 1 << 60) + data[8:])):
        status, p = d.post(upload % "broken", broken, kind="application/octet-stream")
        tap.ok(400 <= status < 500 and p["detail"], "weights %s: %s, '%s'" % (
            text, status, p.get("detail")), p)
    listed = d.get("/api/v1/weights")["items"]
    tap.ok([w["name"] for w in listed] == ["good"], "only the good ones are listed", listed)
    run = d.submit(lib.tiny_run(model__init="good", source_training__steps=0))
    tap.ok(d.wait_state(run)["state"] == "completed", "a run starts from them")
    d.term()


# ---- data --------------------------------------------------------------------------------

def refused_data(tap, place, d):
    def refuse(text, wanted, root, **more):
        body = dict({"name": "bad", "layout": "folder", "root": root,
                     "class_set": "cityscapes-19"}, **more)
        status, p = d.post("/api/v1/datasets", body)
        detail = p.get("detail", "") if isinstance(p, dict) else str(p)
        tap.ok(400 <= status < 500 and all(w in detail for w in wanted),
               "data set with %s: %s, '%s'" % (text, status, detail.replace(place.folder, "")), p)

    empty = folder(place, "empty", {})
    refuse("no images", ["image"], empty)
    refuse("no folder", ["/root", "nowhere"], os.path.join(place.data, "nowhere"))
    root = folder(place, "sizes", {"a": colour(64, 48, 9), "b": colour(64, 48, 9)},
                  {"a": grey(64, 48, 1), "b": grey(64, 47, 1)})
    refuse("a label of another size", ["images/b.png", "64x48", "labels/b.png", "64x47"], root)
    root = folder(place, "large", {"huge": png(65500, 65500, b"", 2)})
    refuse("a picture of 65500x65500", ["huge.png", "65500"], root)
    root = folder(place, "text", {"notes": b"this is no picture"})
    refuse("a text file as a picture", ["notes.png"], root)
    good = os.path.join(place.data, "source")
    refuse("an unknown layout", ["/layout"], good, layout="kitti")
    refuse("an unknown class set", ["/class_set", "city"], good, class_set="city")
    refuse("an unknown key", ["/rot"], good, rot="x")
    refuse("a class map to a class that is not there", ["/class_map/7"], good, class_map={"7": 19})


def failing_runs(tap, place, d):
    """Files that turn bad after they were registered, or that only their pixels betray."""
    def fails(text, wanted, **config):
        run = d.submit(lib.tiny_run(**config))
        r = d.wait_state(run)
        error = (r["error"] or "")
        tap.ok(r["state"] == "failed" and all(w in error for w in wanted),
               "%s: '%s'" % (text, error.replace(place.folder, "")), r)

    root = copy_of(place, "unmapped", "source")
    stem = sorted(os.listdir(os.path.join(root, "labels")))[0]
    with open(os.path.join(root, "labels", stem), "wb") as f:
        f.write(grey(64, 48, 77))
    d.dataset("unmapped", root)
    fails("a label value outside the map", ["source_training, step ", "labels/" + stem, "77"],
          source="unmapped")

    root = copy_of(place, "cut", "source")
    d.dataset("cut", root)
    path = os.path.join(root, "images", stem)
    os.truncate(path, os.path.getsize(path) * 2 // 3)
    fails("a truncated picture in training", ["source_training, step ", "images/" + stem],
          source="cut")

    root = copy_of(place, "grown", "source")
    d.dataset("grown", root)
    with open(os.path.join(root, "labels", stem), "wb") as f:
        f.write(grey(64, 47, 1))
    fails("a label that changed its size", ["source_training, step ", "labels/" + stem, "64x47"],
          source="grown")

    root = copy_of(place, "gone", "target")
    d.dataset("gone", root)
    name = sorted(os.listdir(os.path.join(root, "images")))[1]
    os.unlink(os.path.join(root, "images", name))
    fails("a target picture that is gone", ["scoring, round 0", "images/" + name], target="gone")

    root = copy_of(place, "truth", "target")
    d.dataset("truth", root)
    with open(os.path.join(root, "labels", name), "wb") as f:
        f.write(b"garbage")
    fails("an unreadable label in evaluation", ["evaluation: ", "labels/" + name], eval="truth")


def refused_configs(tap, place, d):
    def refuse(text, pointer, config):
        status, p = d.post("/api/v1/runs", config)
        errors = p.get("errors", []) if isinstance(p, dict) else []
        tap.ok(status == 422 and pointer in [e.get("pointer") for e in errors],
               "%s: %s, %s" % (text, status, errors), p)

    refuse("unknown source", "/source", lib.tiny_run(source="nothing"))
    refuse("unknown target", "/target", lib.tiny_run(target="nothing"))
    refuse("unknown eval", "/eval", lib.tiny_run(eval="nothing"))
    refuse("unknown weights", "/model/init", lib.tiny_run(model__init="nothing"))
    refuse("unknown key", "/self_training/voting/windw", lib.tiny_run(
        self_training__voting={"windw": 5}))
    refuse("unknown key at the top", "/sed", lib.tiny_run(sed=3))
    refuse("a text for a number", "/data/batch", lib.tiny_run(data__batch="two"))
    refuse("a number for a text", "/source", lib.tiny_run(source=7))
    refuse("a fraction for a count", "/source_training/steps", lib.tiny_run(
        source_training__steps=2.5))
    refuse("an array too short", "/data/crop", lib.tiny_run(data__crop=[32]))
    refuse("out of range", "/source_training/momentum", lib.tiny_run(
        source_training__momentum=1.5))
    refuse("unknown architecture", "/model/arch", lib.tiny_run(model__arch="unet"))
    refuse("a network that fits no memory", "/data/crop", lib.tiny_run(data__crop=[8192, 8192],
                                                                       data__batch=16))
    status, p = d.post("/api/v1/runs", b'{"name": "x", "name": "y"}')
    tap.ok(400 <= status < 500, "a key given twice: %s" % status, p)
    unlabelled = folder(place, "unlabelled", {"a": colour(64, 48, 9), "b": colour(64, 48, 99)})
    d.dataset("unlabelled", unlabelled)
    refuse("a source without labels", "/source", lib.tiny_run(source="unlabelled"))
    refuse("an evaluation without labels", "/eval", lib.tiny_run(eval="unlabelled"))
    d.dataset("classes", unlabelled, class_set="camvid-11")
    refuse("other classes than the source", "/target", lib.tiny_run(target="classes"))
    single = folder(place, "single", {"a": colour(64, 48, 9)})
    d.dataset("single", single)
    refuse("a split of one picture", "/target", lib.tiny_run(target="single"))
    runs = d.get("/api/v1/runs")["items"]
    tap.ok(all(r["state"] in lib.FINAL for r in runs), "no refused run was kept", runs)


# ---- the daemon itself -------------------------------------------------------------------

def refused_starts(tap, place):
    def refuse(text, code, wanted, d, **more):
        try:
            d.start()
            d.stop()
            tap.ok(False, text + ": it serves")
        except lib.Refused as e:
            said = e.log.strip().splitlines()[-1] if e.log.strip() else ""
            tap.ok(e.code == code and all(w in said for w in wanted),
                   "%s: exit %s, '%s'" % (text, e.code, said.replace(place.folder, "")), e.log)

    first = place.prepared()
    first.start()
    second = lib.Daemon(place, first.state)
    second.configure()
    taken = first.port
    p = subprocess.run(second.command(), capture_output=True, text=True, timeout=60)
    tap.ok(p.returncode == 1 and "another tpldd" in p.stderr and first.state in p.stderr,
           "a second daemon on the same state: exit %d, '%s'" % (
               p.returncode, p.stderr.strip().replace(place.folder, "")), p.stderr)
    tap.ok(first.get("/api/v1/runs")["items"] == [] and
           os.path.exists(os.path.join(first.state, "endpoint")), "the first one goes on")
    refuse("a port in use", 1, [str(taken)],
           place.prepared(listen="127.0.0.1:%d" % taken))
    first.term()

    d = place.prepared()
    db = sqlite3.connect(d.state + "/tpldd.db")
    db.execute("PRAGMA user_version = 999")
    db.commit()
    db.close()
    before = lib.sha256(d.state + "/tpldd.db")
    refuse("a database newer than the program", 1, ["999", "newer"], d)
    tap.ok(lib.sha256(d.state + "/tpldd.db") == before, "it is left as it was")

    d = place.prepared()
    with open(d.state + "/tpldd.db", "r+b") as f:
        f.write(b"no database at all")
    refuse("a damaged database", 1, ["database"], d)

    d = place.daemon()
    with open(d.state, "w") as f:
        f.write("a file")
    refuse("a file in place of the state directory", 1, [d.state], d)
    os.unlink(d.state)

    def refuse_config(text, wanted, content):
        path = os.path.join(place.folder, "bad.conf")
        if content is not None:
            with open(path, "w") as f:
                f.write(content)
        elif os.path.exists(path):
            os.unlink(path)
        p = subprocess.run([place.tpldd, "--config", path, "--state-dir", d.state],
                           capture_output=True, text=True, timeout=60)
        said = p.stderr.strip().replace(place.folder, "").replace("\n", " ")
        tap.ok(p.returncode == 64 and all(w in p.stderr for w in wanted) and
               not os.path.exists(d.state), "%s: exit %d, '%s'" % (text, p.returncode, said))

    refuse_config("no configuration file", ["bad.conf", "No such file"], None)
    refuse_config("an unknown setting", ["bad.conf:2", "lisen", "listen"], "[server]\nlisen = x\n")
    refuse_config("an impossible value", ["bad.conf:2", "threads"], "[trainer]\nthreads = many\n")
    refuse_config("a line that is none", ["bad.conf:1"], "hello\n")
    p = subprocess.run([place.tpldd, "--config", place.folder, "--state-dir", d.state],
                       capture_output=True, text=True, timeout=60)
    tap.ok(p.returncode == 64 and place.folder in p.stderr, "a folder as configuration: exit %d" %
           p.returncode, p.stderr)


def test(tap, place, rnd, args):
    refused_starts(tap, place)
    d = place.prepared(threads=2)
    d.start()
    refused_data(tap, place, d)
    refused_configs(tap, place, d)
    failing_runs(tap, place, d)
    healthy = d.submit(lib.tiny_run())
    tap.ok(d.wait_state(healthy)["state"] == "completed", "after all that a good run completes")
    tap.ok(d.term() == 0, "and the daemon stops in order")
    not_finite(tap, place)
    want = place.undisturbed(lib.tiny_run())
    little_free(tap, place, want)
    failing_fsync(tap, place, want)
    if NAMESPACE in os.environ:
        disk_full(tap, place, rnd, want, 64 if args.long else 8)
        no_byte_left(tap, place, rnd, want)
    else:
        tap.skip("a full disk", "needs root and unshare -m")


own_namespace()
lib.main(test, __doc__)
