"""Anymail's Mailgun backend for batches: the same requests, written in one pass over the readers.

Stock Anymail parses and formats each address, copies and checks each reader's values several times
and has `requests` quote the form character by character: 0.1 s per 1,000 readers against 0.009.
`tests/test_esp_requests.py` compares the two requests; docs/decisions/0062 tells the rest.
"""

import functools
import json
import re
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from anymail.backends import mailgun
from anymail.utils import EmailAddress, parse_address_list

# Addresses that a parser returns as they are.
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_+'-]+(?:\.[A-Za-z0-9_+'-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+").fullmatch
# Values, one per line, of which JSON changes nothing and a form only + and @.
_SIMPLE = re.compile(r"[A-Za-z0-9_.~+@\n-]*").fullmatch
_OURS: Final = frozenset({"to", "merge_data", "merge_metadata"})


class EmailBackend(mailgun.EmailBackend):  # type: ignore[misc]  # Anymail publishes no types
    """Sends an AnymailMessage as Anymail's own backend does.

    Before, of a message with `merge_data` and `merge_metadata`: both have every address in `to` and no
    other, and every reader has the same keys.
    """

    def build_message_payload(self, message: Any, defaults: Any) -> "_Payload":
        return _Payload(message, defaults, self)

    def parse_recipient_status(self, response: Any, payload: Any, message: Any) -> dict[str, Any]:
        payload.all_recipients = payload.all_recipients[:1]
        (status,) = super().parse_recipient_status(response, payload, message).values()
        return dict.fromkeys(message.to, status)


class _Payload(mailgun.MailgunPayload):  # type: ignore[misc]  # as above
    # What is ours is neither copied nor parsed.
    base_message_attrs = tuple(
        (name, None, None) if name in _OURS else (name, combine, convert)
        for name, combine, convert in mailgun.MailgunPayload.base_message_attrs
    )
    anymail_message_attrs = tuple(
        (name, None, None) if name in _OURS else (name, combine, convert)
        for name, combine, convert in mailgun.MailgunPayload.anymail_message_attrs
    )

    def set_to(self, addresses: list[str]) -> None:
        if all(map(_PLAIN_ADDRESS, addresses)):
            self.data["to"] = self.to_emails = addresses
            self.all_recipients = [EmailAddress(addr_spec=addresses[0])]
        else:
            super().set_to(parse_address_list(addresses, field="to"))

    def serialize_data(self) -> Any:
        if not (list(self.merge_data) == list(self.merge_metadata) == self.to_emails) or self.files:
            return super().serialize_data()
        self.headers["Content-Type"] = "application/x-www-form-urlencoded"
        metadata = list(self.merge_metadata[self.to_emails[0]])
        fields = {**self.data, **{f"v:{name}": f"%recipient.v:{name}%" for name in metadata}}
        parts = [
            "to=" + "&to=".join(simple) if name == "to" and (simple := _quickly(value)) else _field(name, value)
            for name, value in fields.items()
        ]
        return "&".join([*parts, f"recipient-variables={self._variables(metadata)}"]).encode()

    def _variables(self, metadata: list[str]) -> str:
        """Mailgun's recipient-variables, a JSON text, as it stands in a form."""
        names = list(self.merge_data[self.to_emails[0]])
        keys = [f"v:{name}" for name in metadata] + names
        columns = [_column([self.merge_metadata[to][name] for to in self.to_emails]) for name in metadata]
        columns += [_column([self.merge_data[to][name] for to in self.to_emails]) for name in names]
        own = "%2C+".join(f"%22{key}%22%3A+%22{{}}%22" for key in _column(keys))
        reader = f"%22{{}}%22%3A+%7B{own}%7D".format
        return "%7B" + "%2C+".join(map(reader, _column(self.to_emails), *columns)) + "%7D"


def _field(name: str, value: Any) -> str:
    """One field of the form that is the same for all readers."""
    return _text_field(name, value) if isinstance(value, str) else urlencode({name: value}, doseq=True)


@functools.lru_cache(maxsize=16)
def _text_field(name: str, value: str) -> str:
    """Kept, because the next batch's text is mostly the same and encoding it costs more than all its readers."""
    return f"{quote_plus(name)}={quote_plus(value)}"


def _column(values: list[str]) -> list[str]:
    """One value of each reader as it stands between the quotes of a JSON text in a form."""
    return _quickly(values) or [quote_plus(json.dumps(value)[1:-1]) for value in values]


def _quickly(values: list[str]) -> list[str]:
    """The values as they stand in a form, in JSON or not; nothing if they are not as simple as that."""
    joined = "\n".join(values)
    if not _SIMPLE(joined) or joined.count("\n") >= len(values):
        return []
    return joined.replace("+", "%2B").replace("@", "%40").split("\n")
