#!/usr/bin/python3
"""Golden file of tests/unit/test_step.c: a few whole training steps of each phase, in float64.

Run from anywhere; writes step.bin next to itself. Weights, samples and labels come from the formula
that make_nets.py shares with the test, so the file only holds losses and, of each parameter's
change over the steps, its norm and seven projections onto +-1 vectors.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F

import torch_nets
from golden_io import write
from make_nets import fill, project, values

CLASSES, H, W, BATCH, STEPS, TOTAL = 5, 45, 37, 2, 3, 8
LAMBDA = (0.9, 0.5, 0.7, 0.3, 0.95)
LR, HEAD, POWER, MOMENTUM, DECAY = 2e-2, 10.0, 0.9, 0.9, 5e-4
BETA, REG, ADVERSARIAL, DISC_LR = 0.8, 0.1, 0.05, 1e-3
SOURCE, PHASE1, PHASE2 = 0, 1, 2


def sample(phase, step, slot, target):
    """input [1][3][h][w]; yhat [k][h][w], zero vectors where nothing is known."""
    name = "%d/%d" % (step, slot)
    x = torch.from_numpy(values(phase, "image " + name, 3 * H * W, -2, 2).astype(np.float64))
    label = np.floor(values(phase, "label " + name, H * W, 0, CLASSES + 1)).astype(int)
    weight = np.ones(H * W)
    if phase == PHASE2 and target:
        weight = values(phase, "weight " + name, H * W, -0.2, 1).astype(np.float64)
        weight[weight < 0] = 0
    yhat = np.zeros((CLASSES, H * W))
    for k in range(CLASSES):
        yhat[k] = np.where(label == k, weight, 0)
    return x.view(1, 3, H, W), torch.from_numpy(yhat).view(CLASSES, H, W)


def logits(net, x):
    return F.interpolate(net(x), (H, W), mode="bilinear", align_corners=True)[0]


def self_information(z):
    p = torch.softmax(z, 0)
    return (-p * torch.log2(p + 1e-30) / np.log2(CLASSES)).unsqueeze(0)


def label_loss(z, yhat, target, phase):
    logp = torch.log_softmax(z, 0)
    if not target:
        return -(yhat * logp).sum()
    lam = torch.tensor(LAMBDA, dtype=torch.float64).view(-1, 1, 1)
    logr = logp - torch.log(lam)
    w = (BETA * yhat + (1 - BETA) * torch.exp(logr)).detach()
    known = (yhat.sum(0) > 0).double()
    return -((w * logr).sum(0) * known).sum()


def disc_loss(d, info, label):
    z = d(info)
    return F.binary_cross_entropy_with_logits(z, torch.full_like(z, label))


def run(phase, out):
    net = torch_nets.build("deeplabv2-mobilenetv2", CLASSES, (1, 2, 4, 6), 4, 8)
    net = torch_nets.freeze_bn(net)
    disc = torch_nets.Discriminator(CLASSES, 8)
    net, disc = net.double(), disc.double()
    fill(net, 40 + phase)
    fill(disc, 50 + phase)
    trained = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
    body = [p for n, p in trained if not n.startswith("classifier")]
    head = [p for n, p in trained if n.startswith("classifier")]
    sgd = torch.optim.SGD([{"params": body, "lr": LR}, {"params": head, "lr": LR * HEAD}], lr=LR,
                          momentum=MOMENTUM, weight_decay=DECAY)
    adam = torch.optim.Adam(disc.parameters(), lr=DISC_LR, betas=(0.9, 0.99), eps=1e-8)
    before = {n: p.detach().clone() for n, p in trained}
    disc_before = {n: p.detach().clone() for n, p in disc.named_parameters()}
    losses = []
    for step in range(STEPS):
        decay = (1 - step / TOTAL) ** POWER
        sgd.param_groups[0]["lr"] = LR * decay
        sgd.param_groups[1]["lr"] = LR * HEAD * decay
        adam.param_groups[0]["lr"] = DISC_LR * decay
        sgd.zero_grad()
        adam.zero_grad()
        # phase 1 and 2: slot 0 is the target's, slot 1 the source's, slot 2 hard
        targets = [phase != SOURCE and i == 0 for i in range(BATCH)]
        samples = [sample(phase, step, i, targets[i]) for i in range(BATCH)]
        known = [(y.sum(0) > 0).sum().item() for _, y in samples]
        z = [logits(net, x) for x, _ in samples]
        term = sum(label_loss(z[i], samples[i][1], targets[i], phase) for i in range(BATCH))
        loss = term / sum(known)
        reg = torch.zeros((), dtype=torch.float64)
        if phase == PHASE1:
            mask = (samples[0][1].sum(0) > 0).double()
            reg = REG * -(torch.log_softmax(z[0], 0).mean(0) * mask).sum() / known[0]
        row = [(loss + reg).item(), loss.item(), reg.item(), 0.0, 0.0]
        total = loss + reg
        if phase == PHASE2:
            hard = logits(net, sample(phase, step, BATCH, True)[0])
            fool = ADVERSARIAL * disc_loss(disc, self_information(hard), 1.0)
            total = total + fool
            row[3] = fool.item()
        total.backward()
        if phase == PHASE2:
            adam.zero_grad()  # the discriminator was only passed through
            on_hard = disc_loss(disc, self_information(hard.detach()), 0.0)
            on_easy = disc_loss(disc, self_information(z[0].detach()), 1.0)
            (0.5 * on_hard + 0.5 * on_easy).backward()
            row[4] = (0.5 * on_hard + 0.5 * on_easy).item()
            adam.step()
        sgd.step()
        losses.append(row)
    out["%d/losses" % phase] = np.array(losses, np.float32)
    for n, p in trained:
        out["%d/%s" % (phase, n)] = project(phase, n, p - before[n])
    for n, p in disc.named_parameters():
        if phase == PHASE2:
            out["disc/%s" % n] = project(phase, n, p - disc_before[n])
    print("phase", phase, np.array(losses), "smallest change of a tensor %.3g" % min(
        (p - before[n]).norm().item() / p.numel() ** 0.5 for n, p in trained))


def main():
    torch.set_num_threads(1)
    out = {}
    for phase in (SOURCE, PHASE1, PHASE2):
        run(phase, out)
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "step.bin"), out,
          "float64; values by formula")


if __name__ == "__main__":
    main()
