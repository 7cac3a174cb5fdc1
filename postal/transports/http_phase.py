"""How far an HTTP request came: the outcome of a copy follows from this, not from the exception."""

import os
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from postal.transports.base import Phase


class Watch:
    """Notes the phase of the latest request of a session. `watch` a session, `reset` before a request."""

    def __init__(self) -> None:
        self.phase = Phase.CONNECT

    def reset(self) -> None:
        """A new request is about to begin."""
        self.phase = Phase.CONNECT

    def sending(self) -> None:
        """Bytes are about to leave: first the head, in one piece, then the body.

        A provider may act once it has the whole body, and it may have it once the body's first
        piece was given to the kernel.
        """
        self.phase = Phase.BODY if self.phase is Phase.CONNECT else Phase.FINAL

    def watch(self, session: requests.Session, *, url: str) -> None:
        """From now on this session's requests are noted. It follows no redirect and repeats nothing.

        What the environment says of proxies and certificates for `url` is read here, once: requests would
        read all of it, and ~/.netrc, for each request, which is a third of a single message's cost.
        """
        session.proxies.update(requests.utils.get_environ_proxies(url))
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        session.trust_env = False
        adapter = _Adapter(self)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        session.max_redirects = 0


class _Adapter(HTTPAdapter):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._watch),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._watch),
        }


def _pool(pool: type[HTTPConnectionPool], connection: type[HTTPConnection], watch: Watch) -> type[HTTPConnectionPool]:
    """A pool whose connections tell `watch` when bytes leave."""

    def send(self: HTTPConnection, data: Any) -> None:
        if self.sock is None:
            # Connected here, so that a failure to connect is not taken for one to send.
            self.connect()
        watch.sending()
        connection.send(self, data)

    watched = type(f"Watched{connection.__name__}", (connection,), {"send": send})
    return type(f"Watched{pool.__name__}", (pool,), {"ConnectionCls": watched})
