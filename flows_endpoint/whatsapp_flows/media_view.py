"""``GET /whatsapp/media/<id>``: an attached file for the service behind the flow."""

from __future__ import annotations

import logging
import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from flows_endpoint.whatsapp_flows import media
from flows_endpoint.whatsapp_flows.models import MediaFile

logger = logging.getLogger(__name__)


@never_cache
@require_GET
def media_file(request: HttpRequest, file_id: uuid.UUID) -> HttpResponseBase:
    """Fetch, check and decrypt the file, and return it.

    The ticket comes as ``Authorization: Bearer``. Without the right one, and after its time, there
    is no such file (404). 502 where the CDN does not give it, or gives another.
    """
    scheme, _, ticket = request.headers.get("Authorization", "").partition(" ")
    row = media.offered(file_id, ticket.strip(), timezone.now()) if scheme == "Bearer" else None
    if row is None:
        return JsonResponse({"error": "no such file"}, status=404)
    attachment = media.attachment_of(row)
    try:
        content = media.download(attachment)
    except media.MediaError as error:
        logger.warning("Attached file %s of request %s: %s", file_id, row.request_id, error.code)
        return JsonResponse({"error": error.code}, status=502)
    MediaFile.objects.filter(pk=row.pk).update(fetched_at=timezone.now())
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=attachment.file_name
    )
    return response
