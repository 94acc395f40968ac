"""Who is refused in the admin reads a page that says what happened and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import RequestFactory

from callbacks.admin import endpoint as endpoints
from callbacks.models import Endpoint, EndpointState
from config import forbidden
from tenants.actors import NotAllowedError
from tenants.lifecycle import IssuedFlow
from tests.callbacks.outbox import put

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def endpoint(make_flow: Make) -> Endpoint:
    flow = make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow
    endpoint: Endpoint = put(flow).endpoint
    return endpoint


@pytest.fixture
def viewer() -> User:
    user = User.objects.create_user("vera", is_staff=True)
    user.groups.add(Group.objects.get(name="Viewer"))
    return user


def browser_of(user: User | None, *, checks_forms: bool = False) -> Browser:
    browser = Browser(enforce_csrf_checks=checks_forms)
    if user is not None:
        browser.force_login(user)
    return browser


def pause(browser: Browser, endpoint: Endpoint, **headers: str) -> HttpResponse:
    answer = browser.post(f"/admin/callbacks/endpoint/{endpoint.pk}/do/pause/", headers=headers)
    endpoint.refresh_from_db()
    assert endpoint.state == EndpointState.ACTIVE
    return answer  # type: ignore[return-value]


def test_a_role_that_may_not(viewer: User, endpoint: Endpoint) -> None:
    answer = pause(browser_of(viewer), endpoint, referer="http://testserver/admin/callbacks/")
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Not allowed | Sealgate" in page
    assert "Nothing was done. Ask an administrator for a role that may" in page
    assert 'href="http://testserver/admin/callbacks/"' in page
    assert "Hand-overs" in page  # the side bar is there


def test_what_the_verb_itself_says_is_read(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotAllowedError("root <b> is no person.")

    monkeypatch.setitem(endpoints._DONE, "pause", (refuse, ""))
    answer = pause(browser_of(User.objects.create_superuser("root")), endpoint)
    assert answer.status_code == 403
    assert "root &lt;b&gt; is no person." in answer.content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["http://evil.test/admin/", "//evil.test/", "javascript:x", ""]
)
def test_nobody_is_led_elsewhere(viewer: User, endpoint: Endpoint, elsewhere: str) -> None:
    page = pause(browser_of(viewer), endpoint, referer=elsewhere).content.decode()
    assert "Not allowed" in page
    assert "evil" not in page
    assert ">Back<" not in page


def test_a_form_that_is_older_than_the_log_in(viewer: User, endpoint: Endpoint) -> None:
    answer = pause(browser_of(viewer, checks_forms=True), endpoint)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "The form was not taken" in page
    assert "load the page again and press once more" in page
    assert "CSRF" not in page


def test_a_form_of_another_address_names_the_setting(viewer: User, endpoint: Endpoint) -> None:
    browser = browser_of(viewer, checks_forms=True)
    page = pause(browser, endpoint, origin="http://other.test").content.decode()
    assert "SEALGATE_PUBLIC_URL is not the address you see" in page
    assert "other.test" not in page


def test_the_log_in_s_own_form() -> None:
    answer = browser_of(None, checks_forms=True).post("/admin/login/", {"username": "x"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "The form was not taken" in page
    assert 'href="/admin/login/"' in page
    assert "Hand-overs" not in page


def test_the_address_of_a_button_that_is_only_opened(viewer: User, endpoint: Endpoint) -> None:
    answer = browser_of(viewer).get(f"/admin/callbacks/endpoint/{endpoint.pk}/do/pause/")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert "Press the button again" in answer.content.decode()


def test_outside_of_the_admin_it_is_json() -> None:
    request = RequestFactory().post("/docs")
    for answer in (forbidden.unproven(request), forbidden.forbidden(request)):
        assert (answer.status_code, answer["Content-Type"]) == (403, "application/json")


def test_a_viewer_reads_the_waits_as_others_type_them(viewer: User, endpoint: Endpoint) -> None:
    url = f"/admin/callbacks/endpoint/{endpoint.pk}/change/"
    browser = browser_of(viewer)
    page = browser.get(url).content.decode()
    assert "The usual: twelve waits over three days" in page
    assert "[]" not in page.partition('id="content"')[2].partition("<script")[0]
    Endpoint.objects.update(schedule=[5, 60, 3600])
    page = browser.get(url).content.decode()
    assert "5, 60, 3600" in page
    assert "[5, 60, 3600]" not in page
