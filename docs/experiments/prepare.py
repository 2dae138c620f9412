#!/usr/bin/python3
"""Gets a running daemon ready for the experiments of this folder: enlarges the CARLA frames, registers data sets
and weights with tpldctl.

usage: prepare.py DATA WORK [OPTIONS OF TPLDCTL...]

DATA holds camvid/{images,labels}/{train,val}, carla160/{images,labels} and weights/mobilenetv2-imagenet.safetensors;
the enlarged frames (320x160, python3-pil) go to WORK/carla, which the daemon must be able to read.
Then: tpldctl experiment run docs/experiments/day-to-dusk.json, and so on.
"""
import json
import os
import subprocess
import sys

from PIL import Image

TPLDCTL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "bin", "tpldctl")
THREE = {"classes": [{"id": 0, "name": "other", "color": [64, 64, 64]},
                     {"id": 1, "name": "road", "color": [128, 64, 128]},
                     {"id": 2, "name": "sidewalk", "color": [244, 35, 232]}]}
CARLA = {"0": 0, "1": 1, "2": 2}
CAMVID = {str(k): {3: 1, 4: 2}.get(k, 0) for k in range(11)}  # Road, Pavement, the rest


def enlarge(source, to):
    for kind, filter_ in (("images", Image.BILINEAR), ("labels", Image.NEAREST)):
        os.makedirs(os.path.join(to, kind), exist_ok=True)
        for name in sorted(os.listdir(os.path.join(source, kind))):
            picture = Image.open(os.path.join(source, kind, name))
            if kind == "images":
                picture = picture.convert("RGB")
            picture.resize((320, 160), filter_).save(os.path.join(to, kind, name))


def main(data, work, *options):
    data, work = os.path.abspath(data), os.path.abspath(work)
    os.makedirs(work, exist_ok=True)
    enlarge(os.path.join(data, "carla160"), os.path.join(work, "carla"))
    files = {}
    for name, content in (("three", THREE), ("carla", CARLA), ("camvid", CAMVID)):
        files[name] = os.path.join(work, name + ".json")
        with open(files[name], "w") as f:
            json.dump(content, f)

    def tpldctl(*args):
        subprocess.run([TPLDCTL, *options, *args], check=True)

    def add(name, layout, root, class_set, *more):
        tpldctl("dataset", "add", "--name", name, "--layout", layout, "--root", root, "--class-set", class_set, *more)

    camvid = os.path.join(data, "camvid")
    add("carla", "folder", os.path.join(work, "carla"), files["three"], "--class-map", files["carla"])
    for split in ("train", "val"):
        add("camvid-" + split, "folder", camvid, files["three"], "--class-map", files["camvid"], "--split", split)
    # The dusk sequence is 0001TP; its last third judges, training never sees that.
    for name, stems in (("day", "???[!1]*"), ("dusk-early", "0001TP_00[67]*"), ("dusk-late", "0001TP_008*"),
                        ("day-and-dusk", "?????????[!8]*")):
        add(name, "camvid", camvid, "camvid-11", "--split", "train", "--include", stems)
    tpldctl("weights", "add", os.path.join(data, "weights", "mobilenetv2-imagenet.safetensors"), "--name", "imagenet",
            "--arch", "deeplabv2-mobilenetv2", "--output-stride", "16")


if len(sys.argv) < 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
