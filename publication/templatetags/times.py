"""`<time datetime="{{ moment|machine_readable }}">{{ moment|day }}</time>`."""

from django import template

from publication import times

register = template.Library()
register.filter("machine_readable", times.machine_readable)
register.filter("day", times.day, expects_localtime=True)
