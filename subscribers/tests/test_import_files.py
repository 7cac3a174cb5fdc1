"""CSV as people and tools write it: line ends in cells, encodings, delimiters, columns in many languages."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from subscribers import import_files, imports
from subscribers.models import Newsletter, Subscriber
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA
from tests.table import rows

pytestmark = pytest.mark.django_db


def names() -> dict[str, str]:
    return dict(Subscriber.objects.values_list("address", "name"))


def test_a_quoted_cell_over_several_lines_is_one_record(newsletter: Newsletter) -> None:
    text = f'Email,Address,Notes\r\n{RITA},"7 Mill Lane\r\nNaryn",\r\n{BOB},,"card:\r\nhis-boss@never.net\r\nrings"\r\n'
    report = import_text(text, newsletter)

    assert (report.imported, report.refused) == (2, [])
    assert set(names()) == {RITA, BOB}


def test_a_quotation_mark_that_is_never_closed_costs_its_own_record(newsletter: Newsletter) -> None:
    text = f'Email,Name,Notes\n{BOB},Bob,"from the fair\nhis-boss@never.net\n{RITA},Rita,\ndora@fourth.org,Dora,kind\n'
    report = import_text(text, newsletter)

    assert set(names()) == {RITA, "dora@fourth.org"}
    assert [(refused.line, "never.net" in refused.reason) for refused in report.refused] == [(2, False)]
    assert "Line 3 belongs to it" in report.refused[0].reason


def test_a_mark_inside_a_plain_cell_is_a_letter(newsletter: Newsletter) -> None:
    assert import_text(f'email,notes\n{RITA},a 5" nail\n{BOB},\n', newsletter).imported == 2


@rows("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_is_read_in_every_form(newsletter: Newsletter, encoding: str) -> None:
    import_text(f"Email,Name\n{RITA},Рита Küste 渡辺\n".encode(encoding), newsletter)

    assert names() == {RITA: "Рита Küste 渡辺"}


@rows(
    ("encoding", "name", "called"),
    [
        ("cp1251", "Светлана Журавлёва, Новости Центральной Азии", "windows-1251"),
        ("cp1250", "Łukasz Wiśniewski, Zażółć gęślą jaźń", "windows-1250"),
        ("koi8_r", "Светлана Журавлёва, Новости Центральной Азии", "koi8-r"),
        ("cp1252", "Jürgen Größe, Señor Muñoz, Hélène Dupré", "windows-1252"),
    ],
)
def test_an_older_encoding_is_named_and_read_once_it_is_confirmed(
    newsletter: Newsletter, encoding: str, name: str, called: str
) -> None:
    data = f'Email,Name\n{RITA},"{name}"\n'.encode(encoding)
    with pytest.raises(imports.ImportRefused, match=f"looks like {called}.*--encoding {called}"):
        import_text(data, newsletter)
    assert not Subscriber.objects.exists()

    import_text(data, newsletter, encoding=called)
    assert names() == {RITA: name}


@pytest.mark.parametrize(
    ("encoding", "sentence"), [("klingon", "no encoding named"), ("ascii", "not written in ascii")]
)
def test_a_wrong_encoding_is_refused(newsletter: Newsletter, encoding: str, sentence: str) -> None:
    with pytest.raises(imports.ImportRefused, match=sentence):
        import_text("Email,Name\nrita@reader.org,Küste\n", newsletter, encoding=encoding)


def test_a_spreadsheet_is_not_taken_for_text(newsletter: Newsletter) -> None:
    with pytest.raises(imports.ImportRefused, match="Save it as CSV"):
        import_text(b"PK\x03\x04" + bytes(200), newsletter)


@rows(
    "text",
    [
        "sep=;\r\nE-Mail;Name\r\nrita@reader.org;Rita\r\n",
        "\r\n\r\nemail,name\r\nrita@reader.org,Rita\r\n",
        "email|name\nrita@reader.org|Rita\n",
        "email,name\rrita@reader.org,Rita\r",
        '"email","name"\n"rita@reader.org","Rita"\n',
        "id,name,EMAIL_ADDRESS\n1,Rita,'rita@reader.org\n".replace("'r", "r"),
        "Email Address,First Name,Last Name\nrita@reader.org,Rita,\n",
        "Subscriber E-Mail,Full Name\nrita@reader.org,Rita\n",
    ],
)
def test_common_shapes_are_understood(newsletter: Newsletter, text: str) -> None:
    import_text(text, newsletter)

    assert names() == {RITA: "Rita"}


@rows(
    "header",
    [
        "Email Address,First Name,Last Name",
        "E-Mail-Adresse;Vorname;Nachname",
        "Электронная почта;Имя;Фамилия",
        "Courriel,Prénom,Nom",
        "Correo electrónico,Nombre,Apellidos",
    ],
)
def test_a_name_in_two_columns_is_joined(newsletter: Newsletter, header: str) -> None:
    cells = ["xenia@coast.net", "Xenia", "Küste"]
    import_text(f"{header}\n{(';' if ';' in header else ',').join(cells)}\n", newsletter)

    assert names() == {"xenia@coast.net": "Xenia Küste"}


def test_unknown_columns_are_listed_with_the_way_to_name_the_right_one(newsletter: Newsletter) -> None:
    text = "Kontakt;Wie er heißt\nrita@reader.org;Rita\n"
    with pytest.raises(
        imports.ImportRefused, match=r"The columns are: Kontakt, Wie er heißt\. Say .* --address-column"
    ):
        import_text(text, newsletter)

    import_text(text, newsletter, address="kontakt", names=["2"])
    assert names() == {RITA: "Rita"}


def test_a_column_that_is_not_there_is_refused(newsletter: Newsletter) -> None:
    with pytest.raises(imports.ImportRefused, match=r"There is no column “mail2”\. The columns are: email, name"):
        import_text(f"email,name\n{RITA},Rita\n", newsletter, address="mail2")


def test_a_guarded_cell_loses_its_apostrophe(newsletter: Newsletter) -> None:
    import_text(f"email,name\n{RITA},'=Rita\n{BOB},O'Neill '+ Sons\n", newsletter)

    assert names() == {RITA: "=Rita", BOB: "O'Neill '+ Sons"}


def test_the_limit_is_on_rows(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "MAX_ROWS", 2)
    with pytest.raises(imports.ImportRefused, match="more than 2 rows"):
        import_text("email\na@a.net\nb@a.net\nc@a.net\n", newsletter)


def test_refused_records_come_out_as_they_came_in_and_can_be_sent_again(newsletter: Newsletter, tmp_path: Path) -> None:
    source, refused = tmp_path / "readers.csv", tmp_path / "refused.csv"
    source.write_text(f'email,name,note\n{RITA},Rita,\nnonsense,=Bob,"two\nlines"\n', encoding="utf-8")
    call_command(
        "import_subscribers", str(source), newsletter="tech-news", cadence="daily", basis="b", refused=refused,
        stdout=StringIO(), stderr=StringIO(),
    )  # fmt: skip
    with refused.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))

    assert rows[0] == ["email", "name", "note", "Refused because"]
    assert rows[1][:3] == ["nonsense", "'=Bob", "two\nlines"]
    refused.write_text(refused.read_text().replace("nonsense", BOB), encoding="utf-8")
    source = tmp_path / "again.csv"
    assert import_text(refused.read_bytes(), newsletter).imported == 1
    assert names()[BOB] == "=Bob"


def test_the_command_says_what_is_wrong_with_a_file(newsletter: Newsletter, tmp_path: Path) -> None:
    source = tmp_path / "readers.csv"
    source.write_bytes("Email;Name\nrita@reader.org;Küste\n".encode("cp1252"))
    with pytest.raises(CommandError, match="not written in UTF-8"):
        call_command("import_subscribers", str(source), newsletter="tech-news", cadence="daily")


def test_a_record_never_grows_without_end(tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text('email,note\na@a.net,"open\n' + "line,cell\n" * 3_000, encoding="utf-8")
    records = list(import_files.open_table(file).records())

    assert records[1].fault.startswith(import_files.NOT_CLOSED)
    assert len(records) > 1_000
