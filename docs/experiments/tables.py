#!/usr/bin/python3
"""Writes what a finished experiment measured into a document: a table of its variants, one by class, and a
plot of every seed.

usage: tables.py [--check] DOCUMENT...      --check: write nothing, fail where something would change

In a document, what lies between
    <!-- experiment: results/NAME.json -->   and   <!-- end of experiment -->
is replaced; the file, beside this script, is what `tpldctl -o json experiment show ID` printed. The plot goes
to results/NAME.svg. Only what was measured is written: a cell without a run is left empty.
"""
import json
import math
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MARKED = re.compile(r"(<!-- experiment: (results/[\w-]+\.json) -->\n).*?(<!-- end of experiment -->)", re.S)


def percent(x, digits=1):
    return "" if x is None else "%.*f" % (digits, 100 * x)


def signed(x):
    return "" if x is None else "%+.1f" % (100 * x)


def spread(s, show=percent):
    if s is None or s["mean"] is None:
        return ""
    return show(s["mean"]) + (" ± " + percent(s["deviation"]) if s["deviation"] is not None else "")


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def by_seed(e):
    out = row(["variant"] + ["seed %d" % s for s in e["seeds"]] + ["mean", "difference", "p", "gap closed"])
    out += row(["---"] + ["---:"] * (len(e["seeds"]) + 4))
    for v in e["variants"]:
        d = v["difference"]
        out += row([v["name"]] + [percent(c["miou"]) for c in v["cells"]] +
                   [spread(v["miou"]), spread(d, signed) if d else "",
                    "" if not d or d["p"] is None else "%.2g" % d["p"],
                    "" if v["gap_closed"] is None else "%.0f %%" % (100 * v["gap_closed"])])
    return out


def by_class(e):
    names = [c["name"] for c in e["classes"]]
    used = [k for k in range(len(names)) if any(v["iou"][k] and v["iou"][k]["mean"] is not None for v in e["variants"])]
    out = row(["mean IoU"] + [names[k] for k in used])
    out += row(["---"] + ["---:"] * len(used))
    for v in e["variants"]:
        out += row([v["name"]] + [percent(v["iou"][k]["mean"]) if v["iou"][k] else "" for k in used])
    return out


def text(x, y, what, anchor="start", extra=""):
    what = what.replace("&", "&amp;").replace("<", "&lt;")
    return '<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>\n' % (x, y, anchor, extra, what)


def plot(e):
    """Dots are seeds, bars means, the dashed line the baseline's mean. Grey on white or black: readable on both."""
    rows = [(v["name"], [c["miou"] for c in v["cells"] if c["miou"] is not None], v["miou"]) for v in e["variants"]]
    values = [100 * x for _, list_, _ in rows for x in list_]
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
    base = next(v["miou"] for v in e["variants"] if v["name"] == e["baseline"])
    if base:
        out += '<path d="M%.1f 8V%d" stroke="#777" stroke-dasharray="4 3"/>\n' % (at(base["mean"]), height - 24)
    for i, (name, list_, mean) in enumerate(rows):
        y = 20 + step * i
        out += text(left - 10, y + 4, name, "end")
        if mean:
            out += '<path d="M%.1f %dv14" stroke="#0072b2" stroke-width="3"/>\n' % (at(mean["mean"]), y - 7)
        for x in list_:
            out += '<circle cx="%.1f" cy="%d" r="4" fill="#e69f00" fill-opacity="0.8"/>\n' % (at(x), y)
    return out + "</svg>\n"


def block(match, put):
    begin, name, end = match.groups()
    with open(os.path.join(HERE, name)) as f:
        e = json.load(f)
    svg = name[:-len("json")] + "svg"
    put(os.path.join(HERE, svg), plot(e))
    out = begin + "\n" + by_seed(e)
    out += "\nDots are seeds, bars their means, the dashed line is the baseline's.\n\n![mIoU by variant and seed](experiments/%s)\n\n" % svg
    return out + by_class(e) + "\n" + end


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
