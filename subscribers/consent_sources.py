"""Where an act of consent came from, in words."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy

# `ConsentEvent.source` of an act that begins or ends a subscription, in words.
SOURCES: Final = {
    "form": gettext_lazy("sign-up form"),
    "confirm_link": gettext_lazy("sign-up form, confirmed by a link"),
    "subscribe_again": gettext_lazy("took an unsubscribe back"),
    "preferences": gettext_lazy("preferences page"),
    "preferences_all": gettext_lazy("preferences page, all newsletters"),
    "renewal": gettext_lazy("agreed to newer legal texts"),
    "publication": gettext_lazy("the publication, for all readers of a cadence"),
    "kept": gettext_lazy("asked to keep the former cadence"),
    "import": gettext_lazy("import"),
    "one_click": gettext_lazy("button of the mail program"),
    "unsubscribe_page": gettext_lazy("link in a mail"),
    "mail": gettext_lazy("mail to the unsubscribe address"),
    "complaint": gettext_lazy("marked a mail as spam"),
    "provider": gettext_lazy("reported by the mail provider"),
    "admin": gettext_lazy("by hand, in the admin"),
    "restored": gettext_lazy("repeated after the database was restored"),
    "erase_command": gettext_lazy("by hand, at a terminal"),
}
