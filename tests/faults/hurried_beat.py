"""The project's `celery beat`, with a minute of one second.

Started as a process, with the folder for its own files: python -m tests.faults.hurried_beat /tmp/one
"""

import sys

from django.conf import settings

from newsroom.celery import app

if __name__ == "__main__":
    app.conf.beat_schedule = {name: {**one, "schedule": 1.0} for name, one in settings.CELERY_BEAT_SCHEDULE.items()}
    app.Beat(loglevel="WARNING", schedule=f"{sys.argv[1]}/schedule", quiet=True).run()
