"""Registers the articles app and its permissions for each group of editors."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from publication import groups

READ = ["articles.view_article", "articles.view_section", "articles.view_tag", "articles.view_author"]
WRITE = [
    *READ, "articles.add_article", "articles.change_article", "articles.view_image", "articles.add_image",
    "articles.view_revision", "articles.view_correction", "articles.add_tag",
    "articles.view_byline", "articles.add_byline", "articles.change_byline", "articles.delete_byline",
]  # fmt: skip
EDIT = [
    *WRITE, "articles.edit_any_article", "articles.delete_article", "articles.change_image", "articles.delete_image",
    "articles.change_tag", "articles.delete_tag", "articles.add_author", "articles.change_author",
    "articles.delete_author", "articles.add_correction", "articles.change_correction", "articles.view_slugredirect",
]  # fmt: skip
PUBLISH = [
    *EDIT, "articles.publish_article", "articles.add_section", "articles.change_section", "articles.delete_section",
]  # fmt: skip


class ArticlesConfig(AppConfig):
    """Stories: writing, publishing, reading."""

    name = "articles"
    verbose_name = _("Stories")

    def ready(self) -> None:
        """Give the groups their rights after each migration."""
        groups.grant_on_migrate(
            config=self, rights={groups.AUTHOR: WRITE, groups.EDITOR: EDIT, groups.PUBLISHER: PUBLISH}
        )
