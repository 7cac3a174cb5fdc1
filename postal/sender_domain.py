"""Whether a domain lets us send in its name: SPF, DKIM and DMARC. And whether replies arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from postal import dns

# Labels of a name above the sender's that may hold its policy (RFC 9989 walks up the tree).
LEAST_LABELS = 2


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a sender: a code, and a sentence for an editor."""

    code: str
    text: str


def flaws(*, address: str, reply_to: str = "") -> Iterator[Flaw]:
    """What the DNS says of the sender. Copies that only become files on this machine need no domain.

    Before: the address is one that mail can be sent from (`addresses.normalise`). A page waits for this: at most
    `dns.DEADLINE` seconds, and no time at all for what was asked a short while ago.
    """
    if settings.EMAIL_TRANSPORT == "local":
        return
    domain, questions = address.rpartition("@")[2], dns.Questions()
    try:
        yield from _spf(domain, questions)
        yield from _dkim(domain, questions)
        yield from _dmarc(domain, questions)
        yield from _replies(reply_to, questions)
    except dns.Silent as silence:
        yield _flaw("dns_silent", _("The DNS did not answer about %(name)s. Look again later."), name=silence)


def _flaw(code: str, sentence: str, **values: object) -> Flaw:
    return Flaw(code, sentence % values)


def _spf(domain: str, questions: dns.Questions) -> Iterator[Flaw]:
    policies = [text for text in questions.records(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"]
    if not policies:
        yield _flaw("spf_missing", _("%(domain)s has no SPF record: servers doubt what comes from it."), domain=domain)
    elif len(policies) > 1:
        yield _flaw("spf_missing", _("%(domain)s has several SPF records, so none of them counts."), domain=domain)
    elif policies[0].lower().split()[1:] == ["-all"]:
        yield _flaw("spf_forbids", _("%(domain)s forbids all mail in its name (SPF “-all”)."), domain=domain)


def _dkim(domain: str, questions: dns.Questions) -> Iterator[Flaw]:
    selector = settings.DKIM_SELECTOR
    if not selector:
        return
    keys = questions.records(f"{selector}._domainkey.{domain}", "TXT")
    tags = _tags(keys[0]) if keys else {}
    if not tags.get("p"):
        text = _("%(domain)s has no DKIM key with the selector “%(selector)s”, or has withdrawn it.")
        yield _flaw("dkim_missing", text, domain=domain, selector=selector)


def _dmarc(domain: str, questions: dns.Questions) -> Iterator[Flaw]:
    policy, owner = _policy(domain, questions)
    if policy is None:
        text = _("%(domain)s has no DMARC policy, which Gmail and Yahoo demand of newsletters.")
        yield _flaw("dmarc_missing", text, domain=domain)
    elif policy.get("p", "none") != "none" and not _is_aligned(domain, owner, policy):
        text = _("%(domain)s wants mail refused that is not signed in its name, and ours would not be (DMARC).")
        yield _flaw("dmarc_unaligned", text, domain=domain)


def _policy(domain: str, questions: dns.Questions) -> tuple[dict[str, str] | None, str]:
    """The DMARC policy of the domain or of the nearest one above it, and whose it is."""
    labels = domain.split(".")
    for start in range(max(1, len(labels) - LEAST_LABELS + 1)):
        owner = ".".join(labels[start:])
        policies = [text for text in questions.records(f"_dmarc.{owner}", "TXT") if text.startswith("v=DMARC1")]
        if len(policies) == 1:
            return _tags(policies[0]), owner
    return None, domain


def _is_aligned(domain: str, owner: str, policy: dict[str, str]) -> bool:
    """Whether our signature or our return path is in the sender's name. A signature of ours always is."""
    if settings.DKIM_SELECTOR or not settings.RETURN_DOMAIN:
        return True
    returns = str(settings.RETURN_DOMAIN).lower()
    if policy.get("aspf", "r") == "s":
        return returns == domain
    return returns == owner or returns.endswith(f".{owner}")


def _replies(address: str, questions: dns.Questions) -> Iterator[Flaw]:
    domain = address.rpartition("@")[2]
    if domain and not any(questions.records(domain, kind) for kind in ("MX", "A", "AAAA")):
        text = _("Replies would go to %(address)s, but %(domain)s takes no mail.")
        yield _flaw("replies_lost", text, address=address, domain=domain)


def _tags(record: str) -> dict[str, str]:
    """The tags of a record, `v=DMARC1; p=reject`."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, _equals, value in pairs if name.strip()}
