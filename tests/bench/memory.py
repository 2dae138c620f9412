#!/usr/bin/python3
"""The memory that a run was predicted to need against what the daemon took: one JSON line a case.

usage: memory.py BUILD [--threads N] [PRESET] [ARCH] [HxW]

Each case starts a daemon on synthetic images (of twice the crop's sides, as cut-outs of larger
pictures are), trains some steps in it - with a preset that adapts a round of each phase, too - and
reads the daemon's peak of resident memory.
"ratio" is predicted over measured; the daemon refuses a run by the predicted number.
"""
import argparse
import json
import os
import struct
import sys

top = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(top, "tests", "crash"))
import lib

CASES = [("source-only", "deeplabv2-vgg16", "321x321"),
         ("source-only", "deeplabv2-vgg16", "512x1024"),
         ("source-only", "deeplabv2-resnet101", "321x321"),
         ("source-only", "deeplabv2-mobilenetv2", "321x321"),
         ("crst-lrent", "deeplabv2-mobilenetv2", "321x321"),
         ("tpld", "deeplabv2-mobilenetv2", "321x321")]
PRESETS = ["source-only", "cbst", "crst-mrkld", "crst-lrent", "tpld-phase1", "tpld"]
MIB = 1 << 20


def first_layer(arch):
    """A weights file with one tensor: enough to make a run skip measuring its batch norms, which
    takes minutes for a deep network and less memory than training."""
    name, shape = {"deeplabv2-vgg16": ("features.0.weight", [64, 3, 3, 3]),
                   "deeplabv2-mobilenetv2": ("features.0.0.weight", [32, 3, 3, 3])}.get(
                       arch, ("conv1.weight", [64, 3, 7, 7]))
    size = 4 * shape[0] * shape[1] * shape[2] * shape[3]
    head = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + struct.pack("<f", 0.01) * (size // 4)


def measure(place, config, threads):
    """(predicted, measured, state, idle) of one run in a daemon of its own, bytes. A checkpoint is
    written after every step: a long run meets one, too."""
    d = place.daemon(threads=threads, checkpoint_seconds=0)
    os.makedirs(d.state)
    d.start()
    try:
        place.register(d)
        arch = config["model"]["arch"]
        d.post("/api/v1/weights?name=first&arch=" + arch, first_layer(arch), want=201,
               kind="application/octet-stream")
        said = d.post("/api/v1/runs:validate", config, want=200)
        idle = d.peak()
        r = d.wait_state(d.submit(config), seconds=600)
        return said["estimate"]["memory_bytes"], d.peak(), r["state"], idle
    finally:
        d.stop()


def run_config(preset, arch, height, width):
    c = {"name": "memory", "preset": preset, "source": "source", "target": "target",
         "eval": "target", "model": {"arch": arch, "init": "first"},
         "data": {"crop": [height, width], "batch": 1}, "source_training": {"steps": 3}}
    if preset == "source-only":
        c["eval"] = None
    else:
        c["self_training"] = {"phase1_rounds": 1, "steps_per_round": 2}
        if preset == "tpld":
            c["self_training"]["phase2_rounds"] = 1
            c["data"]["batch"] = 2  # an easy image and a source image; the hard one comes on top
    return c


def case(place, preset, arch, size, threads):
    """One line; true when the run completed."""
    height, width = map(int, size.split("x"))
    picture = "%dx%d" % (min(2 * width, 2048), min(2 * height, 1024))
    lib.shutil.rmtree(place.data, ignore_errors=True)
    place.scenes("source", "renderer", 3, picture, 1)
    place.scenes("target", "camera", 2, picture, 2)
    config = run_config(preset, arch, height, width)
    predicted, measured, state, idle = measure(place, config, threads)
    print(json.dumps({
        "bench": "memory", "preset": preset, "arch": arch, "height": height, "width": width,
        "batch": config["data"]["batch"], "threads": threads,
        "predicted_mib": round(predicted / MIB), "peak_rss_mib": round(measured / MIB),
        "idle_mib": round(idle / MIB), "ratio": round(predicted / measured, 3), "state": state}),
        flush=True)
    return state == "completed"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("only", nargs="*")
    args = p.parse_args()
    wanted = [c for c in CASES if all(word in c for word in args.only)]
    if not wanted:  # a case of one's own: what is not named is the first preset, the default size
        by_kind = {w.split("-")[0] if w.startswith("deeplab") else
                   "preset" if w in PRESETS else "size": w for w in args.only}
        wanted = [(by_kind.get("preset", PRESETS[0]), by_kind.get("deeplabv2", CASES[0][1]),
                   by_kind.get("size", "321x321"))]
    place = lib.Place.of_build(args.build)
    try:
        return 0 if all([case(place, *c, args.threads) for c in wanted]) else 1
    finally:
        place.close()


if __name__ == "__main__":
    sys.exit(main())
