"""manage.py journey: the end-to-end test that `bin/run --check` runs on its temporary site."""

import html
import io
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from articles import publishing
from articles.models import Article, Section
from digests.models import Issue
from mailkit import local_mail
from newsroom.running import http_client
from newsroom.running.http_client import Reader, Unexpected
from subscribers.models import CadenceOffer, Newsletter, Subscription

STORY = "Kyrgyzstan"
SECOND, THIRD = "A second story for the check", "A third story for the check"
# The sign-up form refuses anyone who fills it in faster than a person can.
FORM_SECONDS = 2.2
DIGEST_SECONDS = 30.0


class Command(BaseCommand):
    """Exit code 0 if every step passed. Refuses any site but a throwaway one, because it publishes and sends."""

    help = "Used by bin/run --check: publishes, subscribes, sends and unsubscribes on a throwaway site."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """One line per step; the first that fails ends it."""
        if not settings.VAR_DIR.name.startswith("newsroom-check-"):
            raise CommandError("This command publishes and sends mail: it only runs inside bin/run --check.")
        trial = Journey(site=settings.SITE_URL)
        for number, (name, step) in enumerate(trial.steps(), start=1):
            began = time.monotonic()
            try:
                seen = step()
            except (Unexpected, CommandError, requests.RequestException, publishing.PublishingError) as fault:
                raise CommandError(f"Step {number} failed: {name}: {fault}") from fault
            self.stdout.write(f"{number:2}. {name}: {seen} ({time.monotonic() - began:.1f} s)")
            self.stdout.flush()


class Journey:
    """Two readers and a newsletter; one reader leaves on the way."""

    def __init__(self, *, site: str) -> None:
        self.leaves = Reader(site, "leaves@check.example.com")
        self.stays = Reader(site, "stays@check.example.com")
        self.offer = CadenceOffer.objects.filter(is_active=True, cadence="daily").select_related("newsletter").first()
        self.page = ""
        self.digest: EmailMessage | None = None

    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """What happens, in order."""
        return [
            ("Open the story", self.open_the_story),
            ("Subscribe two readers", self.subscribe),
            ("Read the confirmation letter", self.read_the_letter),
            ("Confirm", self.confirm),
            ("Publish a second story", lambda: self.publish(SECOND)),
            ("Compose, freeze and send the digest", lambda: self.send(day=0, audience=2)),
            ("Read the digest from the inbox", self.read_the_digest),
            ("Unsubscribe by one-click POST", self.one_click),
            ("Publish a third story", lambda: self.publish(THIRD)),
            ("Compose, freeze and send the next digest", lambda: self.send(day=1, audience=1)),
            ("The next digest leaves that reader out", self.left_out),
        ]

    def open_the_story(self) -> str:
        """The front page leads to it."""
        front = self.leaves.get("/")
        story_path = next(
            (path for path in re.findall(r'href="(/articles/[^"]+/)"', front) if STORY.lower() in path), None
        )
        if story_path is None:
            raise Unexpected(f"the front page has no story about {STORY}")
        self.page = story_path
        story = self.leaves.get(story_path)
        headline = re.search(r"<h1[^>]*>(.*?)</h1>", story, re.DOTALL)
        if headline is None or STORY not in headline.group(1):
            raise Unexpected("the story has no headline")
        return f"“{html.unescape(headline.group(1)).strip()}”, {len(story):,} characters of HTML"

    def subscribe(self) -> str:
        """Each reader gives an address below the story, then chooses and agrees."""
        for person in (self.leaves, self.stays):
            first = person.form(person.get(self.page), action="/subscribe/")
            first.set("address", person.address)
            form = person.form(person.send(first, page=self.page), action="/subscribe/")
            self._choose(form)
            form.tick("consent")
            time.sleep(FORM_SECONDS)
            response = person.send(form, page="/subscribe/")
            if "letter" not in response and "mail" not in response:
                raise Unexpected("the page after the form does not speak of a letter")
        return "the form was accepted, and the page says what comes next"

    def _choose(self, form: http_client.Form) -> None:
        slug = self._newsletter().slug
        if ("newsletters", slug) in form.boxes:
            form.values = [pair for pair in form.values if pair[0] != "newsletters"]
            form.tick("newsletters", slug)
        for name in form.names():
            if name.startswith("cadence") and slug in name:
                form.set(name, "daily")

    def read_the_letter(self) -> str:
        """It comes to each of the two."""
        letters = [person.next_mail("/confirm/") for person in (self.leaves, self.stays)]
        for person, letter in zip((self.leaves, self.stays), letters, strict=True):
            person.confirm_link = http_client.link(letter.text, part="/confirm/")
        return f"“{letters[0].subject}” from {letters[0].message['From'].addresses[0].display_name}"

    def confirm(self) -> str:
        """The link shows a button; only the press of it confirms."""
        for person in (self.leaves, self.stays):
            before = self._confirmed()
            page = person.get(person.confirm_link)
            if self._confirmed() != before:
                raise Unexpected("opening the link was enough to confirm")
            form = person.form(page, action="")
            person.send(form, page=person.confirm_link)
        if self._confirmed() != 2:
            raise Unexpected(f"{self._confirmed()} of 2 subscriptions are confirmed")
        return "opening the link changed nothing, pressing the button confirmed; 2 readers"

    def _confirmed(self) -> int:
        """Of the daily digest, which the demonstration has no readers of."""
        daily = Subscription.objects.filter(newsletter=self._newsletter(), cadence="daily")
        return daily.filter(state="confirmed").count()

    def publish(self, headline: str) -> str:
        """By the verb that the admin uses; the page must then be public."""
        slug = headline.lower().replace(" ", "-")
        article = Article.objects.create(
            headline=headline,
            slug=slug,
            standfirst="Written by the check.",
            body_markdown="It was published, **and** it arrived.",
            section=Section.objects.earliest("position"),
        )
        publishing.publish(article=article, actor=None, now=timezone.now())
        self.leaves.get(f"/articles/{slug}/")
        return f"/articles/{slug}/ is public"

    def send(self, *, day: int, audience: int) -> str:
        """The digest of today, then of tomorrow, by the commands that a person would use."""
        slug = self._newsletter().slug
        at = timezone.now() + timedelta(days=day)
        words = ["compose_digest", slug, "--cadence", "daily", "--at", at.isoformat(), "--approve"]
        call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())
        issue = Issue.objects.filter(newsletter=self._newsletter(), kind="digest").latest("created_at")
        self._await_sent(issue, until=timezone.now() + timedelta(seconds=DIGEST_SECONDS))
        copies = issue.deliveries.filter(state="accepted").count()
        if (issue.audience_count, copies) != (audience, audience):
            raise Unexpected(f"{copies} of {issue.audience_count} copies were accepted, not {audience} of {audience}")
        return f"issue {issue.number} with {issue.items.count()} stories is {issue.state}, {copies} copies accepted"

    def _await_sent(self, issue: Issue, *, until: datetime) -> None:
        while issue.state not in {"sent", "sent_with_exceptions", "cancelled", "paused"} and timezone.now() < until:
            time.sleep(0.1)
            issue.refresh_from_db()
        if issue.state != "sent":
            raise Unexpected(f"the issue is {issue.state} {issue.reason_sentence}".rstrip())

    def read_the_digest(self) -> str:
        """As a mail program does: both parts, the headers, and the page of the inbox."""
        mail = self.leaves.next_mail(SECOND)
        if SECOND not in mail.text or SECOND not in mail.html:
            raise Unexpected("one of the parts lacks the second story")
        for header in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Message-ID"):
            if not mail.message[header]:
                raise Unexpected(f"the digest has no {header}")
        self.leaves.get(f"/inbox/{mail.name}/")
        self.digest = mail.message
        return f"“{mail.subject}”, text {len(mail.text):,} and HTML {len(mail.html):,} characters"

    def one_click(self) -> str:
        """RFC 8058: no cookie, no token, no redirect."""
        header = str(self.digest["List-Unsubscribe"]) if self.digest else ""
        address = http_client.link(header, part="/unsubscribe/")
        body = {"List-Unsubscribe": "One-Click"}
        response = requests.post(address, data=body, timeout=http_client.REQUEST_SECONDS, allow_redirects=False)
        if response.status_code != requests.codes.ok or self._confirmed() != 1:
            raise Unexpected(f"the POST answered {response.status_code} and {self._confirmed()} subscriptions are left")
        return "answered 200 without cookie or redirect; 1 reader is left"

    def left_out(self) -> str:
        """The other one has it, and this one does not."""
        self.stays.next_mail(THIRD)
        if any(THIRD in mail.subject or THIRD in mail.text for mail in self.leaves.mails()):
            raise Unexpected("the reader who had left got the next digest")
        return f"it came to the other reader alone; {len(local_mail.read_all())} mails were written in all"

    def _newsletter(self) -> Newsletter:
        if self.offer is None:
            raise Unexpected("no newsletter offers a daily digest")
        return self.offer.newsletter
