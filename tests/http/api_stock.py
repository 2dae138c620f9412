"""What runs are made from: data sets, class sets, presets. Part of api.py, whose server it uses."""
import json
import os

from server import V1, has


def datasets(s):
    page = s.json("GET", V1 + "/datasets")
    assert [d["name"] for d in page["items"]] == ["synth", "real"] and page["next_cursor"] is None
    d = s.json("GET", V1 + "/datasets/1")
    has(d, "id", "name", "layout", "images", "labelled", "classes", "root", "class_set")
    assert d["images"] == d["labelled"] == 60 and len(d["classes"]) == 19
    has(d["classes"][0], "id", "name", "color")
    first = s.json("GET", V1 + "/datasets?limit=1")
    assert first["next_cursor"] is not None
    second = s.json("GET", V1 + "/datasets?limit=1&cursor=" + first["next_cursor"])
    assert second["items"][0]["name"] == "real"
    images = s.json("GET", V1 + "/datasets/1/images?limit=25")
    names = [i["name"] for i in images["items"]]
    while images["next_cursor"]:
        images = s.json("GET", V1 + "/datasets/1/images?limit=25&cursor=" + images["next_cursor"])
        names += [i["name"] for i in images["items"]]
    assert len(names) == images["total"] == 60 and names == sorted(set(names))
    png = s.request("GET", V1 + "/datasets/1/images/0/thumb.png")
    assert png[0] == 200 and png[2][:4] == b"\x89PNG", png[0]
    assert s.request("GET", V1 + "/datasets/1/images/0/image.png")[2][:4] == b"\x89PNG"
    s.json("GET", V1 + "/datasets/1/images/60/thumb.png", want=404)
    s.json("GET", V1 + "/datasets/9", want=404)


def dataset_lifecycle(s):
    body = {"name": "more", "layout": "folder", "root": os.path.join(s.state, "data", "real"), "include": "scene_00*"}
    status, h, data = s.request("POST", V1 + "/datasets", body)
    assert status == 201, data
    d = json.loads(data)
    assert h["Location"] == V1 + "/datasets/%d" % d["id"] and d["images"] == 10, d
    p = s.json("POST", V1 + "/datasets", body, want=409)
    assert "more" in p["detail"]
    p = s.json("POST", V1 + "/datasets", dict(body, name="x", colour=1), want=422)
    assert p["errors"][0]["pointer"] == "/colour", p
    p = s.json("POST", V1 + "/datasets", dict(body, name="x", root="/no/such/folder"), want=422)
    assert "/no/such/folder" in p["detail"], p
    assert s.request("DELETE", V1 + "/datasets/%d" % d["id"])[0] == 204
    s.json("GET", V1 + "/datasets/%d" % d["id"], want=404)
    s.json("DELETE", V1 + "/datasets/1", want=409)  # a run names it


def catalogues(s):
    sets = s.json("GET", V1 + "/class-sets")["items"]
    assert {"cityscapes-19", "synthia-16", "synthia-13", "camvid-11"} <= {c["name"] for c in sets}
    for c in sets:
        assert len(c["classes"]) == int(c["name"].rsplit("-", 1)[1])
    presets = s.json("GET", V1 + "/presets")["items"]
    assert [p["name"] for p in presets] == ["source-only", "minent", "advent", "intrada", "cbst", "crst-mrkld", "crst-lrent", "crst-mrent",
                                                  "crst-mrl2", "tpld-phase1", "tpld", "tpld-cbst", "tpld-lrent",
                                                  "gta5-to-cityscapes", "gta5-to-cityscapes-vgg16",
                                                  "synthia-to-cityscapes", "synthia-to-cityscapes-vgg16",
                                                  "tpld-plus"]
    for p in presets:
        has(p["config"], "model", "data", "source_training", "self_training", "evaluation")
    about = s.json("GET", V1 + "/server")
    has(about, "version", "threads", "memory", "disk", "uptime_seconds", "limits")
    assert s.json("GET", V1 + "/schema/run-config")["properties"]["source"]


TESTS = [datasets, dataset_lifecycle, catalogues]
