"""What a reader wrote is kept apart from what the mail program quoted; nothing is lost of either."""

import pytest

from postal.notifications import quoting

QUOTED = "> What happened.\n> And why."


@pytest.mark.parametrize(
    ("mail", "own"),
    [
        (f"Thank you!\n\nOn Fri, 28 Nov 2026 at 07:00, News <news@blocknews.example> wrote:\n\n{QUOTED}", "Thank you!"),
        ("Danke.\n\nAm 28.11.2026 um 07:00 schrieb Tech News\n<news@blocknews.example>:\n> Was war.", "Danke."),
        ("Спасибо.\n\n28.11.2026, 07:00, Tech News пишет:\n> Что было.", "Спасибо."),
        ("Рахмат.\n\n28.11.2026 Tech News жазды:\n> Эмне болду.", "Рахмат."),
        ("Top.\n\n-----Original Message-----\nFrom: Tech News\nSent: today\n\nWhat happened.", "Top."),
        ("Top.\n\nВажно\n\nОт: Tech News\nОтправлено: сегодня\nТема: День\n\nЧто было.", "Top.\n\nВажно"),
        (f"On 28.11.2026 Tech News wrote:\n{QUOTED}\n\nNo, it was Tuesday.\n\n> More.\n\nAnd so.",
         "No, it was Tuesday.\n\nAnd so."),
        ("Well.\n-- \nAnna\nHead of Things", "Well."),
        # The writer's own words, not a mail program's.
        ("As my grandmother wrote:\nbe kind.", "As my grandmother wrote:\nbe kind."),
        ("From: where I stand, it is good.", "From: where I stand, it is good."),
    ],
)  # fmt: skip
def test_the_writers_own_words_are_found(mail: str, own: str) -> None:
    written, quoted = quoting.split(mail)
    assert written == own
    words = {word for line in mail.splitlines() for word in line.split()}
    assert set(f"{written}\n{quoted}".split()) == words, "nothing is lost"
