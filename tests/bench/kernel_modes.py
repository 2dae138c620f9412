#!/usr/bin/python3
"""Does faster arithmetic train a different network? The demo's scenes and network, shortened, trained with
each kernel mode and several seeds: one JSON line a run, and the curves as a picture.

usage: kernel_modes.py BUILD [--seeds N] [--threads N] [--svg FILE]

A line holds the training loss (mean of every WINDOW steps of source training) and the mIoU on the
target after source training and after every round. Seeds alone already move both; a mode is as good
as another when it moves them no more.
"""
import argparse
import json
import os
import sys

top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(top, "tests", "crash"))
import lib

MODES = ["exact", "f2", "f4"]
WINDOW = 25


def run_config(mode, seed):
    with open(os.path.join(top, "demo", "demo.json")) as f:
        c = json.load(f)
    c.update(name="%s-%d" % (mode, seed), kernels=mode, seed=seed)
    # The demo's rate of 0.03 is at the edge: there one spike more or less decides over the result.
    c["source_training"].update(steps=300, lr=0.01, warmup_steps=75)
    c["self_training"].update(phase1_rounds=1, phase2_rounds=1, steps_per_round=75, lr=0.005)
    return c


def losses(daemon, run, steps):
    series = daemon.get("/api/v1/runs/%d/metrics?keys=loss&max_points=5000" % run)["series"]
    points = [p for p in series[0]["points"] if p[0] <= steps]
    means = []
    for begin in range(0, steps, WINDOW):
        window = [v for at, v in points if begin < at <= begin + WINDOW]
        means.append(round(sum(window) / len(window), 4) if window else None)
    return means


def measure(daemon, mode, seed):
    config = run_config(mode, seed)
    run = daemon.submit(config)
    r = daemon.wait_state(run, seconds=3600, poll=0.5)
    history = daemon.get("/api/v1/runs/%d/iou" % run)
    return {"bench": "kernel_modes", "kernels": mode, "seed": seed, "state": r["state"],
            "threads": daemon.threads, "window_steps": WINDOW,
            "loss": losses(daemon, run, config["source_training"]["steps"]),
            "miou": [round(p["miou"], 4) for p in history["points"]]}


# ---- the picture ---------------------------------------------------------------------------

COLOURS = {"exact": "#1f77b4", "f2": "#2ca02c", "f4": "#d62728"}


def panel(lines, key, left, title, first, last):
    """A 380x240 chart whose curves are the lines' `key`, as SVG elements; first, last: what the
    ends of the axis are called."""
    values = [v for l in lines for v in l[key] if v is not None]
    low, high = min(values), max(values)
    count = max(len(l[key]) for l in lines)
    across = lambda i: left + 50 + 310 * i / max(count - 1, 1)
    up = lambda v: 210 - 170 * (v - low) / (high - low or 1)
    out = ['<text x="%d" y="20" font-weight="bold">%s</text>' % (left + 50, title)]
    for v in (low, (low + high) / 2, high):
        out.append('<text x="%d" y="%.0f" text-anchor="end">%.2f</text>' % (left + 44, up(v) + 4, v))
        out.append('<path d="M%d %.1fh310" stroke="#ddd"/>' % (left + 50, up(v)))
    out.append('<text x="%d" y="230">%s</text>' % (left + 50, first))
    out.append('<text x="%d" y="230" text-anchor="end">%s</text>' % (left + 360, last))
    for l in lines:
        points = " ".join("%.1f,%.1f" % (across(i), up(v))
                          for i, v in enumerate(l[key]) if v is not None)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.3" opacity=".8"/>'
                   % (points, COLOURS[l["kernels"]]))
    return out


def picture(lines):
    steps, rounds = len(lines[0]["loss"]) * WINDOW, len(lines[0]["miou"]) - 1
    body = panel(lines, "loss", 0, "training loss, source, means of %d steps" % WINDOW,
                 "step %d" % WINDOW, "step %d" % steps) + \
        panel(lines, "miou", 390, "mIoU on the target", "source model", "after round %d" % (rounds - 1))
    for i, mode in enumerate(MODES):
        body.append('<text x="%d" y="258" fill="%s">%s</text>' % (60 + 70 * i, COLOURS[mode], mode))
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 270" font-family="sans-serif" '
            'font-size="11"><rect width="780" height="270" fill="white"/>\n%s\n</svg>\n'
            % "\n".join(body))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--svg")
    args = p.parse_args()
    place = lib.Place.of_build(args.build)
    daemon = place.daemon(threads=args.threads, checkpoint_seconds=60)
    lines = []
    try:
        os.makedirs(daemon.state)
        daemon.start()
        for name, look, count, seed in (("renderer", "renderer", 200, 11), ("camera", "camera", 150, 12),
                                        ("camera-test", "camera", 100, 13)):
            daemon.dataset(name, place.scenes(name, look, count, "256x128", seed))
        for seed in range(1, args.seeds + 1):
            for mode in MODES:
                lines.append(measure(daemon, mode, seed))
                print(json.dumps(lines[-1]), flush=True)
        if args.svg:
            with open(args.svg, "w") as f:
                f.write(picture(lines))
    finally:
        daemon.stop()
        place.close()
    return 0 if all(l["state"] == "completed" for l in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
