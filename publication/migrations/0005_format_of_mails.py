"""The format of mails for readers who chose none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("publication", "0004_shared_caches"),
    ]

    operations = [
        migrations.AddField(
            model_name="publication",
            name="mail_format",
            field=models.CharField(
                choices=[("full", "Stories in full"), ("headlines", "Headlines only")],
                default="full",
                help_text="For readers who have chosen none on their preference page.",
                max_length=12,
                verbose_name="format of mails",
            ),
        ),
        migrations.AddConstraint(
            model_name="publication",
            constraint=models.CheckConstraint(
                condition=models.Q(("mail_format__in", ["full", "headlines"])), name="publication_mail_format_is_known"
            ),
        ),
    ]
