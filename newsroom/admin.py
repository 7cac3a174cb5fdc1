"""What the libraries register in the admin, and nobody at the desk needs."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group, User

# People, roles, keys and sessions have pages of their own; lists of raw permissions have none.
admin.site.unregister([User, Group, EmailAddress, Authenticator, UserSession])
