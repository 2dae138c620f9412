"""What the HTTP tests share: a server in a scratch folder, requests over it, checks of answers, and TAP output.

The programs under test are http_fixture (a real HTTP layer and store, fake training) or tpldd itself;
both are started on a free port and stopped with SIGTERM, and both must end with status 0.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

V1 = "/api/v1"


def has(obj, *names):
    missing = [n for n in names if n not in obj]
    assert not missing, "missing %s in %s" % (missing, json.dumps(obj)[:400])


def no_nan(data):
    json.loads(data, parse_constant=lambda c: (_ for _ in ()).throw(AssertionError("found " + c)))


class Server:
    def __init__(self, program, web, migrations):
        self.dir = tempfile.mkdtemp(prefix="tpldd-http-")
        self.state = os.path.join(self.dir, "state")
        if os.path.basename(program) == "tpldd":
            config = os.path.join(self.dir, "tpldd.conf")
            with open(config, "w", encoding="utf-8") as f:
                f.write("[server]\nallowed_hosts = tpld.example.org\n"
                        "[paths]\nweb_dir = %s\nmigrations_dir = %s\n" % (web, migrations))
            command = [program, "--config", config, "--state-dir", self.state, "--listen", "127.0.0.1:0"]
        else:
            command = [program, self.state, web, migrations]
        self.log = open(os.path.join(self.dir, "log"), "w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self._wait_url(program)
        self.host, self.port = "127.0.0.1", int(self.url.rsplit(":", 1)[1])
        with open(os.path.join(self.state, "token"), encoding="ascii") as f:
            self.token = f.read().strip()

    def _wait_url(self, program):
        if os.path.basename(program) != "tpldd":
            line = self.process.stdout.readline().strip()
            if not line:
                raise RuntimeError("the server did not start: " + self.logged())
            return line
        endpoint = os.path.join(self.state, "endpoint")
        for _ in range(200):
            if os.path.exists(endpoint):
                return open(endpoint, encoding="ascii").read().strip()
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError("the server did not start: " + self.logged())

    def logged(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def raw(self, data, timeout=5.0, pieces=None):
        """Sends bytes, returns all that comes back until the server closes or is silent."""
        with socket.create_connection((self.host, self.port), timeout=timeout) as s:
            s.settimeout(timeout)
            got = b""
            try:
                s.sendall(data)
                for p in pieces or []:
                    time.sleep(0.05)
                    s.sendall(p)
                while True:
                    part = s.recv(65536)
                    if not part:
                        return got, True
                    got += part
            except (ConnectionError, BrokenPipeError):
                return got, True
            except socket.timeout:
                return got, False

    def request(self, method, path, body=None, headers=None, token=True, timeout=30):
        """-> (status, headers, bytes); a dict or list as body is sent as JSON."""
        h = dict(headers or {})
        if token:
            h.setdefault("Authorization", "Bearer " + self.token)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            h.setdefault("Content-Type", "application/json")
        c = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            c.request(method, path, body, h)
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def json(self, method, path, body=None, want=200, **more):
        status, headers, data = self.request(method, path, body, **more)
        assert status == want, "%s %s: %d, wanted %d: %s" % (method, path, status, want, data[:500])
        kind = headers.get("Content-Type", "")
        if status >= 400:
            assert kind == "application/problem+json", kind
        return json.loads(data) if data else None

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode

    def remove(self):
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def run(tests):
    """Runs functions of one argument (the server) and prints TAP. argv: PROGRAM WEB_DIR MIGRATIONS_DIR."""
    server = Server(*sys.argv[1:4])
    failed = 0
    print("1..%d" % (len(tests) + 1))
    for i, test in enumerate(tests, 1):
        start = time.time()
        try:
            test(server)
            print("ok %d - %s (%.1f s)" % (i, test.__name__, time.time() - start))
        except Exception:
            failed += 1
            print("not ok %d - %s" % (i, test.__name__))
            print("".join("# " + line for line in traceback.format_exc().splitlines(True)))
        sys.stdout.flush()
    status = server.stop()
    clean = status == 0 and "ERROR: " not in server.logged() and "runtime error" not in server.logged()
    print("%sok %d - the server ends with status 0 and no sanitizer's complaint" % (
        "" if clean else "not ", len(tests) + 1))
    if not clean:
        failed += 1
        print("# status %s\n%s" % (status, "\n".join("# " + x for x in server.logged().splitlines()[-60:])))
    server.remove()
    return 1 if failed else 0
