#!/usr/bin/env python3
"""Writes method.bin: optimisers and losses by PyTorch, and the scoring chain (logits -> labels) by NumPy.

The chain is numpy_method.py's. Seeds are tried until no decision of it lies so close to its limit that rounding could
turn it; the labels must then agree exactly.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F

from golden_io import write
from numpy_method import (NONE, Close, apart, confidence, confident, easy, ratios, soft, softmax, thresholds, upsample,
                          vote)

SEED = 20
out = {}


def optimisers(rng):
    n, steps = 37, 6
    w0 = rng.normal(size=n).astype(np.float32)
    grads = rng.normal(size=(steps, n)).astype(np.float32)
    lrs = [0.05 * (1 - t / 10) ** 0.9 for t in range(steps)]

    def run(make, poly):
        w = torch.nn.Parameter(torch.tensor(w0))
        opt = make([w])
        trace = []
        for t in range(steps):
            if poly:
                opt.param_groups[0]["lr"] = lrs[t]
            w.grad = torch.tensor(grads[t])
            opt.step()
            trace.append(w.detach().numpy().copy())
        return np.array(trace)

    out.update(opt_w0=w0, opt_g=grads, opt_lr=np.array(lrs, np.float32),
               sgd_w=run(lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, weight_decay=5e-2), True),
               adam_w=run(lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.9, 0.99), eps=1e-8), False))


def losses(rng):
    k, n = 4, 24
    z0 = (2 * rng.normal(size=(k, n))).astype(np.float32)
    lam = np.array([0.95, 0.3, 0.6, 1.0], np.float32)
    label = rng.integers(0, k, n).astype(np.uint8)
    label[rng.random(n) < 0.3] = 255
    weight = rng.random(n).astype(np.float32)
    soft = rng.dirichlet(np.ones(k), n).T.astype(np.float32)
    soft[:, rng.random(n) < 0.3] = 0
    one_hot = np.stack([label == c for c in range(k)]).astype(np.float32)
    targets = [one_hot, one_hot * weight, soft]
    scale, reg_scale, beta = 0.25, 0.125, 0.9
    out.update(loss_z=z0, loss_lambda=lam, loss_label=label, loss_weight=weight, loss_soft=soft)

    grads, values = [], []
    for yhat in targets:
        y = torch.tensor(yhat)
        on = (y.abs().sum(0) > 0).float()
        for reg in range(5):  # none, mrkld, lrent, mrent, mrl2
            for boot in range(3):  # off, weight held constant, differentiated
                z = torch.tensor(z0, requires_grad=True)
                logp = F.log_softmax(z, 0)
                p = logp.exp()
                if boot == 0:
                    first = -(y * logp).sum(0)
                else:
                    r = p / torch.tensor(lam)[:, None]
                    inside = r if boot == 2 else r.detach()
                    first = -((beta * y + (1 - beta) * inside) * r.log()).sum(0)
                second = [torch.zeros(n), -logp.mean(0), torch.zeros(n), (p * logp).sum(0),
                          (p * p).sum(0)][reg]
                a, b = scale * (on * first).sum(), reg_scale * (on * second).sum()
                (a + b).backward()
                grads.append(z.grad.numpy().copy())
                values.append([a.item(), b.item()])
    out.update(loss_dz=np.array(grads), loss_value=np.array(values, np.float32))

    p = torch.softmax(torch.tensor(z0), 0).requires_grad_(True)
    info = -p * torch.log2(p + 1e-30) / np.log2(k)
    di = torch.tensor(rng.normal(size=(n, k)).astype(np.float32))
    (info.T * di).sum().backward()
    out.update(info_p=p, info_i=info.T.contiguous(), info_di=di, info_dp=p.grad)

    z = torch.tensor((20 * rng.normal(size=50)).astype(np.float32), requires_grad=True)
    value = F.binary_cross_entropy_with_logits(z, torch.full_like(z, 0.75)) * 0.5
    value.backward()
    out.update(bce_z=z, bce_dz=z.grad, bce_value=np.array([value.item()], np.float32))


# ---- the scoring chain -------------------------------------------------------------------------------------------

K = 5
# of the network's output and of the image
SIZES = [((8, 11), (25, 37)), ((9, 6), (41, 23)), ((5, 12), (18, 49)), ((8, 8), (31, 31))]
PORTION, STRIDE, EASY, GAMMA, ALPHA_LRENT = 0.3, 4, 0.5, 2.0, 0.25
POOLS, SIDES = ["sum", "mean", "box", "max"], ["original", "pooled"]
# window, iterations, alpha, alpha on, pool, rank, reuse, border clip
VOTES = [(5, 3, 0.7, s, p, "r", True, True) for s in SIDES for p in POOLS] + [
    (9, 2, 0.6, "pooled", "box", "p", True, False), (57, 3, 0.7, "original", "mean", "p", True, True),
    (3, 3, 0.7, "original", "sum", "r", False, True), (7, 3, 0.8, "pooled", "sum", "p", False, True),
    (7, 2, 0.9, "pooled", "max", "p", True, True), (3, 3, 0.5, "original", "box", "r", True, False)]


def chain(seed):
    rng = np.random.default_rng(seed)
    res, probs = {}, []
    for i, ((h, w), (height, width)) in enumerate(SIZES):
        blocks = 1.5 * rng.normal(size=(K, -(-h // 3), -(-w // 3))) * (1 + i / 2)
        base = blocks.repeat(3, 1).repeat(3, 2)[:, :h, :w]
        plain = (base + 0.5 * rng.normal(size=(K, h, w))).astype(np.float32)
        plain[K - 1] -= 30 if i < 3 else 4  # a rare class
        mirrored = (plain + 0.5 * rng.normal(size=plain.shape))[:, :, ::-1].astype(np.float32)
        p = (softmax(upsample(plain.astype(float), height, width)) +
             softmax(upsample(mirrored.astype(float), height, width))[:, :, ::-1]) / 2
        probs.append(p)
        res.update({"chain_plain%d" % i: plain, "chain_mirrored%d" % i: mirrored, "chain_p%d" % i: p})
    lam, predicted = thresholds(probs, PORTION, STRIDE)
    scores, plain_scores = [], []
    for i, p in enumerate(probs):
        r = ratios(p, lam)
        label = confident(r)
        res["chain_confident%d" % i] = label.astype(np.uint8)
        for n, spec in enumerate(VOTES):
            res["chain_voted%d_%d" % (i, n)] = vote(p, r, label, *spec).astype(np.uint8)
        score, entropy = confidence(p, lam)
        scores.append(score)
        plain_scores.append(confidence(p, lam, False)[0])
        res["chain_entropy%d" % i] = np.array([entropy], np.float32)
        full, weight = easy(r, GAMMA)
        res["chain_easy%d" % i] = full.astype(np.uint8)
        res["chain_weight%d" % i] = weight
        res["chain_soft%d" % i] = soft(r, ALPHA_LRENT)
    images = len(SIZES)
    order = sorted(range(images), key=lambda i: -scores[i])
    apart(np.diff(np.sort(scores)), 0, 1e-4)
    is_easy = np.zeros(images, np.uint8)
    is_easy[order[:int(EASY * images)]] = 1
    rank = np.empty(images, np.int32)
    rank[order] = range(images)
    shares = predicted / predicted.sum()
    rare = [c for c in sorted(range(K), key=lambda c: shares[c]) if shares[c] < 0.1]
    voted = [(res["chain_voted0_%d" % n] < NONE).mean() for n in range(len(VOTES))]
    print("seed", seed, "lambda", lam.round(4), "labelled", (res["chain_confident0"] < NONE).mean().round(3), "voted",
          np.round(voted, 3), "scores", np.round(scores, 4), "rare", rare)
    res.update(chain_lambda=lam, chain_predicted=predicted.astype(np.int32), chain_score=np.array(scores, np.float32),
               chain_plain_score=np.array(plain_scores, np.float32), chain_easy=is_easy, chain_rank=rank,
               chain_rare=np.array(rare, np.uint8))
    return res


def main():
    rng = np.random.default_rng(SEED)
    optimisers(rng)
    losses(rng)
    seed = SEED
    while True:
        try:
            out.update(chain(seed))
            break
        except Close:
            seed += 1
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "method.bin"), out,
          "seed %d, chain seed %d" % (SEED, seed))


main()
