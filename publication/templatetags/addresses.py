"""`{{ path|absolute }}` in mails and feeds."""

from django import template

from publication import urls

register = template.Library()
register.filter("absolute", urls.absolute)
