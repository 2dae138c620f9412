"""The scoring chain (logits -> labels) in NumPy, for make_method.py and make_training.py.

Written from the formulas (algorithms.md 1.2, 1.3, 2.2, 4.3, 5.1 to 5.3) in float64 with plain loops over windows; it
shares no code or order of operations with core/adapt. Where a decision lies so close to its limit that rounding in
float32 could turn it, Close is raised and the caller takes another seed: what is left must agree exactly. The one
number of core/adapt that it takes over is where thresholds may lie, see thresholds().
"""
import numpy as np

NONE = 255  # the label of an unlabelled pixel


class Close(Exception):
    """A decision too close to call in float32."""


def apart(a, b, margin):
    if np.any(np.abs(np.asarray(a) - b) < margin):
        raise Close


def upsample(z, height, width):
    """Bilinear, corners aligned: [k][h][w] -> [k][height][width]."""
    def axis(n, m):
        src = np.arange(m) * ((n - 1) / (m - 1))
        low = np.minimum(src.astype(int), n - 2)
        return low, src - low
    y, fy = axis(z.shape[1], height)
    x, fx = axis(z.shape[2], width)
    rows = z[:, y] * (1 - fy)[None, :, None] + z[:, y + 1] * fy[None, :, None]
    return rows[:, :, x] * (1 - fx) + rows[:, :, x + 1] * fx


def softmax(z):
    e = np.exp(z - z.max(0))
    return e / e.sum(0)


def predicted_classes(p):
    two = np.sort(p, 0)[-2:]
    apart(two[0], two[1], 1e-6)
    return p.argmax(0)


def thresholds(all_p, portion, stride):
    """(lambda, predicted pixels) per class.

    The m-th most confident pixel comes from sorting. The library counts in bins instead and answers with the edge just
    below that value (threshold.h: where edges lie); so lambda is put on the same edge here. This loosens nothing:
    lambda still keeps exactly the m pixels that sorting keeps, which is asserted, and no value lies so near to an edge
    that rounding could move it into another bin.
    """
    classes = len(all_p[0])
    lists, predicted = [[] for _ in range(classes)], np.zeros(classes, int)
    for p in all_p:
        best, pred = p.max(0), predicted_classes(p)
        for c in range(classes):
            mine = best[pred == c]
            predicted[c] += len(mine)
            lists[c] += list(mine[::stride])
    # Bin edges as multiples of 2^-24 below 1: one each, 256 to the octave, then every 256.
    edges = list(range(256)) + [(256 + i) << o for o in range(8) for i in range(256)]
    edges = np.array(edges + list(range(1 << 16, (1 << 24) + 1, 256)))
    lam = np.ones(classes)
    for c in range(classes):
        m = int(np.floor(len(lists[c]) * portion))
        if m == 0:
            continue
        value = np.sort(lists[c])[::-1][m - 1]
        below = (1 << 24) - np.ceil(value * (1 << 24))
        lam[c] = 1 - edges[np.searchsorted(edges, below, side="right")] / (1 << 24)
        assert lam[c] < value <= lam[c] + 2.0 ** -16
        apart(value, 1 - edges / (1 << 24), 3e-7)
        if np.sum(np.array(lists[c]) > lam[c]) != m:
            raise Close  # two values in one bin
    return lam, predicted


def ratios(p, lam):
    return p / np.reshape(lam, (-1, 1, 1))


def confident(r):
    two = np.sort(r, 0)[-2:]
    apart(two[0], two[1], 2e-6)
    apart(r, 1, 1e-6)
    return np.where(r.max(0) > 1, r.argmax(0), NONE)


def vote(p, r, label, window, iterations, alpha, side, pool, rank, reuse, clip):
    own = alpha if side == "original" else 1 - alpha
    label, reach = label.copy(), window // 2
    value = np.where(label < NONE, np.take_along_axis(r, np.minimum(label, len(p) - 1)[None], 0)[0], 0)
    voter = label.copy()
    order = np.argsort(-(r if rank == "r" else p), 0, kind="stable")
    for _ in range(iterations):
        new_label, new_value = label.copy(), value.copy()
        for y, x in zip(*np.nonzero(label == NONE)):
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


def confidence(p, lam, inverse=True):
    """Of an image: conf_t and its mean normalised entropy."""
    pred, best = p.argmax(0), p.max(0)
    terms = [(best[pred == c] > lam[c]).mean() / (lam[c] if inverse else 1) for c in range(len(p)) if (pred == c).any()]
    return sum(terms) / len(terms), -(p * np.log(p)).sum(0).mean() / np.log(len(p))


def easy(r, gamma):
    """(label, weight) of every pixel of an easy image."""
    best = r.max(0)
    return r.argmax(0), np.where(best > 1, 1, best ** gamma)


def soft(r, alpha):
    """LRENT's labels, zero vectors where Z <= 1."""
    powers = r ** (1 / alpha)
    total = powers.sum(0)
    apart(total, 1, 1e-5)
    return np.where(total > 1, powers / total, 0)
