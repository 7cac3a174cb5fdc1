"""The words of other systems for who may be mailed and who may not, in the languages that we have met.

Literal tables, one for each kind of column. Names and values are compared folded, so case, accents and the
marks between words do not matter. To teach the import a new tool, add its words here and its export to the tests.
"""

import enum
import functools
import re
import unicodedata
from collections.abc import Mapping

CAMEL = re.compile(r"(?<=[a-z\u0430-\u044f])(?=[A-Z\u0410-\u042f])|(?<=[A-Z])(?=[A-Z][a-z])")  # Latin, Cyrillic
BETWEEN_WORDS = re.compile(r"[\W_]+")
# "UnSubscribed", "un-subscribed": one word, however it is written.
DIVIDED = re.compile(r"\bun (?=subscri|confirm|verif|activ|deliver|reach|opted)")
MARKS = str.maketrans({**dict.fromkeys("✓✔☑", " x "), **dict.fromkeys("✗✘☐", " no ")})


class Status(enum.Enum):
    """What a file says of one reader: a yes, or the kind of its no. The value ends a sentence about them."""

    YES = "is subscribed"
    LEFT = "has unsubscribed"
    NEVER = "never confirmed, or is not said to be subscribed"
    UNREACHED = "could not be reached for some time"
    BOUNCED = "could not be reached; the mailbox bounced"
    COMPLAINED = "complained about a mail"
    BLOCKED = "was blocked"
    DELETED = "was deleted, or asked to be"


@functools.lru_cache(maxsize=10_000)  # the cells of a status column repeat
def fold(text: str) -> str:
    """A name or value as it is compared: lower case, no accents, words divided by one blank (`unsubscribedAt` too)."""
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text.translate(MARKS))
        plain = "".join([character for character in plain if not unicodedata.combining(character)])
    return DIVIDED.sub("un", BETWEEN_WORDS.sub(" ", CAMEL.sub(" ", plain)).strip().casefold())


def words(text: str) -> frozenset[str]:
    """A table: the entries of a list divided by commas, as they are compared."""
    return frozenset(fold(entry) for entry in text.split(",")) - {""}


def beginnings(text: str) -> re.Pattern[str]:
    """Names that have a word which begins like one of the list; "=" after it asks for the whole word."""
    parts = [entry.strip() for entry in text.split(",")]
    patterns = [re.escape(fold(part)) + (r"\b" if part.endswith("=") else "") for part in parts]
    return re.compile(rf".*\b(?:{'|'.join(patterns)})")


# --- Content of the cells ---

EMPTY = {""} | words("null, none, nil, nan, n/a, 0000-00-00, 0000-00-00 00:00:00, keine, нет данных")
TRUE = words(
    "true, yes, y, 1, on, x, t, ok, ja, wahr, да, д, истина, так, \u043e\u043e\u0431\u0430, иә, evet, "
    "oui, vrai, sí, verdadero, sì, sim, tak"
)
FALSE = words(
    "false, no, n, 0, off, f, never, nein, falsch, nie, нет, н, ложь, ні, жок, жоқ, hay\u0131r, никогда, "
    "non, faux, jamais, falso, nunca, não"
)
NOT_FILLED = EMPTY | FALSE
_OF_STATUS = {
    Status.YES: """
        subscribed, subscriber, active, enabled, confirmed, regular, premium, gifted, trialed, churning, past due,
        free, paid, comp, gift, ios app, founding, opted in, opt in, optin, express, explicit, single opt in,
        double opt in, double, verified, valid, registered, available, reachable, marketing contact, cold subscriber,
        abonniert, aktiv, aktiviert, angemeldet, eingetragen, bestätigt,
        подписан, подписана, подписчик, активен, активна, активный, действует, активний, підписаний, підписана,
        жазылган, aktywny, aktywna, zapisany, abone, подтверждён, подтверждена,
        abonné, abonnée, actif, inscrit, inscrite, confirmé, confirmée,
        suscrito, suscrita, activo, activa, confirmado, confirmada,
        iscritto, attivo, inscrito, ativo, ingeschreven, actief""",
    Status.LEFT: """
        unsubscribed, unsubscribe, unsubscribes, unsub, opted out, opt out, optout, left, quit, gone, inactive,
        cancelled, canceled, removed, disabled, deactivated, revoked, withdrawn, paused, churned, former, archived,
        excluded, no email, no emails, do not email, do not contact, do not mail,
        abgemeldet, inaktiv, ausgetragen, abbestellt, deaktiviert, gekündigt, widerrufen,
        отписан, отписана, отписался, отписалась, отписка, отказался, отказалась, отказ, неактивен, неактивна,
        неактивный, отключён,
        désabonné, désabonnée, désinscrit, désinscrite, inactif, résilié,
        baja, dado de baja, dada de baja, de baja, desuscrito, desuscrita, cancelado, cancelada, inactivo, inactiva,
        no activo, cancelada la suscripción, отменена, отменён, wypisany, wypisana, відписаний, відписана,
        abonelikten \u00e7\u0131kt\u0131, жазылбаган, cancellata, disiscritto,
        cancellato, inattivo, descadastrado, inativo, uitgeschreven, afgemeld, inactief""",
    Status.NEVER: """
        pending, unconfirmed, not confirmed, unactivated, not activated, activation requested, nonsubscribed,
        non subscribed, not subscribed, never subscribed, unverified, not verified, awaiting confirmation, waiting,
        waiting for confirmation, confirmation sent, invited, new, implied, transactional, not set, temp hold,
        temporary hold, on hold, validating, needs attention, no opt in, not opted in,
        no permission, no permission set, no consent, neu,
        non marketing, non marketing contact, prospect, lead,
        unbestätigt, ausstehend, wartend, nicht bestätigt, nicht angemeldet, nicht abonniert, offen,
        ожидает, ожидает подтверждения, ожидание, не подтверждён, не подтверждена, неподтверждён, не подписан,
        не подписана, новый,
        en attente, non confirmé, non confirmée, non abonné, non inscrit,
        pendiente, sin confirmar, no confirmado, no suscrito, no suscrita,
        in attesa, non confermato, pendente, in afwachting""",
    Status.UNREACHED: """
        soft bounce, soft bounced, softbounce, soft bounces, soft, transient, temp unreachable, mailbox full""",
    Status.BOUNCED: """
        cleaned, bounced, bounce, bounces, hard bounce, hard bounced, hardbounce, hardbounced, hard bounces, hard,
        permanent, undeliverable, undelivered, not deliverable, unreachable, invalid, invalid email,
        invalid address, dead, dropped, non existent, nonexistent,
        bereinigt, unzustellbar, ungültig, nicht zustellbar,
        недоставлено, недоставляем, недоступен, недействителен, недействительный, не существует,
        gebounced, gebounct, fehlerhaft,
        nettoyé, nettoyée, non distribuable, rejeté, invalide, rebotado, rebotada, inválido, rimbalzato, non valido""",
    Status.COMPLAINED: """
        complained, complaint, complaints, complainer, spam, spammed, spammy, spammer, junk, abuse, spam complaint,
        spam report, marked as spam, marked spam, reported spam, reported as spam, abuse complaint,
        beschwerde, spambeschwerde, жалоба, пожаловался, пожаловалась, спам, plainte, signalé comme spam,
        queja, denuncia, segnalato come spam""",
    Status.BLOCKED: """
        blocked, blocklisted, blocklist, blacklisted, blacklist, banned, suppressed, suppression,
        quarantined, manual suppression, user suppressed, suspended, upstream blocked,
        gesperrt, blockiert, заблокирован, заблокирована, в чёрном списке, чёрный список,
        bloqué, bloquée, liste noire, bloqueado, bloqueada, bloccato""",
    Status.DELETED: """
        deleted, erased, forgotten, gdpr deleted, deletion requested, gelöscht, удалён, удалена, удалить,
        supprimé, supprimée, effacé, eliminado, eliminada, borrado, borrada, eliminato, excluído""",
}
STATUS_WORDS: Mapping[str, Status] = {word: status for status, text in _OF_STATUS.items() for word in words(text)}
# Words that mean a status in any column, and before other words: "unsubscribed by a link".
TELLING = words("""
    subscribed, unsubscribed, nonsubscribed, non subscribed, not subscribed, unconfirmed, opted out, cleaned, bounced,
    bounce, hard bounce, hard bounced, soft bounced, undeliverable, complained, complaint, spam complaint, spam,
    marked as spam, blocklisted, blacklisted, suppressed, unreachable, angemeldet, abgemeldet, abonniert, abbestellt,
    ausgetragen, unzustellbar, gesperrt, gelöscht, подписан, подписана, отписан, отписана, отписался, отписалась,
    заблокирован, жалоба, abonné, désabonné, désinscrit, désabonnée, désinscrite, suscrito, dado de baja, desuscrito,
    disiscritto, uitgeschreven""")

# --- What the columns are called ---

# Columns with a word of STATUS_WORDS, and names that are one in some tools only.
STATUS = re.compile(
    r"(?:.* )?(?:\w*status|statut|статус|situacao|состояние|абалы?|durum)(?: .*)?|(?:estado|etat|stato) d\w* .*"
)
PERHAPS_STATUS = words("""
    type, kind, state, estado, état, stato, subscription, subscriptions, subscriber, subscriber type, subscriber state,
    member state, contact state, membership, abo, reason, error, suppressions""")
# Columns that are true for readers who may be mailed; an empty cell is no yes.
YES_IF_TRUE = words("""
    subscribed, is subscribed, subscribed to emails, opt in, opted in, optin, email opt in, active, is active, enabled,
    confirmed, is confirmed, verified, accepts marketing, accepts email marketing, marketing consent, consent,
    email marketing consent, consent given, gdpr consent, receives emails, can email, email marketable, newsletter,
    abonniert, aktiv, bestätigt, angemeldet, newsletter abonniert, einwilligung,
    подписан, подписка, согласие, рассылка, подтверждён, активен, abonné, inscrit, consentement, actif, confirmé,
    suscrito, consentimiento, activo, confirmado, boletín""")
# Names that sound like a yes: they are one where their values are yes and no.
YES_BEGINNINGS = beginnings("""
    subscri, abonn, angemeldet, eingetragen, bestätigt, newsletter, infolettre, boletin, opt in, optin, opted in,
    consent, einwillig, zustimm, einverst, permission, marketable, marketing, mailing, accept, confirm, verifi, aktiv,
    activ, enabled, receives, empfängt, erhält, gdpr, dsgvo, rgpd, подпис, рассыл, соглас, подтвержд, актив, inscri,
    suscri, iscri, actif, attiv, ativo""")
# Columns with the time at which somebody confirmed.
YES_IF_FILLED = re.compile(
    r"(?:confirm(?:ed|ation)?|verified|verification|doi|double opt ?in|bestatigt|aktiviert)"
    r" (?:at|on|am|date|time|datum|timestamp)|date (?:confirmed|verified)|bestatigungsdatum|"
    r"дата подтверждения|date de confirmation|fecha de confirmacion"
)
# Columns that are filled or true for readers who may not be mailed; the first table that fits counts.
NO_BEGINNINGS = (
    (beginnings("complain, spam, abuse, beschwerde, жалоб, plainte, queja"), Status.COMPLAINED),
    (beginnings("soft bounc, softbounc"), Status.UNREACHED),
    (
        beginnings("""
            hard bounc, hardbounc, bounce=, bounced=, undeliver, clean time, clean date, clean campaign, cleaned,
            invalid, npai=, unzustellbar, bereinigt, недостав, nettoye, rebot"""),
        Status.BOUNCED,
    ),
    (
        beginnings("""
            robinson, sperr, werbesperr, mailsperr, emailsperr, kontaktsperr, versandsperr, newslettersperr,
            stop list, stoplist, стоп лист, стоплист, lista negra, blocked, blocklist, block list, blacklist,
            black list, banned, suppress, gesperrt, blockiert, заблокир,
            чёрный спис, bloqué, liste noire"""),
        Status.BLOCKED,
    ),
    (beginnings("delet, erased, erasure, gelöscht, lösch, удал, supprim, eliminad, borrad"), Status.DELETED),
    (
        beginnings("unconfirmed, unverified, pending, not confirmed, nicht bestätigt, не подтвержд"),
        Status.NEVER,
    ),
    (
        beginnings("""
            ne plus, ne pas, opposition, refuse=, refusée=, widerspr, ablehn, abgelehnt, nicht kontakt,
            nicht anschreib, nicht mail, kein newsletter, keine newsletter, keine mail,
            keine e mail, keine werbung, kein kontakt,
            no enviar, no contactar, no molestar, no escribir, não enviar, não contatar, non inviare, non contattare,
            не писать, не беспокоить, не присылать, не отправлять, не слать, не рассылать, не контакт,
            unsub, opt out, optout, opted out, has left, date left, left at=, left on=, do not, dnc=, no email=,
            no emails=, excluded, cancelled, canceled, cancellation, removed, revoked, withdrawn, withdrawal,
            deactivat, disabled, inactive, stop time, stop date, stop status, not subscribed, nonsubscribed,
            non subscribed, abgemeldet, abmeld, abbestell, austrag, ausgetragen, deaktiv, inaktiv, gekündigt, kündigung,
            widerruf, отпис, отказ, неактив, отключ, désabonn, désinscri, inactif, résili, baja=, desuscri, inactivo,
            wypis, відпис, abonelikten, жазылуудан, жазылымнан, cancellaz, disattiv, баш тарт,
            disiscri, cancellat, descadastr, uitgeschreven,
            afgemeld"""),
        Status.LEFT,
    ),
    (re.compile(r"left|quit"), Status.LEFT),
)
# A name with one of these says when or why somebody left, so any content of its cells is a no.
WHEN_OR_WHY = re.compile(
    r".*\b(?:at|on|am|le|el|date|data|time|timestamp|\w*datum|дата|когда|fecha|reason|\w*grund|motif|motivo|причина|campaign|"
    r"kampagne|title|source|by|from|id|ids|ip|list|lists|message|comment|other)\b"
)
# Columns that only a file of people who must not be mailed has (Mailchimp): every row of it is one.
NO_AT_ALL: Mapping[str, Status] = {
    **dict.fromkeys(words("unsub time, unsub campaign title, unsub campaign id, unsub reason"), Status.LEFT),
    **dict.fromkeys(words("clean time, clean campaign title, clean campaign id"), Status.BOUNCED),
}
# Names that speak of something else, however much they sound like a status; "last activity: never" is no answer.
ANOTHER_MATTER = re.compile(
    r".*\b(?:sms|whats ?app|phone|mobile|cell|telefon\w*|telephone|телефон|push|payment|paid|order|billing|stripe|"
    r"marital|familienstand|civil|employment|visa|links?|urls?|tokens?|hash|keys?|score|rating|rate|page|price|plan|"
    r"tiers?|counts?|number|days|anzahl|provinc\w*|track\w*|terms|cookies?|calls?|fax|unsubscribe group|"
    r"active subscription|complimentary plan|html|format)\b"
)
# Columns of how often or by which way somebody wants mail: "never" is a no, everything else is none.
HOW_OFTEN = beginnings("""
    frequency, preference, häufigkeit, frequenz, turnus, частота, предпочт, fréquence, préférence, frecuencia,
    preferencia""")
NOT_AT_ALL = FALSE | words("none, not at all, no emails, no email, keine, gar nicht, не присылать, aucun, ninguno")
LAST = beginnings("last=, letzte, последн, derni, ultim")
# Where people write what they like.
FREE_TEXT = beginnings("""
    note=, notes=, comment, tag=, tags=, label, title, description, attributes, metadata, data=, subject, bemerkung,
    notiz, kommentar, anmerkung, schlagwort, замет, коммент, примечан, remarque, nota=, notas=, etiqueta""")
# A file whose name has one of these is a list of people who must not be mailed, unless its columns say more.
NO_FILES = beginnings("""
    unsub, nonsubscribed, non subscribed, not subscribed, opt out, optout, opted out, bounce, hardbounce, softbounce,
    suppress, blocked, blocklist, block list, blacklist, banned, complain, spam, do not, dnc=, inactive, unconfirmed,
    unverified, pending,
    deleted, erased, cancelled, canceled, undeliver, invalid, cleaned members, cleaned email, cleaned contacts,
    cleaned segment, cleaned audience, stop list, stoplist, robinson,
    abgemeldet, abmeld, abbestell, unzustellbar, gesperrt, sperr, inaktiv, unbestätigt, gelöscht, gekündigt, widerspr,
    отпис, отказ, удал, заблокир, неактив, жалоб, чёрный спис, стоп лист, недостав, неподтвержд,
    désabo, désinscri, rejet, plainte, supprim, liste noire, inactif, npai=, non confirm,
    bajas=, baja=, cancelad, rebot, queja, eliminad, lista negra, inactivo, sin confirmar, disiscri, cancellat""")
