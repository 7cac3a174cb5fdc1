r"""What mail servers write when they refuse mail, as literal tables: kind of refusal -> patterns.

The patterns read lower-case text in which addresses, host names and links were taken out
(`verdicts.normalised`), so that neither `blocked@example.org` nor `antispam.example.org` speaks. Spans
are bounded (`.{0,40}`), so no text takes long. What is first in a table is asked first.
"""

import re
from collections.abc import Mapping
from typing import Final

Patterns = Mapping[str, re.Pattern[str]]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# --- Us --------------------------------------------------------------------------------------

_LIST_NAMES = r"spamhaus|spamcop|barracudacentral|\bsorbs\b|abuseat|uceprotect|invaluement|mailspike|backscatterer"
_NOT_ALLOWED = r"(?:denied|refused|rejected|prohibited|disabled|not (?:allowed|permitted|authori[sz]ed|possible))"
_SIGNED = r"(?:spf|dkim|dmarc|domainkeys?|sender id)"

# The sender's side: said of us for any reader, so it outranks every code that speaks of a mailbox.
OURS: Final[Patterns] = {
    "block list": _any(
        r"(?:block|black|deny|reject)[- ]?list",
        _LIST_NAMES,
        r"\b(?:dns|rh|r|dnsw?)?[bd]ls?\b.{0,30}(?:list|block|reject)",
        r"(?:ip|host|client|server|network|connection|sender|domain|you)\b.{0,60}\b(?:is|are|was|were|been)"
        r"(?: \w+)? (?:blocked|banned|blackholed|listed|blocklisted)",
        r"(?<!not )\blisted (?:at|in|by|on|as)\b|complaints?\b",
        r"block(?:ed|ing) (?:by|using|due|because|for|from|your|mail)",
        r"\breputation\b|\bbad ip\b|\binvalid ip\b|(?:forbidden|denied|refused|rejected|blocked|access|mail) (?:by|"
        r"for|from) your ip|"
        r"your (?:access )?(?:ip|network|isp)\b.{0,30}(?:reject|den(?:y|ied)|block|refus|forbid)|go away|"
        r"smtp server of your isp|"
        r"no access from|your access .{0,60}rejected",
        r"(?:access|service|connection|host|mail|network)(?: \w+)? (?:was |is |has been )?(?:denied|refused|blocked|"
        r"not allowed)"
        r".{0,40}(?:\bip\b|\bhost\b|network|client|dynamic|reputation|abuse)",
        r"host network not allowed|client host|dynamic (?:ip|address|host)|dial-?up|residential|open prox",
        r"(?:mail|message|e-?mail|connection)s? from (?:your|this) (?:ip|host|server|network|domain|address|country)",
        r"schwarze liste|sperrliste|liste noire|lista negra|чёрн\w+ списк|черн\w+ списк|黑名单|黑名單|ブラックリスト",
    ),
    "relaying": _any(
        rf"relay(?:ing)?\b.{{0,40}}{_NOT_ALLOWED}",
        rf"{_NOT_ALLOWED}.{{0,30}}\brelay(?!\w* (?:recipient|domain|user|mailbox))",
        r"\b(?:do(?:es)? ?n[o']t|not configured to|can ?not|can't|will not|won't|unable to|no) relay",
        r"\brelay(?:ing)? (?:not|attempt|operation|access)",
        r"rcpthosts|open relay|insufficient permission|not a gateway|local[- ]only",
    ),
    "authentication": _any(
        r"auth(?:entication|orization)?(?: is| was)? (?:required|fail\w*|needed|credential|error|unsuccessful|"
        r"mechanism)",
        r"must (?:first )?(?:authenticate|log ?in|use (?:smtp )?auth)|not authenticated|unauthenticated|"
        r"check for new mail first",
        rf"\b{_SIGNED}\b.{{0,50}}(?:fail|polic|reject|(?:not|n't) pass|none\b|invalid|unalign|requir|verif|denied|"
        rf"unauthor)",
        rf"(?:fail\w*|violat\w+|no valid|missing|lacks?|unaligned|not pass\w*|because of) .{{0,50}}\b{_SIGNED}\b",
        r"not (?:allowed|permitted|authori[sz]ed|designated)(?: \w+){0,3} (?:to send|send|sender)",
        r"\b(?:must issue a starttls|starttls (?:is )?required|encryption (?:is )?(?:required|needed))",
    ),
    "host name": _any(
        r"reverse[- ](?:dns|lookup|name|mapping|record|address|ip|hostname)|\bptr\b|\br-?dns\b|fcrdns|pointer record",
        r"\b(?:helo|ehlo)\b(?:(?!\b250\b|mail from).){0,40}(?:reject|invalid|bad\b|denied|not\b|must|fail|forged|"
        r"requir|refus|name)|"
        r"(?:invalid|bad|forged|rejected|fake|illegal)(?: \w+){0,2} (?:helo|ehlo)",
        r"(?:your|client|sending|sender'?s?|connecting) (?:ip|host|hostname|server|mta|mail server|system)\b.{0,50}"
        r"(?:resolv|not found|no dns|lookup|invalid|unknown|not exist|dns|name)",
        r"can(?:not|'t)? ?(?:find|resolve|verify) your|fix(?:ing)? (?:your )?(?:reverse|dns)|hostname mismatch",
    ),
    "sender": _any(
        r"\bsender(?:'s)?\b(?: \S+){0,6} (?:reject|den(?:y|ied)|block|invalid|not\b|unknown|forged|unresolv|verif|"
        r"refus|barr|"
        r"banned|bad|does|must|address|domain|ip\b)",
        r"(?:invalid|unknown|bad|unresolvable|forged|illegal|unverified|rejected|blocked|denied)(?: \w+){0,2} sender\b",
        r"\bmail from\b(?:(?!rcpt|\b250\b|\bok\b).){0,60}(?:reject|den(?:y|ied)|invalid|not |refus|unavailable|"
        r"unknown|must)|badmailfrom|"
        r"in reply to (?:the )?(?:mail from|helo|ehlo|initial|connect)|bogus (?:mail|sender)|purported responsible|"
        r"\bbatv\b|backscatter|bounce (?:tag|address tag)|third-party dsns|bouncedeny|returned mail not accepted|"
        r"gateway user|"
        r"(?:émetteur|emetteur|expéditeur|remitente|remetente|mittente|absender|отправител)\w* .{0,40}(?:inval|refus|"
        r"rechaz|rejeit|rifiut|"
        r"abgelehnt|ungültig|gesperrt|inconnu|desconocid|отклон|заблокир)",
        r"envelope (?:sender|from)|(?:return|reverse)[- ]path|\bfrom:? (?:address|header|domain|field)|"
        r"domain of sender",
        r"(?:your|originating) (?:e-?mail )?(?:domain|envelope sender|sender|from)\b.{0,40}"
        r"(?:reject|den(?:y|ied)|block|not |invalid|does|doesn|unknown|refus)",
        r"you are not (?:allowed|authori[sz]ed|permitted)|not accept(?:ed|ing)? (?:mail|messages?|e-?mail) from",
    ),
    "pace": _any(
        r"rate[- ]?limit|throttl|too (?:fast|quickly|frequent)|slow down|unusual rate|\bat a rate\b|sending rate",
        r"too many (?!hops|received)",
        r"(?:hourly|daily|sending|messages?|connections?|e-?mails?|recipients?|per[- ](?:hour|day)|outgoing)"
        r" (?:\w+ )?(?:rate|quota|limits?)\b",
        r"(?:max(?:imum)?|limit)\b.{0,20}\b(?:connections?|messages?|recipients?|sessions?|rate)\b.{0,30}"
        r"(?:exceed|reach|allow)",
        r"(?:exceed\w*|reached).{0,40}\b(?:rate|limit|number) (?:of|on|for|per)\b.{0,30}(?:messages?|mails?|"
        r"connections?|"
        r"recipients?|hour|day)|has exceeded the max",
        r"频率|頻率|发送过多|слишком (?:много|часто)|zu viele (?:nachrichten|verbindungen|mails)|trop de (?:messages|"
        r"connexions)",
    ),
    "content": _any(
        r"mail score|message score|\bspam|\banti-?spam|\bjunk\b|unsolicited|\buce\b|bulk (?:e-?mail|mail|sender)|"
        r"\bspammy",
        r"\bvirus|malware|phish|infected|trojan|suspicious|dangerous",
        r"content (?:was |is |has been )?(?:reject|filter|polic|block|not|restrict|scan|denied)|blocked content|"
        r"message content|content-based",
        r"(?:message|mail|e-?mail)(?: size)? (?:is |was |has been |size )?(?:too (?:big|large|long)|exceeds|larger)|"
        r"(?:size|length) (?:limit|exceeds|of .{0,30}exceeds)|exceed\w* .{0,40}\bsize\b|too large|fixed maximum",
        r"attachment.{0,30}(?:allow|block|reject|prohib|banned|type|infect|refus)|(?:block|reject|prohib|banned|"
        r"illegal)\w*.{0,30}attachment|"
        r"\bbanned\b|bare (?:lf|cr|newline)|line (?:too long|length)|\bnot rfc|"
        r"\brfc[ -]?\d{3,4}.{0,30}(?:compl|viol|req)|"
        r"(?:duplicate|missing|multiple|invalid|malformed)(?: \S+){0,2} headers?|(?:8bit|utf-?8|smtputf8|"
        r"mime).{0,30}not support",
        r"spamverdacht|垃圾|迷惑メール|スパム|спам|courrier indésirable|correo no deseado",
    ),
    "policy": _any(
        r"(?:due to|because of|by|against|violat\w+|for|under|of|our|local|security|site|administrative|"
        r"organization\w*|"
        r"company|custom|message) (?:\w+ )?(?:\w+ )?polic(?:y|ies)|polic(?:y|ies) (?:violation|reject|reason|"
        r"restrict|error|block|"
        r"reject|rule|detected|prohibit)",
        r"administrative(?:ly)? (?:prohib|reject|den|lock|block)|access (?:list|control|rule)|blocked by (?:rule|"
        r"filter|admin)|"
        r"service refused|abuse|policy\w* rejection|not accepted for (?:policy|security)",
        r"(?:ausgehende|eingehende)? ?richtlinie|politique de|política de|политик|ポリシー|策略",
    ),
}

# Said of nobody in particular: they decide only where nothing clearer was said.
WEAKLY_OURS: Final[Patterns] = {
    "authentication": _any(rf"\b{_SIGNED}\b|\bstarttls\b"),
    "policy": _any(
        r"\bpolic(?:y|ies)\b|blocked|banned|blocage|blockiert|gesperrt|заблокирован|bloquead|拒否|拒绝|拒絕",
        r"(?:mail|message|e-?mail|content)s? (?:was |is |has been |have been )?(?:rejected|refused|denied|declined|"
        r"filtered|discarded)",
        r"\bdetected as\b|transaction failed|security",
    ),
}

# --- The mailbox is full ---------------------------------------------------------------------

_BOX = r"(?:mail ?box|inbox|mail ?folder|maildir|mail ?drop|account|user|recipient|postfach|message store|mailstore)"

FULL: Final[Patterns] = {
    "mailbox full": _any(
        r"\b(?:over|exceed\w*|above|beyond|out of|at|reached) (?:\S+ ){0,4}?(?:quota|storage|mailbox (?:size|limit)|"
        r"disk|space)\b",
        r"quota (?:\S+ ){0,3}?(?:exceed|full|reached|violat|over)|\bover ?quota|quota-?exceeded|mailbox size limit|"
        r"not enough quota",
        rf"\b{_BOX}\b (?:\S+ ){{0,4}}?(?:full\b|exceed|over (?:its |the |their )?(?:quota|limit|size)|too (?:large|"
        rf"full)|has grown|"
        r"size limit|limit exceeded)|(?:is|was|are) full\b|\bfull (?:mail ?box|inbox)",
        r"(?:insufficient|not enough|no|low on|lack of)(?: \w+){0,2} (?:disk|storage|space)\b|no space left|"
        r"space not enough|space has been used up|mail system (?:is )?full|"
        r"disk (?:quota|full|space)|file ?system full|storage (?:limit|full|exceed)|allocated storage|out ?of ?storage|"
        r"too much mail (?:data|in)|mailbox_?full|message box .{0,20}full",
        r"\b(?:postfach|mailbox|speicher\w*|account)\b.{0,40}\b(?:voll|überfüllt|ausgeschöpft|überschritten)\b",
        r"bo[iî]te (?:\S+ ){0,6}(?:pleine|satur)|quota (?:\S+ ){0,2}(?:dépass|atteint|excedid|superad|superat)|"
        r"espace .{0,20}insuffisant",
        r"buz[oó]n (?:\S+ ){0,3}llen|(?:cuota|cota) (?:\S+ ){0,3}(?:exced|super|agotad)|caixa (?:\S+ ){0,4}(?:cheia|"
        r"lotada)|"
        r"casella (?:\S+ ){0,3}piena|mailbox vol\b",
        r"ящик\w* .{0,20}переполнен|переполнен\w* .{0,20}ящик|превыш\w+ (?:\S+ )?(?:квот|лимит|размер)",
        r"容量|いっぱい|満杯|一杯|空き領域|邮箱已满|信箱已滿|已满|已滿|空间不足|空間不足|超出.{0,10}(?:空间|容量|"
        r"配额)|配額|メールボックスが満",
    ),
}

# What a mailbox has, and a sender's allowance has not.
THEIR_SPACE: Final = re.compile(rf"\b{_BOX}|\bdisk\b|storage|\bspace\b|容量|空间|配額")

# --- For the moment --------------------------------------------------------------------------

PASSING: Final[Patterns] = {
    "for the moment": _any(
        r"\btemporar|\bgr[ae]y[- ]?list|\bintermittent|for the moment|\bsuspend(?:ed|ing)\b.{0,30}(?:temporar|until|"
        r"payment|billing)",
        r"vorübergehend|zeitweise|temporalmente|temporariamente|temporaneamente|временно|暂时|暫時|一時的",
    ),
    "loop": _any(
        r"too many (?:hops|received)|hop count|(?:mail|routing|forwarding|message)[- ]?loop|loop(?:s|ing)? (?:back|"
        r"detected)|"
        r"(?:mail )?loop(?:s|ing)?\b.{0,20}(?:detect|found)|zu viele hops|config error: mail loops"
    ),
}

# --- The reader does not want it --------------------------------------------------------------

# A reader's own rules, or a group's: the mailbox is there, and nobody else's mail is meant.
UNWANTED: Final[Patterns] = {
    "the reader's own rules": _any(
        r"(?:recipient|user|reader|addressee|person)(?:'s)? (?:\w+ )?(?:preferences?|settings|filters?|rules?|"
        r"block list|safe list)",
        r"(?:refused|rejected|declined|blocked|filtered) by (?:the )?(?:recipient|user|addressee|owner|"
        r"recipient's \w+)(?! (?:server|domain|mail))",
        r"\buser reject(?! list)|(?:recipient|user|addressee)(?: id)? (?:has |have )?(?:refuse[sd]?|declined|blocked|"
        r"blacklisted|unsubscribed)\b|"
        r"preferences of the person",
        r"not (?:in|on) (?:the |their |your |my )?(?:[\w']+ )?(?:white ?list|allow ?list|safe ?list|allowed senders|"
        r"contacts)|"
        r"(?:requires?|awaits?|needs?|pending) (?:\w+ )?(?:confirmation|moderator|moderation|approval|challenge)",
        r"members? only|not a member|not subscribed|permission to (?:send|post)|restricted (?:group|list|recipient|to)|"
        r"(?:user|recipient) domain filter|受信拒否設定|ドメイン指定",
    ),
}

# --- The mailbox is not there ----------------------------------------------------------------

_WHO = (
    r"(?:users?|userid|user ?name|mail ?box(?:es)?|mail ?drop|recipients?|address(?:es)?|addressees?|accounts?|"
    r"e-?mail|persons?|"
    r"customers?|members?|destination|alias|inbox|login|subscribers?|local ?part|rcpt ?to|name|employee)"
)
_ABSENT = (
    r"(?:unknown|not (?:be )?(?:found|known|exist\w*|listed|recogni[sz]ed|valid|registered|active|present|defined|"
    r"located|ours)|"
    r"n[o']?t exists?|n't exist|invalid|non-?existent|in-?existent|inactive|disabled|deactivated|expired|closed|"
    r"deleted|removed|"
    r"cancell?ed|discontinued|terminated|abolished|no longer|unrout\w+|undefined|obsolete|dead|never (?:existed|"
    r"logged))"
)
_JA = r"(?:ユーザ|宛先|あて先|アドレス|メールボックス|受信者|アカウント)"
_ZH = r"(?:用户|用戶|收件人|收件者|邮箱|郵箱|信箱|地址|帐号|账号|帳號)"
_RU = r"(?:пользовател|адрес|ящик|получател|аккаунт|абонент)"

GONE: Final[Patterns] = {
    "no such mailbox": _any(
        rf"\b(?:unknown|no such|invalid|non[- ]?existent|in-?existent|bad|illegal|wrong|undefined|unrecogni[sz]ed|dead|"
        rf"deactivated|disabled|closed|expired|"
        rf"inactive|"
        rf"no (?:local|known|active)|no valid (?!recipient)|not a (?:valid|known|local|registered)|not (?:our|"
        rf"an? (?:known|active|"
        rf"valid)))"
        rf" (?:(?!sender|from|host|domain|ip|header|helo|client|sequence|command)[\w'-]+ ){{0,3}}?{_WHO}\b",
        rf"\b(?<!sender )(?<!sender's )(?<!ip )(?<!client )(?<!host )(?<!from )(?<!domain ){_WHO}\b[:,]?"
        rf" (?:(?!but |however|because|sender|host|domain|if )\S+ ){{0,6}}?\b{_ABSENT}\b",
        r"(?:doesn't|does not|do not|don't|didn't) have an? .{0,40}\b(?:account|mailbox|address)|"
        r"no (?:mail ?)?box (?:here|by|with|found|for|available)",
        r"no (?:one|body|user|person|account|mailbox)s? (?:\S+ ){0,2}(?:by|with|of) (?:that|this|such) (?:name|"
        r"address)|"
        r"no one (?:at|by)|there is no one",
        r"no longer (?:\S+ ){0,2}(?:valid|available|in (?:use|service)|accept\w*|active|work\w*|exist\w*|with|on|at|"
        r"here|a |an |"
        r"monitor\w*|used|employed|belongs?|reachable|a customer)|has (?:left|moved|been (?:deleted|closed))|is gone\b",
        r"(?:not|n't) (?:\S+ ){0,2}(?:present|listed|found|exist|known) in (?:\S+ ){0,5}?(?:director|list|table|book|"
        r"database|ldap|file)",
        r"no match(?:es)? (?:found in|for)|not in (?:the |our )?(?:\S+ )?(?:director|ldap|database|address book)|"
        r"recip(?:ient)?[ -]?not[ -]?found",
        r"(?:unable|failed|cannot|can't|could not|couldn't|could n't|not able) (?:to )?(?:be )?(?:find|found|locate|"
        r"located|"
        r"recogni[sz]e|identify|deliver to (?:this|that) (?:user|mailbox))(?: \S+){0,3}?(?: user| recipient| mailbox|"
        r" account| person|$|[.,])",
        r"address (?:could ?n[o']t|could not|cannot|can't) be found|email address you entered couldn't|"
        r"wasn't found (?:at|in)|"
        r"user doesn't exist|\buserunknown\b|\bno_?such_?user\b|unknown[_-]user|invalid[_-](?:mailbox|recipient|user)|"
        r"^(?:said: )?5\d\d[- ,:]*(?:does ?n[o']t exist|doesn't exist|not found|unknown\W*$)|"
        r"\brcpt (?:to )?(?:does not exist|not found)|"
        r"can(?:not|'t) accept user|no (?:\S+ )?in (?:the )?(?:name )?directory|"
        r"address not found|adr not found|bad ?rcpt ?to|bad ?recipient ?to|validrcptto|valid rcpt ?to",
        r"envelope recipient has been denied|recipient (?:is |was )?not (?:accepted|local|ok|allowed here)|"
        r"not (?:a )?local (?:address|user)|"
        r"user not local|missing home directory|unknown local|not our (?:customer|user)|mailbox (?:not available|"
        r"unavailable|invalid)|"
        r"mailbox (?:\S+ ){0,2}?unava\w+|account (?:is )?(?:not available|unavailable)|"
        r"no (?:such )?(?:mailbox|account) (?:available|here)",
        r"has been (?:permanently )?(?:disabled|deactivated|closed|deleted|discontinued|terminated)|(?:disabled|"
        r"discontinued) or "
        r"(?:disabled|discontinued)|user(?: is)? not active|does not like recipient",
    ),
    "no such mailbox, in German": _any(
        r"(?:empf[äa]e?nger\w*|benutzer\w*|adress\w*|postfach|e-?mail-?adresse|konto|"
        r"teilnehmer)\b (?:\S+ ){0,6}?(?:unbekannt|nicht "
        r"(?:gefunden|bekannt|existent|vorhanden|g[üu]e?ltig|zugestellt werden, da)|existiert nicht|ung[üu]e?ltig|"
        r"gel[öo]e?scht|deaktiviert)",
        r"(?:unbekannt\w*|ung[üu]e?ltig\w*|kein\w*|nicht existierend\w*) (?:\S+ )?(?:empf[äa]e?nger|benutzer|adresse|"
        r"postfach|"
        r"e-?mail-?adresse|konto)|existiert nicht|gibt es nicht|gelöschtes postfach",
    ),
    "no such mailbox, in a Romance language": _any(
        r"(?:adresse|utilisateur|destinataire|bo[iî]te|compte|usager|abonn[ée])\w* (?:\S+ ){0,6}?(?:inconnue?s?|"
        r"introuvable|n'existe (?:pas|plus)|"
        r"inexistante?|invalide|d[ée]sactiv[ée]e?|n'est (?:pas|plus) (?:valide|attribu|reconnu))",
        r"(?:usuario|direcci[óo]n|buz[óo]n|cuenta|destinatario|persona) (?:\S+ ){0,6}?(?:desconocid[oa]|no (?:existe|"
        r"v[áa]lid\w|encontrad\w|"
        r"(?:se |ha )+(?:\S+ )?encontr\w+)|inexistente|inv[áa]lid[oa]|desactivad\w)|no existe (?:\S+ )?(?:usuario|"
        r"persona|cuenta|direcci)",
        r"(?:usu[áa]rio|utilizador|endere[çc]o|caixa|conta|destinat[áa]rio) (?:\S+ ){0,6}?(?:desconhecid[oa]|"
        r"n[ãa]o (?:existe|v[áa]lid\w|"
        r"(?:foi )?encontrad\w|cadastrad\w|localizad\w)|inexistente|inv[áa]lid[oa]|desativad\w)",
        r"(?:utente|indirizzo|destinatario|casella) (?:\S+ ){0,6}?(?:sconosciut[oa]|inesistente|non (?:esiste|"
        r"trovat\w|valid\w|esistente))|"
        r"(?:nessun|no existe|n[ãa]o existe) (?:\S+ )?(?:utente|usuario|usu[áa]rio|destinat)|utilisateur inconnu",
    ),
    "no such mailbox, in another language": _any(
        rf"{_RU}\w* (?:\S+ ){{0,6}}?(?:не (?:найден|существует|зарегистрирован|известен|активен)|неизвест|отсутств|"
        rf"несуществ|"
        r"заблокирован или удал|удал[её]н|недействит)",
        rf"(?:нет так|неизвестн|несуществующ|неверн|неправильн)\w* (?:\S+ )?(?:почтов\w+ )?{_RU}|такого {_RU}\w* нет|"
        rf"не существует",
        rf"{_JA}.{{0,60}}?(?:存在し(?:ません|ない|ていません)|見つか(?:りません|らない|らな)|不明|ありません|無効|"
        rf"正しくありません|わかりません)|"
        r"ディレクトリのリストにありません|該当.{0,8}(?:ユーザ|アドレス).{0,8}(?:なし|ありません|いません)|"
        r"ユーザ不明|宛先不明|あて先不明",
        rf"{_ZH}.{{0,24}}?(?:不存在|未找到|找不到|无效|無效|不正确|不正確|有误|已停用|已注销|不可用)|"
        rf"不存在.{{0,12}}?{_ZH}|無此(?:用戶|帳號|信箱)|"
        r"无此(?:用户|账号|邮箱)|查无此",
        r"(?:gebruiker|ontvanger|adres|mailbox|postbus)\w* (?:\S+ ){0,4}?(?:onbekend|bestaat niet|niet gevonden)|"
        r"onbekende (?:gebruiker|ontvanger)",
        r"(?:u[żz]ytkownik|adres|odbiorc)\w* (?:\S+ ){0,4}?(?:nieznan|nie istnieje|nie znalezion)|"
        r"nieznany (?:u[żz]ytkownik|odbiorca)|"
        r"(?:uživatel|adresát|schránka)\w* (?:\S+ ){0,4}?(?:neexistuje|neznám)|okänd (?:användare|mottagare)",
    ),
}
# Names of errors and links of help pages, which would be taken out with the host names.
GONE_NAMES: Final = re.compile(
    r"recip(?:ient)?[ .-]?notfound|\?p=nosuchuser|unknownrecipient|useridnotfound", re.IGNORECASE
)
OURS_NAMES: Final = re.compile(_LIST_NAMES, re.IGNORECASE)

# The name service was asked in vain, which may pass.
NAME_SERVICE: Final = re.compile(r"name (?:service|server)|\bdns\b|try again|lookup")

NO_DOMAIN: Final[Patterns] = {
    "no such domain": _any(
        r"\b(?:unknown|no such|non-?existent) (?:\w+ )?(?:domain|host|mail host)\b(?! name)|"
        r"\bhost unknown|\bnxdomain\b",
        r"(?<!host or )domain (?:name )?(?:\S+ ){0,4}?(?:does ?n[o']t exist|does not exist|doesn't exist|not found|"
        r"unknown|no longer|invalid|not valid|"
        r"could ?n[o']t be found|isn't valid|is not local)|null mx|does not accept (?:e-?)?mail|"
        r"no valid mail exchanger",
        r"домен\w* (?:\S+ ){0,3}?не (?:найден|существует)|域名.{0,10}(?:不存在|错误)|ドメイン.{0,12}(?:存在しません|"
        r"見つかりません)|"
        r"domain\w* (?:\S+ ){0,3}?existiert nicht|domaine (?:\S+ ){0,3}?(?:inconnu|n'existe pas)",
    ),
}

# --- Nobody could be reached, or for too long -----------------------------------------------

GIVEN_UP: Final[Patterns] = {
    "no connection": _any(
        r"connect(?:ion|ing)?\b.{0,40}(?:refused|timed ?out|reset|lost|closed|dropped|failed|broken|aborted|"
        r"terminated)|connection attempts",
        r"(?:could ?n[o']t|couldn't|unable to|cannot|can't|failed to|not able to|can not) (?:\w+ )?(?:connect|"
        r"contact|reach|establish|look ?up)",
        r"no route|unreachable|network error|lost connection|conversation with|not respond|no answer from|"
        r"no response|host is down|"
        r"bad file descriptor|broken pipe|i/o error|read error|name (?:service|server) error|dns (?:error|fail|"
        r"lookup|query)|server failure|"
        r"host or domain name not found|host not found|unrouteable|non-existent hosts|lookups? (?:failed|returned)|"
        r"name server|no mx|"
        r"starttls|tls (?:handshake|negotiat)",
    ),
    "time over": _any(
        r"failed (?:after )?\d+ (?:attempts|times)|after \d+ attempts",
        r"\btim(?:e|ed)[- ]?out\b|expir|(?:retry|delivery|queue|message)[- ](?:time|timeout|period|"
        r"life ?time)\b.{0,30}(?:over|exceed|out|expired)",
        r"(?:could|can|has) ?not be(?:en)? delivered (?:for|within|after|in)|for (?:more than |the last |"
        r"over )?\d+ (?:days?|hours?|minutes?)",
        r"queue(?:d)? (?:for )?too long|too (?:old|long in)|giv(?:ing|en|e) up|retry limit|retries|deadline|"
        r"undeliverable after|exhausted",
        r"zeitüberschreitung|zeitlimit|délai|plazo|prazo|тайм-?аут|исте[кч]|超时|逾時|タイムアウト|期限",
    ),
}

# What may be mended, in words that also stand beside clearer ones.
LATER: Final[Patterns] = {
    "for the moment": _any(
        r"try(?:ing)? (?:\S+ ){0,3}(?:again|later|later on)|please retry|\blater\b|resources|"
        r"service (?:is )?(?:not available|unavailable)|"
        r"not accepting (?:network )?(?:mail|messages|connections)|(?<!mail )system (?:error|is (?:down|full|busy)|"
        r"incorrectly|"
        r"config)|out of memory|"
        r"(?:internal|local|server|configuration|processing|software)(?: \w+)? error|unable to open|mailer error|"
        r"i can't accept|"
        r"command (?:died|failed|line usage)|cannot (?:open|create|write|lock)|permission denied|deferred|"
        r"\bsuspended\b|"
        r"unable to verify|problem|unexpected",
    ),
}
