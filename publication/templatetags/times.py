"""`<time datetime="{{ moment|machine_readable }}">`."""

from django import template

from publication import times

register = template.Library()
register.filter("machine_readable", times.machine_readable)
