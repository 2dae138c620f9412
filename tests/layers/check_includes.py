"""Who includes whom: a folder sees only itself and those before it. usage: check_includes.py SOURCE_DIR

core/:   base < op < optim < net < loss < adapt < data < ckpt < train
daemon/: store, config < catalog < run < experiment < http, all above core; core never sees daemon.
The small programs (ctl, demo) stay within what is named for them below.
"""
import os
import re
import sys

CORE = ["base", "op", "optim", "net", "loss", "adapt", "data", "ckpt", "train"]
# folder of daemon/ -> the folders of daemon/ it may include
DAEMON = {
    "store": {"store"},
    "config": {"config"},
    "catalog": {"catalog", "store", "config"},
    "run": {"run", "catalog", "store", "config"},
    "experiment": {"experiment", "run", "store", "config"},
    "http": {"http", "experiment", "run", "catalog", "store", "config"},
    "": {"", "http", "experiment", "run", "catalog", "store", "config"},
}
# Libraries by header: who may use them.
SYSTEM = {
    r"uv\.h": ["daemon", "daemon/http"],
    r"microhttpd\.h": ["daemon/http"],
    r"sqlite3\.h": ["daemon/store"],
    r"ini\.h": ["daemon/config"],
    r"curl/.*": ["ctl"],
    r"cblas\.h": ["core/op"],
    r"stb_image.*\.h": ["core/data"],
    r"png\.h": ["core/data"],
    r"zlib\.h": ["core/data"],
    r"openssl/.*": ["core/base", "daemon/http", "daemon/store", "daemon/catalog"],
    r"jansson\.h": ["daemon/config", "daemon/catalog", "daemon/run", "daemon/experiment", "daemon/http",
                     "daemon/store", "ctl"],
}


def sources(root, top):
    for directory, _, names in os.walk(os.path.join(root, top)):
        for name in sorted(names):
            if name.endswith((".c", ".h")):
                path = os.path.join(directory, name)
                yield os.path.relpath(directory, root), path


def includes(path):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if m:
                yield number, m.group(1) == '"', m.group(2)


def allowed(folder, name, root):
    """Why folder (like "core/op") must not include "name", or None."""
    top, _, inner = folder.partition("/")
    target = os.path.dirname(name)
    in_core = os.path.exists(os.path.join(root, "core", name))
    in_daemon = os.path.exists(os.path.join(root, "daemon", name))
    beside = os.path.exists(os.path.join(root, folder, name))
    if top == "core":
        if in_core and target in CORE:
            return None if CORE.index(target) <= CORE.index(inner) else "%s comes after %s" % (target, inner)
        return "only files of core, as folder/name.h, may be included"
    if top == "daemon":
        if in_core and target in CORE:
            return None
        if in_daemon:
            return None if target in DAEMON[inner] else "%s comes after %s" % (target, inner or "daemon")
        return "no such file in core or daemon"
    if top == "ctl":
        return None if beside else "ctl stands alone"
    if top == "demo":
        return None if beside or in_core else "demo may use core and itself"
    raise AssertionError(folder)


def check(root):
    wrong, count = [], 0
    for top in ("core", "daemon", "ctl", "demo"):
        for folder, path in sources(root, top):
            count += 1
            for number, quoted, name in includes(path):
                where = "%s:%d: %s" % (os.path.relpath(path, root), number, name)
                if quoted:
                    why = allowed(folder, name, root)
                    if why:
                        wrong.append("%s: %s" % (where, why))
                for pattern, users in SYSTEM.items():
                    if not quoted and re.fullmatch(pattern, name) and folder not in users:
                        wrong.append("%s: only in %s" % (where, ", ".join(users)))
    return wrong, count


def self_test(root):
    """The check itself can fail."""
    assert allowed("core/base", "op/gemm.h", root) and not allowed("core/op", "base/pool.h", root)
    assert allowed("core/op", "store/store.h", root) and allowed("daemon/store", "run/scheduler.h", root)
    assert not allowed("daemon/http", "run/scheduler.h", root) and allowed("ctl", "base/file.h", root)


if __name__ == "__main__":
    self_test(sys.argv[1])
    wrong, count = check(sys.argv[1])
    assert count > 100, count
    print("1..1")
    print("\n".join("# " + w for w in wrong))
    print("%sok 1 - %d files include only what comes before them" % ("not " if wrong else "", count))
    sys.exit(1 if wrong else 0)
