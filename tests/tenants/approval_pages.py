"""The pages of requests for a second person, as people in a browser use them."""

from __future__ import annotations

import html

from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import reverse

from tenants.models import ApprovalRequest, Client

LIST = "admin:tenants_approvalrequest_changelist"


def as_person(name: str) -> Browser:
    browser = Browser()
    browser.force_login(User.objects.get(username=name))
    return browser


def page(asked: ApprovalRequest, name: str = "change") -> str:
    return reverse(f"admin:tenants_approvalrequest_{name}", args=[asked.pk])


def read(browser: Browser, url: str) -> str:
    answer = browser.get(url)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def press(browser: Browser, url: str, **data: str) -> str:
    """Press a button and return the page one lands on."""
    answer = browser.post(url, data, follow=True)
    assert answer.redirect_chain, answer.status_code
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


ROLES = {"Viewer", "Operator", "Key officer", "Approver", "Administrator"}
DECIDING = {"Approver", "Administrator"}


def sign_in_as(role: str) -> Browser:
    user = User.objects.create_user(f"somebody.{role.replace(' ', '.')}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    browser = Browser()
    browser.force_login(user)
    return browser


def client_url(client: Client, name: str = "change") -> str:
    return reverse(f"admin:tenants_client_{name}", args=[client.pk])
