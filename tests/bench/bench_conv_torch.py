#!/usr/bin/python3
"""The same layers as bench_conv.c in PyTorch: one JSON line each.

usage: bench_conv_torch.py THREADS [FIRST [LAST [REPEATS]]]
A step with frozen batch norm and ReLU is not included: only conv2d and its two gradients.
"""
import json
import os
import re
import sys
import time

import torch

table = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench_conv.c")).read()
layers = [tuple(map(int, row.split(","))) for row in
          re.findall(r"^\t\{((?:\d+, ){6}\d+)\},", table, re.M)]


def best(repeats, function):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    arguments = [int(a) for a in sys.argv[1:]] + [None] * 4
    torch.set_num_threads(arguments[0] or 2)
    first, last = arguments[1] or 0, arguments[2] if arguments[2] is not None else len(layers) - 1
    repeats = arguments[3] or 5
    backward = torch.ops.aten.convolution_backward
    for h, w, ic, oc, k, stride, d in layers[first:last + 1]:
        pad = d * (k - 1) // 2
        x, weight = torch.rand(1, ic, h, w) - .4, torch.rand(oc, ic, k, k) - .4
        y = torch.nn.functional.conv2d(x, weight, None, stride, pad, d)
        dy = torch.rand_like(y) - .4

        def grad(mask):
            backward(dy, x, weight, None, [stride] * 2, [pad] * 2, [d] * 2, False, [0, 0], 1, mask)

        gf = 2e-9 * y.numel() * ic * k * k
        f = best(repeats, lambda: torch.nn.functional.conv2d(x, weight, None, stride, pad, d))
        b = best(repeats, lambda: grad([True, False, False]))
        g = best(repeats, lambda: grad([False, True, False]))
        print(json.dumps({
            "layer": "%dx%dx%d-%d k%d s%d d%d" % (h, w, ic, oc, k, stride, d),
            "forward_ms": round(1e3 * f, 3), "data_ms": round(1e3 * b, 3),
            "weight_ms": round(1e3 * g, 3), "forward_gfs": round(gf / f),
            "data_gfs": round(gf / b), "weight_gfs": round(gf / g)}), flush=True)


main()
