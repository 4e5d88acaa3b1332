"""The desk lets in one browser on this machine, changes nothing for another page, and says plainly what failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from clients.charity.desk.app import COOKIE, create_app
from clients.charity.office import Office
from clients.local_page.access import Access
from tests.charity_world import CharityWorld
from tests.desk_server import example_charity, with_two_purposes

HOST = "127.0.0.1:8740"
ORIGIN = f"http://{HOST}"
ALERT = "/alerts/k3jd81hs"


@pytest.fixture
def charity(tmp_path: Path) -> CharityWorld:
    return example_charity(tmp_path / "charity")


@pytest.fixture
def office(charity: CharityWorld) -> Iterator[Office]:
    office = charity.office()
    yield office
    office.close()


@pytest.fixture
def access() -> Access:
    return Access.on_port(8740, COOKIE)


@pytest.fixture
def app(office: Office, access: Access) -> Flask:
    return create_app(office, access)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def browser(app: Flask, access: Access) -> FlaskClient:
    client = app.test_client()
    response = client.get(f"/enter?token={access.token}", base_url=ORIGIN)
    assert response.status_code == 303
    client.get("/", base_url=ORIGIN)
    return client


def send(browser: FlaskClient, access: Access, path: str, **fields: str):
    form = {"form_token": access.form_token, **fields}
    return browser.post(path, data=form, base_url=ORIGIN, headers={"Origin": ORIGIN})


def every_view(app: Flask) -> list[tuple[str, str]]:
    return [
        (method, re.sub(r"<[^>]+>", "k3jd81hs", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in ("static", "parts.static", "enter")
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}
    ]


def test_no_view_answers_without_the_sessions_cookie(app: Flask, stranger: FlaskClient):
    views = every_view(app)
    assert len(views) >= 6
    for method, path in views:
        assert stranger.open(path, method=method, base_url=ORIGIN).status_code == 401, path


def test_a_wrong_token_buys_nothing(stranger: FlaskClient):
    for query in ("", "?token=", "?token=wrong", "?token=%00"):
        response = stranger.get(f"/enter{query}", base_url=ORIGIN)
        assert response.status_code == 401
        assert "Set-Cookie" not in response.headers


def test_the_cookie_is_for_this_page_alone(app: Flask, access: Access):
    cookie = app.test_client().get(f"/enter?token={access.token}", base_url=ORIGIN).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_another_name_for_this_machine_is_refused(browser: FlaskClient):
    for base in ("http://desk.example:8740", "http://127.0.0.1:9999", "http://127.0.0.1.example.org"):
        assert browser.get("/", base_url=base).status_code == 421


@pytest.mark.parametrize("path", ["/refresh", f"{ALERT}/open", f"{ALERT}/review"])
def test_a_change_needs_the_desks_own_form(browser: FlaskClient, access: Access, path: str):
    form = {"form_token": access.form_token, "verdict": "pursue"}
    refused = (
        ({"form_token": "wrong"}, {}),
        ({}, {}),
        (form, {"Origin": "http://evil.example"}),
        (form, {"Origin": "null"}),
        (form, {"Sec-Fetch-Site": "cross-site"}),
    )
    for data, headers in refused:
        assert browser.post(path, data=data, base_url=ORIGIN, headers=headers).status_code == 403
    assert browser.get(path, base_url=ORIGIN).status_code == 405


def test_every_answer_carries_a_policy_without_scripts_and_is_not_cached(browser: FlaskClient, stranger: FlaskClient):
    for response in (
        browser.get("/", base_url=ORIGIN),
        browser.get(ALERT, base_url=ORIGIN),
        browser.get("/static/desk.css", base_url=ORIGIN),
        browser.get("/nothing", base_url=ORIGIN),
        stranger.get("/", base_url=ORIGIN),
    ):
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_have_no_inline_style_script_or_foreign_address(browser: FlaskClient, access: Access):
    send(browser, access, f"{ALERT}/open")
    for path in ("/", ALERT):
        page = browser.get(path, base_url=ORIGIN).text
        assert "<script" not in page
        assert not re.search(r"\s(style|on\w+)=", page)
        assert not re.search(r"(src|href)=\"(https?:)?//", page)


def test_opening_shows_the_records_side_by_side_and_what_stays_shut(browser: FlaskClient, access: Access):
    before = browser.get(ALERT, base_url=ORIGIN).text
    assert "DE · C01X00T47" not in before
    assert "Ask the key holders to open it" in before
    response = send(browser, access, f"{ALERT}/open")
    assert response.status_code == 303
    page = browser.get(ALERT, base_url=ORIGIN).text
    assert page.count("DE · C01X00T47") == 4
    assert "3 of 4 open" in page
    # The rule is quoted by its sentence: what one phone number supports is too light.
    assert "do not support bank-e" in page
    assert "Ask the key holders" not in page


def test_where_there_are_several_purposes_nothing_opens_without_one(tmp_path: Path, access: Access):
    charity = example_charity(tmp_path / "charity", with_two_purposes)
    browser = create_app(charity.office(), access).test_client()
    browser.get(f"/enter?token={access.token}", base_url=ORIGIN)
    browser.get("/", base_url=ORIGIN)
    assert browser.get(ALERT, base_url=ORIGIN).text.count("<option") == 3
    assert "Name the purpose" in send(browser, access, f"{ALERT}/open", purpose="").text
    assert "only for a purpose" in send(browser, access, f"{ALERT}/open", purpose="curiosity").text
    assert not any(holder.asked for holder in charity.holders.values())
    assert send(browser, access, f"{ALERT}/open", purpose="safeguarding").status_code == 303
    page = browser.get(ALERT, base_url=ORIGIN).text
    assert "Opened for: To keep victims out of further harm." in page
    assert "recipients-request" in page


def test_below_the_threshold_it_says_so_and_offers_nothing(browser: FlaskClient, access: Access):
    page = browser.get("/alerts/w9bb37qe", base_url=ORIGIN).text
    assert "Below the threshold: nothing of this alert opens." in page
    assert "Ask the key holders" not in page
    send(browser, access, "/alerts/w9bb37qe/open")
    page = browser.get("/alerts/w9bb37qe", base_url=ORIGIN).text
    assert "+4915199999999" not in page


def test_a_verdict_is_kept_with_its_note_and_its_history(browser: FlaskClient, access: Access, office: Office):
    send(browser, access, f"{ALERT}/review", verdict="unclear", note="Ask again <b>on Monday</b>")
    send(browser, access, f"{ALERT}/review", verdict="pursue", note="Referred.")
    page = browser.get(ALERT, base_url=ORIGIN).text
    assert "Ask again &lt;b&gt;on Monday&lt;/b&gt;" in page
    assert [review.verdict for review in office.store.reviews("k3jd81hs")] == ["unclear", "pursue"]
    assert "Worth pursuing" in browser.get("/?show=pursued", base_url=ORIGIN).text
    assert send(browser, access, f"{ALERT}/review", verdict="guilty").status_code == 400


def test_an_alert_that_is_not_in_the_queue_is_not_found(browser: FlaskClient, access: Access):
    for path in ("/alerts/unknown", "/alerts/unknown/case.json"):
        assert browser.get(path, base_url=ORIGIN).status_code == 404
    assert send(browser, access, "/alerts/unknown/open").status_code == 404


def test_a_broker_that_is_away_is_said_and_what_is_known_still_shows(
    browser: FlaskClient, access: Access, charity: CharityWorld
):
    charity.broker.away = True
    response = send(browser, access, "/refresh")
    page = browser.get(response.headers["Location"], base_url=ORIGIN).text
    assert "broker cannot be reached" in page
    assert "k3jd81hs" in page


def test_the_case_file_downloads_only_once_something_was_opened(browser: FlaskClient, access: Access):
    assert browser.get(f"{ALERT}/case.json", base_url=ORIGIN).status_code == 404
    send(browser, access, f"{ALERT}/open")
    response = browser.get(f"{ALERT}/case.json", base_url=ORIGIN)
    assert response.headers["Content-Disposition"] == 'attachment; filename="case-k3jd81hs.json"'
    assert response.json is not None
    assert len(response.json["records"]) == 4


def test_page_numbers_out_of_range_and_unknown_filters_are_harmless(browser: FlaskClient):
    for query in ("?page=0", "?page=99", "?page=x", "?show=nothing", "?page=-1&show=all"):
        assert browser.get(f"/{query}", base_url=ORIGIN).status_code == 200
    assert browser.get(f"{ALERT}?page=99", base_url=ORIGIN).status_code == 200
