"""What the tests of tpldctl share: running the program, and TAP."""
import os
import subprocess
import sys
import tempfile
import time
import traceback


class Ctl:
    def __init__(self, program, directory):
        self.program, self.dir = os.path.abspath(program), directory

    def env(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("TPLD_") and "proxy" not in k.lower()}
        keep.update(LC_ALL="C.UTF-8", **more)
        return keep

    def __call__(self, *args, want=0, stdin=None, env=None, timeout=60):
        """-> (stdout, stderr) as text; the exit status must be `want`."""
        r = subprocess.run([self.program, *map(str, args)], input=stdin, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=self.env(**(env or {})), timeout=timeout, cwd=self.dir)
        out, err = r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")
        assert r.returncode == want, "tpldctl %s: exit status %d, wanted %d\n%s%s" % (
            " ".join(map(str, args)), r.returncode, want, out, err)
        assert "ERROR: AddressSanitizer" not in err and "runtime error" not in err, err
        return out, err

    def start(self, *args, **more):
        return subprocess.Popen([self.program, *map(str, args)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=self.env(), cwd=self.dir, **more)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()


def wait_for(condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("nothing happened within %d s" % seconds)


def run(tests, program, *extra):
    """Runs functions of (ctl, *extra) and prints TAP."""
    failed = 0
    print("1..%d" % len(tests))
    for i, test in enumerate(tests, 1):
        start = time.time()
        with tempfile.TemporaryDirectory(prefix="tpldctl-") as directory:
            try:
                test(Ctl(program, directory), *extra)
                print("ok %d - %s (%.1f s)" % (i, test.__name__, time.time() - start))
            except Exception:
                failed += 1
                print("not ok %d - %s" % (i, test.__name__))
                print("".join("# " + line for line in traceback.format_exc().splitlines(True)))
        sys.stdout.flush()
    return 1 if failed else 0
