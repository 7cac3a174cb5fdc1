"""What may be wider than its column: on a page it is moved sideways in a part that keys can reach (WCAG 2.1.1)."""

from django.utils.html import escape
from django.utils.translation import gettext


def reachable(html: str) -> str:
    """Stored HTML whose tables are each in such a part, with a name for those who hear it, and whose code is one."""
    if "<table" in html:
        part = f'<div class="scroller" role="region" aria-label="{escape(gettext("Table"))}" tabindex="0">'
        html = html.replace("<table", f"{part}<table").replace("</table>", "</table></div>")
    return html.replace("<pre>", '<pre tabindex="0">')
