#!/usr/bin/env python3
"""Runs the whole suite of a build folder and counts test cases.

usage: run.py BUILD [name ...]     names select meson tests

Meson runs the programs; each prints TAP, so every case counts, not every program. A program that ends
without a plan, crashes or times out counts as one failure. Last line: "N passed, N failed[, N skipped]".
"""
import json
import os
import re
import subprocess
import sys
import time


def cases(result):
    """(passed, failed, skipped, names of failures) of one meson test result."""
    ok = bad = skip = 0
    names = []
    out = result.get("stdout") or ""
    for line in out.splitlines():
        m = re.match(r"\s*(not )?ok\b\s*(.*)", line)
        if not m:
            continue
        if re.search(r"#\s*skip", line, re.I):
            skip += 1
        elif m.group(1):
            bad += 1
            names.append(m.group(2))
        else:
            ok += 1
    if result["result"] in ("OK", "EXPECTEDFAIL", "UNEXPECTEDPASS"):
        if ok + bad + skip == 0:
            ok = 1
    elif result["result"] == "SKIP":
        if skip == 0:
            skip = 1
    elif bad == 0:
        bad = 1
        names.append("(%s, exit %s)" % (result["result"], result.get("returncode")))
    return ok, bad, skip, names


def main():
    build, selected = sys.argv[1], sys.argv[2:]
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", OPENBLAS_NUM_THREADS="1")
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    started = time.time()
    proc = subprocess.run(
        ["meson", "test", "-C", build, "--no-rebuild", "--num-processes", "2", *selected], env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if not os.path.exists(log):
        print(proc.stdout)
        print("0 passed, 1 failed")
        return 1
    total = [0, 0, 0]
    for line in open(log, encoding="utf-8"):
        r = json.loads(line)
        ok, bad, skip, names = cases(r)
        total = [total[0] + ok, total[1] + bad, total[2] + skip]
        print("%-40s %7.2f s  %4d passed%s%s" % (
            r["name"], r.get("duration", 0), ok, ", %d failed" % bad if bad else "",
            ", %d skipped" % skip if skip else ""))
        if bad:
            for n in names:
                print("    FAILED: " + n)
            tail = ((r.get("stdout") or "") + (r.get("stderr") or "")).splitlines()[-40:]
            print("\n".join("    | " + t for t in tail))
    print("took %.0f s" % (time.time() - started))
    line = "%d passed, %d failed" % (total[0], total[1])
    print(line + (", %d skipped" % total[2] if total[2] else ""))
    return 1 if total[1] or proc.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
