"""What the tests of this folder share: a daemon that can be started, killed and stopped, a JSON
client, two tiny data sets, a tiny run, and the dump of everything a run leaves behind.

Output is TAP ("ok N - text"); tests/run.py counts the lines. Standard library only.
"""
import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60   # the machine may be busy with other tests
RUN_SECONDS = 240
FINAL = ("completed", "failed", "cancelled")


# ---- TAP ---------------------------------------------------------------------------------

class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, good, text, detail=""):
        self.count += 1
        self.failed += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, text))
        if not good:
            for line in str(detail).splitlines()[:40]:
                print("#   " + line)
        sys.stdout.flush()
        return good

    def equal(self, got, want, text):
        return self.ok(got == want, text, difference(got, want))

    def skip(self, text, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, text, why))
        sys.stdout.flush()

    def note(self, text):
        print("# " + text)
        sys.stdout.flush()

    def end(self):
        print("1..%d" % self.count)
        sys.stdout.flush()
        return 1 if self.failed else 0


def difference(got, want):
    """The first few places where two dumps differ."""
    if isinstance(got, dict) and isinstance(want, dict):
        lines = []
        for key in sorted(set(got) | set(want), key=str):
            if got.get(key) != want.get(key):
                lines.append("%s: %s" % (key, difference(got.get(key), want.get(key))))
        return "\n".join(lines[:12])
    if isinstance(got, list) and isinstance(want, list):
        for i, (a, b) in enumerate(zip(got, want)):
            if a != b:
                return "item %d of %d: %.300r, not %.300r" % (i, len(want), a, b)
        return "%d items, not %d" % (len(got), len(want))
    return "%.400r, not %.400r" % (got, want)


# ---- the daemon --------------------------------------------------------------------------

class Refused(Exception):
    """The daemon ended instead of serving."""

    def __init__(self, code, log):
        super().__init__("exit %s: %s" % (code, log))
        self.code = code
        self.log = log


class Daemon:
    """One state directory, served by one process at a time."""

    def __init__(self, place, state, threads=0, wrapper=(), listen="127.0.0.1:0",
                 checkpoint_seconds=1, min_free="1M"):
        self.place = place
        self.state = state
        self.threads = threads
        self.wrapper = list(wrapper)
        self.listen = listen
        self.config = state + ".conf"
        self.process = None
        self.port = None
        self.log = ""
        self.checkpoint_seconds = checkpoint_seconds
        self.min_free = min_free

    def configure(self):
        with open(self.config, "w") as f:
            f.write("[paths]\nweb_dir = %s/web\nmigrations_dir = %s/migrations\n"
                    "[storage]\nmin_free = %s\n[trainer]\ncheckpoint_seconds = %d\n" % (
                        self.place.source, self.place.source, self.min_free,
                        self.checkpoint_seconds))

    def command(self):
        command = self.wrapper + [self.place.tpldd, "--config", self.config, "--state-dir",
                                  self.state, "--listen", self.listen]
        return command + (["--threads", str(self.threads)] if self.threads else [])

    def spawn(self):
        """Starts the process and returns at once."""
        self.configure()
        try:
            os.unlink(os.path.join(self.state, "endpoint"))  # of a daemon that was killed
        except (FileNotFoundError, NotADirectoryError):
            pass
        env = dict(os.environ, OPENBLAS_NUM_THREADS="1")
        self.log_file = open(self.state + ".log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=self.log_file,
                                        stderr=self.log_file, env=env, start_new_session=True)
        self.log_file.close()

    def log_text(self):
        try:
            with open(self.state + ".log", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_ready(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Refused(self.process.returncode, self.log_text()[-1500:])
            try:
                with open(os.path.join(self.state, "endpoint")) as f:
                    url = f.read().strip()
                with open(os.path.join(self.state, "token")) as f:
                    self.token = f.read().strip()
                self.port = int(url.rsplit(":", 1)[1])
                return self
            except (FileNotFoundError, NotADirectoryError, ValueError, IndexError):
                time.sleep(0.005)
        raise Refused(None, "not ready after %d s" % START_SECONDS)

    def start(self):
        self.spawn()
        return self.wait_ready()

    def signal(self, number):
        """To the whole session, so that a wrapper (strace) goes too."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        self.signal(signal.SIGKILL)
        return self.wait()

    def term(self):
        os.kill(self.process.pid, signal.SIGTERM)
        return self.wait()

    def wait(self, seconds=START_SECONDS):
        return self.process.wait(seconds)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.alive():
            self.kill()

    def peak(self):
        """Peak of resident memory, bytes."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return [int(line.split()[1]) for line in f if line.startswith("VmHWM")][0] << 10

    def request(self, method, path, body=None, kind="application/json", accept=None):
        """(status, headers, body): body parsed when it is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": "Bearer " + self.token}
        if accept:
            headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = kind
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if "json" in (answer.getheader("Content-Type") or ""):
            data = json.loads(data)
        return answer.status, dict(answer.getheaders()), data

    def get(self, path):
        status, _, data = self.request("GET", path)
        if status != 200:
            raise AssertionError("GET %s: %s %s" % (path, status, data))
        return data

    def post(self, path, body=None, want=None, **more):
        status, _, data = self.request("POST", path, body, **more)
        if want is not None and status != want:
            raise AssertionError("POST %s: %s %s" % (path, status, data))
        return data if want is not None else (status, data)

    def dataset(self, name, root, **more):
        body = dict({"name": name, "layout": "folder", "root": root,
                     "class_set": "cityscapes-19"}, **more)
        return self.post("/api/v1/datasets", body, want=201)

    def run(self, run):
        return self.get("/api/v1/runs/%d" % run)

    def submit(self, config):
        return self.post("/api/v1/runs", config, want=201)["id"]

    def wait_state(self, run, states=FINAL, seconds=RUN_SECONDS, poll=0.05):
        """The run, as soon as it is in one of the states."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            r = self.run(run)
            if r["state"] in states:
                return r
            if r["state"] in FINAL:
                raise AssertionError("the run is %s: %s" % (r["state"], r["error"]))
            time.sleep(poll)
        raise AssertionError("the run is still %s after %d s" % (r["state"], seconds))


# ---- data and runs -----------------------------------------------------------------------

class Place:
    """Programs, sources, and a folder that goes away with the test."""

    def __init__(self, args):
        self.tpldd = os.path.abspath(args.tpldd)
        self.scenes_program = os.path.abspath(args.scenes)
        self.source = os.path.abspath(args.source)
        self.keep = args.keep
        self.folder = tempfile.mkdtemp(prefix="tpldd-crash-", dir=args.tmp)
        self.data = os.path.join(self.folder, "data")
        self.made = 0

    @classmethod
    def of_build(cls, build):
        """For programs that are no tests: from a build folder inside the sources."""
        top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        # An end by signal runs `finally`, too, and with it ends the daemons.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return cls(argparse.Namespace(tpldd=os.path.join(build, "daemon", "tpldd"),
                                      scenes=os.path.join(build, "demo", "tpld-scenes"),
                                      source=top, keep=False, tmp=None))

    def close(self):
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def scenes(self, name, look, count, size, seed):
        out = os.path.join(self.data, name)
        subprocess.run([self.scenes_program, "--out", out, "--look", look, "--count", str(count),
                        "--size", size, "--seed", str(seed)], check=True,
                       stdout=subprocess.DEVNULL)
        return out

    def tiny_data(self):
        """Labelled source pictures; target pictures of two sizes, with labels for evaluation."""
        self.scenes("source", "renderer", 14, "64x48", 1)
        target = self.scenes("target", "camera", 6, "64x48", 2)
        other = self.scenes("other", "camera", 4, "80x48", 3)
        for kind in ("images", "labels"):
            for f in os.listdir(os.path.join(other, kind)):
                shutil.move(os.path.join(other, kind, f), os.path.join(target, kind, "b" + f))
        shutil.rmtree(other)

    def daemon(self, name=None, **more):
        """A daemon on a fresh state directory."""
        self.made += 1
        state = os.path.join(self.folder, name or "state%d" % self.made)
        return Daemon(self, state, **more)

    def register(self, daemon):
        daemon.dataset("source", os.path.join(self.data, "source"))
        daemon.dataset("target", os.path.join(self.data, "target"))

    def prepared(self, **more):
        """A daemon, not started, whose state directory knows the tiny data sets."""
        first = os.path.join(self.folder, "prepared")
        if not os.path.exists(first):
            d = self.daemon("prepared").start()
            self.register(d)
            if d.term() != 0:
                raise AssertionError("the daemon did not stop in order: " + d.log_text())
        d = self.daemon(**more)
        shutil.copytree(first, d.state)
        return d

    def undisturbed(self, config, threads=2):
        """Dump of a run that nothing interrupts."""
        d = self.prepared(threads=threads, checkpoint_seconds=30)
        d.start()
        run = d.submit(config)
        r = d.wait_state(run)
        d.term()
        if r["state"] != "completed":
            raise AssertionError("the run is %s: %s" % (r["state"], r["error"]))
        ret = dump(d.state, run)
        shutil.rmtree(d.state)
        return ret


def tiny_run(**changes):
    """A whole tpld run of a second or two; changes: "a/b" (as a__b) = value."""
    c = {"name": "tiny", "preset": "tpld", "seed": 1, "source": "source", "target": "target",
         "eval": "target",
         "model": {"arch": "deeplabv2-mobilenetv2", "output_stride": 16,
                   "aspp_dilations": [1, 2, 3, 4], "width_divisor": 4},
         "data": {"crop": [32, 48], "batch": 2},
         "source_training": {"steps": 10, "lr": 1e-3},
         "self_training": {"phase1_rounds": 1, "phase2_rounds": 1, "steps_per_round": 8,
                           "lr": 1e-3, "source_portion": [0.3, 0.0, 0.3]}}
    for key, value in changes.items():
        at = c
        *path, last = key.split("__")
        for p in path:
            at = at.setdefault(p, {})
        at[last] = value
    return c


def beyond_run(**changes):
    """A tiny run with everything that goes beyond the paper, and every kind of stage."""
    c = {"preset": "tpld-plus", "self_training__adversarial": {}, "data__rare_class_sampling": {"temperature": 0.1},
         "data__color_transfer": {},
         "source_training__average": 0.5, "entropy_training": {"steps": 6, "kind": "advent"},
         "self_training__warmup_steps": 3,
         "self_training__online_labels": {"threshold": 0.3}, "self_training__label_momentum": 0.4,
         "self_training__norm_alignment": {"strength": 0.5, "images": 3, "check": False}}
    return tiny_run(**dict(c, **changes))


# ---- what a run leaves behind ------------------------------------------------------------

TABLES = {  # columns without ids of rows and times
    "metric": ("key, step, value", "key, step"),
    "round": ("round, stage, phase, portion, thresholds, confident, voted, soft, ignored, easy, "
              "hard, pseudo_accuracy, class_stats", "round"),
    "round_audit": ("round, entropy, flip_agreement, agreement, label_agreement, truth_pixels, "
                    "threshold_accuracy", "round"),
    "round_class": ("round, class, share, share_first, share_previous, entropy, agreement, predicted, "
                    "confident, confident_truth, confident_right, voted, voted_truth, voted_right, soft, "
                    "soft_truth, soft_right, threshold_accuracy", "round, class"),
    "round_alarm": ("round, position, kind, class, text, value, bound", "round, position"),
    "image_score": ("round, idx, confidence, entropy, easy, rank, confident, voted, soft, ignored, "
                    "class_confidence", "round, idx"),
    "evaluation": ("stage, round, step, phase, miou, iou, confusion", "stage"),
    "checkpoint": ("round, stage, stage_step, step, phase, file, sha256, bytes", "stage"),
    # Times and the steps that were measured in one go are wall-clock matters.
    "profile": ("stage, round, phase, crop_h, crop_w, kernels, (SELECT json_group_array(json_extract(value, '$.layer') || ' ' "
                "|| json_extract(value, '$.algorithm') || ' ' || json_extract(value, '$.gflop_per_step')) FROM "
                "json_each(layers))", "stage"),
    "run": ("state, error, stage, step, miou_source, miou_current, miou_best", "id"),
}


def database(state):
    """A copy of the database, so that looking changes nothing."""
    folder = tempfile.mkdtemp(prefix="tpldd-db-")
    try:
        for suffix in ("", "-wal"):
            if os.path.exists(state + "/tpldd.db" + suffix):
                shutil.copy(state + "/tpldd.db" + suffix, folder + "/tpldd.db" + suffix)
        d = sqlite3.connect(folder + "/tpldd.db")
        memory = sqlite3.connect(":memory:")
        d.backup(memory)
        d.close()
        return memory
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def dump(state, run):
    """What must not depend on when a run was interrupted: its rows and its files' digests."""
    ret = {}
    d = database(state)
    for table, (columns, order) in TABLES.items():
        where = "id" if table == "run" else "run"
        also = " AND resume = 0" if table == "checkpoint" else ""
        ret[table] = d.execute("SELECT %s FROM %s WHERE %s = ?%s ORDER BY %s" % (
            columns, table, where, also, order), (run,)).fetchall()
    ret["integrity"] = d.execute("PRAGMA integrity_check").fetchall()
    ret["foreign keys"] = d.execute("PRAGMA foreign_key_check").fetchall()
    named = {r[0] for r in d.execute("SELECT file FROM checkpoint WHERE run = ?", (run,))}
    d.close()
    root = os.path.join(state, "runs", str(run))
    files = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            files[os.path.relpath(path, root)] = path
    ret["files"] = {name: sha256(path) for name, path in files.items()
                    if not name.startswith("checkpoints/resume-")}
    ret["files no row names"] = sorted(
        name for name in files
        if name.startswith("checkpoints/") and "runs/%d/%s" % (run, name) not in named)
    return ret


def standing(state, run):
    """(state, stage) of a run as the database has it."""
    d = database(state)
    try:
        return d.execute("SELECT state, stage FROM run WHERE id = ?", (run,)).fetchone()
    finally:
        d.close()


ROUNDS = ("scoring", "phase1_training", "evaluation", "scoring", "phase2_training", "evaluation")
STAGES = ("source_training", "evaluation") + ROUNDS  # of tiny_run()
BEYOND_STAGES = ("source_training", "evaluation", "entropy_training", "evaluation", "norm_alignment",
                 "evaluation") + ROUNDS  # of beyond_run()


# ---- command line ------------------------------------------------------------------------

def main(test, description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--tpldd", required=True)
    p.add_argument("--scenes", required=True, help="the tpld-scenes program")
    p.add_argument("--source", required=True, help="top of the source tree (web, migrations)")
    p.add_argument("--seed", type=int, default=int(os.environ.get("TPLDD_TEST_SEED", "0")),
                   help="of the random moments; 0 takes a fresh one")
    p.add_argument("--long", action="store_true", help="many more rounds")
    p.add_argument("--tmp", help="where the test's folder is made")
    p.add_argument("--keep", action="store_true", help="leave that folder")
    args = p.parse_args()
    seed = args.seed or random.SystemRandom().randrange(1, 1 << 31)
    tap = Tap()
    tap.note("seed %d" % seed)
    place = Place(args)
    started = time.monotonic()
    daemons = []
    make = place.daemon

    def remember(*a, **k):
        daemons.append(make(*a, **k))
        return daemons[-1]

    place.daemon = remember
    try:
        place.tiny_data()
        test(tap, place, random.Random(seed), args)
    except Exception as e:  # a broken test is a failed test, with the daemon's last words
        import traceback
        log = daemons[-1].log_text()[-2000:] if daemons else ""
        tap.ok(False, "%s: %s" % (type(e).__name__, str(e)[:200].replace("\n", " ")),
               traceback.format_exc() + log)
    finally:
        for d in daemons:
            d.stop()
        place.close()
    tap.note("took %.1f s" % (time.monotonic() - started))
    sys.exit(tap.end())
