"""A reader with a browser, as far as the self-test needs one: pages, forms, a mailbox."""

import re
import time
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from mailkit import local_mail

MAIL_SECONDS = 25.0
REQUEST_SECONDS = 15


class Unexpected(Exception):
    """A page or a mail is not as expected; the message says what came instead."""


class Form:
    """One form of a page, filled as the page filled it."""

    def __init__(self, action: str, method: str) -> None:
        self.action, self.method = action, method
        self.values: list[tuple[str, str]] = []
        self.boxes: list[tuple[str, str]] = []

    def names(self) -> set[str]:
        """The names of all fields."""
        return {name for name, _ in [*self.values, *self.boxes]}

    def set(self, name: str, value: str) -> None:
        """Fill in a field, or choose an option."""
        self.values = [(known, old) for known, old in self.values if known != name] + [(name, value)]

    def tick(self, name: str, value: str | None = None) -> None:
        """Ticks a box of the form."""
        box = next((box for box in self.boxes if box[0] == name and value in {None, box[1]}), None)
        if box is None:
            raise Unexpected(f"the form has no box {name}")
        if box not in self.values:
            self.values.append(box)


class _Forms(HTMLParser):
    """Collects the forms of a page; selects take their first or selected option."""

    def __init__(self) -> None:
        super().__init__()
        self.match: list[Form] = []
        self.select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.match.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "select":
            self.select = name
        elif self.match and tag == "option" and self.select:
            if "selected" in given or self.select not in self.match[-1].names():
                self.match[-1].set(self.select, given.get("value", ""))
        elif self.match and tag in {"input", "textarea"} and name:
            self._input(self.match[-1], name, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self.select = ""

    @staticmethod
    def _input(form: Form, name: str, given: dict[str, str]) -> None:
        kind, value = given.get("type", "text"), given.get("value", "")
        if kind in {"checkbox", "radio"}:
            form.boxes.append((name, value or "on"))
            if "checked" in given:
                form.values.append((name, value or "on"))
        elif kind not in {"submit", "button"}:
            form.values.append((name, value))


class Reader:
    """One reader: an address, a browser with cookies, and a mailbox."""

    def __init__(self, site: str, address: str) -> None:
        self.site, self.address = site, address
        self.browser = requests.Session()
        self.read: set[str] = set()
        self.confirm_link = ""

    def get(self, path: str) -> str:
        """A page that must return 200."""
        response = self.browser.get(urljoin(self.site, path), timeout=REQUEST_SECONDS)
        if response.status_code != requests.codes.ok:
            raise Unexpected(f"GET {_route(path)} answered {response.status_code}")
        return response.text

    def form(self, page: str, *, action: str) -> Form:
        """The form of a page that goes to an address with `action` in it."""
        parser = _Forms()
        parser.feed(page)
        form = next((form for form in parser.match if form.method == "post" and action in form.action), None)
        if form is None:
            raise Unexpected(f"the page has no form that posts to {action or 'itself'}")
        return form

    def send(self, form: Form, *, page: str) -> str:
        """Presses the button; the page that comes back must return 200."""
        address = urljoin(urljoin(self.site, page), form.action)
        response = self.browser.post(
            address, data=form.values, headers={"Referer": urljoin(self.site, page)}, timeout=REQUEST_SECONDS
        )
        if response.status_code != requests.codes.ok:
            raise Unexpected(f"POST {_route(address)} answered {response.status_code}")
        return response.text

    def mails(self) -> list[local_mail.LocalMail]:
        """The mails that were not read yet, oldest first."""
        mine = [mail for mail in local_mail.read_all() if mail.recipient == self.address and mail.name not in self.read]
        return sorted(mine, key=lambda mail: mail.name)

    def next_mail(self, wanted: str) -> local_mail.LocalMail:
        """The next mail with this in its subject or text; waits for it."""
        end = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < end:
            for mail in self.mails():
                if wanted in mail.subject or wanted in mail.text:
                    self.read.add(mail.name)
                    return mail
            time.sleep(0.1)
        raise Unexpected(f"no mail with “{wanted}” came within {MAIL_SECONDS:.0f} seconds")


def link(text: str, *, part: str) -> str:
    """The first web address in a mail's text whose path has this part."""
    match = re.search(rf"https?://[^\s<>\"]*{re.escape(part)}[^\s<>\")]*", text)
    if match is None:
        raise Unexpected(f"the mail has no link with {part}")
    return match.group()


def _route(address: str) -> str:
    """The path without what follows its first word: a token is a key to a subscription."""
    return "/" + urljoin("http://x/", address).split("/", 3)[3].split("/")[0] + "/"
