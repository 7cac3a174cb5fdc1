"""The admin page that releases the permission letters of an import at a rate."""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from publication.change_lists import ModelAdmin
from publication.row_actions import account
from subscribers.letters import queue
from subscribers.models import Newsletter


class Rate(forms.Form):
    """How fast they leave."""

    per_hour = forms.IntegerField(
        label=gettext_lazy("Letters an hour"),
        min_value=1,
        max_value=queue.FASTEST,
        initial=queue.USUAL,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("Begin slowly with a list that has not been written to for long."),
    )


class ReleasesLetters(ModelAdmin):
    """A newsletter's admin with a page that releases its permission letters."""

    def get_urls(self) -> list[URLPattern]:
        """The page is beside the newsletter's own."""
        release = self.admin_site.admin_view(self.release_view)
        own = [path("<int:pk>/release/", release, name="subscribers_newsletter_release")]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def waiting_letters(self, newsletter: Newsletter) -> str:
        """How many imported readers are still to be asked, with the way to the page."""
        count = queue.held(newsletter=newsletter)
        if not count:
            return ""
        address = reverse("admin:subscribers_newsletter_release", args=[newsletter.pk])
        label = ngettext("%(count)s reader to ask", "%(count)s readers to ask", count) % {"count": count}
        return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', address, label)

    waiting_letters.short_description = gettext_lazy("Permission letters")  # type: ignore[attr-defined]  # Django reads it there

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A GET shows what would leave; a POST releases it."""
        newsletter = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_change_permission(request, newsletter):
            raise PermissionDenied
        form = Rate(request.POST or None)
        if request.method == "POST" and form.is_valid():
            released = queue.release(
                newsletter=newsletter,
                per_hour=form.cleaned_data["per_hour"],
                actor=account(request),
                now=timezone.now(),
            )
            self.message_user(request, _said(released), messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:subscribers_newsletter_changelist"))
        count = queue.held(newsletter=newsletter)
        context = {
            "title": _("Ask for permission: %(newsletter)s") % {"newsletter": newsletter.name},
            "form": form,
            "count": count,
            "newsletter": newsletter,
            "hours": round(timedelta(hours=count / queue.USUAL).total_seconds() / 3600),
            "usual": queue.USUAL,
            "opts": self.opts,
        }
        page = "admin/subscribers/newsletter/release.html"
        return render(request, page, {**self.admin_site.each_context(request), **context})


def _said(released: queue.Schedule) -> str:
    sentence = ngettext(
        "%(count)s letter leaves. Time: %(last)s",
        "%(count)s letters leave at the rate that you chose. Time of the last one: %(last)s",
        released.count,
    )
    last = timezone.localtime(released.last_at)
    shown = f"{date_format(last, 'DATETIME_FORMAT')} {last.tzname()}"
    return sentence % {"count": intcomma(released.count), "last": shown}
