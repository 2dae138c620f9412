"""A run's results: curves, classes, time, rounds, images and their pictures. Part of api.py, whose server it uses."""
import csv
import io

from api_runs import minimal
from server import V1, has, no_nan


def metrics(s):
    m = s.json("GET", V1 + "/runs/1/metrics")
    assert sorted(x["key"] for x in m["series"]) == ["loss", "lr"]
    m = s.json("GET", V1 + "/runs/1/metrics?keys=loss&from_step=50&max_points=10")
    points = m["series"][0]["points"]
    assert 2 <= len(points) <= 10 and points[0][0] >= 50 and len(points[0]) == 2
    s.json("GET", V1 + "/runs/99/metrics", want=404)


def iou(s):
    j = s.json("GET", V1 + "/runs/1/iou")
    assert len(j["classes"]) == 19 and len(j["points"]) == 3
    has(j["points"][0], "step", "round", "phase", "miou", "iou")
    assert j["points"][0]["round"] is None and j["points"][1]["round"] == 0
    assert j["points"][0]["iou"][3] is None and len(j["points"][0]["iou"]) == 19
    status, h, data = s.request("GET", V1 + "/runs/1/iou", headers={"Accept": "text/csv"})
    rows = list(csv.reader(io.StringIO(data.decode())))
    assert h["Content-Type"].startswith("text/csv") and rows[0][:4] == ["step", "round", "phase", "miou"]
    assert rows[0][4:] == j["classes"] and len(rows) == 4 and rows[1][7] == "" and rows[1][1] == ""
    s.json("GET", V1 + "/runs/1/iou", headers={"Accept": "image/png"}, want=406)
    for accept in ("*/*", "application/*", "text/csv;q=0.5, application/json", "text/html, */*;q=0.1"):
        kind = s.request("GET", V1 + "/runs/1/iou", headers={"Accept": accept})[1]["Content-Type"]
        assert kind == "application/json", (accept, kind)


def confusion(s):
    c = s.json("GET", V1 + "/runs/1/confusion")
    has(c, "classes", "matrix")
    assert c["round"] == 1 and c["matrix"] == [[5, 1], [2, 7]]
    assert s.json("GET", V1 + "/runs/1/confusion?round=0")["round"] == 0
    assert s.json("GET", V1 + "/runs/1/confusion?round=source")["round"] is None
    s.json("GET", V1 + "/runs/1/confusion?round=7", want=404)
    s.json("GET", V1 + "/runs/1/confusion?round=x", want=400)


def profile(s):
    p = s.json("GET", V1 + "/runs/1/profile")
    has(p, "phase", "round", "steps", "crop", "threads", "kernels", "sgemm_peak_gflops", "seconds_per_step", "layers",
        "outside")
    assert (p["phase"], p["round"], p["steps"], p["crop"]) == ("phase1_training", 0, 100, [64, 128]), p
    assert [x["layer"] for x in p["layers"]] == ["conv1", "maxpool", "layer1.0.conv1"]
    has(p["layers"][0], "algorithm", "forward_ms", "backward_ms", "gflop_per_step", "gflops", "peak_share")
    assert p["layers"][1]["gflops"] is None and p["layers"][2]["peak_share"] == 1.25
    source = s.json("GET", V1 + "/runs/1/profile?round=source")
    assert source["phase"] == "source_training" and source["round"] is None and source["steps"] == 99
    explained = sum(x["forward_ms"] + x["backward_ms"] for x in source["layers"]) + sum(x["ms"] for x in source["outside"])
    assert abs(explained - 1000 * source["seconds_per_step"]) < 1e-6, explained
    s.json("GET", V1 + "/runs/1/profile?round=1", want=404)
    s.json("GET", V1 + "/runs/1/profile?round=x", want=400)
    s.json("GET", V1 + "/runs/99/profile", want=404)
    fresh = s.json("POST", V1 + "/runs", minimal("untrained"), want=201)["id"]
    p = s.json("GET", V1 + "/runs/%d/profile" % fresh)
    assert p["layers"] == p["outside"] == [] and p["steps"] == 0 and p["phase"] is None and p["crop"] is None, p
    s.json("GET", V1 + "/runs/%d/profile?round=0" % fresh, want=404)
    s.json("POST", V1 + "/runs/%d/cancel" % fresh, want=202)
    assert s.request("DELETE", V1 + "/runs/%d" % fresh)[0] == 204


def rounds(s):
    r = s.json("GET", V1 + "/runs/1/rounds")
    assert [x["round"] for x in r] == [0, 1]
    has(r[0], "round", "phase", "portion", "thresholds", "coverage", "easy", "hard", "pseudo_accuracy")
    has(r[0]["coverage"], "confident", "voted", "soft", "ignored")
    assert r[0]["thresholds"][2] is None and r[0]["easy"] + r[0]["hard"] == 60
    a = r[1]["audit"]
    has(a, "entropy", "flip_agreement", "agreement", "label_agreement", "truth_pixels", "accuracy", "classes")
    assert a["accuracy"] == {"confident": 0.9, "voted": 0.8, "soft": None, "all": 0.866666666667, "threshold": 0.875}, a["accuracy"]
    assert len(a["classes"]) == 19 and a["truth_pixels"] == 4000 and a["agreement"] == 0.9
    assert a["classes"][3] == {
        "share": 0.04, "share_first": 0.04, "share_previous": 0.02, "entropy": 0.125, "agreement": 0.75,
        "confident": {"coverage": 0.2, "accuracy": 0.9, "pixels": 100}, "voted": {"coverage": 0.1, "accuracy": 0.8, "pixels": 50},
        "soft": {"coverage": 0.0, "accuracy": None, "pixels": 0}, "threshold_accuracy": None}, a["classes"][3]
    assert r[1]["alarms"] == [{"kind": "class_drift", "class": 1, "text": "sidewalk grows", "value": 0.185, "limit": 0.177},
                              {"kind": "labels_unstable", "class": None, "text": "labels change", "value": 0.8, "limit": 0.9}]
    first = r[0]["audit"]
    assert first["agreement"] is None and first["label_agreement"] is None and r[0]["alarms"] == []
    assert all(c["share_previous"] is None and c["agreement"] is None for c in first["classes"])


def features(s):
    path = V1 + "/runs/1/rounds/%s/features"
    f = s.json("GET", path % 1)
    has(f, "round", "perplexity", "kl", "source", "target", "points")
    assert f["network"] == "after" and s.json("GET", path % 1 + "?network=before") == dict(f, network="before")
    s.json("GET", path % 1 + "?network=none", want=400)
    assert f["round"] == 1 and f["source"] == {"shown": 2, "of": 60} and len(f["points"]) == 4, f
    assert [p["domain"] for p in f["points"]] == ["source", "source", "easy", "hard"]
    has(f["points"][3], "domain", "image", "name", "x", "y")
    no_nan(s.request("GET", path % 1)[2])
    p = s.json("GET", path % 0, want=409)
    assert "checkpoint" in p["detail"], p
    s.json("GET", path % 9, want=404)
    s.json("GET", path % "first", want=400)
    s.json("GET", path % 1 + "?method=pca", want=400)
    s.json("GET", V1 + "/runs/99/rounds/1/features", want=404)
    assert s.request("POST", path % 1)[0] == 405


def all_images(s, query):
    items, cursor, pages = [], None, 0
    while True:
        page = s.json("GET", V1 + "/runs/1/images?limit=7&%s%s" % (query, "&cursor=" + cursor if cursor else ""))
        items += page["items"]
        cursor = page["next_cursor"]
        pages += 1
        assert pages < 20
        if cursor is None:
            return items, page["total"]


def images(s):
    for query, count in (("round=0", 60), ("round=0&split=easy", 18), ("round=1&split=hard", 42), ("", 60)):
        for sort, key in (("confidence", lambda i: i["confidence"]), ("-confidence", lambda i: -i["confidence"]),
                          ("name", lambda i: i["name"])):
            items, total = all_images(s, query + "&sort=" + sort)
            keys = [key(i) for i in items]
            assert len(items) == total == count and len({i["id"] for i in items}) == count, (query, sort, len(items))
            assert keys == sorted(keys), (query, sort)
    i = items[0]
    has(i, "id", "name", "confidence", "split", "rank", "coverage", "class_confidence")
    assert i["round"] == 1  # the newest when no round is named
    page = s.json("GET", V1 + "/runs/1/images?limit=7&sort=name")
    s.json("GET", V1 + "/runs/1/images?limit=7&sort=confidence&cursor=" + page["next_cursor"], want=400)
    s.json("GET", V1 + "/runs/1/images?limit=7&sort=name&round=0&cursor=" + page["next_cursor"], want=400)
    one = s.json("GET", V1 + "/runs/1/images/5")
    assert one["id"] == 5 and [h["round"] for h in one["history"]] == [0, 1]
    has(one["history"][0], "confidence", "split", "coverage", "round")
    s.json("GET", V1 + "/runs/1/images/60", want=404)


def pictures(s):
    for layer in ("image", "prediction", "pseudo_confident", "pseudo_voted", "pseudo_final", "origin", "confidence"):
        path = V1 + "/runs/1/rounds/0/images/3/%s.png" % layer
        status, h, data = s.request("GET", path)
        assert status == 200 and h["Content-Type"] == "image/png" and data[:4] == b"\x89PNG", (layer, status)
        if layer != "image":
            again = s.request("GET", path, headers={"If-None-Match": h["ETag"]})
            assert again[0] == 304 and again[2] == b""
    assert s.request("GET", V1 + "/runs/1/images/3/thumb.png")[2][:4] == b"\x89PNG"
    s.json("GET", V1 + "/runs/1/rounds/0/images/3/secret.png", want=404)
    s.json("GET", V1 + "/runs/1/rounds/0/images/30/prediction.png", want=404)
    s.json("GET", V1 + "/runs/1/rounds/9/images/3/prediction.png", want=404)
    s.json("GET", V1 + "/runs/2/rounds/0/images/3/prediction.png", want=404)
    status, h, data = s.request("GET", V1 + "/runs/1/rounds/0/images/3/probabilities.npy")
    assert status == 200 and h["Content-Type"] == "application/x-npy" and data[:6] == b"\x93NUMPY"


TESTS = [metrics, iou, confusion, profile, rounds, features, images, pictures]
