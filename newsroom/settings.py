"""Every setting, in one file. What a deployment may change comes from the environment.

Reading it starts and writes nothing: where DATABASE_URL and REDIS_URL are unset it names the places of the
embedded servers, which `bin/*` and manage.py start.

The development values below are refused in production (DEBUG=0) by the system
checks in newsroom/checks.py. docs/configuration.md lists the variables.
"""

import os
from datetime import timedelta
from pathlib import Path

from kombu import Queue

from newsroom import (
    catalogues,
    database_url,
    email_url,
    embedded_place,
    env,
    logs,
    page_settings,
    policies,
    reader_settings,
    returns_url,
    sending_settings,
    workers,
)
from postal import config

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = env.var_dir()

# pytest announces itself; its values are safe ones whatever the shell's environment says.
TESTING = "PYTEST_VERSION" in os.environ
TEST_NAME = "-".join(part for part in (env.text("TEST_DB_SUFFIX"), os.environ.get("PYTEST_XDIST_WORKER", "")) if part)

# --- Who and where ---------------------------------------------------------------------------

DEBUG = env.flag("DEBUG", default=True)
DEVELOPMENT_KEY = "development-only-key-refused-in-production"
SECRET_KEY = env.text("SECRET_KEY", DEVELOPMENT_KEY)
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS", [])
# Separate from SECRET_KEY: suppressions must outlive a rotation of the signing key.
ADDRESS_HASH_KEY = env.text("ADDRESS_HASH_KEY", DEVELOPMENT_KEY)
# Seals the consent record; each event names the key, so another one can follow it.
CONSENT_KEY = env.text("CONSENT_KEY", ADDRESS_HASH_KEY)
CONSENT_KEY_FALLBACKS = [*env.names("CONSENT_KEY_FALLBACKS", []), ADDRESS_HASH_KEY]
# Where the heads of the consent record are kept outside of the database; tests name a place of their own.
CONSENT_HEADS = None if TESTING else Path(env.text("CONSENT_HEADS", str(VAR_DIR / "consent-heads")))
SITE_URL = env.text("SITE_URL", f"http://127.0.0.1:{env.number('PORT', 8000)}").strip().rstrip("/")
HTTPS = SITE_URL.startswith("https://")
SITE_HOST = env.host(SITE_URL)
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", [SITE_HOST, *(["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])])
# How many proxies of ours stand in front; that many entries at the end of the header are believed.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", 0)
CLIENT_ADDRESS_HEADER = env.text("CLIENT_ADDRESS_HEADER", "X-Forwarded-For")
# Who may read /metrics in production: Authorization: Bearer <this>. Unset: nobody.
METRICS_TOKEN = env.text("METRICS_TOKEN")
ADDRESS_DENY_RESERVED = not TESTING and env.flag("ADDRESS_DENY_RESERVED", default=not DEBUG)

# --- What it is made of ----------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "anymail",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "newsroom.apps.NewsroomConfig",
    "publication.apps.PublicationConfig",
    "mailkit.apps.MailkitConfig",
    "core.apps.CoreConfig",
    "postal.apps.PostalConfig",
    "staff.apps.StaffConfig",
    "articles.apps.ArticlesConfig",
    "subscribers.apps.SubscribersConfig",
    "digests.apps.DigestsConfig",
]
MIDDLEWARE = [
    "newsroom.security.permissions",
    "newsroom.health.probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "newsroom.security.ContentSecurityPolicy",
    "newsroom.security.refuse_nul",
    "newsroom.languages.by_path",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "staff.admission.admission",
    "newsroom.desk.zone.of_the_desk",
    "newsroom.desk.reading.once",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Last, so that it hears first of a view that failed.
    "newsroom.middleware.AwayMiddleware",
]
ROOT_URLCONF = "newsroom.urls"
WSGI_APPLICATION = "newsroom.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "publication.context.publication",
                "staff.context.account_pages",
                "articles.context.navigation",
                "subscribers.context.signup_block",
                "subscribers.context.legal_documents",
            ],
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING = logs.config(debug=DEBUG)

# --- PostgreSQL ------------------------------------------------------------------------------

# Two roles: the application's, and the owner's of the tables, which `manage.py migrate` alone uses (newsroom/owner.py).
DATABASE_URL, DATABASE_OWNER_URL = database_url.both(VAR_DIR)
DATABASE_OWNER = database_url.owner(DATABASE_OWNER_URL, application_url=DATABASE_URL, testing=TESTING)
DATABASES = {"default": database_url.application(DATABASE_URL, testing=TESTING)}
DATABASES["default"]["TEST"] = {"NAME": "_".join(filter(None, ("test_newsroom", env.text("TEST_DB_SUFFIX"))))}

# --- Redis: broker, cache, limits ------------------------------------------------------------

# `noeviction` on the server: nothing here may vanish because memory is short.
REDIS_URL = env.text("REDIS_URL") or embedded_place.place(VAR_DIR).redis_url
# The cache has its own database number, eight further unless CACHE_URL says otherwise.
CACHE_URL = env.text("CACHE_URL") or env.redis_with_number(REDIS_URL, (env.redis_number(REDIS_URL) + 8) % 16)
env.redis_number(CACHE_URL, name="CACHE_URL")  # refuses what is no address of a Redis
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "KEY_PREFIX": f"test-{TEST_NAME}" if TESTING else "newsroom",
        # A Redis that is silent must not hold a page or a worker.
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }
}
# Counts wrong passwords; while Redis is away each process counts on its own (staff/attempts.py).
CACHES["attempts"] = CACHES["default"] | {"BACKEND": "staff.attempts.AttemptsCache"}
PAGES = page_settings.read(testing=TESTING)

# --- Celery ----------------------------------------------------------------------------------

CELERY_BROKER_URL = env.broker(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = sending_settings.TASK_SECONDS
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
WORKERS = workers.read()
# Of a worker that is started without --concurrency.
CELERY_WORKER_CONCURRENCY = WORKERS[-1].processes
# On a stop, running tasks have this long to finish before they are cut off and handed back.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 10.0
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker waits for its broker for ever; Celery's own would give up, and end, after three quarters of an hour.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Redis refuses a command on a key of the wrong type: the worker connects again, which sets the key aside (kombu_fix).
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
# At least twice the time limit, or a running task would be handed out a second time.
CELERY_VISIBILITY_TIMEOUT = 660
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    # A worker empties its queues in their order.
    "queue_order_strategy": "priority",
    "global_keyprefix": f"test-{TEST_NAME}-" if TESTING else "",
    # A web page that queues a task gives up on a broker that is away; the row is there anyway.
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
CELERY_TASK_DEFAULT_QUEUE = "ticks"
CELERY_TASK_QUEUES = [Queue(name) for name in workers.QUEUES]
CELERY_TASK_ROUTES = workers.ROUTES
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "newsroom.beat:Scheduler"
# How often workers and beat say that they live (newsroom/readiness.py).
HEARTBEAT_SECONDS = env.number("HEARTBEAT_SECONDS", 5, least=1, most=60)
CELERY_BEAT_MAX_LOOP_INTERVAL = HEARTBEAT_SECONDS
CELERY_BEAT_SCHEDULE = workers.SCHEDULE

# --- Mail ------------------------------------------------------------------------------------

EMAIL = email_url.read("local://" if TESTING else env.text("EMAIL_URL", "local://"))
EMAIL_TRANSPORT = EMAIL.transport
EMAIL_BACKEND = EMAIL.backend
# Every mail server that EMAIL_URL names, with its weight; bulk mail is shared out among them.
RELAYS = EMAIL.relays
# Letters leave by the first one.
SMTP = RELAYS[0] if RELAYS else config.MailServer(host="127.0.0.1", port=25)
EMAIL_HOST, EMAIL_PORT = SMTP.host, SMTP.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = SMTP.username, SMTP.password
EMAIL_USE_TLS, EMAIL_USE_SSL = SMTP.tls == "starttls", SMTP.tls == "implicit"
EMAIL_TIMEOUT = 30
EMAIL_PROVIDER = EMAIL.provider
WEBHOOK_SECRET = env.text("WEBHOOK_SECRET")
ANYMAIL = (
    {"REQUESTS_TIMEOUT": (10, 60), **EMAIL.anymail}
    | ({} if TESTING else email_url.webhook_keys())
    | ({"WEBHOOK_SECRET": WEBHOOK_SECRET} if WEBHOOK_SECRET else {})
)
# What comes back without a provider's webhook: the domain of the return paths, and a mailbox to read.
RETURN_DOMAIN = "" if TESTING else returns_url.domain(env.text("RETURN_DOMAIN"))
RETURNS = returns_url.read("" if TESTING else env.text("RETURNS_URL"))
# An address is suppressed after this many soft bounces in a row, over at least this many days.
SOFT_BOUNCES = config.SoftBounces(
    copies=env.number("SOFT_BOUNCE_COPIES", 5, least=1), days=env.number("SOFT_BOUNCE_DAYS", 14)
)
# Copies of issues that ended longer ago are dropped by whole months, with what was reported of them. At least as
# long as the function digests_drop_month asks for.
RETENTION_DAYS = env.number("RETENTION_DAYS", 400, least=60, most=36_500)
# An issue that a person approved waits this long before its first copy, so that it can be taken back.
UNDO_SECONDS = 0 if TESTING else env.number("UNDO_SECONDS", 60, most=3_600)
# An issue has at most this many texts for topics that readers chose; the readers of the others get all stories.
VARIANTS_PER_ISSUE = env.number("VARIANTS_PER_ISSUE", 50, most=1_000)
# The DNS server that preflight asks, with its port; empty: those of this machine.
DNS_SERVER = "" if TESTING else env.text("DNS_SERVER")
DKIM_SELECTOR = "" if TESTING else env.text("DKIM_SELECTOR")
LOCAL_MAIL_DIR = Path(env.text("LOCAL_MAIL_DIR", str(VAR_DIR / "mail")))
SENDING = sending_settings.sending()
# Limits over all workers of all hosts; 0 and empty: none. Tests say what they want.
PACING = sending_settings.pacing(testing=TESTING, processes=CELERY_WORKER_CONCURRENCY)

# --- Readers ---------------------------------------------------------------------------------

THROTTLES = reader_settings.throttles()
SIGNUP_BREAKER = reader_settings.breaker()
# A sign-up that nobody confirmed is reminded once after this time, and forgotten after seven days.
REMIND_AFTER = timedelta(hours=env.number("REMIND_AFTER_HOURS", 48, most=90))
SIGNUP_FORM_AGE = (timedelta(seconds=2), timedelta(hours=24))
MARKUP_SECONDS = 5
# Whether the team gets a mail when a story is given to somebody, sent back or approved, or a comment names them.
STAFF_NOTICES = env.flag("STAFF_NOTICES", default=True)
# Networks of our own that the link checker may reach all the same, such as 10.20.0.0/16.
LINK_CHECK_NETWORKS = [] if TESTING else env.networks("LINK_CHECK_NETWORKS", [])

# English is what the source says; each folder in locale/ is one more language (docs/languages.md).
LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGES = catalogues.languages(LOCALE_PATHS[0])
# Those whose catalogue has the editors' side as well; the others have what readers see.
EDITORS_LANGUAGES = {"en"}
FORMAT_MODULE_PATH = "newsroom.formats"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
if TESTING:
    # The real hashers are slow on purpose, which tests have no use for.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# --- The editors' side -----------------------------------------------------------------------

# Who opens the sign-in page itself, and not a page that asked for it, comes to the editors' first page.
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = ["staff.backends.StaffBackend"]
ACCOUNT_ADAPTER = "staff.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]  # nobody signs up: the adapter refuses
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_FORMS = {"login": "staff.forms.SignIn", "reset_password": "staff.forms.ForgottenPassword"}
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = True
# From its beginning, and from its last use (staff/sessions.py).
SESSION_COOKIE_AGE, SESSION_IDLE_SECONDS = 12 * 3_600, 3_600
PASSWORD_RESET_TIMEOUT = 3_600  # of the link
# An approval, an export or an erasure asks for the password again when the last proof is older.
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
REAUTHENTICATION = "staff.reauthentication.ask"
REQUIRE_SECOND_FACTOR = not TESTING and env.flag("REQUIRE_SECOND_FACTOR", default=not DEBUG)
MFA_ADAPTER = "staff.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {"add_webauthn": "staff.forms.AddPasskey", "login_webauthn": "staff.forms.SignInByPasskey"}
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG

UNFOLD = {
    "ACCOUNT": {"navigation": "newsroom.admin_site.account_links"},
    "SITE_TITLE": "newsroom.admin_site.name",
    "SITE_HEADER": "newsroom.admin_site.name",
    "SITE_SUBHEADER": "Newsroom",
    "SITE_SYMBOL": "newspaper",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "newsroom.admin_site.icon"}],
    "STYLES": ["newsroom.admin_site.stylesheet"],
    "BORDER_RADIUS": "4px",
    "COLORS": {"primary": "newsroom.admin_site.accent"},
    "DASHBOARD_CALLBACK": "newsroom.desk.today.fill",
    "SIDEBAR": {"navigation": "newsroom.admin_site.navigation"},
}

# --- Files -----------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(VAR_DIR / "media")))
# A proxy may serve the uploaded pictures instead.
SERVE_MEDIA = env.flag("SERVE_MEDIA", default=True)
STORAGES = {
    "default": {"BACKEND": "core.storage.WholeFileStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Security --------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 31_536_000) if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Whether subdomains speak HTTPS and whether the domain joins the preload list is its owner's to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# Whose players a story may show on request (articles/embeds.py); each page names those that are on it.
EMBED_PROVIDERS = env.names("EMBED_PROVIDERS", ["youtube", "vimeo", "soundcloud", "spotify", "datawrapper"])
CONTENT_SECURITY_POLICY = {"DIRECTIVES": policies.READERS}
ADMIN_CONTENT_SECURITY_POLICY = policies.EDITORS
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o644
