"""What the product is measured against: two DRF views that do the least one could, and no more.

``/json`` parses JSON and answers JSON. ``/flow`` does the cryptography of WhatsApp Flows with a
key that is parsed once: signature, RSA, AES-GCM both ways. No database, no tenants, no log; no
middleware, no authentication. Served by the same server with the same configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="nothing is signed with it",
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from crypto_schemes import base64_text, json_text  # noqa: E402
from crypto_schemes.ciphers import aes, mac, rsa  # noqa: E402

_KEY = rsa.load_private_der(Path(os.environ["BENCH_KEY_FILE"]).read_bytes(), trusted=True)
_SECRET = os.environ["BENCH_APP_SECRET"].encode()


class JsonView(APIView):
    """Parse JSON, answer JSON."""

    def post(self, request: Request) -> Response:
        """Answer with the number of members."""
        return Response({"status": "ok", "members": len(request.data)})


class FlowView(APIView):
    """The cryptography of one WhatsApp Flows request, and nothing else."""

    def post(self, request: Request) -> HttpResponse:
        """Open the request and answer under its key."""
        raw = request.body
        expected = "sha256=" + mac.sha256(_SECRET, raw).hex()
        if not mac.equal(expected, request.headers["X-Hub-Signature-256"]):
            return HttpResponse(status=432)
        sealed = {name: base64_text.decode(text) for name, text in json_text.parse(raw).items()}
        key = rsa.decrypt(_KEY, sealed["encrypted_aes_key"], "oaep_sha256")
        iv = sealed["initial_vector"]
        opened = json_text.parse(aes.gcm_decrypt(key, iv, sealed["encrypted_flow_data"]))
        answer = json_text.compact({"screen": opened["screen"], "data": opened["data"]})
        reply = aes.gcm_encrypt(key, bytes(byte ^ 0xFF for byte in iv), answer)
        return HttpResponse(base64_text.encode(reply), content_type="text/plain")


urlpatterns = [path("json", JsonView.as_view()), path("flow", FlowView.as_view())]
application = get_wsgi_application()
