#!/usr/bin/python3
"""Golden file of test_depthwise.c, test_maxpool.c, test_resize.c and test_softmax.c: PyTorch's
depthwise conv2d with ReLU6 behind it, max_pool2d, bilinear interpolate and softmax, forward and
backward.

Run from anywhere; writes ops_misc.bin next to itself.
"""
import os

import torch
import torch.nn.functional as F

from golden_io import pixels, taps, write

SEED = 11
# h, w, c, stride, dilation (= padding); kernel 3x3
DEPTHWISE = [
    (9, 11, 12, 1, 1),
    (9, 11, 12, 1, 2),
    (11, 10, 19, 1, 4),
    (10, 13, 12, 2, 1),
    (11, 9, 8, 2, 2),
]
# h, w, c, kernel, stride, padding, ceil mode; inputs have ties, as behind a ReLU
MAXPOOL = [
    (11, 14, 9, 3, 2, 1, 1),
    (12, 12, 9, 3, 2, 1, 0),
    (10, 8, 9, 2, 2, 0, 0),
    (7, 9, 9, 2, 2, 0, 1),
]
# c, in_h, in_w, out_h, out_w, align_corners
RESIZE = [
    (3, 5, 7, 33, 41, 1),
    (3, 5, 7, 33, 41, 0),
    (3, 21, 30, 6, 9, 1),
    (3, 21, 30, 6, 9, 0),
    (2, 1, 4, 7, 1, 1),
]


def main():
    torch.manual_seed(SEED)
    out = {}
    out["depthwise"] = torch.tensor(DEPTHWISE, dtype=torch.int32)
    for i, (h, w, c, stride, d) in enumerate(DEPTHWISE):
        x = torch.randn(1, c, h, w, requires_grad=True)
        wt = torch.randn(c, 1, 3, 3, requires_grad=True)
        b = torch.randn(c, requires_grad=True)
        y = F.relu6(F.conv2d(x, wt, b, stride, d, d, groups=c))
        dy = torch.randn_like(y)
        y.backward(dy)
        out.update({"dw_x%d" % i: pixels(x), "dw_w%d" % i: taps(wt), "dw_b%d" % i: b,
                    "dw_y%d" % i: pixels(y), "dw_dy%d" % i: pixels(dy),
                    "dw_dx%d" % i: pixels(x.grad), "dw_dw%d" % i: taps(wt.grad),
                    "dw_db%d" % i: b.grad})

    out["maxpool"] = torch.tensor(MAXPOOL, dtype=torch.int32)
    for i, (h, w, c, k, stride, pad, ceil) in enumerate(MAXPOOL):
        x = F.relu(torch.round(2 * torch.randn(1, c, h, w)) / 2).requires_grad_()
        y = F.max_pool2d(x, k, stride, pad, ceil_mode=ceil == 1)
        dy = torch.randn_like(y)
        y.backward(dy)
        out.update({"mp_x%d" % i: pixels(x), "mp_y%d" % i: pixels(y), "mp_dy%d" % i: pixels(dy),
                    "mp_dx%d" % i: pixels(x.grad)})

    out["resize"] = torch.tensor(RESIZE, dtype=torch.int32)
    for i, (c, h, w, oh, ow, align) in enumerate(RESIZE):
        x = torch.randn(1, c, h, w, requires_grad=True)
        y = F.interpolate(x, (oh, ow), mode="bilinear", align_corners=align == 1)
        dy = torch.randn_like(y)
        y.backward(dy)
        out.update({"rs_x%d" % i: x[0], "rs_y%d" % i: y[0], "rs_dy%d" % i: dy[0],
                    "rs_dx%d" % i: x.grad[0]})

    z = (4 * torch.randn(1, 19, 11, 13)).requires_grad_()
    p = F.softmax(z, 1)
    dp = torch.randn_like(p)
    p.backward(dp)
    out.update({"sm_z": z[0], "sm_p": p[0], "sm_dp": dp[0], "sm_dz": z.grad[0]})
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ops_misc.bin"), out,
          "seed %d" % SEED)


main()
