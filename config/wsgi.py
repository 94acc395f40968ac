"""The WSGI entry point of the web processes."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from flows_endpoint.direct import ProtocolHandler  # noqa: E402 - it needs what was set up

application = ProtocolHandler()
