"""What somebody has typed into the form of a story and not saved."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from publication import fields


class WorkingCopy(models.Model):
    """The fields of one open form, as one person has them on the screen. Never the story, and never public."""

    # Of one opened form: the same story in two windows is two copies.
    token = fields.CharField(max_length=32)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Empty: a story that has never been saved.
    article = models.ForeignKey("articles.Article", null=True, on_delete=models.CASCADE, related_name="+")
    # Field -> its values, and under "labels" the words of what was chosen from a list.
    content = models.JSONField()
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Also finds a form's copy, and lists a person's.
            models.UniqueConstraint(fields=["user", "token"], name="working_copy_once_per_form"),
        ]
        indexes = [
            # working_copies.forget_old: what nobody came back for.
            models.Index(fields=["updated_at"], name="working_copy_by_age"),
        ]

    def __str__(self) -> str:
        return f"Working copy {self.token}"
