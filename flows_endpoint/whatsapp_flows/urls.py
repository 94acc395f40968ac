"""Addresses of the whatsapp_flows contract."""

from django.urls import URLPattern, URLResolver, path

from flows_endpoint.whatsapp_flows import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("whatsapp/flows/<str:address>", views.FlowView.as_view(), name="whatsapp-flow"),
    path("whatsapp/webhook/<str:address>", views.WebhookView.as_view(), name="whatsapp-webhook"),
]
