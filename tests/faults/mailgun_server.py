"""A real HTTP server that speaks the sending part of Mailgun's and of Resend's interface, and fails on request.

It takes ``POST /v3/<domain>/messages`` (form or multipart), checks the key, and records one
copy per recipient with the texts merged from `recipient-variables`, as Mailgun would send them.
It takes ``POST /emails`` (JSON), and what it took with an ``Idempotency-Key`` only once, as Resend does.

A script is JSON: ``{"key": "secret", "rules": [{"do": "status", "status": 429, "headers":
{"Retry-After": "7"}, "times": 1}]}``. `do` is one of `DEEDS`; `match` is searched in the
recipients; `skip` and `times` count the matching requests.

``with mailgun_server.running({...}) as server: ... server.url``
"""

import base64
import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import parse_qs

DEEDS: Final = (
    "status",  # answer with `status`, `headers` and `body`, and accept nothing
    "status_after",  # accept everything, then answer with `status`
    "rst_before",  # reset before the body was read
    "rst_after",  # accept everything, then reset
    "silence",  # read everything, accept nothing, say nothing
    "silence_after",  # accept everything, say nothing
    "invalid",  # refuse the request because one of the addresses that match is not valid
    "garbage",  # accept everything, then answer 200 with something that is not JSON
)
_FIELD = re.compile(r"%recipient\.([^%]+)%")


@dataclass
class Rule:
    """One line of a script."""

    do: str
    match: str = ""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"message": "told to fail"}'
    skip: int = 0
    times: int = 1_000_000_000
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.do not in DEEDS:
            raise ValueError(f"A rule's do is one of {DEEDS}.")


@dataclass(frozen=True)
class Accepted:
    """One reader's copy as Mailgun would have sent it."""

    recipient: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    variables: dict[str, str]


class Server(ThreadingHTTPServer):
    """Listens from `start` to `stop`."""

    daemon_threads = True

    def __init__(self, script: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        given = dict(script)
        self.rules = [Rule(**rule) for rule in given.pop("rules", [])]
        self.key = str(given.pop("key", "secret"))
        self.accepted: list[Accepted] = []
        self.requests: list[dict[str, list[str]]] = []
        self.connections = 0
        # Idempotency-Key -> the form that came with it, and the id that it was given.
        self.keys: dict[str, tuple[dict[str, list[str]], str]] = {}
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v3"

    def copies(self) -> Counter[str]:
        """How many copies each recipient has."""
        with self.lock:
            return Counter(one.recipient for one in self.accepted)

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what many tests are about."""

    def rule(self, recipients: str) -> Rule | None:
        with self.lock:
            for rule in self.rules:
                if re.search(rule.match, recipients):
                    rule.seen += 1
                    if rule.skip < rule.seen <= rule.skip + rule.times:
                        return rule
        return None

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def record(self, form: dict[str, list[str]], *, key: str = "") -> str:
        """Accept the request: a copy for each recipient. Returns the id that they share."""
        variables = json.loads(form.get("recipient-variables", ["{}"])[0])
        name = f"<{len(self.requests)}.{time.time_ns()}@local>"
        with self.lock:
            if key:
                self.keys[key] = (form, name)
            self.accepted += [_merged(parseaddr(to)[1], form, variables) for to in form["to"]]
        return name


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        if (rule := self._early(server)) is not None:
            self._reset()
            return
        form = self._form()
        server.requests.append(form)
        key = self.headers.get("Idempotency-Key", "")
        if not re.fullmatch(r"/v3/[^/]+/messages|/emails", self.path):
            self._answer(404, "Domain not found")
        elif self.headers.get("Authorization") not in self._credentials(server.key):
            self._answer(401, "Forbidden")
        elif key in server.keys:
            self._repeated(form, *server.keys[key])
        elif (rule := server.rule(" ".join(form.get("to", [])))) is not None:
            self._fail(rule, form, key)
        else:
            self._queued(server.record(form, key=key))

    def _credentials(self, key: str) -> set[str]:
        return {f"Basic {base64.b64encode(f'api:{key}'.encode()).decode()}", f"Bearer {key}"}

    def _early(self, server: Server) -> Rule | None:
        early = [rule for rule in server.rules if rule.do == "rst_before"]
        return next((rule for rule in early if server.rule("") is rule), None)

    def _fail(self, rule: Rule, form: dict[str, list[str]], key: str) -> None:
        if rule.do in {"status_after", "rst_after", "silence_after", "garbage"}:
            cast("Server", self.server).record(form, key=key)
        if rule.do.startswith("status"):
            self._answer(rule.status, rule.body, **rule.headers)
        elif rule.do.startswith("rst"):
            self._reset()
        elif rule.do.startswith("silence"):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.recv(1)
        elif rule.do == "invalid":
            self._answer(400, "'to' parameter is not a valid address. please check documentation")
        else:
            self._answer(200, "<html>Mailgun Magnificent API</html>")

    def _repeated(self, form: dict[str, list[str]], first: dict[str, list[str]], name: str) -> None:
        if form == first:
            self._queued(name)
        else:
            self._answer(409, '{"statusCode": 409, "name": "invalid_idempotent_request"}')

    def _queued(self, name: str) -> None:
        self._answer(200, json.dumps({"id": name, "message": "Queued. Thank you."}))

    def _form(self) -> dict[str, list[str]]:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        if kind == "application/json":
            return _as_form(json.loads(body))
        if not kind.startswith("multipart/form-data"):
            return parse_qs(body.decode(), keep_blank_values=True)
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=policy.HTTP)
        form: dict[str, list[str]] = {}
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            form.setdefault(str(name), []).append(bytes(part.get_payload(decode=True)).decode())
        return form

    def _answer(self, status: int, body: str, **headers: str) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """Silent: what was accepted is the record."""


def _as_form(message: dict[str, Any]) -> dict[str, list[str]]:
    """Resend's JSON with Mailgun's names."""
    headers = dict(message.get("headers", {}))
    variables = json.loads(headers.pop("X-Metadata", "{}"))
    form = {name: [message[name]] for name in ("from", "subject", "text", "html")}
    form |= {f"h:{name}": [value] for name, value in headers.items()}
    return form | {"to": message["to"]} | {f"v:{name}": [value] for name, value in variables.items()}


def _merged(recipient: str, form: dict[str, list[str]], variables: dict[str, dict[str, str]]) -> Accepted:
    own = variables.get(recipient, {})

    def merge(name: str) -> str:
        return _FIELD.sub(lambda match: str(own.get(match[1], match[0])), form.get(name, [""])[0])

    return Accepted(
        recipient=recipient,
        subject=merge("subject"),
        text=merge("text"),
        html=merge("html"),
        headers={name[2:]: merge(name) for name in form if name.startswith("h:")},
        variables={name[2:]: merge(name) for name in form if name.startswith("v:")},
    )


@contextlib.contextmanager
def running(script: Mapping[str, Any] | None = None) -> Iterator[Server]:
    """A server in threads of this process, for a test."""
    server = Server(script or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
