"""Where a page of the desk is: its breadcrumbs and its title, in the words of the menu."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.db.models import Model
from django.template import RequestContext
from django.urls import NoReverseMatch, reverse
from django.utils import formats

from newsroom.desk import menu
from newsroom.desk.growth import Growth
from publication import languages

register = template.Library()
register.filter("language_name", languages.name_of)


@register.simple_tag(takes_context=True)
def place(context: RequestContext) -> dict[str, Any]:
    """The `parents` of the page, with title and link, its own `title`, and the `whole` for the browser's tab."""
    parts: list[Mapping[str, str]] = [*menu.trail(context.get("sidebar_navigation") or []), *_own(context)]
    # A page that is its place in the menu says its name once.
    if len(parts) > 1 and parts[-1]["title"] == parts[-2]["title"]:
        parts.pop(-2)
    if not parts:
        parts = [{"title": str(context.get("title") or ""), "link": ""}]
    return {
        "parents": parts[:-1],
        "title": parts[-1]["title"],
        "whole": " · ".join(part["title"] for part in reversed(parts)),
    }


def _own(context: RequestContext) -> list[dict[str, str]]:
    """What comes after the menu's words: nothing for a list, the row for its form, row and page otherwise."""
    if context.get("cl") or context.get("is_task"):
        return []
    row = context.get("original") or context.get("object") or context.get("row")
    title = {"title": str(context.get("title") or ""), "link": ""}
    if not isinstance(row, Model):
        return [title] if title["title"] else []
    named = {"title": str(context.get("page_title") or row), "link": _address(row)}
    return [named] if context.get("adminform") else [named, title]


def _address(row: Model) -> str:
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])  # noqa: SLF001  # Django documents _meta as public
    except NoReverseMatch:
        return ""


@register.inclusion_tag("admin/desk/growth.html")
def growth_chart(growth: Growth) -> dict[str, Any]:
    """One bar for each day: up for readers who came, down for those who left; drawn to the highest of them."""
    bars = [
        {
            "x": place * 10 + 1,
            "came": round(48 * day.came / growth.highest),
            "left": round(28 * day.left / growth.highest),
            "top": 50 - round(48 * day.came / growth.highest),
        }
        for place, day in enumerate(growth.days)
    ]
    return {"growth": growth, "bars": bars, "first": growth.days[0].day, "last": growth.days[-1].day}


@register.filter(expects_localtime=True)
def moment(value: datetime | None) -> str:
    """Day and hour as the language of the desk writes them; empty for no time at all."""
    return str(formats.date_format(value, "DATETIME_FORMAT")) if value else ""
