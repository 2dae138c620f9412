#!/usr/bin/python3
"""Series of bench_net's measurements whose point is a ratio, one JSON line each.

usage: series.py BENCH_NET scaling [ARCH] [HxW]    a training step on 1 thread and on all
       series.py BENCH_NET linear [ARCH]           a training step of growing sizes, per pixel

"scaling": the two alternate; "ratio" is one thread's time over all threads', the least of each. One
thread's is its processor time: what other programs take from it must not flatter the ratio. "linear": MobileNetV2 without ARCH; "of_smallest" is processor time a pixel
over that of the first size, which other programs on the machine disturb least.
"""
import json
import os
import subprocess
import sys

ARCHS = ["deeplabv2-vgg16", "deeplabv2-resnet101", "deeplabv2-resnet50", "deeplabv2-mobilenetv2"]
SIZES = ["256x128", "321x321", "512x512", "512x1024", "1024x2048"]  # height x width
ROUNDS = 2


def run(bench_net, threads, arch, size):
    out = subprocess.run([bench_net, "--threads", str(threads), "train_step", arch, size],
                         stdout=subprocess.PIPE, check=True, universal_newlines=True).stdout
    return json.loads(out.splitlines()[-1])


def scaling(bench_net, arch, size):
    most = os.cpu_count()
    one, many = [], []
    for _ in range(ROUNDS):
        one.append(run(bench_net, 1, arch, size))
        many.append(run(bench_net, most, arch, size))
    slow, fast = min(r["cpu_seconds_min"] for r in one), min(r["seconds_min"] for r in many)
    return {"bench": "scaling", "arch": arch, "height": one[0]["height"], "width": one[0]["width"],
            "batch": 1, "threads": most, "seconds_one_thread": slow, "seconds_all_threads": fast,
            "runs": sum(r["runs"] for r in one), "ratio": round(slow / fast, 3)}


def linear(bench_net, arch):
    first = None
    for size in SIZES:
        r = run(bench_net, os.cpu_count(), arch, size)
        pixels = r["height"] * r["width"]
        each = 1e9 * r["cpu_seconds_min"] / pixels
        first = first or each
        yield {"bench": "linear", "arch": arch, "height": r["height"], "width": r["width"],
               "batch": 1, "threads": r["threads"], "seconds_median": r["seconds_median"],
               "seconds_min": r["seconds_min"], "runs": r["runs"],
               "peak_rss_mib": r["peak_rss_mib"], "ns_per_pixel": round(1e9 * r["seconds_min"] / pixels, 1),
               "cpu_ns_per_pixel": round(each, 1),
               "of_smallest": round(each / first, 3)}


def main():
    words = sys.argv[3:]
    archs, sizes = [w for w in words if w in ARCHS], [w for w in words if w[:1].isdigit()]
    if len(sys.argv) < 3 or sys.argv[2] not in ("scaling", "linear") or \
            len(archs) + len(sizes) != len(words):
        print(__doc__, file=sys.stderr)
        return 2
    if sys.argv[2] == "scaling":
        for arch in archs or ARCHS:
            print(json.dumps(scaling(sys.argv[1], arch, (sizes or ["321x321"])[0])), flush=True)
    else:
        for line in linear(sys.argv[1], (archs or ["deeplabv2-mobilenetv2"])[0]):
            print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
