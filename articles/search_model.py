"""What readers search: the words of every story, and every word that a public story has used.

Both tables are filled by the triggers of migration 0009, so that no way of writing a story leaves them behind.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from publication import fields


def called() -> models.Func:
    """The words of all names of a section, an author or a tag, as they are written."""
    return models.Func("name", "translations", function="articles_called", output_field=SearchVectorField())


class SearchEntry(models.Model):
    """The words of one story, folded: small letters, no accents, split at every sign.

    It is a narrow row, so that a common word's thousands of stories are ordered by date within milliseconds.
    """

    article = models.OneToOneField(
        # The database deletes the entry with its story.
        "articles.Article", primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False,
        related_name="search_entry",
    )  # fmt: skip
    section = models.ForeignKey("articles.Section", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    language = fields.CharField(max_length=12)
    is_public = models.BooleanField()
    published_at = models.DateTimeField(null=True)
    # Headline (A), standfirst (B), authors and section (C).
    heads = SearchVectorField()
    # The same, and the text (D).
    words = SearchVectorField()

    class Meta:
        indexes = [
            # articles.search: stories with these words, and those that have them above the text.
            GinIndex("words", name="search_entry_words"),
            GinIndex("heads", name="search_entry_heads"),
            # articles.search: the newest stories, and of a common word the newest that have it.
            models.Index(
                models.F("published_at").desc(),
                models.F("article").desc(),
                condition=models.Q(is_public=True),
                name="search_entry_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"Words of story {self.article_id}"


class SearchWord(models.Model):
    """A word of public stories as it is written, folded: what a slip of the keyboard is led back to."""

    word = fields.TextField(primary_key=True)
    # The word, and the word without each one of its letters. Two words that share one of these are a slip apart.
    shortened = models.GeneratedField(
        expression=models.Func("word", function="articles_shortened"),
        output_field=ArrayField(models.TextField()),
        db_persist=True,
    )

    class Meta:
        indexes = [
            # articles.search_words: words that are a slip apart.
            GinIndex("shortened", name="search_word_shortened"),
        ]

    def __str__(self) -> str:
        return self.word
