"""An agreement's page in a real Chromium: by keyboard alone, on paper, and without an accessibility fault."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from policies.agreement.page import render_page
from policies.agreement.words import sentences
from tests.decision_world import make_agreement

NEEDS_CHROMIUM = "The page tests need Chromium: install it (Debian: apt-get install chromium fonts-dejavu-core)."


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, NEEDS_CHROMIUM
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    file = tmp_path / "agreement.html"
    file.write_text(render_page(make_agreement()), "utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=request.param)
    opened = context.new_page()
    opened.goto(file.as_uri())
    yield opened
    context.close()


def shown_rules(page: Page) -> int:
    return sum(rule.is_visible() for rule in page.locator("details > code").all())


def test_the_page_has_no_accessibility_fault_and_fits_a_telephone(page: Page):
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_rule_opens_by_keyboard_and_all_are_printed(page: Page):
    said = sentences(make_agreement())
    assert shown_rules(page) == 0
    for _ in said:
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    assert shown_rules(page) == len(said)
    page.keyboard.press("Tab")
    # A table wider than the window is scrolled by the arrows.
    assert page.evaluate("document.activeElement.className") == "wide"
    page.reload()
    page.emulate_media(media="print")
    heights = page.locator("details > code").evaluate_all("codes => codes.map(code => code.offsetHeight)")
    assert len(heights) == len(said)
    assert min(heights) > 0
