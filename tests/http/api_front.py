"""The front: the dashboard, health, the token, the shape of a refusal. Part of api.py, whose server it uses."""
import json
import os

from server import V1, has


def dashboard(s):
    status, h, data = s.request("GET", "/", token=False)
    assert status == 200 and h["Content-Type"].startswith("text/html"), (status, h)
    assert "default-src 'none'" in h["Content-Security-Policy"]
    etag = h["ETag"]
    status, h, again = s.request("GET", "/index.html", token=False, headers={"If-None-Match": etag})
    assert status == 304 and again == b"" and h["ETag"] == etag
    status, h, empty = s.request("HEAD", "/", token=False)
    assert status == 200 and empty == b"" and int(h["Content-Length"]) == len(data)
    assert s.request("POST", "/", body=b"x", token=False)[0] == 405
    status, h, data = s.request("GET", "/published.json", token=False)
    assert status == 200 and h["Content-Type"] == "application/json" and json.loads(data)["rows"]


def health(s):
    assert s.json("GET", "/healthz", token=False)["status"] == "ok"
    ready = s.json("GET", "/readyz", token=False)
    assert ready["ready"] is True and all(ready["checks"].values())


def token_file(s):
    path = os.path.join(s.state, "token")
    assert os.stat(path).st_mode & 0o777 == 0o600 and len(s.token) == 64


def problem_shape(s):
    status, h, data = s.request("GET", V1 + "/runs/999")
    p = json.loads(data)
    has(p, "type", "title", "status", "detail", "instance")
    assert status == p["status"] == 404 and p["type"].startswith("urn:tpld:problem:")
    assert p["instance"].endswith(h["X-Request-Id"])
    assert h["Cache-Control"] == "no-store" and h["Content-Type"] == "application/problem+json"
    status, h, data = s.request("GET", V1 + "/runs", token=False)
    assert status == 401 and h["WWW-Authenticate"].startswith("Bearer")
    status, h, data = s.request("DELETE", V1 + "/runs")
    assert status == 405 and h["Allow"] == "GET, HEAD, POST"
    status, h, data = s.request("GET", "/healthz", headers={"Host": "rebound.example"})
    assert status == 421 and b"allowed_hosts" in data


TESTS = [dashboard, health, token_file, problem_shape]
