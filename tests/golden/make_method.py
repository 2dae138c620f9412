#!/usr/bin/env python3
"""Writes method.bin: optimisers and losses by PyTorch, and the scoring chain (logits -> labels) by NumPy.

The chain is written from the formulas (docs/method.md) in float64 with plain loops over windows and shares no code
or order of operations with core/adapt. Seeds are tried until no decision of the chain lies so close to its limit
that rounding could turn it; the labels must then agree exactly.
"""
import os

import numpy as np
import torch
import torch.nn.functional as F

from golden_io import write

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

IMAGES, K, H, W, FH, FW = 4, 5, 8, 11, 25, 37
PORTION, STRIDE, EASY, GAMMA, ALPHA_LRENT = 0.3, 4, 0.5, 2.0, 0.25
POOLS, SIDES, RANKS = ["sum", "mean", "box", "max"], ["original", "pooled"], ["r", "p"]
# window, iterations, alpha, alpha on, pool, rank, reuse, border clip
VOTES = [(5, 3, 0.7, s, p, "r", True, True) for s in SIDES for p in POOLS] + [
    (9, 2, 0.6, "pooled", "box", "p", True, False), (57, 3, 0.7, "original", "mean", "p", True, True),
    (3, 3, 0.7, "original", "sum", "r", False, True)]


class Close(Exception):
    """A decision too close to call in float32."""


def apart(a, b, margin):
    if np.any(np.abs(np.asarray(a) - b) < margin):
        raise Close


def upsample(z):
    def axis(n, m):
        src = np.arange(m) * ((n - 1) / (m - 1))
        low = np.minimum(src.astype(int), n - 2)
        return low, src - low
    y, fy = axis(H, FH)
    x, fx = axis(W, FW)
    rows = z[:, y] * (1 - fy)[None, :, None] + z[:, y + 1] * fy[None, :, None]
    return rows[:, :, x] * (1 - fx) + rows[:, :, x + 1] * fx


def softmax(z):
    e = np.exp(z - z.max(0))
    return e / e.sum(0)


def thresholds(all_p):
    lists, predicted = [[] for _ in range(K)], np.zeros(K, int)
    for p in all_p:
        two = np.sort(p, 0)[-2:]
        apart(two[0], two[1], 1e-6)
        for c in range(K):
            mine = p.max(0)[p.argmax(0) == c]
            predicted[c] += len(mine)
            lists[c] += list(mine[::STRIDE])
    # Bin limits as multiples of 2^-24 below 1: one each, 256 to the octave, then every 256.
    limits = list(range(256)) + [(256 + i) << o for o in range(8) for i in range(256)]
    limits = np.array(limits + list(range(1 << 16, (1 << 24) + 1, 256)))
    lam = np.ones(K)
    for c in range(K):
        m = int(np.floor(len(lists[c]) * PORTION))
        if m == 0:
            continue
        value = np.sort(lists[c])[::-1][m - 1]
        below = (1 << 24) - np.ceil(value * (1 << 24))
        after = limits[np.searchsorted(limits, below, side="right")]
        lam[c] = 1 - after / (1 << 24)
        assert lam[c] < value <= lam[c] + 2.0 ** -16
        apart(value, 1 - limits / (1 << 24), 3e-7)
    return lam, predicted


def confident(r):
    two = np.sort(r, 0)[-2:]
    apart(two[0], two[1], 2e-6)
    apart(r, 1, 1e-6)
    return np.where(r.max(0) > 1, r.argmax(0), 255)


def vote(p, r, label, window, iterations, alpha, side, pool, rank, reuse, clip):
    own = alpha if side == "original" else 1 - alpha
    label, reach = label.copy(), window // 2
    value = np.where(label < 255, np.take_along_axis(r, np.minimum(label, K - 1)[None], 0)[0], 0)
    voter = label.copy()
    order = np.argsort(-(r if rank == "r" else p), 0, kind="stable")
    for _ in range(iterations):
        new_label, new_value = label.copy(), value.copy()
        for y, x in zip(*np.nonzero(label == 255)):
            ys, xs = slice(max(0, y - reach), y + reach + 1), slice(max(0, x - reach), x + reach + 1)
            near, worth = voter[ys, xs], value[ys, xs]
            area = near.size if clip else window ** 2
            scores = []
            for c in order[:2, y, x]:
                v = worth[near == c]
                pooled = 0 if not v.size else {"sum": v.sum(), "mean": v.mean(), "box": v.sum() / area,
                                               "max": v.max()}[pool]
                scores.append((own * r[c, y, x] + (1 - own) * pooled, v.size, c))
            (s0, n0, c0), (s1, n1, c1) = scores
            slack = 3e-6 * (2 + (n0 + n1 if pool == "sum" else 0)) * max(1, worth.max())
            apart(s0, 1, slack)
            apart(s1, 1, slack)
            if max(s0, s1) > 1:
                apart(s0, s1, slack)
                new_label[y, x] = c0 if s0 > s1 else c1
                new_value[y, x] = min(max(s0, s1), 256)
        label, value = new_label, new_value
        if reuse:
            voter = label.copy()
    return label


def confidence(p, lam):
    pred, best = p.argmax(0), p.max(0)
    terms = [(best[pred == c] > lam[c]).mean() / lam[c] for c in range(K) if (pred == c).any()]
    return sum(terms) / len(terms), -(p * np.log(p)).sum(0).mean() / np.log(K)


def chain(seed):
    rng = np.random.default_rng(seed)
    res, probs = {}, []
    for i in range(IMAGES):
        base = 1.5 * rng.normal(size=(K, 3, 4)).repeat(3, 1).repeat(3, 2)[:, :H, :W] * (1 + i / 2)
        plain = (base + 0.5 * rng.normal(size=(K, H, W))).astype(np.float32)
        plain[K - 1] -= 30 if i < 3 else 4  # a rare class
        mirrored = (plain + 0.5 * rng.normal(size=plain.shape))[:, :, ::-1].astype(np.float32)
        p = (softmax(upsample(plain.astype(float))) + softmax(upsample(mirrored.astype(float)))[:, :, ::-1]) / 2
        probs.append(p)
        res.update({"chain_plain%d" % i: plain, "chain_mirrored%d" % i: mirrored, "chain_p%d" % i: p})
    lam, predicted = thresholds(probs)
    scores = []
    for i, p in enumerate(probs):
        r = p / lam[:, None, None]
        label = confident(r)
        res["chain_confident%d" % i] = label.astype(np.uint8)
        for n, spec in enumerate(VOTES):
            res["chain_voted%d_%d" % (i, n)] = vote(p, r, label, *spec).astype(np.uint8)
        score, entropy = confidence(p, lam)
        scores.append(score)
        res["chain_entropy%d" % i] = np.array([entropy], np.float32)
        best = r.max(0)
        res["chain_easy%d" % i] = r.argmax(0).astype(np.uint8)
        res["chain_weight%d" % i] = np.where(best > 1, 1, best ** GAMMA)
        powers = r ** (1 / ALPHA_LRENT)
        total = powers.sum(0)
        apart(total, 1, 1e-5)
        res["chain_soft%d" % i] = np.where(total > 1, powers / total, 0)
    order = sorted(range(IMAGES), key=lambda i: -scores[i])
    apart(np.diff(np.sort(scores)), 0, 1e-4)
    easy = np.zeros(IMAGES, np.uint8)
    easy[order[:int(EASY * IMAGES)]] = 1
    rank = np.empty(IMAGES, np.int32)
    rank[order] = range(IMAGES)
    shares = predicted / predicted.sum()
    rare = [c for c in sorted(range(K), key=lambda c: shares[c]) if shares[c] < 0.1]
    voted = [(res["chain_voted0_%d" % n] < 255).mean() for n in range(len(VOTES))]
    print("seed", seed, "lambda", lam.round(4), "voted", np.round(voted, 3), "scores", np.round(scores, 4), "rare", rare)
    res.update(chain_lambda=lam, chain_predicted=predicted.astype(np.int32), chain_score=np.array(scores, np.float32),
               chain_easy=easy, chain_rank=rank, chain_rare=np.array(rare, np.uint8))
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
