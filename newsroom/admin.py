"""Accounts and groups in the admin."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from publication.change_lists import ModelAdmin
from staff import limit_views

# Keys and sessions are their owners' business, and have pages of their own.
admin.site.unregister([User, Group, EmailAddress, Authenticator, UserSession])


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]  # unfold has no types; generic only in the stubs
    """Who may log in. Rights come from the groups Author, Editor and Publisher."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    actions_detail = ("limits",)

    @action(description=_("Sections and newsletters"), url_path="limits", permissions=["change"])  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the person is limited to, on a page of its own."""
        person = get_object_or_404(User, pk=object_id)
        return limit_views.page(request=request, person=person, context=self.admin_site.each_context(request))


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # django-unfold publishes no types
    """What the holders of a role may do."""
