#!/usr/bin/python3
"""Golden file of test_conv.c and test_aspp.c: conv2d of PyTorch, forward and backward.

Run from anywhere; writes conv.bin next to itself.
"""
import os

import torch
import torch.nn.functional as F

from golden_io import pixels, taps, write

SEED = 7
# h, w, in_c, out_c, kernel_h, kernel_w, stride, dilation, padding
SHAPES = [
    (1, 1, 5, 3, 1, 1, 1, 1, 0),
    (9, 7, 6, 10, 1, 1, 1, 1, 0),
    (9, 8, 6, 10, 1, 1, 2, 1, 0),
    (17, 15, 3, 8, 7, 7, 2, 1, 3),
    (13, 16, 3, 8, 3, 3, 2, 1, 1),
    (12, 11, 8, 9, 3, 3, 1, 1, 1),
    (12, 11, 8, 9, 3, 3, 1, 2, 2),
    (11, 13, 33, 8, 3, 3, 1, 6, 6),
    (12, 14, 8, 12, 4, 4, 2, 1, 1),
]


def main():
    torch.manual_seed(SEED)
    out = {"shapes": torch.tensor(SHAPES, dtype=torch.int32)}
    for i, (h, w, ic, oc, kh, kw, stride, dilation, pad) in enumerate(SHAPES):
        x = torch.randn(1, ic, h, w, requires_grad=True)
        wt = torch.randn(oc, ic, kh, kw, requires_grad=True)
        b = torch.randn(oc, requires_grad=True)
        y = F.conv2d(x, wt, b, stride, pad, dilation)
        dy = torch.randn_like(y)
        y.backward(dy)
        out.update({"x%d" % i: pixels(x), "w%d" % i: taps(wt), "b%d" % i: b, "y%d" % i: pixels(y),
                    "dy%d" % i: pixels(dy), "dx%d" % i: pixels(x.grad), "dw%d" % i: taps(wt.grad),
                    "db%d" % i: b.grad})

    # The head: sum of four dilated convolutions of one input, 10x13 map, 24 -> 5 classes.
    x = torch.randn(1, 24, 10, 13, requires_grad=True)
    total = 0
    layers = []
    for d in (2, 4, 8, 12):
        layer = torch.nn.Conv2d(24, 5, 3, padding=d, dilation=d)
        total = total + layer(x)
        layers.append(layer)
    dy = torch.randn_like(total)
    total.backward(dy)
    out.update({"aspp_x": pixels(x), "aspp_y": pixels(total), "aspp_dy": pixels(dy),
                "aspp_dx": pixels(x.grad)})
    for k, layer in enumerate(layers):
        out.update({"aspp_w%d" % k: taps(layer.weight), "aspp_b%d" % k: layer.bias,
                    "aspp_dw%d" % k: taps(layer.weight.grad), "aspp_db%d" % k: layer.bias.grad})
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv.bin"), out,
          "seed %d" % SEED)


main()
