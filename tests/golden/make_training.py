#!/usr/bin/python3
"""Golden file of tests/unit/test_training.c: twenty SGD steps on each loss, in float64.

Run from anywhere; writes training.bin next to itself. Every number a training starts from comes from formulas that the
test shares: weights as in make_nets.py; four batches that repeat, each image with its own probability map (up-sampled
logits), from which follow its true classes, its colours and, by numpy_method.py, its pseudo labels. So the file holds
final weights only. Gradients are autograd's, of the losses as algorithms.md writes them.

A seed is taken when (a) no decision behind the pseudo labels is close and (b) PyTorch's own float32 runs, from the
weights and from weights whose last bits are nudged, all end within SPREAD of the float64 one: no ReLU or maximum
stood so near its kink that rounding chose the side. What the test finds beyond that is ours.
"""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

import torch_nets
from golden_io import write
from make_nets import fill, values
from numpy_method import NONE, Close, confident, easy, predicted_classes, ratios, soft, softmax, upsample, vote

CLASSES, BATCH, BATCHES, STEPS, GRID_H, GRID_W = 5, 2, 4, 20, 5, 6
DILATIONS = (1, 2, 4, 6)
LAMBDA = (0.9, 0.5, 0.7, 0.3, 0.95)
VOTE = (5, 3, 0.7, "original", "sum", "r", True, True)
HEAD, POWER, MOMENTUM, DECAY = 0.5, 0.9, 0.9, 5e-4
# Rates at which the weights of every layer move further than float32 loses on the way. The head, whose gradients are by
# far the largest, takes half of them.
LR = {"deeplabv2-mobilenetv2": 0.15, "deeplabv2-resnet50": 0.02, "deeplabv2-vgg16": 0.2}
BETA, GAMMA, ALPHA_LRENT, DISC_DIVISOR, DISC_LR, ADVERSARIAL = 0.8, 2.0, 0.25, 16, 1e-3, 0.05
SPREAD, NUDGED = 5e-5, 4  # float32 runs from nudged weights
# name, architecture, width divisor, crop, the target's labels, regulariser and its weight, bootstrapped
CASES = [
    ("source", "deeplabv2-mobilenetv2", 8, (33, 41), None, None, 0, False),
    ("cbst", "deeplabv2-resnet50", 64, (33, 41), "confident", None, 0, False),
    ("mrkld", "deeplabv2-vgg16", 32, (97, 103), "confident", "mrkld", 0.1, False),
    ("lrent", "deeplabv2-mobilenetv2", 16, (33, 41), "soft", None, 0, False),
    ("bootstrap", "deeplabv2-resnet50", 64, (33, 41), "voted", None, 0, True),
    ("phase1", "deeplabv2-vgg16", 64, (33, 41), "voted", "mrkld", 0.1, True),
    ("easy", "deeplabv2-mobilenetv2", 16, (33, 41), "easy", None, 0, True),
    ("adversarial", "deeplabv2-resnet50", 32, (65, 70), "easy", None, 0, True),
    ("mrent", "deeplabv2-mobilenetv2", 16, (33, 41), "confident", "mrent", 0.1, False),
    ("mrl2", "deeplabv2-vgg16", 64, (33, 41), "confident", "mrl2", 0.1, False),
]


def pseudo_labels(kind, p):
    """yhat [k][h][w]: zero vectors where nothing is known."""
    r = ratios(p, LAMBDA)
    label = confident(r)
    if kind == "soft":
        return soft(r, ALPHA_LRENT)
    weight = np.ones(label.shape)
    if kind == "voted":
        label = vote(p, r, label, *VOTE)
    elif kind == "easy":
        label, weight = easy(r, GAMMA)
    return np.stack([np.where(label == c, weight, 0) for c in range(CLASSES)])


def sample(seed, batch, slot, crop, kind):
    """input [3][h][w] and yhat [k][h][w]; kind None: true classes, a tenth of them unknown."""
    name, n = "%d/%d" % (batch, slot), crop[0] * crop[1]
    z = values(seed, "logits " + name, CLASSES * GRID_H * GRID_W, -4, 4).astype(np.float64)
    p = softmax(upsample(z.reshape(CLASSES, GRID_H, GRID_W), *crop))
    truth = predicted_classes(p)
    colour = values(seed, "colour", CLASSES * 3, -1.5, 1.5).reshape(CLASSES, 3)
    image = values(seed, "image " + name, 3 * n, -1, 1).reshape(3, *crop)
    image = image + colour[truth].transpose(2, 0, 1)  # in float32
    if kind is None:
        truth = np.where(values(seed, "unknown " + name, n, 0, 1).reshape(crop) < np.float32(0.1), NONE, truth)
        yhat = np.stack([truth == c for c in range(CLASSES)])
    else:
        yhat = pseudo_labels(kind, p)
    return image, yhat.astype(np.float64)


def logits(net, x):
    return F.interpolate(net(x), x.shape[2:], mode="bilinear", align_corners=True)[0]


def regularizer(kind, logp):
    p = logp.exp()
    return {"mrkld": -logp.mean(0), "mrent": (p * logp).sum(0), "mrl2": (p * p).sum(0)}[kind]


def label_loss(z, yhat, bootstrapped):
    logp = torch.log_softmax(z, 0)
    if not bootstrapped:
        return -(yhat * logp).sum()
    lam = torch.tensor(LAMBDA, dtype=z.dtype).view(-1, 1, 1)
    r = logp.exp() / lam
    weight = BETA * yhat + (1 - BETA) * r.detach()
    return -((weight * r.log()).sum(0) * (yhat.sum(0) > 0)).sum()


def self_information(z):
    p = torch.softmax(z, 0)
    return (-p * torch.log2(p + 1e-30) / np.log2(CLASSES)).unsqueeze(0)


def verdict_loss(disc, info, label):
    verdict = disc(info)
    return F.binary_cross_entropy_with_logits(verdict, torch.full_like(verdict, label))


def train(case, seed, batches, dtype, nudge=0):
    """(losses per step, final weights, initial weights), trained tensors by name; nudge: seed of the nudges or 0."""
    name, arch, divisor, _, kind, reg, reg_weight, bootstrapped = case
    net = torch_nets.freeze_bn(torch_nets.build(arch, CLASSES, DILATIONS, divisor))
    disc = torch_nets.Discriminator(CLASSES, DISC_DIVISOR)
    fill(net, seed)
    fill(disc, seed + 1000)
    lr = LR[arch]
    if nudge:
        torch.manual_seed(nudge)
        with torch.no_grad():
            for p in [*net.parameters(), *disc.parameters()]:
                p.copy_(torch.nextafter(p, torch.randn_like(p)))
    net, disc = net.to(dtype), disc.to(dtype)
    heads = ("layer5.", "classifier.")
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
    sgd = torch.optim.SGD([{"params": [p for n, p in trained.items() if n.startswith(heads) == head]}
                           for head in (False, True)], lr=lr, momentum=MOMENTUM, weight_decay=DECAY)
    adam = torch.optim.Adam(disc.parameters(), lr=DISC_LR, betas=(0.9, 0.99), eps=1e-8)
    if name == "adversarial":
        trained.update({"disc." + n: p for n, p in disc.named_parameters()})
    start = {n: p.detach().clone() for n, p in trained.items()}
    losses = []
    for step in range(STEPS):
        poly = (1 - step / STEPS) ** POWER
        sgd.param_groups[0]["lr"], sgd.param_groups[1]["lr"] = lr * poly, lr * HEAD * poly
        adam.param_groups[0]["lr"] = DISC_LR * poly
        sgd.zero_grad()
        images = [(torch.from_numpy(x).to(dtype).unsqueeze(0), torch.from_numpy(y).to(dtype))
                  for x, y in batches[step % BATCHES]]
        known = [int((y.sum(0) > 0).sum()) for _, y in images[:BATCH]]
        total, info = torch.zeros((), dtype=dtype), []
        for i, (x, yhat) in enumerate(images[:BATCH]):
            target = kind is not None and i == 0
            z = logits(net, x)
            total = total + label_loss(z, yhat, bootstrapped and target) / sum(known)
            if target and reg is not None:
                on = yhat.sum(0) > 0
                total = total + reg_weight * (regularizer(reg, torch.log_softmax(z, 0)) * on).sum() / known[0]
            info.append(self_information(z))
        row = [total.item(), 0, 0]
        if name == "adversarial":
            for p in disc.parameters():
                p.requires_grad_(False)
            hard = self_information(logits(net, images[BATCH][0]))
            fool = ADVERSARIAL * verdict_loss(disc, hard, 1.0)
            (total + fool).backward()
            for p in disc.parameters():
                p.requires_grad_(True)
            adam.zero_grad()
            learn = (verdict_loss(disc, hard.detach(), 0.0) + verdict_loss(disc, info[0].detach(), 1.0)) / 2
            learn.backward()
            adam.step()
            row[1:] = [fool.item(), learn.item()]
        else:
            total.backward()
        sgd.step()
        losses.append(row)
    return np.array(losses), {n: p.detach() for n, p in trained.items()}, start


def distance(got, want, start):
    """Of the weights over the length of their way: all together, and the worst tensor's."""
    off = {n: (got[n].double() - want[n].double()).norm().item() for n in want}
    way = {n: (want[n].double() - start[n].double()).norm().item() for n in want}
    worst = max(off, key=lambda n: off[n] / way[n])
    norm = lambda d: sum(v * v for v in d.values()) ** 0.5
    return norm(off) / norm(way), off[worst] / way[worst], worst


def run(case, seed, out):
    name, _, _, crop, kind, _, _, _ = case
    kinds = [kind, None] + (["easy"] if name == "adversarial" else [])  # the hard image's labels are not used
    batches = [[sample(seed, b, i, crop, k) for i, k in enumerate(kinds)] for b in range(BATCHES)]
    losses, after, start = train(case, seed, batches, torch.float64)
    overall, worst, where = distance(train(case, seed, batches, torch.float32)[1], after, start)
    count = sum(p.numel() for p in after.values())
    print("%-11s seed %d: %d weights, loss %.4f -> %.4f, labelled %s, float32 off by %.1e, worst %.1e (%s)" % (
        name, seed, count, losses[0, 0], losses[-1, 0],
        ["%.2f" % np.mean([b[i][1].sum(0).astype(bool).mean() for b in batches]) for i in range(BATCH)], overall, worst,
        where), "smallest way of a weight %.1e" % min(
            (after[n] - start[n]).norm().item() / after[n].numel() ** 0.5 for n in after), flush=True)
    if not worst <= SPREAD:
        raise Close
    for nudge in range(1, NUDGED + 1):
        off, most, where = distance(train(case, seed, batches, torch.float32, nudge)[1], after, start)
        print("    nudged: off by %.1e, worst %.1e (%s)" % (off, most, where), flush=True)
        if not most <= SPREAD:
            raise Close
    out[name + "/seed"] = np.array([seed], np.int32)
    out[name + "/losses"] = losses.astype(np.float32)
    out[name + "/float32"] = np.array([overall, worst], np.float32)
    for n, p in after.items():
        out["%s/%s" % (name, n)] = p.float()


def main():
    torch.set_num_threads(1)
    out = {}
    for i, case in enumerate(CASES):
        if len(sys.argv) > 1 and case[0] not in sys.argv[1:]:  # to look at some; writes nothing
            continue
        for seed in range(100 * i, 100 * i + 60):
            try:
                run(case, seed, out)
                break
            except Close:
                pass
        else:
            sys.exit("%s: no seed will do" % case[0])
    if len(sys.argv) == 1:
        write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "training.bin"), out,
              "float64; values by formula")


if __name__ == "__main__":
    main()
