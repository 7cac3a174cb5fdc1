"""The POST data of an issue's form."""

from articles.models import Article
from digests.models import Issue


def change(issue: Issue) -> str:
    return f"/admin/digests/issue/{issue.pk}/change/"


def items(issue: Issue, **changes: str) -> dict[str, str]:
    """The POST data of an issue's form in which only `changes` were edited."""
    rows = list(issue.items.order_by("position"))
    data = {"items-TOTAL_FORMS": str(len(rows)), "items-INITIAL_FORMS": str(len(rows)), "subject": "", "preheader": ""}
    for number, row in enumerate(rows):
        mine = {"id": row.pk, "issue": issue.pk, "article": row.article_id, "position": row.position, "included": "on"}
        data |= {f"items-{number}-{name}": str(value) for name, value in mine.items()}
        data |= {f"items-{number}-headline": "", f"items-{number}-summary": ""}
    data |= {"introduction": "", "scheduled_for_0": "", "scheduled_for_1": ""} | changes
    return {name: value for name, value in data.items() if value != "off"}


def added(issue: Issue, article: Article) -> dict[str, str]:
    """The POST data of an issue's form with one more story."""
    rows = issue.items.count()
    row = {"article": article.pk, "issue": issue.pk, "position": rows, "included": "on", "headline": "", "summary": ""}
    mine = {f"items-{rows}-{name}": str(value) for name, value in row.items()}
    return items(issue, **mine) | {"items-TOTAL_FORMS": str(rows + 1)}
