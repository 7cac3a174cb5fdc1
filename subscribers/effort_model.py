"""What a sign-up was paid with while the circuit breaker was tripped; nothing in it is about a person."""

from django.db import models

from publication import fields


class SpentEffort(models.Model):
    """A solved challenge or a time that was waited, which is good for one sign-up. Kept until it is too old for any."""

    name = fields.CharField(max_length=64, unique=True)
    spent_at = models.DateTimeField()

    class Meta:
        # subscribers.effort.forget_old
        indexes = [models.Index(fields=["spent_at"], name="effort_spent_at")]

    def __str__(self) -> str:
        return self.name[:8]
