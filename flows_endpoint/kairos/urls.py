"""Addresses of the kairos contract."""

from django.urls import URLPattern, URLResolver, path

from flows_endpoint.kairos import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("kairos-apis/enc/outbound/create", views.CreateEncryptedView.as_view()),
    path("kairos-apis/outbound/create", views.CreatePlainView.as_view()),
    path("kairos-apis/enc/outbounddialer/create", views.DialerCreateEncryptedView.as_view()),
    path("kairos-apis/outbounddialer/create", views.DialerCreatePlainView.as_view()),
    path("kairos-apis/enc/outbound/encryptdata", views.EncryptDataView.as_view()),
    path("kairos-apis/enc/outbound/generateKeyPair", views.GenerateKeyPairView.as_view()),
    path("kairos-apis/outbound/pull", views.PullView.as_view()),
]
