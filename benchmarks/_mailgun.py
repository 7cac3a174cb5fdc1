"""The least server that speaks Mailgun's messages call: it reads each request, counts its recipients, says 200.

`python -m benchmarks._mailgun PORT`. It ends when its standard input does, and prints how many
recipients it was given.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

counted: list[int] = []


class Handler(BaseHTTPRequestHandler):
    """One kept connection of the sender."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Count the recipients of the request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        counted.append(len(json.loads(variables(self.headers["Content-Type"], body))))
        answer = b'{"id": "<bench@example.com>", "message": "Queued. Thank you."}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing of single requests."""


def variables(kind: str, body: bytes) -> str:
    """The field recipient-variables of a form, in either of its two encodings."""
    if kind.startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode())["recipient-variables"][0]
    # Cut out rather than parsed: the server must not be what is measured.
    after = body.partition(b'name="recipient-variables"')[2].partition(b"\r\n\r\n")[2]
    return after.partition(b"\r\n--")[0].decode() or "{}"


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    print(sum(counted), flush=True)
