"""The focal point of pictures, the files they had before, and indexes for the library."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models
from django.db.models import F, Q

# The numbers of the pictures that a story's text names, as `articles.markup.FIGURE` reads them.
PICTURES_IN = r"""
CREATE FUNCTION articles_pictures_in(body text) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(named[1]::bigint), '{}') FROM regexp_matches(body, '\]\(image:0*([0-9]{1,12})[ )]', 'g') named
$$;
-- images.naming, picture_library.search: the stories in whose text a picture is.
CREATE INDEX article_pictures ON articles_article USING gin (articles_pictures_in(body_markdown));
"""
NO_PICTURES_IN = "DROP INDEX article_pictures; DROP FUNCTION articles_pictures_in(text);"


class Migration(migrations.Migration):
    dependencies = [("articles", "0003_working_copies")]

    operations = [
        migrations.AddField("image", "focal_x", models.FloatField(default=0.5, editable=False)),
        migrations.AddField("image", "focal_y", models.FloatField(default=0.5, editable=False)),
        migrations.AddField("image", "former_files", models.JSONField(default=list, editable=False)),
        migrations.AddIndex("image", models.Index(F("created_at").desc(), F("id").desc(), name="image_newest")),
        migrations.AddIndex(
            "image",
            django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector("alt", "caption", "credit", config="simple"),
                name="image_words",
            ),
        ),
        migrations.AddConstraint(
            "image",
            models.CheckConstraint(
                condition=Q(focal_x__range=(0, 1)) & Q(focal_y__range=(0, 1)), name="image_focal_point_is_inside"
            ),
        ),
        migrations.RunSQL(PICTURES_IN, NO_PICTURES_IN),
    ]
