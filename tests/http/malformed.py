#!/usr/bin/env python3
"""Requests that a careless server lets through (craft.md B.2): every one is refused with the right status,
and the server goes on serving."""
import re
import sys

import server


def status_of(answer):
    line = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0


def answers(data):
    return len(re.findall(rb"HTTP/1\.1 \d{3} ", data))


def get(path=b"/healthz", headers=None, host=None, version=b"HTTP/1.1", method=b"GET"):
    """headers: raw lines; host None: the right one; b"": none."""
    def make(s):
        lines = [method + b" " + path + b" " + version]
        if host != b"":
            lines.append(b"Host: " + (host or b"127.0.0.1:%d" % s.port))
        lines += [h.replace(b"TOKEN", s.token.encode()) for h in headers or []]
        return b"\r\n".join(lines) + b"\r\nConnection: close\r\n\r\n"
    return make


AUTH = b"Authorization: Bearer TOKEN"
API = b"/api/v1/runs"
JSON = b"Content-Type: application/json"


def post(body, headers, path=b"/api/v1/runs:validate"):
    def make(s):
        return get(path, [AUTH, JSON] + headers, method=b"POST")(s) + body
    return make


# name, request, accepted statuses (0: closed without a word)
CASES = [
    ("good", get(), {200}),
    ("good by name", get(host=b"localhost:0"), {421}),
    ("no host", get(host=b""), {400}),
    ("no host, HTTP/1.0", get(host=b"", version=b"HTTP/1.0"), {400}),
    ("two hosts", get(headers=[b"Host: evil.example"]), {400}),
    ("same host twice", get(headers=[b"host: 127.0.0.1"]), {400}),
    ("foreign host", get(host=b"evil.example"), {421}),
    ("foreign host, our port", lambda s: get(host=b"evil.example:%d" % s.port)(s), {421}),
    ("host with a suffix", lambda s: get(host=b"127.0.0.1:%d.evil.example" % s.port)(s), {421}),
    ("host without port", get(host=b"127.0.0.1"), {421}),
    ("other port", get(host=b"127.0.0.1:1"), {421}),
    ("user in host", lambda s: get(host=b"evil@127.0.0.1:%d" % s.port)(s), {421}),
    ("configured host", get(host=b"tpld.example.org"), {200}),
    ("configured host with a port", get(host=b"TPLD.example.org:443"), {200}),
    ("configured host, longer", get(host=b"tpld.example.org.evil.example"), {421}),
    ("dots", get(b"/../../etc/passwd"), {400}),
    ("dots in the middle", get(b"/js/../index.html"), {400}),
    ("encoded dots", get(b"/%2e%2e/%2e%2e/etc/passwd"), {400}),
    ("encoded letter", get(b"/%68ealthz"), {400}),
    ("double slash", get(b"//etc/passwd"), {400}),
    ("double slash inside", get(b"/api//v1/runs", [AUTH]), {400}),
    ("backslash", get(b"/..\\..\\etc"), {400}),
    ("NUL encoded", get(b"/index%00.html"), {400}),
    ("NUL raw", get(b"/healthz\x00.html"), {400, 0}),
    ("NUL raw in query", get(b"/healthz?a=\x00"), {400, 0}),
    ("control", get(b"/heal\x01thz"), {400}),
    ("DEL", get(b"/heal\x7fthz"), {400}),
    ("tab in path", get(b"/heal\tthz"), {400, 0}),
    ("non-ASCII", get(b"/h\xc3\xa4lthz"), {400}),
    ("space in path", get(b"/heal thz"), {400, 0}),
    ("fragment", get(b"/healthz#x"), {400}),
    ("absolute form", get(b"http://evil.example/healthz"), {400}),
    ("absolute form, ours", lambda s: get(b"http://127.0.0.1:%d/healthz" % s.port)(s), {400}),
    ("asterisk", get(b"*", method=b"OPTIONS"), {400}),
    ("connect", get(b"127.0.0.1:80", method=b"CONNECT"), {400}),
    ("trailing slash", get(b"/healthz/"), {404}),
    ("unknown path", get(b"/nothing"), {404}),
    ("unknown path in the API", get(b"/api/v1/nothing", [AUTH]), {404}),
    ("path of a file in the state folder", get(b"/token"), {404}),
    ("unknown method", get(method=b"BREW"), {405}),
    ("TRACE", get(method=b"TRACE"), {405}),
    ("PUT", get(API, [AUTH], method=b"PUT"), {405}),
    ("OPTIONS", get(API, [AUTH], method=b"OPTIONS"), {405}),
    ("lower-case method", get(method=b"get"), {405}),
    ("long path", get(b"/" + b"a" * 3000), {414}),
    ("long query", get(b"/healthz?" + b"a" * 5000), {414}),
    ("huge target", get(b"/" + b"a" * 60000), {414, 400, 431, 0}),
    ("huge header", get(headers=[b"X-Big: " + b"a" * 60000]), {431, 0}),
    ("many headers", get(headers=[b"X-%d: 1" % i for i in range(80)]), {431}),
    ("space before colon", get(headers=[b"X-A : 1"]), {400}),
    ("control in header", get(headers=[b"X-A: a\x01b"]), {400}),
    ("bad bytes in header name", get(headers=[b"X(A): 1"]), {400}),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), {505, 400, 0}),
    ("HTTP/1.2", get(version=b"HTTP/1.2"), {505, 400}),
    ("HTTP/0.9", lambda s: b"GET /healthz\r\n\r\n", {505, 400, 0}),
    ("no HTTP at all", lambda s: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n", {400, 505, 0}),
    ("empty lines", lambda s: b"\r\n\r\n" + get()(s), {200, 400}),
    ("length and chunked", post(b"0\r\n\r\n", [b"Content-Length: 5", b"Transfer-Encoding: chunked"]), {400}),
    ("two lengths", post(b"{}", [b"Content-Length: 2", b"Content-Length: 3"]), {400}),
    ("same length twice", post(b"{}", [b"Content-Length: 2", b"Content-Length: 2"]), {400}),
    ("two encodings", post(b"0\r\n\r\n", [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"]), {400}),
    ("gzip, chunked", post(b"0\r\n\r\n", [b"Transfer-Encoding: gzip, chunked"]), {400, 0}),
    ("identity", post(b"{}", [b"Transfer-Encoding: identity"]), {400, 0}),
    ("negative length", post(b"{}", [b"Content-Length: -1"]), {400, 0}),
    ("plus length", post(b"{}", [b"Content-Length: +2"]), {400, 0}),
    ("hex length", post(b"{}", [b"Content-Length: 0x2"]), {400, 0}),
    ("list length", post(b"{}", [b"Content-Length: 2, 2"]), {400, 0}),
    ("huge length", post(b"{}", [b"Content-Length: 99999999999999999999"]), {400, 413, 0}),
    ("bad chunk size", post(b"zz\r\n{}\r\n0\r\n\r\n", [b"Transfer-Encoding: chunked"]), {400, 0}),
    ("negative chunk size", post(b"-1\r\n{}\r\n0\r\n\r\n", [b"Transfer-Encoding: chunked"]), {400, 0}),
    ("good chunks", post(b"2\r\n{}\r\n0\r\n\r\n", [b"Transfer-Encoding: chunked"]), {200}),
    ("no token", get(API), {401}),
    ("empty token", get(API, [b"Authorization: Bearer "]), {401}),
    ("wrong token", get(API, [b"Authorization: Bearer " + b"0" * 64]), {401}),
    ("token plus", get(API, [AUTH + b"0"]), {401}),
    ("token as basic", get(API, [b"Authorization: Basic TOKEN"]), {401}),
    ("token in the query", lambda s: get(API + b"?token=" + s.token.encode())(s), {401}),
    ("two authorizations", get(API, [AUTH, AUTH]), {400}),
    ("scheme in capitals", get(API, [b"Authorization: BEARER TOKEN"]), {200}),
    ("foreign origin", get(API, [AUTH, b"Origin: http://evil.example"]), {403}),
    ("null origin", get(API, [AUTH, b"Origin: null"]), {403}),
    ("our origin", lambda s: get(API, [AUTH, b"Origin: http://127.0.0.1:%d" % s.port])(s), {200}),
    ("other port's origin", get(API, [AUTH, b"Origin: http://127.0.0.1:1"]), {403}),
    ("origin with a path", lambda s: get(API, [AUTH, b"Origin: http://127.0.0.1:%d/x" % s.port])(s), {403}),
    ("cross-site fetch", get(API, [AUTH, b"Sec-Fetch-Site: cross-site"]), {403}),
    ("same-site fetch", get(API, [AUTH, b"Sec-Fetch-Site: same-site"]), {403}),
    ("same-origin fetch", get(API, [AUTH, b"Sec-Fetch-Site: same-origin"]), {200}),
    ("origin is no token", lambda s: get(API, [b"Origin: http://127.0.0.1:%d" % s.port])(s), {401}),
    ("unknown parameter", get(API + b"?stat=running", [AUTH]), {400}),
    ("parameter twice", get(API + b"?limit=1&limit=2", [AUTH]), {400}),
    ("negative limit", get(API + b"?limit=-1", [AUTH]), {400}),
    ("limit no number", get(API + b"?limit=10x", [AUTH]), {400}),
    ("unknown alternative", get(API + b"?state=flying", [AUTH]), {400}),
    ("part of an alternative", get(API + b"?state=running|paused", [AUTH]), {400}),
    ("broken escape", get(API + b"?state=%4", [AUTH]), {400}),
    ("broken escape 2", get(API + b"?state=%zz", [AUTH]), {400}),
    ("escaped NUL", get(API + b"?state=a%00", [AUTH]), {400}),
    ("not UTF-8", get(API + b"?cursor=%ff", [AUTH]), {400}),
    ("escaped good value", get(API + b"?state=%72unning", [AUTH]), {200}),
    ("foreign cursor", get(API + b"?cursor=abc", [AUTH]), {400}),
    ("id no number", get(API + b"/abc", [AUTH]), {400}),
    ("id negative", get(API + b"/-1", [AUTH]), {400}),
    ("id with sign", get(API + b"/+1", [AUTH]), {400}),
    ("id with zeros", get(API + b"/01", [AUTH]), {400}),
    ("id too large", get(API + b"/99999999999999999999", [AUTH]), {400}),
    ("id large", get(API + b"/999999999999999999", [AUTH]), {404}),
    ("empty id", get(API + b"/", [AUTH]), {400, 404}),
    ("wrong method on a route", get(API + b"/1/pause", [AUTH]), {405}),
    ("no content type", lambda s: get(b"/api/v1/runs:validate", [AUTH, b"Content-Length: 2"], method=b"POST")(s) + b"{}", {415}),
    ("form content type", lambda s: get(b"/api/v1/runs:validate", [AUTH, b"Content-Length: 2", b"Content-Type: text/plain"],
                                         method=b"POST")(s) + b"{}", {415}),
    ("content type with parameter", lambda s: get(b"/api/v1/runs:validate", [
        AUTH, b"Content-Length: 2", b"Content-Type: application/json; charset=utf-8"], method=b"POST")(s) + b"{}", {200}),
    ("no body", lambda s: get(b"/api/v1/runs:validate", [AUTH, JSON, b"Content-Length: 0"], method=b"POST")(s), {400}),
    ("body on GET", lambda s: get(API, [AUTH, JSON, b"Content-Length: 2"])(s) + b"{}", {413}),
    ("broken JSON", post(b'{"a":', [b"Content-Length: 5"]), {400}),
    ("JSON twice", post(b"{}{}", [b"Content-Length: 4"]), {400}),
    ("JSON array", post(b"[]", [b"Content-Length: 2"]), {400}),
    ("duplicate keys", post(b'{"a":1,"a":2}', [b"Content-Length: 13"]), {400}),
    ("deep JSON", post(b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", [b"Content-Length: 206"]), {400}),
    ("very deep JSON", post(b"[" * 100000, [b"Content-Length: 100000"]), {400}),
    ("JSON with NaN", post(b'{"a":NaN}', [b"Content-Length: 9"]), {400}),
    ("not UTF-8 JSON", post(b'{"a":"\xff"}', [b"Content-Length: 9"]), {400}),
    ("JSON with NUL", post(b'{"a":"\x00"}', [b"Content-Length: 9"]), {400}),
    ("JSON with escaped NUL", post(b'{"a":"\\u0000"}', [b"Content-Length: 14"]), {400}),
    ("announced too large", post(b"", [b"Content-Length: 1048577"]), {413}),
]


def make_test(name, request, wanted):
    def test(s):
        data = request(s)
        answer, closed = s.raw(data)
        got = status_of(answer)
        assert got in wanted, "status %d, wanted %s\n%r\n%r" % (got, sorted(wanted), data[:300], answer[:600])
        assert closed, "the connection was not closed"
        if got >= 400 and b"problem+json" in answer:
            assert b"X-Request-Id: " in answer and b"nosniff" in answer, answer
        assert b"Access-Control" not in answer
        # One request, one answer: nothing of a body was taken for a second request. The library's own
        # pages (for what never reaches us) come with their header twice.
        assert answers(answer) <= 1 or b"<html>" in answer, answer
        if got in (401, 429):
            assert s.token.encode() not in answer
    test.__name__ = name.replace("#", "")
    return test


def smuggled(s):
    """A request hidden behind a refused one must not be answered."""
    hidden = get(b"/api/v1/server", [AUTH])(s)
    answer, _ = s.raw(get(b"/api/v1/runs:validate", [AUTH, JSON, b"Content-Length: 4", b"Transfer-Encoding: chunked"],
                          method=b"POST")(s).replace(b"Connection: close\r\n", b"") + b"0\r\n\r\n" + hidden)
    assert status_of(answer) == 400 and answers(answer) == 1, answer


def pipelined(s):
    one = get()(s).replace(b"Connection: close\r\n", b"")
    answer, _ = s.raw(one * 3 + get()(s))
    assert answer.count(b"HTTP/1.1 200") == 4, answer


def in_single_bytes(s):
    data = get(API, [AUTH])(s)
    answer, _ = s.raw(data[:1], pieces=[data[i:i + 40] for i in range(1, len(data), 40)])
    assert status_of(answer) == 200, answer


def still_serving(s):
    assert s.json("GET", "/api/v1/server")["version"]


def wrong_tokens_are_slowed(s):
    seen = [status_of(s.raw(get(API, [b"Authorization: Bearer wrong"])(s))[0]) for _ in range(40)]
    assert seen.count(429) >= 5 and set(seen) == {401, 429}, seen
    # The right token still passes.
    assert status_of(s.raw(get(API, [AUTH])(s))[0]) == 200


if __name__ == "__main__":
    sys.exit(server.run([make_test(*c) for c in CASES] + [smuggled, pipelined, in_single_bytes,
                                                          wrong_tokens_are_slowed, still_serving]))
