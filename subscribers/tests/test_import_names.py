"""A name is stored as it is spelled, or not at all: no lost letters, nothing read in another encoding."""

import pytest

from subscribers import imports
from subscribers.models import Newsletter, Subscriber
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA
from tests.table import rows

pytestmark = pytest.mark.django_db


@rows(
    ("name", "encoding", "meant"),
    [
        ("Jürgen Küste", "cp1252", "Jürgen Küste"),
        ("O’Neill – Anna", "cp1252", "O’Neill – Anna"),
        ("Анна Иванова", "cp1251", "Анна Иванова"),
        ("Łukasz", "cp1252", "Łukasz"),
    ],
)
def test_a_name_that_was_garbled_before_is_refused_with_what_it_should_be(
    newsletter: Newsletter, name: str, encoding: str, meant: str
) -> None:
    # As browsers and databases have it: the few bytes that mean nothing there are kept as they are.
    garbled = "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in name.encode())
    report = import_text(f'Email,Name\n{RITA},"{garbled}"\n{BOB},{name}\n', newsletter)

    assert [(refused.line, f"“{meant}”" in refused.reason) for refused in report.refused] == [(2, True)]
    assert Subscriber.objects.get().name == name


def test_a_name_with_a_lost_letter_is_refused(newsletter: Newsletter) -> None:
    report = import_text(f"Email,Name\n{RITA},J\N{REPLACEMENT CHARACTER}rgen\n", newsletter)

    assert "“Name”" in report.refused[0].reason
    assert not Subscriber.objects.exists()


@rows("name", ["Вієслава", "Ві", "Ðóra", "Ståle Ærø", "Nuño", "Zoë D’Août", "渡辺 太郎", "Çağrı Işık"])
def test_a_real_name_is_never_taken_for_a_garbled_one(newsletter: Newsletter, name: str) -> None:
    import_text(f"Email,Name\n{RITA},{name}\n", newsletter)

    assert Subscriber.objects.get().name == name


@rows("encoding", ["windows-1252", "iso-8859-1", "windows-1251", "unicode_escape", "cp037"])
def test_a_file_in_utf_8_is_read_as_nothing_else(newsletter: Newsletter, encoding: str) -> None:
    with pytest.raises(imports.ImportRefused, match=r"written in UTF-8\. Leave --encoding out"):
        import_text(f"Email,Name\n{RITA},Küste\n", newsletter, encoding=encoding)


@rows("encoding", ["rot13", "base64", "zip", "undefined", "x\0y", "утф"])
def test_what_is_no_encoding_of_text_is_said_to_be_none(newsletter: Newsletter, encoding: str) -> None:
    with pytest.raises(imports.ImportRefused, match="There is no encoding named"):
        import_text(f"Email,Name\n{RITA},Rita\n", newsletter, encoding=encoding)


def test_an_encoding_in_which_no_word_can_be_read_is_refused(newsletter: Newsletter) -> None:
    data = f"Email;Name\n{RITA};Анна Иванова\n".encode("cp1251")
    with pytest.raises(imports.ImportRefused, match=r"looks like windows-1251 .*Анна"):
        import_text(data, newsletter, encoding="windows-1252")

    import_text(data, newsletter, encoding="cp1251")
    assert Subscriber.objects.get().name == "Анна Иванова"


@rows(
    ("name", "encoding", "first"),
    [
        ("Анна", "cp1251", "windows-1251"),
        ("Rita – die Erste", "cp1252", "windows-1252"),
        ("Анна Иванова", "cp866", "ibm866"),
        ("Łukasz", "cp1250", "windows-1250"),
        ("渡辺 太郎", "cp932", "shift_jis"),
    ],
)
def test_the_likeliest_encoding_is_named_first_after_a_single_name(
    newsletter: Newsletter, name: str, encoding: str, first: str
) -> None:
    with pytest.raises(imports.ImportRefused, match=f"looks like {first} .*--encoding {first}"):
        import_text(f"Email,Name\n{RITA},{name}\n".encode(encoding), newsletter)


def test_one_zero_byte_does_not_make_a_file_wide(newsletter: Newsletter) -> None:
    report = import_text(f"Email,Name\n{RITA},Rita\0\n{BOB},Bob\n".encode(), newsletter)

    assert Subscriber.objects.get().name == "Bob"
    assert [refused.line for refused in report.refused] == [2]
