"""A name or a subject in any script leaves as lawful ASCII and is read back as it was typed."""

import email
import email.policy
import re
import sys
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailkit import headers, message, segments

LONGEST_NAME = 120
NAMES = [
    "Новости Центральной Азии",
    "Борбордук Азиянын жаңылыктары: күн сайын, кыска жана так",
    'Новости, «Центральной» "Азии". (Редакция) [утро] <вечер>; а@б',
    "Νέα της Κεντρικής Ασίας, κάθε πρωί στις επτά",
    "أخبار آسيا الوسطى اليومية من بيشكيك",
    "ข่าวเอเชียกลางประจำสัปดาห์ฉบับพิเศษสำหรับผู้อ่าน",
    "中亚新闻每日简报" * 15,
    "中央アジアニュース、毎朝七時にお届けします。",
    "👩‍💻 Daily 👨‍👩‍👧‍👦" * 5,
    "a\u0301e\u0301i\u0301o\u0301u\u0301 " * 10,
    "Grüße aus Bischkek, die Woche in Zentralasien (von Ümit & Jörg)",
    'Block News, International. The "Daily" \\ Weekly [Asia]; at 7:00 @ home (free) <now>',
    "x" * LONGEST_NAME,
    "word " * 23 + "end",
    "=?utf-8?q?not_encoded?=",
    "a=?b",
    "ж" * LONGEST_NAME,
    "🇰🇬" * 60,
]
SCRIPTS = {
    "Latin": (0x20, 0x17F),
    "Greek": (0x370, 0x3FF),
    "Cyrillic": (0x400, 0x52F),
    "Arabic": (0x600, 0x6FF),
    "Thai": (0xE01, 0xE5B),
    "combining": (0x300, 0x36F),
    "kana": (0x3041, 0x30FF),
    "Chinese": (0x4E00, 0x9FFF),
    "emoji": (0x1F300, 0x1FAFF),
}  # fmt: skip
characters = st.one_of(
    *(st.characters(min_codepoint=first, max_codepoint=last) for first, last in SCRIPTS.values()),
    st.sampled_from(" ,.;:\"'()<>[]@\\=?_-\u200d\ufe0f"),
)


def is_safe(text: str) -> bool:
    try:
        message.check_header_text(text)
    except message.UnsafeHeaderText:
        return False
    return True


# As a form leaves a name: no blanks around it, and none beside another, which CPython's newer parser makes one.
typed = st.text(characters, min_size=1, max_size=LONGEST_NAME).map(lambda text: " ".join(text.split())).filter(is_safe)
names = typed.filter(bool) | st.sampled_from(NAMES).map(lambda name: " ".join(name.split()))
# gh-128110: before, the newer parser read a blank between two encoded words of a name.
READS_WORDS_TOGETHER = sys.version_info >= (3, 13, 2)


def assert_lawful(field: bytes) -> None:
    text = field.decode("ascii")
    assert text.endswith("\r\n")
    for line in text.removesuffix("\r\n").split("\r\n"):
        assert len(line) <= (76 if "=?utf-8?" in line else 998)
        assert line.strip()
    for word in re.findall(r"=\?utf-8\?[bq]\?[^?]*\?=", text):
        assert len(word) <= 75
        # Each word is whole characters, so a program that decodes them one by one shows no broken ones.
        assert "\ufffd" not in str(make_header(decode_header(word)))


def newer(field: bytes) -> EmailMessage:
    read = email.message_from_bytes(field + b"\r\n", policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert len(read.items()) == 1
    return read


def older(field: bytes, name: str) -> str:
    """The field's value by the parser that most programs in Python use, unfolded and not decoded."""
    value = email.message_from_bytes(field + b"\r\n")[name]
    return re.sub(r"\r\n(?=[ \t])", "", value)


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))


def assert_sender(field: bytes, name: str, typed_name: str) -> None:
    assert_lawful(field)
    phrase, address = parseaddr(older(field, name))
    assert (decoded(phrase), address) == (typed_name, "news@example.com")
    read = newer(field)[name]
    assert not read.defects
    [mailbox] = read.addresses
    assert mailbox.addr_spec == "news@example.com"
    if READS_WORDS_TOGETHER or field.count(b"=?utf-8?") < 2:
        assert mailbox.display_name == typed_name
    else:
        assert "".join(mailbox.display_name.split()) == "".join(typed_name.split())


@pytest.mark.parametrize("field", ["From", "Reply-To", "Sender"])
@settings(max_examples=150, deadline=None)
@given(name=names)
def test_a_senders_name_is_read_back(field: str, name: str) -> None:
    assert_sender(headers.encode(field, headers.mailbox(name=name, address="news@example.com")), field, name)


@pytest.mark.parametrize("name", NAMES)
def test_names_as_editors_have_them(name: str) -> None:
    name = name.strip()
    assert_sender(headers.encode("From", headers.mailbox(name=name, address="news@example.com")), "From", name)


def test_a_name_that_fits_into_one_word_is_one() -> None:
    """So that every parser reads it alike, whatever it makes of the blank between two words."""
    field = headers.encode("From", headers.mailbox(name="Grüße aus Bischkek, die Woche", address="news@example.com"))
    assert field == b"From: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus_Bischkek=2C_die_Woche?=\r\n <news@example.com>\r\n"


def test_a_longer_name_is_divided_where_it_has_a_blank() -> None:
    field = headers.encode("From", headers.mailbox(name="Новости Центральной Азии", address="news@example.com"))
    first, second, _ = field.decode().split("\r\n")
    assert decoded(first.removeprefix("From: ")) == "Новости Центральной "
    assert decoded(second.removesuffix(" <news@example.com>").strip()) == "Азии"


@settings(max_examples=150, deadline=None)
@given(first=names, second=names)
def test_several_mailboxes_stay_apart(first: str, second: str) -> None:
    value = ", ".join(headers.mailbox(name=name, address="a@example.com") for name in (first, second))
    field = headers.encode("Reply-To", value)
    assert_lawful(field)
    read = newer(field)["Reply-To"].addresses
    assert ["".join(each.display_name.split()) for each in read] == ["".join(n.split()) for n in (first, second)]


@settings(max_examples=150, deadline=None)
@given(name=names)
def test_a_lists_name_is_read_back_and_its_id_stays_readable(name: str) -> None:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    value = f'"{escaped}" <weekly.newsletters.example.com>'
    field = headers.encode("List-Id", value)
    assert_lawful(field)
    assert b"<weekly.newsletters.example.com>" in field
    expected = f"{name} <weekly.newsletters.example.com>" if b"=?utf-8?" in field else value
    assert str(newer(field)["List-Id"]) == expected
    assert decoded(older(field, "List-Id")) == expected


@pytest.mark.parametrize("field", ["Subject", "Comments", "X-A-Long-Name-That-Leaves-Room-For-Little"])
@settings(max_examples=150, deadline=None)
@given(text=names | st.text(characters, max_size=300).filter(is_safe).map(str.strip))
def test_a_text_is_read_back(field: str, text: str) -> None:
    written = headers.encode(field, text)
    if text:
        assert_lawful(written)
    assert str(newer(written)[field]) == text
    assert decoded(older(written, field)) == text


@settings(max_examples=60, deadline=None)
@given(name=names, subject=names)
def test_a_copy_and_its_readers_name_are_read_back(name: str, subject: str) -> None:
    compiled = segments.compile(
        headers=[
            ("From", headers.mailbox(name=name, address="news@example.com")),
            ("To", "%%name%% <%%address%%>"),
            ("Subject", f"{subject.replace('%', '')} %%name%%"),
        ],
        text="x",
        html="x",
        slots={"name", "address"},
    )
    read = email.message_from_bytes(compiled.render({"name": name, "address": "reader@example.com"}))
    phrase, address = parseaddr(re.sub(r"\r\n(?=[ \t])", "", read["To"]))
    assert (decoded(phrase), address) == (name, "reader@example.com")
    assert decoded(re.sub(r"\r\n(?=[ \t])", "", read["Subject"])) == f"{subject.replace('%', '')} {name}"


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("name", NAMES)
def test_a_letter_is_written_as_a_copy_is(name: str) -> None:
    name = name.strip()
    letter = message.letter(
        name="greeting",
        context={"title": name, "name": name, "text": "", "url": ""},
        to="reader@example.com",
        sender=message.Sender(name=name, address="news@example.com", reply_to="desk@example.com"),
        headers={"List-Unsubscribe": f"<https://x.test/{'t' * 90}/>"},
        message_id="<1@example.com>",
    )
    raw = letter.message().as_bytes(linesep="\r\n")
    head = raw.partition(b"\r\n\r\n")[0] + b"\r\n"
    fields = {field.split(b":")[0].decode(): field for field in re.split(rb"(?<=\r\n)(?=[^ \t])", head) if field}
    assert_sender(fields["From"], "From", name)
    assert fields["Reply-To"] == b"Reply-To: desk@example.com\r\n"
    assert fields["List-Unsubscribe"].startswith(b"List-Unsubscribe: <https://")
    for field in fields.values():
        assert_lawful(field)
    assert str(newer(fields["Subject"])["Subject"]) == name
    assert parseaddr(letter.from_email) == (name, "news@example.com")
