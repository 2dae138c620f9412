#!/usr/bin/python3
"""Writes the tables of docs/performance.md, and the short one of README.md, from the JSON lines of
`make bench` and compare_pytorch.py.

usage: report.py [--summary README] DOCUMENT FILE...      FILE - is standard input

The lines may come from several files and runs; of two lines about the same measurement the later one
counts. What lies between the two marks in DOCUMENT, and in README, is replaced, the rest stays. Says
which machine, compiler, libraries and day: those of this run, so call it where, and when, the lines
were measured.
Only what was measured is written: a table without lines is left out.
"""
import datetime
import json
import os
import re
import subprocess
import sys

BEGIN = "<!-- measured: written by tests/bench/report.py, do not edit -->"
END = "<!-- end of measured -->"
SETTINGS = {"default": "its default", "malloc": "glibc told to keep big blocks",
            "channels_last": "channels_last tensors"}


# ---- where ---------------------------------------------------------------------------------

def output(*argv):
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              universal_newlines=True).stdout.strip()
    except OSError:
        return ""


def cpu():
    model, flags = "an unknown processor", ""
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = " ".join(value.split())
            elif key.strip() == "flags":
                flags = value.split()
    sets = [name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("avx", "AVX"))
            if flag in flags]
    return "%s, %d cores, %s" % (model, os.cpu_count(), sets[0] if sets else "no AVX")


def package(name):
    return output("dpkg-query", "-W", "-f", "${Version}", name)


def versions(lines):
    """What computed the lines; a part that cannot be asked is left out."""
    compiler = output("cc", "--version").splitlines()
    found = [compiler[0] if compiler else ""]
    blas = package("libopenblas0-pthread")
    found.append("OpenBLAS " + blas if blas else "")
    torch = package("python3-torch")  # torch.__version__ of Debian's build names no release
    if torch and any(l["bench"].startswith("compare_") for l in lines):
        found.append("PyTorch " + torch)
    return ", ".join(f for f in found if f)


# ---- lines ---------------------------------------------------------------------------------

def identity(line):
    """What a line measured, without its results."""
    keys = ("bench", "arch", "height", "width", "batch", "threads", "window", "pool", "preset",
            "image_height", "image_width", "classes", "iterations", "output_stride", "kernels", "seed")
    return tuple((k, line[k]) for k in keys if k in line)


def read(paths):
    lines = {}
    for path in paths:
        with (sys.stdin if path == "-" else open(path)) as f:
            for number, text in enumerate(f, 1):
                if not text.strip():
                    continue
                try:
                    line = json.loads(text)
                    key = identity(line)
                    line["bench"]
                except (ValueError, KeyError, TypeError):
                    sys.exit("%s:%d: no line of a benchmark" % (path, number))
                lines.pop(key, None)  # the later one also takes the later place
                lines[key] = line
    return list(lines.values())


def size(line):
    return "%dx%d" % (line["height"], line["width"])


def seconds(s):
    return "%.3f" % s if s < 0.9995 else "%.2f" % s


def net(line):
    """The network's name; its output stride where that is not the usual one."""
    stride = line.get("output_stride", 8)
    return line["arch"] + ("" if stride == 8 else ", output stride %d" % stride)


def by_case(line):
    return line.get("arch", ""), line.get("height", 0) * line.get("width", 0)


# ---- tables --------------------------------------------------------------------------------

def table(heads, rows):
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)] + \
        ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]


def compared(lines, kind, title):
    some = sorted((l for l in lines if l["bench"] == "compare_" + kind), key=by_case)
    if not some:
        return []
    rows = []
    for l in some:
        torch = l["pytorch_seconds"]
        rows.append([net(l), size(l), l["threads"], seconds(l["seconds"])] +
                    ["**%s**" % seconds(torch[s]) if s == l["pytorch_best"] else seconds(torch[s])
                     for s in SETTINGS] +
                    ["%.2f (%s)" % (l["ratio"], l["pytorch_best"]), l["peak_rss_mib"],
                     l["pytorch_peak_rss_mib"], "%.2f" % l["memory_ratio"], l["rounds"]])
    heads = ["", "size", "threads", "ours, s"] + ["PyTorch %s, s" % s for s in SETTINGS] + \
        ["times faster (than)", "ours, MiB", "PyTorch, MiB", "of its memory", "rounds"]
    said = "PyTorch's settings: " + "; ".join("`%s`: %s" % p for p in SETTINGS.items()) + \
        ". Times faster: than its fastest setting, named in brackets. Memory: against its smallest."
    return ["### " + title, "", said, ""] + table(heads, rows) + [""]


def simple(lines, name, title, said, heads, row):
    some = [l for l in lines if l["bench"] == name]
    if not some:
        return []
    return ["### " + title, "", said, ""] + table(heads, [row(l) for l in some]) + [""]


def alone(lines, name, title):
    return simple(sorted(lines, key=by_case), name, title, "Batch 1, median of the runs.",
                  ["", "size", "threads", "s", "GFLOP/s", "peak RSS, MiB", "runs"],
                  lambda l: [l["arch"], size(l), l["threads"], seconds(l["seconds_median"]),
                             round(l["gflop"] / l["seconds_median"]), l["peak_rss_mib"], l["runs"]])


def report(lines):
    ret = compared(lines, "train_step", "Training steps against PyTorch")
    ret += compared(lines, "inference", "Inference against PyTorch")
    ret += alone(lines, "train_step", "Training steps")
    ret += alone(lines, "inference", "Inference")
    ret += simple(
        lines, "scaling", "Threads", "A training step on one thread (processor time) and on all, "
        "alternating; the least of each.", ["", "size", "1 thread, s", "threads", "all, s", "ratio"],
        lambda l: [l["arch"], size(l), seconds(l["seconds_one_thread"]), l["threads"],
                   seconds(l["seconds_all_threads"]), "%.2f" % l["ratio"]])
    ret += simple(
        lines, "linear", "Size", "A training step of growing images, the least of the "
        "runs; the comparison is of processor time.",
        ["", "size", "threads", "s", "ns a pixel", "processor, ns a pixel", "of the smallest's",
         "peak RSS, MiB"],
        lambda l: [l["arch"], size(l), l["threads"], seconds(l["seconds_min"]),
                   round(l["ns_per_pixel"]), round(l["cpu_ns_per_pixel"]),
                   "%.2f" % l["of_smallest"], l["peak_rss_mib"]])
    ret += simple(
        lines, "scoring", "Scoring", "What a round does with one image after its two forward passes "
        "(image and mirrored image), from the stored logits to six written PNGs; window 57, three "
        "iterations.",
        ["", "size", "threads", "scoring, s", "two passes, s", "ratio",
         "thresholds, s", "labels, s", "files, s"],
        lambda l: [l["arch"], size(l), l["threads"], seconds(l["seconds_median"]),
                   seconds(l["two_passes_seconds"]), "%.3f" % l["ratio"],
                   seconds(l["count_seconds"]), seconds(l["label_seconds"]),
                   seconds(l["files_seconds"])])
    ret += simple(
        lines, "voting", "Voting", "Three iterations over one image. The last column compares "
        "processor time, of the least of the runs.",
        ["pool", "window", "size", "classes", "threads", "s", "of the smallest window's"],
        lambda l: [l["pool"], l["window"], size(l), l["classes"], l["threads"],
                   seconds(l["seconds_median"]), "%.2f" % l["of_smallest_window"]])
    ret += simple(
        lines, "loader", "Samples", "Steps on cut-outs of PNG files, scaled and mirrored. Waiting: "
        "the share of the time after the first step.",
        ["", "crop", "images", "threads", "steps", "step, s", "step without loading, s", "waiting"],
        lambda l: [l["arch"], size(l), "%dx%d" % (l["image_height"], l["image_width"]),
                   l["threads"], l["steps"], seconds(l["seconds_step"]),
                   seconds(l["seconds_step_alone"]), "%.2f %%" % (100 * l["wait_share"])])
    ret += simple(
        lines, "memory", "Predicted memory", "What a run was predicted to need before it started, and "
        "the daemon's peak of resident memory.",
        ["", "preset", "crop", "batch", "threads", "predicted, MiB", "taken, MiB", "ratio"],
        lambda l: [l["arch"], l["preset"], size(l), l["batch"], l["threads"], l["predicted_mib"],
                   l["peak_rss_mib"], "%.3f" % l["ratio"]])
    ret += simple(
        lines, "clients", "Clients", "A training run with and without open dashboards, in windows that "
        "alternate: each asks for the run, its loss curve and its IoU history every 2 s, some hold an "
        "event stream. Slowdown: of the steps per second, the clients computing on the same cores. "
        "Serving: processor time of the daemon beyond what its steps take undisturbed.",
        ["", "crop", "threads", "clients", "streams", "answers a second", "steps a second alone",
         "with clients", "slowdown", "serving", "steps"],
        lambda l: [l["arch"], size(l), l["threads"], l["clients"], l["streams"],
                   l["answers_per_second"], l["steps_per_second_alone"], l["steps_per_second"],
                   "%.1f %%" % (100 * l["slowdown"]), "%.1f %%" % (100 * l["serving_share"]),
                   l["steps"]])
    ret += simple(
        lines, "kernel_modes", "Kernel modes", "The demo's network and scenes, shortened to 300 steps of "
        "source training and two rounds of 75. Loss: means of 25 steps of source training. mIoU: on "
        "target images that training never saw, after source training and after each round.",
        ["kernels", "seed", "loss at 25", "100", "200", "300 steps", "mIoU source, %", "round 0", "round 1"],
        lambda l: [l["kernels"], l["seed"]] + ["%.3f" % l["loss"][i] for i in (0, 3, 7, 11)] +
                  ["%.1f" % (100 * v) for v in l["miou"]])
    known = {"compare_train_step", "compare_inference", "train_step", "inference", "scaling",
             "linear", "scoring", "voting", "loader", "memory", "clients", "kernel_modes"}
    for l in lines:
        if l["bench"] not in known:
            print("left out: no table for %s" % l["bench"], file=sys.stderr)
    return ret


def summary(lines):
    """A row for every network and size, a column for what a reader asks first."""
    cases = {}
    for l in sorted((l for l in lines if l["bench"].startswith("compare_")), key=by_case):
        cases.setdefault((net(l), size(l)), {})[l["bench"]] = l
    rows = []
    for (name, pixels), found in cases.items():
        row = [name, pixels]
        for kind in ("compare_train_step", "compare_inference"):
            l = found.get(kind)
            row += ["%.2f (%s)" % (l["ratio"], l["pytorch_best"]), "%.2f" % l["memory_ratio"]] \
                if l else ["", ""]
        rows.append(row)
    return table(["", "size", "training step, times faster", "of its memory",
                  "inference, times faster", "of its memory"], rows) + [""]


def replace_block(path, block):
    with open(path) as f:
        text = f.read()
    marks = re.escape(BEGIN) + "\n.*?" + re.escape(END)
    if len(re.findall(marks, text, re.S)) != 1:
        sys.exit("%s: wants one block between\n%s\n%s" % (path, BEGIN, END))
    with open(path + ".new", "w") as f:
        f.write(re.sub(marks, lambda _: "\n".join([BEGIN, ""] + block + [END]), text, flags=re.S))
    os.replace(path + ".new", path)


def main():
    args = sys.argv[1:]
    readme = args[1] if args[:1] == ["--summary"] else None
    args = args[2:] if readme else args
    if len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    lines = read(args[1:])
    head = ["%s; %s; %s." % (cpu(), versions(lines), datetime.date.today().isoformat()), ""]
    replace_block(args[0], head + report(lines))
    if readme:
        replace_block(readme, head + summary(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
