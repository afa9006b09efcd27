"""An S3 of this machine, and a road to it that breaks: every so many requests a 503, or an answer that never comes."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
PASSED_ON = {"connection", "transfer-encoding", "date", "server"}


GOOGLE = '{{"gcs_base_url":"http://127.0.0.1:{}","disable_oauth":true,"client_email":"","private_key":"","private_key_id":""}}'
"""A key of Google's that leads to a port of this machine."""
SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none"


@contextmanager
def emulator() -> Iterator[int]:
    """moto's server on loopback, and its port."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


def translated(headers: dict[str, str]) -> dict[str, str]:
    """A request to Google's store as one to Amazon's: they differ in who asks, and in how an object is written once."""
    asked = {name.lower(): value for name, value in headers.items()}
    if asked.pop("x-goog-if-generation-match", None) is not None:
        asked["if-none-match"] = "*"
    if not asked.get("authorization", "Bearer").startswith("AWS4"):
        asked["authorization"] = SIGNED
    return asked


@contextmanager
def broken_road(port: int, breaks: bool = True) -> Iterator[tuple[int, dict[str, int]]]:
    """A proxy to the emulator: of seven requests one gets a 503, one is done and its answer lost; its port and counts.

    Of Google's interface for XML it speaks what is asked here, so that `gs://` can be tried: no emulator of it does.
    """
    counts = {"passed": 0, "busy": 0, "lost": 0}
    turn, lock = itertools.count(), threading.Lock()

    class Road(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def passed(self) -> None:
            with lock:
                now = next(turn) % 7 if breaks else 0
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if now == 3:
                counts["busy"] += 1
                return self.answer(503, [], b"")
            there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            there.request(self.command, self.path, body, translated(dict(self.headers)))
            answer = there.getresponse()
            content = answer.read()
            there.close()
            if now == 5:
                counts["lost"] += 1
                self.close_connection = True
                return None
            counts["passed"] += 1
            return self.answer(answer.status, answer.getheaders(), content)

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length":
                    length = value if self.command == "HEAD" else length
                elif name.lower() not in PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = passed

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Road)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], counts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
