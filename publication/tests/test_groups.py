"""Every app adds its rights to the three groups, as often as migrations run."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db.models.signals import post_migrate

from publication import groups


def names(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_granting_again_changes_nothing(db: None) -> None:
    before = names(groups.EDITOR)
    for _ in range(3):
        groups.grant(groups.EDITOR, "articles.view_article", "articles.change_article")
    assert names(groups.EDITOR) == before


def test_an_unknown_permission_is_refused_whole(db: None) -> None:
    before = names(groups.AUTHOR)
    with pytest.raises(groups.UnknownPermission, match=r"articles\.fly_article"):
        groups.grant(groups.AUTHOR, "articles.delete_section", "articles.fly_article")
    assert names(groups.AUTHOR) == before


def test_a_group_that_somebody_deleted_comes_back_with_the_next_migration(db: None) -> None:
    Group.objects.all().delete()
    config = apps.get_app_config("articles")
    post_migrate.send(sender=config, app_config=config, verbosity=0, interactive=False, using="default")
    assert {"add_article", "change_article"} <= names(groups.AUTHOR)
    assert "publish_article" in names(groups.PUBLISHER)


def test_each_group_may_do_its_work_and_no_more(db: None) -> None:
    author, editor, publisher = (names(group) for group in (groups.AUTHOR, groups.EDITOR, groups.PUBLISHER))
    assert "edit_any_article" not in author
    assert "delete_article" not in author
    assert {"edit_any_article", "add_correction"} <= editor
    assert "publish_article" not in editor
    assert author <= editor <= publisher
