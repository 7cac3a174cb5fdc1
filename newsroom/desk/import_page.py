"""Import and export of readers at the desk."""

from __future__ import annotations

import io
from typing import Any, Final

from django import forms
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import csv_export, database_clock
from newsroom.desk import pages
from publication import formatting
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import exports, import_job, import_jobs, import_refused, imports, permissions, segments
from subscribers.models import Cadence, ImportJob, Newsletter, Segment, Subscription

RECENT: Final = 10
NOBODY: Final = ("", _("The columns of the file say it, or all subscribed"))
EVERYBODY: Final = [
    NOBODY,
    ("left", _("All of them left")),
    ("bounced", _("All of them bounced")),
    ("complained", _("All of them complained")),
    ("blocked", _("All of them were blocked")),
    ("never", _("None of them ever confirmed")),
]


class Upload(forms.Form):
    """The file, what it is for, and on what basis these people are written to."""

    newsletter = forms.ModelChoiceField(Newsletter.objects.all(), label=_("Newsletter"))
    cadence = forms.ChoiceField(
        label=_("How often"),
        choices=[("", _("As the newsletter has it for new readers")), *Cadence.choices],
        required=False,
    )
    file = forms.FileField(
        label=_("The list"), help_text=_("A CSV file, also as another system exports it; 64 MB at most."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv"}),
    )  # fmt: skip
    basis = forms.CharField(
        label=_("Where and how these people agreed"), max_length=500, required=False,
        help_text=_("Such as “double opt-in at our former system, since 2021”. It is kept as the proof of each of "
                    "them, and they are subscribed at once."),
    )  # fmt: skip
    ask = forms.BooleanField(
        label=_("There is no proof: ask each of them by a letter"), required=False,
        help_text=_("Nobody is subscribed who does not press the button in it. The letters wait until you release "
                    "them on the newsletter's page."),
    )  # fmt: skip
    everybody = forms.ChoiceField(label=_("Who is in the list"), choices=EVERYBODY, required=False)

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        _narrow(self, user)

    def clean(self) -> dict[str, Any]:
        """Either a basis or the question; and a cadence that the newsletter offers."""
        values = super().clean() or {}
        if bool(values.get("basis", "").strip()) == bool(values.get("ask")):
            self.add_error("basis", _("Say where they agreed, or tick that each is to be asked. One of the two."))
        if newsletter := values.get("newsletter"):
            try:
                imports.plan(newsletter=newsletter, cadence=values.get("cadence", ""))
            except imports.ImportRefused as refusal:
                self.add_error("cadence", str(refusal))
        return values


class Columns(forms.Form):
    """Which column is which, where the file's own words do not say it."""

    address = forms.ChoiceField(label=_("Column of the addresses"), required=False)
    names = forms.MultipleChoiceField(
        label=_("Columns of the names"), required=False, widget=forms.CheckboxSelectMultiple
    )
    ignored = forms.MultipleChoiceField(
        label=_("Columns that do not say whether somebody subscribed"), required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    def __init__(self, *args: Any, header: tuple[str, ...], **options: Any) -> None:
        super().__init__(*args, **options)
        columns = [(str(number), cell.strip()[:60] or str(number)) for number, cell in enumerate(header, start=1)]
        self.fields["address"].choices = [("", _("Found by itself")), *columns]  # type: ignore[attr-defined]  # a ChoiceField
        for name in ("names", "ignored"):
            self.fields[name].choices = columns  # type: ignore[attr-defined]  # a MultipleChoiceField


class Export(forms.Form):
    """Whose readers, in which state, all of them or a segment's."""

    newsletter = forms.ModelChoiceField(
        Newsletter.objects.all(), label=_("Newsletter"), required=False, empty_label=_("All of them")
    )
    state = forms.ChoiceField(
        label=_("State"), choices=[*Subscription.State.choices, ("", _("Any"))], initial=Subscription.State.CONFIRMED,
        required=False,
    )  # fmt: skip
    segment = forms.ModelChoiceField(
        Segment.objects.none(), label=_("Segment"), required=False, empty_label=_("All readers of the newsletter")
    )

    def __init__(self, *args: Any, user: User, **options: Any) -> None:
        super().__init__(*args, **options)
        _narrow(self, user)
        field: Any = self.fields["segment"]
        field.queryset = segments.seen(user=user)
        field.label_from_instance = lambda row: f"{row.newsletter.name}: {row.name}"

    def clean(self) -> dict[str, Any]:
        """A segment is of one newsletter."""
        values = super().clean() or {}
        segment, newsletter = values.get("segment"), values.get("newsletter")
        if segment and newsletter and segment.newsletter_id != newsletter.pk:
            self.add_error("segment", _("This segment is of another newsletter."))
        return values


def _narrow(form: forms.Form, user: User) -> None:
    """Let the form offer this person's newsletters only."""
    mine = permissions.of_newsletters(Newsletter.objects.all(), user=user, field="pk")
    form.fields["newsletter"].queryset = mine  # type: ignore[attr-defined]  # a ModelChoiceField


@pages.page(import_jobs.RIGHT, "POST")
def begin(request: HttpRequest) -> HttpResponse:
    """The form for an upload, and the last imports."""
    form = Upload(request.POST or None, request.FILES or None, user=account(request))
    if form.is_valid():
        values = form.cleaned_data
        try:
            job = import_jobs.upload(
                file=values["file"], newsletter=values["newsletter"], cadence=values["cadence"], basis=values["basis"],
                everybody=values["everybody"], actor=account(request), now=database_clock.now(),
            )  # fmt: skip
        except import_jobs.TooLarge as refusal:
            form.add_error("file", str(refusal))
        else:
            return HttpResponseRedirect(_address(job))
    return pages.show(
        request, "admin/desk/readers/import.html", title=_("Import"), is_task=True, form=form,
        jobs=_seen(request).defer("content", "refusals")[:RECENT],
    )  # fmt: skip


@pages.page(import_jobs.RIGHT, "POST")
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """One import: how far it is, what it would do, its report. A POST looks again, or imports."""
    row = get_object_or_404(_seen(request), pk=pk)
    header = import_jobs.header(row) if row.state in ("checked", "refused") and row.content else ()
    form = Columns(request.POST if "look" in request.POST else None, header=header, initial=row.columns)
    refusal = ""
    try:
        if "start" in request.POST:
            import_jobs.start(job=row, actor=account(request))
            return HttpResponseRedirect(_address(row))
        if form.is_valid():
            chosen = {name: value for name, value in form.cleaned_data.items() if value}
            everybody = {name: row.columns[name] for name in ("everybody",) if name in row.columns}
            import_jobs.look_again(job=row, columns=chosen | everybody, actor=account(request))
            return HttpResponseRedirect(_address(row))
    except import_jobs.NotNow as mistake:
        refusal = str(mistake)
    pace = row.pace
    time_left = formatting.duration(seconds=pace.seconds_left) if pace.seconds_left else ""
    sample = import_jobs.sample(row) if row.state == ImportJob.State.CHECKED and row.content else None
    return pages.show(
        request, "admin/desk/readers/import_job.html", title=row.file_name, job=row, form=form, header=header,
        sample=sample, refusal=refusal, is_working=row.state in import_job.WORKING, pace=pace, time_left=time_left,
    )  # fmt: skip


@pages.page(import_jobs.RIGHT)
@require_recent
def refused(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The refused records with their reasons, to be corrected and sent in again."""
    row = get_object_or_404(_seen(request), pk=pk)
    file = io.StringIO(newline="")
    with import_jobs.opened(row) as source:
        import_refused.write(refusals=import_jobs.refusals(row), source=source, file=file)
    return csv_export.download([file.getvalue()], name=f"refused-{row.pk}")


@pages.page(exports.RIGHT, "POST")
@require_recent
def export(request: HttpRequest) -> HttpResponseBase:
    """Ask what, and stream it on a POST."""
    form = Export(request.POST if request.method == "POST" else None, initial=request.GET.dict(), user=account(request))
    if form.is_valid():
        values = form.cleaned_data
        lines = exports.rows(
            newsletter=values["newsletter"], state=values["state"], segment=values["segment"],
            actor=account(request), now=database_clock.now(),
        )  # fmt: skip
        return csv_export.download(lines, name="readers")
    return pages.show(request, "admin/desk/readers/export.html", title=_("Export"), is_task=True, form=form)


def _seen(request: HttpRequest) -> QuerySet[ImportJob]:
    jobs = ImportJob.objects.select_related("newsletter")
    return permissions.of_newsletters(jobs, user=account(request), field="newsletter")


def _address(row: ImportJob) -> str:
    return reverse("desk:import", args=[row.pk])
