"""The desk in a real Chromium: by keyboard alone, without a serious accessibility fault, without a third party."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from clients.charity.activity_check import MISSING
from policies.log.activity import HOUR, hour_of
from tests.charity_world import NOW
from tests.desk_server import example_charity, served, with_two_purposes

NEEDS_CHROMIUM = "The page tests need Chromium: install it (Debian: apt-get install chromium fonts-dejavu-core)."
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, NEEDS_CHROMIUM
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[str]:
    office = example_charity(tmp_path / "charity").office()
    with served(office) as address:
        yield address
    office.close()


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, desk: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(desk)
    yield opened
    context.close()


def serious_faults(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in violations if each["impact"] in SERIOUS]


def tab_to(page: Page, text: str) -> None:
    """Press Tab until what is focused has this text or value."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("(document.activeElement.innerText || document.activeElement.value || '').trim()")
        if text in focused:
            return
    pytest.fail(f"Tab never reaches {text!r}")


def test_an_alert_is_opened_and_judged_by_keyboard_alone(page: Page):
    tab_to(page, "Postal address, passport and 2 more")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Not opened yet")
    tab_to(page, "Ask the key holders to open it")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=3 of 4 open")
    tab_to(page, "unreviewed")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Three institutions, one passport.")
    tab_to(page, "Save the verdict")
    page.keyboard.press("Enter")
    page.wait_for_selector(".history >> text=Worth pursuing")
    assert page.locator(".history p").inner_text() == "Three institutions, one passport."


def test_no_page_has_a_serious_accessibility_fault(page: Page):
    assert serious_faults(page) == []
    page.click(".alert-row h2 a >> nth=0")
    page.wait_for_selector("#records")
    assert serious_faults(page) == []
    page.click("text=Ask the key holders to open it")
    page.wait_for_selector("text=3 of 4 open")
    page.check("input[value=unclear]")
    page.click("text=Save the verdict")
    page.wait_for_selector(".history")
    assert serious_faults(page) == []
    page.goto(page.url.split("/alerts/")[0] + "/alerts/none")
    assert serious_faults(page) == []


def test_the_purpose_is_chosen_by_keyboard_and_an_opening_is_for_it(browser: Browser, tmp_path: Path):
    office = example_charity(tmp_path / "charity", with_two_purposes).office()
    with served(office) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(address)
        page.click(".alert-row h2 a >> nth=0")
        assert serious_faults(page) == []
        tab_to(page, "Ask the key holders to open it")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "purpose"
        page.keyboard.type("To keep victims")
        tab_to(page, "Ask the key holders to open it")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=3 of 4 open")
        assert "To keep victims out of further harm. (rule recipients-request)" in page.inner_text(".page-head")
        page.context.close()
    office.close()


def test_an_alert_that_the_log_does_not_have_is_marked(browser: Browser, tmp_path: Path):
    charity = example_charity(tmp_path / "charity")
    charity.broker.close_hour(hour_of(NOW), "k3jd81hs", "w9bb37qe")
    charity.broker.close_hour(hour_of(NOW) + HOUR)
    charity.clock.set(NOW + 2 * HOUR)
    office = charity.office()
    with served(office) as address:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.goto(address)
        assert page.locator(".alert-mark").all_inner_texts() == [MISSING]
        assert serious_faults(page) == []
        page.click(".alert-row h2 a >> nth=1")
        assert MISSING in page.inner_text(".notice-warning")
        assert serious_faults(page) == []
        page.context.close()
    office.close()


def test_matched_values_stand_side_by_side_and_the_shut_record_says_why(page: Page):
    page.click(".alert-row h2 a >> nth=0")
    page.click("text=Ask the key holders to open it")
    page.wait_for_selector("text=3 of 4 open")
    passports = page.locator(".comparison .cell.is-match", has_text="DE · C01X00T47")
    boxes = [passports.nth(number).bounding_box() for number in range(passports.count())]
    assert len(boxes) == 3
    assert len({round(box["y"]) for box in boxes if box}) == 1
    assert page.locator(".comparison thead th.is-shut").inner_text().startswith("bank-e")
    assert "do not support bank-e" in page.locator(".shut-list").inner_text()


def test_nothing_is_asked_of_a_third_party_and_no_script_runs(browser: Browser, desk: str):
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(desk)
    page.click(".alert-row h2 a >> nth=0")
    page.wait_for_selector("#records")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(desk).netloc}
    assert complaints == []
    assert page.locator("script").count() == 0
    assert "token" not in page.url
    context.close()


def test_the_page_fits_a_narrow_window(browser: Browser, desk: str):
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(desk)
    page.click(".alert-row h2 a >> nth=0")
    page.wait_for_selector("#records")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()


def test_another_page_in_the_browser_can_change_nothing(browser: Browser, desk: str):
    context = browser.new_context()
    page = context.new_page()
    page.goto(desk)
    page.wait_for_selector(".queue")
    evil = context.new_page()
    target = desk.split("/enter")[0] + "/alerts/k3jd81hs/review"
    evil.set_content(
        f"<form method=post action='{target}'><input name=verdict value=no-concern><button>go</button></form>"
    )
    with evil.expect_navigation():
        evil.click("button")
    assert "locked" in evil.content() or "not the desk" in evil.content()
    context.close()
