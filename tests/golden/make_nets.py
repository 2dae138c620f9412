#!/usr/bin/python3
"""Golden file of tests/net/test_networks.c: whole networks of reduced width, in float64.

Run from anywhere; writes nets.bin next to itself. Parameters, images and the weights of the loss
come from a formula both sides know (values() below, nets_values() in the test), so the file only
holds logits and, of each gradient, its norm and seven projections onto +-1 vectors.
"""
import os

import numpy as np
import torch

import torch_nets
from golden_io import pixels, write

ARCHS = ["deeplabv2-vgg16", "deeplabv2-resnet101", "deeplabv2-resnet50", "deeplabv2-mobilenetv2",
         "discriminator"]
# arch, classes, divisor, output stride, branches, dilations, same_pad, h, w
CASES = [
    ("deeplabv2-vgg16", 5, 8, 8, 4, (1, 2, 4, 6), 0, 45, 37),
    ("deeplabv2-resnet101", 5, 16, 8, 4, (1, 2, 4, 6), 0, 45, 37),
    ("deeplabv2-resnet101", 3, 16, 8, 2, (6, 12, 18, 24), 0, 70, 61),
    ("deeplabv2-resnet50", 5, 8, 8, 4, (1, 2, 3, 4), 0, 47, 40),
    ("deeplabv2-mobilenetv2", 5, 4, 8, 4, (1, 2, 4, 6), 0, 45, 37),
    ("deeplabv2-mobilenetv2", 5, 4, 16, 4, (6, 12, 18, 24), 0, 66, 51),
    ("deeplabv2-mobilenetv2", 4, 4, 8, 2, (2, 4, 6, 8), 1, 46, 37),
    ("discriminator", 5, 8, 0, 0, (0, 0, 0, 0), 0, 70, 67),
    # large enough for Winograd to be chosen
    ("deeplabv2-vgg16", 5, 4, 8, 4, (1, 2, 4, 6), 0, 129, 118),
    ("deeplabv2-resnet50", 5, 4, 8, 4, (1, 2, 4, 6), 0, 150, 133),
]
PROJECTIONS = 7
RNG_TEST = 6


def mix(x):
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xbf58476d1ce4e5b9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94d049bb133111eb)
    return x ^ (x >> np.uint64(31))


def rng_u64(seed, counter):
    """core/base/rng.c for the stream RNG_TEST."""
    gold = np.uint64(0x9e3779b97f4a7c15)
    with np.errstate(over="ignore"):
        key = mix(np.array([seed], np.uint64) + gold * np.uint64(1 + RNG_TEST))
        return mix(mix(key + gold * (counter + np.uint64(1))) ^ key)


def counters(name, n):
    h = 0x811c9dc5  # 32-bit FNV-1a
    for b in name.encode():
        h = (h ^ b) * 0x01000193 % 2**32
    return (np.uint64(h) << np.uint64(24)) + np.arange(n, dtype=np.uint64)


def values(seed, name, n, low, high):
    u = (rng_u64(seed, counters(name, n)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return (low + (high - low) * u).astype(np.float32)


def fill(net, seed):
    for name, t in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if t.ndim == 4:
            high = np.sqrt(6.0 / (t.shape[1] * t.shape[2] * t.shape[3]))
            low = -high
        elif name.endswith("running_var"):
            low, high = 0.5, 1.5
        elif name.endswith("bias") or name.endswith("running_mean"):
            low, high = -0.3, 0.3
        else:
            low, high = 0.4, 1.0
        t.copy_(torch.from_numpy(values(seed, name, t.numel(), low, high)).view(t.shape))


def project(seed, name, grad):
    g = grad.detach().numpy().ravel()  # PyTorch's order
    bits = rng_u64(seed, counters("sign " + name, g.size))
    out = [np.sqrt((g * g).sum())]
    for k in range(PROJECTIONS):
        out.append((g * (((bits >> np.uint64(k)) & np.uint64(1)).astype(np.float64) * 2 - 1)).sum())
    return np.array(out, np.float32)


def main():
    torch.set_num_threads(1)
    table, out = [], {}
    for i, (arch, classes, divisor, stride, branches, dilations, same, h, w) in enumerate(CASES):
        table.append([ARCHS.index(arch), classes, divisor, stride, branches, *dilations, same,
                      h, w])
        if arch == "discriminator":
            net, c = torch_nets.Discriminator(classes, divisor), classes
        else:
            net, c = torch_nets.build(arch, classes, dilations[:branches], divisor, stride,
                                      bool(same)), 3
        net = torch_nets.freeze_bn(net).double()
        fill(net, i)
        image = values(i, "image", c * h * w, -2.0, 2.0).astype(np.float64)
        x = torch.from_numpy(image).view(1, c, h, w).requires_grad_()
        y = net(x)
        r = values(i, "loss", y.numel(), -1.0, 1.0).astype(np.float64)
        (y * torch.from_numpy(r).view(y.shape)).sum().backward()
        out["%d/logits" % i] = pixels(y).float()
        out["%d/image" % i] = project(i, "image", x.grad)
        small = 1e30
        for name, p in net.named_parameters():
            if p.requires_grad:
                out["%d/%s" % (i, name)] = project(i, name, p.grad)
                small = min(small, p.grad.norm().item())
        print(arch, list(y.shape), "logits rms %.3g" % y.pow(2).mean().sqrt().item(),
              "smallest gradient %.3g" % small)
    out["cases"] = np.array(table, np.int32)
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nets.bin"), out,
          "float64; values by formula")


if __name__ == "__main__":
    main()
