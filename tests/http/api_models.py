"""Trained networks: checkpoints, inference, and weights from outside. Part of api.py, whose server it uses."""
import hashlib
import json
import os
import struct

from server import V1, has


def checkpoints(s):
    page = s.json("GET", V1 + "/runs/1/checkpoints")
    c = page["items"][0]
    has(c, "id", "run", "round", "step", "sha256", "bytes")
    assert c["round"] is None and s.json("GET", V1 + "/checkpoints/%d" % c["id"]) == c
    path = V1 + "/checkpoints/%d/file" % c["id"]
    status, h, data = s.request("GET", path)
    assert status == 200 and len(data) == c["bytes"] and hashlib.sha256(data).hexdigest() == c["sha256"]
    assert h["ETag"] == '"%s"' % c["sha256"] and "attachment" in h["Content-Disposition"]
    for spec, want in (("bytes=0-9", data[:10]), ("bytes=990-", data[990:]), ("bytes=-5", data[-5:]),
                       ("bytes=990-5000", data[990:])):
        status, h, part = s.request("GET", path, headers={"Range": spec})
        assert status == 206 and part == want, (spec, status)
    assert s.request("GET", path, headers={"Range": "bytes=1000-"})[0] == 416
    for spec in ("bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6"):
        assert s.request("GET", path, headers={"Range": spec})[0] == 200, spec
    assert s.request("HEAD", path)[2] == b""
    s.json("GET", V1 + "/checkpoints/99/file", want=404)


def inference(s):
    path = V1 + "/checkpoints/1/infer"
    png = {"Content-Type": "image/png"}
    status, h, data = s.request("POST", path, b"picture", dict(png))
    assert status == 200 and h["Content-Type"] == "image/png", data
    status, h, data = s.request("POST", path, b"picture", dict(png, Accept="application/x-npy"))
    assert status == 200 and h["Content-Type"] == "application/x-npy" and data[:6] == b"\x93NUMPY"
    s.json("POST", path, b"picture", headers=dict(png, Accept="text/html"), want=406)
    s.json("POST", path, b"x", headers={"Content-Type": "image/gif"}, want=415)
    p = s.json("POST", path, b"BAD", headers=png, want=422)
    assert "PNG" in p["detail"]
    s.json("POST", V1 + "/checkpoints/99/infer", b"x", headers=png, want=404)
    s.json("POST", V1 + "/weights/99/infer", b"x", headers=png, want=404)


def safetensors(tensors):
    header, blob = {}, b""
    for name, (shape, values) in tensors.items():
        data = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + blob


def weights(s):
    assert s.json("GET", V1 + "/weights")["items"] == []
    octets = {"Content-Type": "application/octet-stream"}
    good = V1 + "/weights?name=w&arch=deeplabv2-mobilenetv2"
    small = safetensors({"features.0.0.weight": ([1], [1.0])})
    p = s.json("POST", good, small, headers=octets, want=422)
    assert p["detail"], p
    s.json("POST", good, b"no safetensors at all", headers=octets, want=422)
    s.json("POST", V1 + "/weights?arch=deeplabv2-vgg16", small, headers=octets, want=400)
    s.json("POST", V1 + "/weights?name=w&arch=resnet", small, headers=octets, want=400)
    s.json("POST", good + "&aspp_dilations=6,,12", small, headers=octets, want=400)
    s.json("POST", good, small, headers={"Content-Type": "application/json"}, want=415)
    assert os.listdir(os.path.join(s.state, "tmp")) == []
    s.json("GET", V1 + "/weights/1", want=404)


TESTS = [checkpoints, inference, weights]
