"""WSGI entry point, for gunicorn."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reviewdesk.settings")
application = get_wsgi_application()

import reviewdesk.celery  # noqa: E402, F401  (the web process publishes tasks)

# What is loaded by now lives as long as the process. Left to the collector's defaults it is walked again and again:
# a fifth of the CPU of a request.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
