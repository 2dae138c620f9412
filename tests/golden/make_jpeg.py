#!/usr/bin/python3
"""Writes jpeg_fixture.h: the 40x24 picture of tests/unit/data_files.h (make_rgb) as a baseline and a
progressive JPEG. Needs cjpeg (Debian: libjpeg-turbo-progs; written with 2.1.5)."""
import os
import subprocess

W, H = 40, 24
rgb = bytes(v for y in range(H) for x in range(W)
            for v in (40 + x * 150 // W, 60 + y * 120 // H, 50 + (x + y) * 100 // (W + H)))
ppm = b"P6\n%d %d\n255\n" % (W, H) + rgb
out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jpeg_fixture.h")
with open(out, "w") as f:
    f.write("/* Written by make_jpeg.py. */\n#include <stdint.h>\n")
    for name, option in (("JPEG_BASELINE", "-optimize"), ("JPEG_PROGRESSIVE", "-progressive")):
        data = subprocess.run(["cjpeg", "-quality", "90", option], input=ppm, check=True,
                              stdout=subprocess.PIPE).stdout
        f.write("\nstatic const uint8_t %s[] = {\n" % name)
        for i in range(0, len(data), 16):
            f.write("\t" + " ".join("0x%02x," % b for b in data[i:i + 16]) + "\n")
        f.write("};\n")
