"""The console in a real Chromium: by keyboard alone, without a serious accessibility fault, without a third party."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from policies.log.leaves import PREFIX
from tests.auditor_world import make_audit, served

NEEDS_CHROMIUM = "The page tests need Chromium: install it (Debian: apt-get install chromium fonts-dejavu-core)."
SERIOUS = {"serious", "critical"}
SECTIONS = ("Overview", "Agreements", "Decisions", "Evaluations", "Records", "Keys", "Activity", "Findings")
PICTURES = os.environ.get("CROSSLIGHT_PICTURES")
"""A folder for screenshots to be looked at."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium is not None, NEEDS_CHROMIUM
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A console over a log with one false decision."""
    audit = make_audit(tmp_path_factory.mktemp("console") / "regulator")
    place = next(n for n, leaf in enumerate(audit.log.leaves) if f'"{PREFIX}decision"'.encode() in leaf)
    leaf = json.loads(audit.log.leaves[place])
    leaf["decision"] |= {"allowed": not leaf["decision"]["allowed"]}
    audit.log.leaves[place] = json.dumps(leaf, separators=(",", ":"), sort_keys=True).encode()
    audit.cosign()
    assert len(audit.audit()) == 1
    with served(audit.auditor()) as address:
        yield address


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, console: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=request.param)
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    opened.goto(console)
    yield opened
    context.close()


def wait_for_end(page: Page, end: str) -> None:
    """Look again until the work has ended so."""
    page.wait_for_selector("#task")
    for _ in range(60):
        if end in page.locator("#task").inner_text():
            return
        page.wait_for_timeout(300)
        page.reload()
    pytest.fail(f"it never ends with {end!r}")


def serious_faults(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in violations if each["impact"] in SERIOUS]


def tab_to(page: Page, text: str) -> None:
    """Press Tab until the link or button with this text is focused."""
    for _ in range(90):
        page.keyboard.press("Tab")
        tag, focused = page.evaluate("[document.activeElement.tagName, document.activeElement.innerText || '']")
        if tag in ("A", "BUTTON") and text in focused.replace("\N{NO-BREAK SPACE}", " "):
            return
    pytest.fail(f"Tab never reaches {text!r}")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
        page.screenshot(path=Path(PICTURES) / f"{name}-{scheme}.png")


def test_no_page_has_a_serious_accessibility_fault(page: Page):
    for section in SECTIONS:
        page.click(f"nav.sections >> text={section}")
        picture(page, section.lower())
        assert (section, serious_faults(page)) == (section, [])
    root = page.url.removesuffix("/findings")
    page.goto(root + "/decisions?answer=differs")
    false = page.locator("tbody th a").first.get_attribute("href") or ""
    for path in ("/leaves", "/leaves/0", "/agreements/1", "/decisions?answer=differs", false, "/none"):
        page.goto(root + path)
        picture(page, path.strip("/").replace("/", "-").replace("?", "-") or "root")
        assert (path, serious_faults(page)) == (path, [])


def test_the_false_decision_is_reached_by_keyboard_alone(page: Page):
    page.goto(page.url.split("#")[0])
    tab_to(page, "answers differ")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Differs")
    position = page.locator("tbody th a").first.inner_text()
    tab_to(page, position)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Does not replay")
    assert "the rules say allowed" in page.locator(".notice-danger").inner_text()
    tab_to(page, f"leaf {position}")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=As it was logged")
    assert "crosslight/v1 leaf decision" in page.locator("pre").inner_text()


def test_verification_and_replay_run_from_the_page(page: Page):
    tab_to(page, "Verify the log")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    wait_for_end(page, "0 leaves more verified")
    tab_to(page, "Replay decisions")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    wait_for_end(page, "0 decisions replayed; 1 answer differs in all")


def test_outliers_are_marked_and_lead_to_the_signed_counts(page: Page):
    page.click("nav.sections >> text=Evaluations")
    page.click("nav[aria-label='Which days'] >> text=Outliers")
    rows = page.locator("tbody tr")
    assert rows.count() == 3
    assert "9,000" in rows.first.inner_text()
    page.click("tbody tr >> nth=0 >> text=9,000")
    page.wait_for_selector("text=As it was logged")
    assert '"bank-b"' in page.locator("pre").inner_text()


def test_every_number_of_the_overview_leads_somewhere(page: Page):
    page.goto(page.url.split("#")[0])
    targets = [link.get_attribute("href") or "" for link in page.locator(".figure a").all()]
    assert len(targets) >= 10
    root = page.url.split("#")[0].rstrip("/")
    for target in targets:
        answer = page.goto(root + target)
        assert answer is not None and answer.status == 200, target


def test_decisions_are_filtered_and_paged(page: Page):
    page.click("nav.sections >> text=Decisions")
    page.select_option("#party", "bank-a")
    page.select_option("#answer", "allowed")
    page.click("form.filters button")
    page.wait_for_selector("text=Page 1 of")
    page.click("text=Next")
    page.wait_for_selector("text=Page 2 of")
    assert "party=bank-a" in page.url
    assert {row.inner_text().split(" ")[0] for row in page.locator("tbody td:nth-child(3)").all()} == {"bank-a"}


def test_nothing_is_asked_of_a_third_party_and_no_script_runs(browser: Browser, console: str):
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(console)
    for section in SECTIONS:
        page.click(f"nav.sections >> text={section}")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(console).netloc}
    assert complaints == []
    assert page.locator("script").count() == 0
    assert "token" not in page.url
    context.close()


def test_the_pages_fit_a_narrow_window(browser: Browser, console: str):
    context = browser.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(console)
    for section in SECTIONS:
        with page.expect_navigation():
            page.click(f"nav.sections >> text={section}")
        assert (section, page.evaluate("document.documentElement.scrollWidth") <= 360) == (section, True)
    context.close()


def test_a_stranger_is_shown_nothing(browser: Browser, console: str):
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(console.split("/enter")[0] + "/decisions")
    assert answer is not None and answer.status == 401
    context.close()
