"""Addresses of the whatsapp_flows contract."""

from django.urls import URLPattern, URLResolver, path

from flows_endpoint.whatsapp_flows import views
from flows_endpoint.whatsapp_flows.media_view import media_file

urlpatterns: list[URLPattern | URLResolver] = [
    path("whatsapp/flows/<str:address>", views.FlowView.as_view(), name="whatsapp-flow"),
    path("whatsapp/webhook/<str:address>", views.WebhookView.as_view(), name="whatsapp-webhook"),
    path("whatsapp/media/<uuid:file_id>", media_file, name="whatsapp-media"),
]
