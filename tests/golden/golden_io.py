"""Writes the named-tensor files that golden.c reads (the format is described in golden.h)."""
import os
import struct
import sys

import numpy as np

TYPES = {np.dtype("float32"): 0, np.dtype("uint8"): 1, np.dtype("int32"): 2}


def write(path, tensors, note=""):
    """tensors: dict name -> array (float32, uint8 or int32; torch tensors are converted)."""
    import torch

    note = "%s; python %s, numpy %s, torch %s\n%s" % (
        os.path.basename(sys.argv[0]), sys.version.split()[0], np.__version__,
        torch.__version__, note)
    raw = note.encode()
    with open(path, "wb") as f:
        f.write(b"TPGOLD1\n" + struct.pack("<I", len(raw)) + raw + struct.pack("<I", len(tensors)))
        for name, t in tensors.items():
            if hasattr(t, "detach"):
                t = t.detach().cpu().numpy()
            a = np.asarray(t, order="C")  # keeps rank 0
            if a.dtype == np.float64:
                a = a.astype(np.float32)
            elif a.dtype == np.int64:
                a = a.astype(np.int32)
            key = name.encode()
            assert len(key) < 64 and a.ndim <= 6
            f.write(struct.pack("<H", len(key)) + key + struct.pack("<BB", TYPES[a.dtype], a.ndim))
            f.write(struct.pack("<%dI" % a.ndim, *a.shape) + a.tobytes())


def pixels(t):
    """NCHW with n = 1 -> [h][w][c], the layout of core/op."""
    return t.detach()[0].permute(1, 2, 0).contiguous()


def taps(w):
    """PyTorch's [out][in][kh][kw] -> [kh][kw][in][out] (depthwise: [kh][kw][c])."""
    w = w.detach()
    return w.permute(2, 3, 1, 0).squeeze(2).contiguous() if w.shape[1] == 1 \
        else w.permute(2, 3, 1, 0).contiguous()
