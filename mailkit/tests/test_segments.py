"""A reader's copy is what Python's own e-mail package would have built for that reader."""

import email
import email.policy
import html as markup
import json
import timeit
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formataddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit import headers as fields
from mailkit import message, segments

HEADERS = [
    ("From", '"Blöck News, International" <news@example.com>'),
    ("To", "%%recipient%%"),
    ("Subject", "%%first_name%%: %%title%% für Dich"),
    ("Date", "Tue, 06 May 2025 10:00:00 +0000"),
    ("Message-ID", "<%%delivery%%@example.com>"),
    ("List-Unsubscribe", "<%%unsubscribe_url%%>, <mailto:leave@example.com?subject=%%delivery%%>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("List-Id", "Tech news <tech.example.com>"),
]
TEXT = "Dear %%first_name%%,\n\n.%%title%% \nÄ = %%remark%%\nFrom here: %%unsubscribe_url%%\n"
HTML = (
    "<p>Dear %%first_name%%,</p>\n<h1>%%title%%%%remark%%</h1>\n"
    '<a href="%%unsubscribe_url%%">Leave</a> ' + "long " * 400 + "\n"
)
VALUES = {
    "recipient": "Anna.O'Brien+x@xn--bcher-kva.example",
    "first_name": "Anna",
    "title": "Reserve of Bitcoin",
    "delivery": "0b5f6a0e-5a0e-4d2a-9f7a-8f4c8f0c6a11",
    "unsubscribe_url": "https://news.example.com/unsubscribe/" + "aB3-_" * 30 + "/",
    "remark": "plain",
}

COMPILED = segments.compile(headers=HEADERS, text=TEXT, html=HTML)


def safe_for_headers(text: str) -> bool:
    try:
        message.check_header_text(text)
    except message.UnsafeHeaderText:
        return False
    return True


header_text = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])).filter(
    safe_for_headers
) | st.sampled_from(["=?utf-8?q?x?=", "=", "?=", " a  b ", "Grüße, Ümit", "ends=", "?x", '"', "東京"])
body_text = st.text(st.characters(exclude_categories=["Cs"]))
url_text = st.text(st.sampled_from("abcXYZ019-_.~:/?#[]@!$&'()*+,;=%"), min_size=1, max_size=700)


def one_kind_of_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def without_blanks(name: str) -> str:
    """Display names are compared so: CPython's parser folds blanks, and adds one between encoded words."""
    return "".join(name.split())


def fill(source: str, values: Mapping[str, str], *, escape: bool = False) -> str:
    values = {name: one_kind_of_line_end(value) for name, value in values.items()}
    for name in values:
        source = source.replace(f"%%{name}%%", f"\0{name}\0")
    for name, value in values.items():
        source = source.replace(f"\0{name}\0", markup.escape(value) if escape else value)
    return source


def reference(values: Mapping[str, str]) -> EmailMessage:
    """What a careful, slow sender would build for this reader."""
    built = EmailMessage(policy=email.policy.SMTP)
    for name, value in HEADERS:
        built[name] = fill(value, values)
    built.set_content(fill(TEXT, values), cte="quoted-printable")
    built.add_alternative(fill(HTML, values, escape=True), subtype="html", cte="quoted-printable")
    return built


def parsed(raw: bytes) -> EmailMessage:
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


def part(read: EmailMessage, kind: str) -> str:
    body = read.get_body((kind,))
    assert body is not None
    assert not body.defects
    return one_kind_of_line_end(str(body.get_content()))


def assert_lawful(raw: bytes) -> None:
    assert raw.endswith(b"\r\n")
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    for chunk in body.split(b"\r\n"):
        assert len(chunk) <= 76
    raw.decode("ascii")


def assert_equals_reference(values: Mapping[str, str]) -> None:
    raw = COMPILED.render(values)
    assert_lawful(raw)
    read, wanted = parsed(raw), reference(values)
    assert not read.defects
    assert len(read.get_all("To", [])) == 1
    assert [a.addr_spec for a in read["To"].addresses] == [values["recipient"]]
    for name, value in HEADERS:
        # Python's own package decodes "=?" in a text that was never encoded; a title is a title.
        expected = fill(value, values) if "=?" in fill(value, values) else str(wanted[name])
        assert str(read[name]) == expected
        assert not read[name].defects
    assert part(read, "plain") == fill(TEXT, values)
    assert part(read, "html") == fill(HTML, values, escape=True)
    slow = parsed(wanted.as_bytes())
    assert part(slow, "plain") == part(read, "plain")
    assert part(slow, "html") == part(read, "html")


@settings(max_examples=200, deadline=None)
@given(name=header_text, title=header_text, remark=body_text, url=url_text)
def test_any_reader_gets_what_the_email_package_would_build(name: str, title: str, remark: str, url: str) -> None:
    values = {"first_name": name, "title": title, "remark": remark, "unsubscribe_url": url}
    assert_equals_reference(VALUES | values)


dotted_text = st.text("\r\n.x ", max_size=12)


@settings(max_examples=100, deadline=None)
@given(title=header_text, remark=body_text | dotted_text, text=dotted_text, url=url_text)
def test_stuffing_the_parts_is_stuffing_the_whole(title: str, remark: str, text: str, url: str) -> None:
    source = f"{text}%%title%%{text}\n.%%remark%%{text}"
    compiled = segments.compile(headers=HEADERS, text=source, html=source)
    values = VALUES | {"title": title, "remark": remark, "unsubscribe_url": url}
    pieces = compiled.render_stuffed(values)
    assert b"".join(pieces) == segments.stuff(compiled.render(values))
    assert all(pieces)


@settings(max_examples=100, deadline=None)
@given(name=header_text, words=header_text, remark=header_text)
def test_names_and_static_texts_survive_encoding(name: str, words: str, remark: str) -> None:
    compiled = segments.compile(
        headers=[
            ("From", "news@example.com"),
            ("To", "%%name%% <%%recipient%%>"),
            ("Subject", words.replace("%", "") + " %%remark%%"),
            ("X-Static", words.replace("%", "")),
        ],
        text="x",
        html="x",
    )
    read = parsed(compiled.render(VALUES | {"name": name, "remark": remark}))
    assert str(read["Subject"]) == words.replace("%", "") + " " + remark
    assert str(read["X-Static"]) == words.replace("%", "")
    [address] = read["To"].addresses
    assert address.addr_spec == VALUES["recipient"]
    assert without_blanks(address.display_name) == without_blanks(name)


@settings(max_examples=100, deadline=None)
@given(name=header_text)
def test_a_formatted_mailbox_is_one_reader_with_that_name(name: str) -> None:
    mailbox = formataddr((name, VALUES["recipient"]))
    read = parsed(COMPILED.render(VALUES | {"recipient": mailbox}))
    [address] = read["To"].addresses
    assert address.addr_spec == VALUES["recipient"]
    # formataddr leaves "=?" as it is, so such a name may come out decoded; it is still one name.
    assert without_blanks(address.display_name) == without_blanks(name) or "=?" in name


def test_a_value_cannot_bring_slots_boundaries_or_headers_of_its_own() -> None:
    boundary = parsed(COMPILED.render(VALUES)).get_boundary()
    hostile = f"%%unsubscribe_url%%\r\n--{boundary}--\r\n.\r\nMAIL FROM:<x@y>"
    read = parsed(COMPILED.render(VALUES | {"remark": hostile}))
    assert hostile.replace("\r\n", "\n") in part(read, "plain")
    assert len(list(read.iter_parts())) == 2


@pytest.mark.parametrize("character", "\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\u202e\u2066\x00")
@pytest.mark.parametrize("slot", ["first_name", "unsubscribe_url", "recipient"])
def test_a_header_refuses_what_would_break_its_line(slot: str, character: str) -> None:
    with pytest.raises(fields.UnsafeValue) as caught:
        COMPILED.render(VALUES | {slot: f"before{character}Bcc: all@example.com"})
    assert "all@example.com" not in str(caught.value)


@pytest.mark.parametrize(
    "recipient",
    ["a@example.com, b@example.com", "a@example.com>", "<a@example.com>", "a", "", "a b@example.com"],
)
def test_to_holds_one_reader_only(recipient: str) -> None:
    with pytest.raises(fields.UnsafeValue):
        COMPILED.render(VALUES | {"recipient": recipient})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Bcc", "a@example.com"),
        ("To", "b@example.com"),
        ("Content-Type", "text/plain"),
        ("X-Bad", "a\r\nBcc: b@example.com"),
        ("X-Bad", "a\x0bb"),
        ("Bad name", "x"),
        (".Dotted", "%%title%%"),
    ],
)
def test_unlawful_headers_are_refused_when_compiled(name: str, value: str) -> None:
    with pytest.raises(segments.CannotCompile):
        segments.compile(headers=[*HEADERS, (name, value)], text=TEXT, html=HTML)


def test_a_slot_without_a_value_is_named() -> None:
    with pytest.raises(segments.MissingSlot) as caught:
        COMPILED.render({name: value for name, value in VALUES.items() if name != "title"})
    assert caught.value.name == "title"


def test_words_that_only_look_like_slots_stay_as_written() -> None:
    compiled = segments.compile(
        headers=[("From", "n@example.com"), ("To", "%%recipient%%"), ("Subject", "100%%off%%")],
        text="%%nobody%% %%recipient%%\n",
        html="x",
        slots=["recipient"],
    )
    read = parsed(compiled.render(VALUES))
    assert compiled.slots == {"recipient"}
    assert part(read, "plain") == f"%%nobody%% {VALUES['recipient']}\n"
    assert read["Subject"] == "100%%off%%"


def test_a_stored_message_renders_the_same_bytes() -> None:
    stored = json.loads(json.dumps(COMPILED.dump()))
    assert segments.CompiledMessage.load(stored).render(VALUES) == COMPILED.render(VALUES)
    with pytest.raises(segments.CannotCompile):
        segments.CompiledMessage.load(stored | {"version": 2})


def test_what_is_fixed_when_a_message_is_loaded_is_no_slot_any_more() -> None:
    fixed = {"title": "Tom & <Jerry> = 2", "delivery": VALUES["delivery"]}
    loaded = segments.CompiledMessage.load(COMPILED.dump(), fixed=fixed)
    assert loaded.slots == COMPILED.slots - set(fixed)
    own = {name: value for name, value in VALUES.items() if name not in fixed}
    once, each = parsed(loaded.render(own)), parsed(COMPILED.render(VALUES | fixed))
    assert once.items() == [(name, value.replace(_boundary(each), _boundary(once))) for name, value in each.items()]
    assert [part(once, kind) for kind in ("plain", "html")] == [part(each, kind) for kind in ("plain", "html")]


def _boundary(read: EmailMessage) -> str:
    return str(read.get_boundary())


def test_addresses_and_urls_in_headers_are_never_encoded_words() -> None:
    raw = segments.compile(headers=HEADERS, text=TEXT, html=HTML).render(VALUES)
    head = raw.partition(b"\r\n\r\n")[0]
    for name in (b"To", b"Message-ID", b"List-Unsubscribe", b"List-Id"):
        line = next(line for line in head.split(b"\r\n") if line.startswith(name + b":"))
        assert b"=?" not in line
    assert f"<{VALUES['unsubscribe_url']}>".encode() in head


def test_a_copy_is_a_join_and_not_an_encoding() -> None:
    """Eight slots of ASCII take about 10 microseconds; encoding again would take a hundred times that."""
    compiled = segments.compile(headers=HEADERS, text=TEXT + "x" * 5000, html=HTML * 10)
    compiled.render(VALUES)
    seconds = min(timeit.repeat(lambda: compiled.render(VALUES), number=200, repeat=5)) / 200
    assert seconds < 100e-6
