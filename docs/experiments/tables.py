#!/usr/bin/python3
"""Writes what finished experiments measured into a document: a table of the variants, one by class, and a plot
of every seed.

usage: tables.py [--check] DOCUMENT...      --check: write nothing, fail where something would change

In a document, what lies between
    <!-- experiment: results/NAME.json [results/MORE.json...] -->   and   <!-- end of experiment -->
is replaced; the files, beside this script, are what `tpldctl -o json experiment show ID` printed. The plot goes
to results/NAME.svg. Of several files the first gives baseline and upper bound; a variant that two of them have must
have the very same results in both, for a run is a function of its configuration. Only what was measured is written.
"""
import json
import math
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MARKED = re.compile(r"(<!-- experiment: ((?:results/[\w-]+\.json ?)+)-->\n).*?(<!-- end of experiment -->)", re.S)


# ---- what was measured -----------------------------------------------------------------------

def by_name(e):
    """{variant: {seed: {"miou", "iou"}}} of the runs that were completed."""
    return {v["name"]: {c["seed"]: c for c in v["cells"] if c["state"] == "completed"} for v in e["variants"]}


def merge(names):
    """The first file with the others' variants and seeds added."""
    loaded = []
    for name in names:
        with open(os.path.join(HERE, name)) as f:
            loaded.append(json.load(f))
    e, cells = loaded[0], by_name(loaded[0])
    for name, more in zip(names[1:], loaded[1:]):
        if [c["name"] for c in more["classes"]] != [c["name"] for c in e["classes"]]:
            sys.exit("%s has other classes than %s" % (name, names[0]))
        for variant, runs in by_name(more).items():
            have = cells.setdefault(variant, {})
            for seed, run in runs.items():
                if have.setdefault(seed, run)["iou"] != run["iou"]:
                    sys.exit("%s, seed %d: %s says something else" % (variant, seed, name))
    return {"name": e["name"], "classes": [c["name"] for c in e["classes"]], "baseline": e["baseline"],
            "upper_bound": e["upper_bound"], "seeds": sorted({s for runs in cells.values() for s in runs}),
            "cells": {variant: runs for variant, runs in cells.items() if runs}}


def mean_of(values):
    return statistics.fmean(values) if values else None


def deviation_of(values):
    return statistics.stdev(values) if len(values) > 1 else None


def p_of(differences):
    """Two-sided paired t-test. With x = sqrt(n) tan u the density of t with n degrees of freedom is cos^(n-1) u."""
    n = len(differences) - 1
    deviation = deviation_of(differences)
    if not deviation:
        return None
    t = abs(mean_of(differences)) / (deviation / math.sqrt(n + 1))

    def area(low, steps=2000):  # Simpson, up to a right angle
        h = (math.pi / 2 - low) / steps
        f = [math.cos(low + h * i) ** (n - 1) for i in range(steps + 1)]
        return h / 3 * (f[0] + f[-1] + 4 * sum(f[1:-1:2]) + 2 * sum(f[2:-1:2]))

    return area(math.atan(t / math.sqrt(n))) / area(0)


def paired(e, variant, other, of=lambda run: run["miou"]):
    """Differences seed by seed, over the seeds that both have."""
    a, b = e["cells"][variant], e["cells"][other]
    return [of(a[s]) - of(b[s]) for s in e["seeds"] if s in a and s in b]


def gap_closed(e, variant):
    base, bound = e["cells"][e["baseline"]], e["cells"].get(e["upper_bound"], {})
    seeds = [s for s in e["cells"][variant] if s in base and s in bound]
    gap = sum(bound[s]["miou"] - base[s]["miou"] for s in seeds)
    return sum(e["cells"][variant][s]["miou"] - base[s]["miou"] for s in seeds) / gap if gap > 0 else None


# ---- tables and plot -------------------------------------------------------------------------

def percent(x):
    return "" if x is None else "%.1f" % (100 * x)


def spread(values, show=percent):
    deviation = deviation_of(values)
    return show(mean_of(values)) + ("" if deviation is None else " ± " + percent(deviation))


def signed(x):
    return "" if x is None else "%+.1f" % (100 * x)


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def by_seed(e):
    bounded = e["upper_bound"] in e["cells"]
    out = row(["variant"] + ["seed %d" % s for s in e["seeds"]] + ["mean", "difference", "p"] + ["gap closed"] * bounded)
    out += row(["---"] + ["---:"] * (len(e["seeds"]) + 3 + bounded))
    for name, runs in e["cells"].items():
        differences = paired(e, name, e["baseline"]) if name != e["baseline"] else []
        p, gap = p_of(differences) if differences else None, gap_closed(e, name) if differences else None
        cells = [name] + [percent(runs[s]["miou"]) if s in runs else "" for s in e["seeds"]]
        cells += [spread([r["miou"] for r in runs.values()]), spread(differences, signed) if differences else "",
                  "" if p is None else "%.2g" % p]
        out += row(cells + ["" if gap is None else "%.0f %%" % (100 * gap)] * bounded)
    return out


def class_means(e, k):
    return [mean_of([r["iou"][k] for r in runs.values() if r["iou"][k] is not None]) for runs in e["cells"].values()]


def by_class(e):
    columns = [(name, class_means(e, k)) for k, name in enumerate(e["classes"])]
    columns = [c for c in columns if any(m is not None for m in c[1])]
    out = row(["mean IoU"] + [name for name, _ in columns]) + row(["---"] + ["---:"] * len(columns))
    for i, variant in enumerate(e["cells"]):
        out += row([variant] + [percent(means[i]) for _, means in columns])
    return out


def text(x, y, what, anchor="start", extra=""):
    what = what.replace("&", "&amp;").replace("<", "&lt;")
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>\n' % (x, y, anchor, extra, what)


def plot(e):
    """Dots are seeds, bars means, the dashed line the baseline's mean. Grey on white or black: readable on both."""
    rows = [(name, [r["miou"] for r in runs.values()]) for name, runs in e["cells"].items()]
    values = [100 * x for _, list_ in rows for x in list_]
    low, high = 5 * math.floor(min(values) / 5), 5 * math.ceil(max(values) / 5)
    left, width, step = 230, 520, 24
    height = step * len(rows) + 34
    at = lambda x: left + width * (100 * x - low) / (high - low)
    out = ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" '
           'fill="#777" role="img">\n<title>%s: mIoU by variant and seed</title>\n' % (left + width + 20, height, e["name"]))
    tick = 5 if high - low <= 60 else 10
    for x in range(low, high + 1, tick):
        out += '<path d="M%.1f 8V%d" stroke="#bbb" stroke-width="0.5"/>\n' % (at(x / 100), height - 24)
        out += text(at(x / 100), height - 8, "%d %%" % x, "middle")
    base = mean_of([r["miou"] for r in e["cells"][e["baseline"]].values()])
    out += '<path d="M%.1f 8V%d" stroke="#777" stroke-dasharray="4 3"/>\n' % (at(base), height - 24)
    for i, (name, list_) in enumerate(rows):
        y = 20 + step * i
        out += text(left - 10, y + 4, name, "end")
        out += '<path d="M%.1f %dv14" stroke="#0072b2" stroke-width="3"/>\n' % (at(mean_of(list_)), y - 7)
        for x in list_:
            out += '<circle cx="%.1f" cy="%d" r="4" fill="#e69f00" fill-opacity="0.8"/>\n' % (at(x), y)
    return out + "</svg>\n"


def block(match, put):
    begin, names, end = match.group(1), match.group(2).split(), match.group(3)
    e = merge(names)
    svg = names[0][:-len("json")] + "svg"
    put(os.path.join(HERE, svg), plot(e))
    return (begin + "\n" + by_seed(e) + "\nDots are seeds, bars their means, the dashed line is the baseline's.\n\n"
            "![mIoU by variant and seed](experiments/%s)\n\n<details><summary>By class</summary>\n\n" % svg + by_class(e)
            + "\n</details>\n" + end)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def compare(path, text):
    with open(path) as f:
        if f.read() != text:
            sys.exit("%s is not what its results say: run docs/experiments/tables.py" % path)


def main(args):
    put = compare if args[:1] == ["--check"] else write
    documents = args[1:] if put is compare else args
    if not documents or documents[0].startswith("-"):
        sys.exit(__doc__)
    for path in documents:
        with open(path) as f:
            text = f.read()
        put(path, MARKED.sub(lambda match: block(match, put), text))


main(sys.argv[1:])
