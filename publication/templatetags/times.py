"""Moments in templates: `<time datetime="{{ moment|machine_readable }}">{{ moment|day }}</time>`, `{% desk_zone %}`."""

from django import template

from publication import moments, times

register = template.Library()
register.filter("machine_readable", times.machine_readable)
register.filter("day", times.day, expects_localtime=True)
register.simple_tag(moments.zone_words, name="desk_zone")
