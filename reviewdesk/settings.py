"""Every setting of the desk; the only file that reads the environment.

Each variable stands in `.env.example` and `docs/settings.md`. Relative paths are taken from
the project's folder, whatever the current one.
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from environs import Env, validate

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
env.read_env(str(BASE_DIR / ".env"), recurse=False)


def rooted(path: str | Path) -> Path:
    """A path from the environment, relative ones taken from BASE_DIR."""
    return BASE_DIR / Path(path).expanduser()


# --- Where things are kept -------------------------------------------------------------------
VAR_DIR = rooted(env.str("REVIEWDESK_VAR", "var"))
MODELS_DIR = VAR_DIR / "models"
LOG_DIR = VAR_DIR / "log"
for folder in (VAR_DIR, MODELS_DIR, LOG_DIR, VAR_DIR / "metrics", VAR_DIR / "static"):
    folder.mkdir(parents=True, exist_ok=True)

# --- Web -------------------------------------------------------------------------------------
DEBUG = env.bool("REVIEWDESK_DEBUG", False)
SECRET_KEY = env.str("REVIEWDESK_SECRET_KEY", "insecure-key-for-the-demo-desk-on-this-machine-only")
ALLOWED_HOSTS = env.list("REVIEWDESK_HOSTS", ["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("REVIEWDESK_ORIGINS", [])
HTTPS = env.bool("REVIEWDESK_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
DATA_UPLOAD_MAX_MEMORY_SIZE = 30 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "reviewdesk.apps.ReviewdeskConfig",
    "reviewdesk.people",
    "reviewdesk.audit",
    "reviewdesk.switches",
    "abtests",
    "classifier",
    "responses",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "reviewdesk.people.login.DeskLoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "reviewdesk.middleware.in_the_desks_zone",
    "reviewdesk.middleware.errors_as_answers",
]
ROOT_URLCONF = "reviewdesk.urls"
WSGI_APPLICATION = "reviewdesk.wsgi.application"
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
                "reviewdesk.navigation.rail",
            ],
        },
    }
]
AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["reviewdesk.people.sessions.PeopleBackend"]
SESSION_ENGINE = "reviewdesk.people.sessions"
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [SELF],
    },
}

# --- Database --------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", f"sqlite:///{VAR_DIR}/reviewdesk.sqlite3")
# Seconds that a write waits for another one. The web server of `run_desk` waits for 5, and answers 503 then.
SQLITE_TIMEOUT = env.float("REVIEWDESK_SQLITE_TIMEOUT", 20.0, validate=validate.Range(0.1, 300))
if DATABASE_URL.startswith("sqlite:///"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": rooted(DATABASE_URL.removeprefix("sqlite:///")),
            "OPTIONS": {
                "timeout": SQLITE_TIMEOUT,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            "TEST": {"NAME": VAR_DIR / "test.sqlite3"},
        }
    }
else:
    DATABASES = {"default": env.dj_db_url("DATABASE_URL") | {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}}
    # What is asked again and again PostgreSQL plans once a connection, unless the URL says otherwise.
    database: dict[str, Any] = DATABASES["default"]
    database["ENGINE"] = "reviewdesk.postgres"
    database["OPTIONS"] = {"server_side_binding": True, "prepare_threshold": 5} | database.get("OPTIONS", {})
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Tasks -----------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", f"filesystem://{VAR_DIR}/queue")
if CELERY_BROKER_URL.startswith("filesystem://"):
    queue_dir = rooted(CELERY_BROKER_URL.removeprefix("filesystem://"))
    CELERY_BROKER_URL = "filesystem://"
    CELERY_BROKER_TRANSPORT = "reviewdesk.file_broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"folder": str(queue_dir), "polling_interval": 0.02}
else:
    # Redis serves queues in turns unless told otherwise.
    CELERY_BROKER_TRANSPORT_OPTIONS = {"queue_order_strategy": "priority"}
# Queues by urgency: a worker takes from the first that holds anything. Short sweepers go with the urgent ones.
TASK_QUEUES = ("urgent", "files", "drafts", "training")
CELERY_TASK_DEFAULT_QUEUE = "files"
CELERY_TASK_ROUTES = {
    name: {"queue": queue}
    for queue, names in {
        "urgent": (
            "responses.send_due",
            "workflow.process_emails",
            "workflow.sweep_unclassified",
            "workflow.sweep_undrafted",
            "classifier.sweep_imports",
            "classifier.sweep_exports",
            "responses.sweep_documents",
        ),
        "files": (
            "people.note_token_used",
            "workflow.delete_department",
            "classifier.import_upload",
            "classifier.write_export",
            "responses.index_documents",
            "responses.catch_up_index",
            "responses.change_embedder",
            "classifier.draw_weekly_sample",
            "classifier.watch_accuracy",
            "abtests.watch",
        ),
        "drafts": ("workflow.write_drafts",),
        "training": (
            "classifier.start_training",
            "classifier.start_due_retraining",
            "classifier.check_triggers",
            "classifier.open_second_looks",
        ),
    }.items()
    for name in names
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "reviewdesk.scheduler:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat")
CELERY_BEAT_SCHEDULE = {
    "classify what no task is working on": {"task": "workflow.sweep_unclassified", "schedule": 15.0},
    "draft what no task is working on": {"task": "workflow.sweep_undrafted", "schedule": 15.0},
    "import what no task is importing": {"task": "classifier.sweep_imports", "schedule": 60.0},
    "export what no task is exporting": {"task": "classifier.sweep_exports", "schedule": 60.0},
    "send what is due": {"task": "responses.send_due", "schedule": 2.0},
    "train what waits": {"task": "classifier.start_training", "schedule": 15.0},
    "index what no task is indexing": {"task": "responses.sweep_documents", "schedule": 15.0},
    "labels that may be wrong": {"task": "classifier.open_second_looks", "schedule": 24 * 3600.0},
    "weekly sample": {"task": "classifier.draw_weekly_sample", "schedule": 3600.0},
    "what calls for a retraining": {"task": "classifier.check_triggers", "schedule": 6 * 3600.0},
    "retraining that is due": {"task": "classifier.start_due_retraining", "schedule": 3600.0},
    "tests between models": {"task": "abtests.watch", "schedule": 120.0},
    "accuracy and its alerts": {"task": "classifier.watch_accuracy", "schedule": 3600.0},
}

# --- Back ends -------------------------------------------------------------------------------
CLASSIFIER_RUNTIME = env.str("REVIEWDESK_CLASSIFIER", "onnx", validate=validate.OneOf(["onnx", "torch"]))
ENCODER = env.str("REVIEWDESK_ENCODER", "all-MiniLM-L6-v2")
RETRIEVAL = env.str("REVIEWDESK_RETRIEVAL", "embedded", validate=validate.OneOf(["embedded", "elasticsearch"]))
ELASTICSEARCH_URL = env.str("ELASTICSEARCH_URL", "")
ELASTICSEARCH_API_KEY = env.str("ELASTICSEARCH_API_KEY", "")
ELASTICSEARCH_INDEX = env.str("ELASTICSEARCH_INDEX", "company_docs")
EMBEDDER = env.str("REVIEWDESK_EMBEDDER", "all-MiniLM-L6-v2")
DRAFTING = env.str("REVIEWDESK_DRAFTING", "extractive", validate=validate.OneOf(["extractive", "mistral"]))
MISTRAL_API_KEY = env.str("MISTRAL_API_KEY", "")
MISTRAL_SERVER_URL = env.str("MISTRAL_SERVER_URL", "https://api.mistral.ai")
MISTRAL_MODEL = env.str("MISTRAL_MODEL", "mistral-small-latest")
MISTRAL_SECONDS = env.int("MISTRAL_SECONDS", 60, validate=validate.Range(5, 600))

# --- The desk --------------------------------------------------------------------------------
REVIEW_THRESHOLD = env.float("REVIEWDESK_REVIEW_THRESHOLD", 0.3, validate=validate.Range(0, 1))
LEASE_SECONDS = env.int("REVIEWDESK_LEASE_SECONDS", 600, validate=validate.Range(10))
UNDO_SECONDS = env.int("REVIEWDESK_UNDO_SECONDS", 10, validate=validate.Range(0, 600))
WEEKLY_SAMPLE = env.int("REVIEWDESK_WEEKLY_SAMPLE", 100, validate=validate.Range(1))

# --- Mail out --------------------------------------------------------------------------------
EMAIL_BACKEND = env.str("REVIEWDESK_EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = str(rooted(env.str("REVIEWDESK_EMAIL_FOLDER", f"{VAR_DIR}/sent")))
EMAIL_HOST = env.str("EMAIL_HOST", "localhost")
EMAIL_PORT = env.int("EMAIL_PORT", 25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 30

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "reviewdesk.people.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["reviewdesk.api_errors.BoundedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "reviewdesk.api_errors.api_error",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Reviewdesk API",
    "DESCRIPTION": "Emails in, labels and replies out. Authorise with `Bearer` and a token from `manage.py create_token`.",
    "VERSION": "1",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
}

# --- Language, files, logs -------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.str("REVIEWDESK_TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": VAR_DIR / "files"}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 600

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "pythonjsonlogger.json.JsonFormatter", "format": "%(message)s"},
    },
    "filters": {"once": {"()": "reviewdesk.trouble.OncePerTask"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain"},
        "outgoing": {
            "class": "logging.FileHandler",
            "filename": LOG_DIR / "outgoing.jsonl",
            "formatter": "json",
            "delay": True,
        },
        "predictions": {
            "class": "logging.FileHandler",
            "filename": LOG_DIR / "predictions.jsonl",
            "formatter": "json",
            "delay": True,
        },
    },
    "root": {"handlers": ["console"], "level": env.str("REVIEWDESK_LOG_LEVEL", "INFO")},
    "loggers": {
        "reviewdesk.predictions": {"handlers": ["predictions"], "propagate": False, "level": "INFO"},
        "reviewdesk.outgoing": {"handlers": ["outgoing"], "propagate": False, "level": "INFO"},
        "httpx2": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING", "filters": ["once"]},
        "celery.beat": {"level": "WARNING"},
        "inscriptis": {"level": "ERROR"},
        "elastic_transport.transport": {"level": "WARNING"},
        "kombu.connection": {"level": "ERROR"},
        "sentence_transformers": {"level": "WARNING"},
    },
}
