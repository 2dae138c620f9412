#!/usr/bin/python3
"""Draws how the labels of a few target images came about: the picture, the truth, what the source model predicts,
the labels of round 0 before and after voting, and the last round's.

usage: pictures.py STATE RUN OUT.png

STATE is the state folder of a running daemon, RUN the id of a completed run with rounds whose target's labels lie in
ROOT/labels (layout folder; they are only looked at). Needs python3-pil.
"""
import io
import json
import os
import sys
import urllib.request

from PIL import Image, ImageDraw

COLUMNS = (("picture", None, "image"), ("truth", None, None), ("source model", 0, "prediction"),
           ("round 0: confident labels", 0, "pseudo_confident"), ("round 0: after voting", 0, "pseudo_voted"),
           ("last round: labels", -1, "pseudo_final"), ("last round: prediction", -1, "prediction"))
GAP, LINE = 4, 14


def main(state, run, out):
    with open(os.path.join(state, "endpoint")) as endpoint, open(os.path.join(state, "token")) as token:
        server, authorization = endpoint.read().strip() + "/api/v1", "Bearer " + token.read().strip()

    def get(path):
        with urllib.request.urlopen(urllib.request.Request(server + path, headers={"Authorization": authorization})) as r:
            return r.read()

    shown = json.loads(get("/runs/" + run))
    sets = json.loads(get("/datasets?limit=500"))["items"]
    root = next(d["root"] for d in sets if shown["target"] in (d["name"], d["id"]))
    images = json.loads(get("/runs/%s/images?limit=500" % run))["items"]
    images.sort(key=lambda image: image["rank"])
    last = images[0]["round"]
    chosen = [images[0], images[len(images) // 2], images[-1]]  # most confident, middle, least

    def layer(image, round_, name):
        path = "/runs/%s/rounds/%d/images/%d/%s.png" % (run, last if round_ == -1 else round_ or 0, image["id"], name)
        return Image.open(io.BytesIO(get(path)))

    palette = layer(chosen[0], 0, "prediction").getpalette()

    def truth(image):
        picture = Image.open(os.path.join(root, "labels", image["name"] + ".png"))
        picture.putpalette(palette)
        return picture

    rows = [[layer(image, round_, name) if name else truth(image) for _, round_, name in COLUMNS] for image in chosen]
    w, h = rows[0][0].size
    sheet = Image.new("RGB", (len(COLUMNS) * (w + GAP) - GAP, LINE + len(rows) * (h + LINE + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for x, (title, _, _) in enumerate(COLUMNS):
        draw.text((x * (w + GAP), 0), title, fill="black")
    for y, (image, row) in enumerate(zip(chosen, rows)):
        top = LINE + y * (h + LINE + GAP)
        for x, picture in enumerate(row):
            sheet.paste(picture.convert("RGB"), (x * (w + GAP), top))
        draw.text((0, top + h), "%s, rank %d of %d by confidence: %s" % (image["name"], image["rank"], len(images), image["split"]),
                  fill="black")
    sheet.quantize(128).save(out, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
