"""The four groups of the team, and how each app gives them its own permissions.

An app hands over its table in `AppConfig.ready`:

    groups.grant_on_migrate(config=self, rights={groups.EDITOR: ["subscribers.view_subscriber"]})

Nothing here imports a model, so that apps.py may import it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_migrate

AUTHOR = "Author"
EDITOR = "Editor"
PUBLISHER = "Publisher"
ADMINISTRATOR = "Administrator"


class UnknownPermission(LookupError):
    """The permission does not exist, so a group cannot have it."""


def grant(group: str, *codenames: str, using: str = DEFAULT_DB_ALIAS) -> None:
    """Give `group` (made when missing) the permissions named "app_label.codename".

    May run any number of times; takes nothing away. Raises UnknownPermission,
    having changed nothing, when one of them is not in the database.
    """
    permissions = _rows("Permission", using)
    granted = []
    for name in codenames:
        app_label, _, codename = name.partition(".")
        permission = permissions.filter(content_type__app_label=app_label, codename=codename).first()
        if permission is None:
            raise UnknownPermission(f"There is no permission {name}.")
        granted.append(permission)
    row, _created = _rows("Group", using).get_or_create(name=group)
    row.permissions.add(*granted)


def grant_on_migrate(*, config: AppConfig, rights: Mapping[str, Sequence[str]]) -> None:
    """Grant `rights` (group -> permissions of this very app) after each migration of the app.

    Django makes an app's permissions in the same signal just before, because
    django.contrib.auth is above our apps in INSTALLED_APPS.
    """

    def give(using: str = DEFAULT_DB_ALIAS, **_signal: Any) -> None:
        for group, codenames in rights.items():
            grant(group, *codenames, using=using)

    post_migrate.connect(give, sender=config, weak=False, dispatch_uid=f"groups of {config.label}")


def _rows(model: str, using: str) -> Any:
    return apps.get_model("auth", model).objects.using(using)
