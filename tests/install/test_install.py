"""Installs into a scratch DESTDIR and looks whether everything is where it belongs and works from there.

usage: test_install.py BUILD_DIR SOURCE_DIR SBINDIR BINDIR DATADIR SYSCONFDIR PREFIX   (absolute)
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

BUILD, SOURCE, SBINDIR, BINDIR, DATADIR, SYSCONFDIR, PREFIX = sys.argv[1:8]
DEST = tempfile.mkdtemp(prefix="tpldd-install-")


class Skip(Exception):
    pass


def at(path):
    return DEST + path


def call(*command, want=0, **more):
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, **more)
    assert r.returncode == want, "%s: exit status %d\n%s" % (" ".join(command), r.returncode, r.stdout)
    return r.stdout


def tree(top):
    return {os.path.relpath(os.path.join(d, n), top) for d, _, names in os.walk(top) for n in names}


def files_are_in_place():
    call("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", DEST)
    for path, mode in ((SBINDIR + "/tpldd", 0o755), (BINDIR + "/tpldctl", 0o755), (SYSCONFDIR + "/tpldd.conf", 0o644),
                       (PREFIX + "/lib/systemd/system/tpldd.service", 0o644), (PREFIX + "/lib/sysusers.d/tpldd.conf", 0o644),
                       (DATADIR + "/bash-completion/completions/tpldctl", 0o644), (DATADIR + "/doc/tpldd/README.md", 0o644)):
        got = os.stat(at(path)).st_mode & 0o777
        assert got == mode, "%s has mode %o" % (path, got)
    for name in ("web", "migrations"):
        installed, source = tree(at(DATADIR + "/tpldd/" + name)), tree(os.path.join(SOURCE, name))
        assert installed and installed == source, installed ^ source
    assert "index.html" in tree(at(DATADIR + "/tpldd/web"))
    stray = [f for f in tree(DEST) if f.endswith((".a", ".h", ".py", ".pc")) or "test" in f]
    assert not stray, stray


def programs_know_their_paths():
    out = call(at(SBINDIR + "/tpldd"), "--config", at(SYSCONFDIR + "/tpldd.conf"), "--check-config")
    assert "web_dir = %s/tpldd/web\n" % DATADIR in out and "migrations_dir = %s/tpldd/migrations\n" % DATADIR in out, out
    assert call(at(SBINDIR + "/tpldd"), "--version").split()[1] == call(at(BINDIR + "/tpldctl"), "--version").split()[1]


def the_configuration_shows_the_defaults():
    """Every commented setting of tpldd.conf is one that the daemon knows, with its default as the value."""
    with open(at(SYSCONFDIR + "/tpldd.conf"), encoding="utf-8") as f:
        text = f.read()
    path = at("/all.conf")
    with open(path, "w", encoding="utf-8") as f:
        f.write(re.sub(r"(?m)^#(?=[a-z_]+ = )", "", text))
    env = {k: v for k, v in os.environ.items() if k != "STATE_DIRECTORY"}
    plain = call(at(SBINDIR + "/tpldd"), "--check-config", env=env).splitlines()
    full = call(at(SBINDIR + "/tpldd"), "--config", path, "--check-config", env=env).splitlines()
    examples = {"allowed_hosts", "data_roots"}
    assert [x for x in full if x.split(" ")[0] not in examples] == plain, (full, plain)
    assert {x.split(" ")[0] for x in full} - {x.split(" ")[0] for x in plain} == examples
    shown = set(re.findall(r"(?m)^#([a-z_]+) = ", text))
    known = {x.split(" ")[0] for x in full if " = " in x}
    assert shown == known, shown ^ known


def adapted_unit():
    """The unit with its program where it lies now, as systemd-analyze looks for it."""
    with open(at(PREFIX + "/lib/systemd/system/tpldd.service"), encoding="utf-8") as f:
        text = f.read()
    assert "ExecStart=%s/tpldd --config %s/tpldd.conf\n" % (SBINDIR, SYSCONFDIR) in text, text
    assert not re.search(r"@\w+@", text), "an @...@ is left"
    os.makedirs(at("/unit"), exist_ok=True)
    path = at("/unit/tpldd.service")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("ExecStart=", "ExecStart=" + DEST))
    return path


def need(program):
    if shutil.which(program) is None:
        raise Skip(program + " is not installed")


def the_unit_is_valid():
    need("systemd-analyze")
    out = call("systemd-analyze", "verify", "--man=no", adapted_unit())
    assert "tpldd" not in out, out


def the_unit_is_sandboxed():
    need("systemd-analyze")
    out = call("systemd-analyze", "security", "--offline=true", "--no-pager", adapted_unit())
    exposure = float(re.search(r"exposure level for tpldd.service: ([0-9.]+)", out).group(1))
    assert exposure <= 2.0, out


def the_user_is_declared():
    need("systemd-sysusers")
    root = at("/sysroot")
    os.makedirs(root + "/etc")
    out = call("systemd-sysusers", "--root", root, at(PREFIX + "/lib/sysusers.d/tpldd.conf"))
    with open(root + "/etc/passwd", encoding="utf-8") as f:
        users = f.read()
    assert re.search(r"(?m)^tpldd:[^:]*:\d+:\d+:[^:]*:/var/lib/tpldd:/usr/sbin/nologin$", users), users + out


def it_runs_as_a_service():
    """Type=notify: says READY=1 when it serves, feeds the watchdog, says STOPPING=1 on SIGTERM."""
    bus = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bus.bind(at("/notify"))
    bus.settimeout(20)
    with open(at("/run.conf"), "w", encoding="utf-8") as f:
        f.write("[server]\nlisten = 127.0.0.1:0\n[paths]\nweb_dir = %s/tpldd/web\nmigrations_dir = %s/tpldd/migrations\n" % (
            at(DATADIR), at(DATADIR)))
    env = dict(os.environ, STATE_DIRECTORY=at("/state"), NOTIFY_SOCKET=at("/notify"), WATCHDOG_USEC="2000000")
    env.pop("WATCHDOG_PID", None)
    p = subprocess.Popen([at(SBINDIR + "/tpldd"), "--config", at("/run.conf")], env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    try:
        said = []

        def hear(word):
            while not any(word in x for x in said):
                said.append(bus.recv(4096).decode())

        hear("READY=1")
        assert re.search(r"ready +yes", call(at(BINDIR + "/tpldctl"), "--state-dir", at("/state"), "health"))
        assert os.stat(at("/state/token")).st_mode & 0o777 == 0o600
        hear("WATCHDOG=1")
        p.send_signal(signal.SIGTERM)
        hear("STOPPING=1")
        out, _ = p.communicate(timeout=20)
        assert p.returncode == 0, out
    finally:
        if p.poll() is None:
            p.kill()
            p.communicate()
        bus.close()


def a_wrong_configuration_is_not_retried():
    """RestartPreventExitStatus=64 in the unit is what the daemon answers with."""
    with open(at("/wrong.conf"), "w", encoding="utf-8") as f:
        f.write("[server]\nlisten_on = 1\n")
    out = call(at(SBINDIR + "/tpldd"), "--config", at("/wrong.conf"), want=64)
    assert "wrong.conf:2" in out, out


def main():
    tests = [files_are_in_place, programs_know_their_paths, the_configuration_shows_the_defaults, the_unit_is_valid,
             the_unit_is_sandboxed, the_user_is_declared, it_runs_as_a_service, a_wrong_configuration_is_not_retried]
    failed = 0
    print("1..%d" % len(tests))
    for i, test in enumerate(tests, 1):
        start = time.time()
        try:
            test()
            print("ok %d - %s (%.1f s)" % (i, test.__name__, time.time() - start))
        except Skip as why:
            print("ok %d - %s # skip %s" % (i, test.__name__, why))
        except Exception:
            failed += 1
            print("not ok %d - %s" % (i, test.__name__))
            print("".join("# " + line for line in traceback.format_exc().splitlines(True)))
        sys.stdout.flush()
    shutil.rmtree(DEST, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
