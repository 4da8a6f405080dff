"""A consumer of Digitline's hooks, in Python's own library: checks who speaks, drops doubles, and prints what ended.

DIGITLINE_WEBHOOK_SECRET=whsec_... python webhook_consumer.py --port 8080
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer

#: Seconds by which the sender's clock and ours may differ; what is older may be a copy that somebody kept.
TOLERANCE = 300
#: Bytes of the largest body that is read.
LARGEST = 1_000_000


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Tell whether the owner of the secret sent this body, and sent it just now."""
    notice, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (sent_at.isascii() and sent_at.isdigit() and abs(now - int(sent_at)) <= TOLERANCE):
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{notice}.{sent_at}.".encode() + body, "sha256")
    expected = f"v1,{base64.b64encode(digest).decode()}".encode()
    # Several, where the secret is being changed. Compared in constant time, or the time would tell the digest.
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(expected, signature) for signature in given)


class Consumer(BaseHTTPRequestHandler):
    """Answers a notice; whatever is not 2xx has it sent again."""

    #: Notices that were taken. A consumer that must not forget keeps them where it keeps what it made of them.
    taken: set[str] = set()  # noqa: RUF012  # one for all requests
    timeout = 10

    def do_POST(self) -> None:  # as http.server has it
        """Take a notice."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= LARGEST):
            self._answer(400)
            return
        body = self.rfile.read(int(length))
        if not is_genuine(os.environ["DIGITLINE_WEBHOOK_SECRET"], self.headers, body, time.time()):
            self._answer(401)
            return
        if self.headers["webhook-id"] not in self.taken:
            self.taken.add(self.headers["webhook-id"])
            job_ended(json.loads(body))
        self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def job_ended(notice: Mapping[str, object]) -> None:
    """Do something about it; soon, or the sender takes us for dead and tries again."""
    data = notice["data"]
    assert isinstance(data, Mapping)
    accounts = data["accounts"]
    print(f"{notice['type']}: job {data['id']} '{data['name']}', {accounts}, images in {data['source']}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    if not os.environ.get("DIGITLINE_WEBHOOK_SECRET", "").startswith("whsec_"):
        parser.error("set DIGITLINE_WEBHOOK_SECRET to the secret that the scheduler signs with: whsec_...")
    with HTTPServer(("127.0.0.1", port), Consumer) as server, contextlib.suppress(KeyboardInterrupt):
        print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
