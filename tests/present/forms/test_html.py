"""The page: self-contained, safe under its own strict policy, usable without a mouse."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ncu_roofline.present.charts.bundle import roofline as written
from tests.charted import launch, picture

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "<img src=x onerror=alert(1)>"
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def page() -> str:
    """A page of three kernels, one of them with a hostile name."""
    shown = picture(
        launch(kernel="gemm", useful_flops=1e6),
        launch(kernel="flash", family="attention", role="attention", dram_bytes=5e5),
        launch(kernel=HOSTILE, family="other", role="norm", dram_bytes=1e5),
        name="planted.ncu-rep",
    )
    return written(shown, "html").decode()


def test_a_hostile_name_is_text_wherever_it_stands(page: str) -> None:
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)

    assert "<img" not in own
    assert "&lt;img src=x onerror=alert(1)&gt;" in own


def test_the_page_names_nothing_outside_itself(page: str) -> None:
    outside: list[tuple[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            outside.extend((tag, v) for k, v in attrs if k in ("src", "href", "srcset", "action", "style"))

    Reader().feed(page)
    assert outside == []
    assert "url(" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_the_policy_lets_only_the_page_s_own_scripts_run(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    packed = re.findall(r'class="packed">(.*?)</script>', page, flags=re.DOTALL)
    assert len(packed) == 2  # the library, then the page's own
    scripts += [gzip.decompress(base64.b64decode(code)).decode() for code in packed]

    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts}
    allowed = set(next(d for d in policy[1].split("; ") if d.startswith("script-src")).split()[1:])
    assert hashes == allowed
    assert "unsafe" not in policy[1]
    assert "default-src 'none'" in policy[1]


def test_the_page_is_small_enough_to_attach(page: str) -> None:
    assert len(page.encode()) <= 1_000_000


def test_a_thousand_groups_stay_a_small_page() -> None:
    rows = [launch(kernel=f"kernel_{i}_{'x' * 60}", dram_bytes=1e3 + i) for i in range(1000)]

    assert len(written(picture(*rows), "html")) <= 1_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync.sync_playwright() as play:
        started = play.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield started
        started.close()


class Opened:
    """The page in a browser, with all that the browser complained of."""

    def __init__(self, browser: Any, content: str, folder: Path, **how: Any) -> None:
        file = folder / "page.html"
        file.write_text(content, encoding="utf-8")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab = browser.new_page(**{"viewport": {"width": 1500, "height": 900}, **how})
        self.tab.on("console", lambda m: self.complaints.append(m.text))
        self.tab.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.tab.on("dialog", lambda d: self.complaints.append(d.message))
        self.tab.on("request", lambda r: self.requests.append(r.url))
        self.tab.goto(file.as_uri())
        self.tab.wait_for_selector("html[data-drawn]", timeout=30_000)

    def count(self) -> str:
        return str(self.tab.locator("#count").text_content())

    def pressed(self) -> list[str]:
        return [b.get_attribute("aria-pressed") for b in self.tab.locator(".families button").all()]


@pytest.fixture
def opened(browser: Any, page: str, tmp_path: Path) -> Iterator[Opened]:
    """The page, drawn."""
    view = Opened(browser, page, tmp_path)
    yield view
    view.tab.close()


@pytest.mark.slow  # a browser starts, and draws
class TestInABrowser:
    """What a reader does."""

    pytestmark = needs_browser

    def test_it_draws_without_complaint_and_without_network(self, opened: Opened) -> None:
        assert opened.tab.locator("#chart0 svg .mark-symbol path").count() >= 3
        assert opened.complaints == []
        assert [r for r in opened.requests if not r.startswith("file:")] == []

    def test_pointing_at_a_mark_shows_its_numbers_and_lights_its_row(self, opened: Opened) -> None:
        opened.tab.locator('#chart0 svg .mark-symbol path[aria-label*="gemm"]').last.hover(force=True)
        opened.tab.wait_for_selector("tr.lit", timeout=5000)

        assert opened.tab.locator("tr.lit").get_attribute("data-full") == "gemm"
        assert "useful work" in str(opened.tab.locator("#tip").text_content())

    def test_a_hostile_name_in_the_tooltip_is_text(self, opened: Opened) -> None:
        opened.tab.locator('#chart0 svg .mark-symbol path[aria-label*="onerror"]').last.hover(force=True)
        opened.tab.wait_for_selector("#tip:not([hidden])", timeout=5000)

        assert HOSTILE in str(opened.tab.locator("#tip").text_content())
        assert opened.complaints == []

    def test_the_legend_chooses_a_family_in_chart_and_table(self, opened: Opened) -> None:
        opened.tab.locator("#chart0 svg .role-legend-label text").nth(1).click(force=True)
        opened.tab.wait_for_function("document.getElementById('count').textContent.startsWith('1 ')")

        assert opened.pressed() == ["false", "true", "false"]

    def test_the_table_filters_by_text_and_by_family(self, opened: Opened) -> None:
        opened.tab.fill("#filter", "fla")
        by_text = opened.count()
        opened.tab.fill("#filter", "")
        opened.tab.locator(".families button").first.click()

        assert (by_text, opened.count()) == ("1 of 3 rows", "2 of 3 rows")

    def test_a_heading_sorts(self, opened: Opened) -> None:
        heading = opened.tab.locator("#kernels thead th", has_text="DRAM")
        heading.locator("button").click()
        falling = opened.tab.locator("#kernels tbody tr").first.get_attribute("data-full")
        heading.locator("button").click()
        rising = opened.tab.locator("#kernels tbody tr").first.get_attribute("data-full")

        assert (falling, rising, heading.get_attribute("aria-sort")) == ("gemm", HOSTILE, "ascending")

    def test_the_keyboard_reaches_filter_families_reset_chart_headings_and_kernels(self, opened: Opened) -> None:
        reached = set()
        for _ in range(60):
            opened.tab.keyboard.press("Tab")
            reached.add(
                opened.tab.evaluate(
                    "(e => e.id || e.dataset.family || (e.closest('tbody') ? 'kernel' : e.closest('thead') ? 'heading' : e.getAttribute('aria-label')))(document.activeElement)"
                )
            )

        assert {"filter", "reset", "FC", "attention", "other", "kernel", "heading", "Kernels, table"} <= reached

    def test_a_key_on_a_kernel_s_name_lights_its_marks(self, opened: Opened) -> None:
        opened.tab.locator("#kernels tbody button").first.focus()
        opened.tab.keyboard.press("Enter")
        opened.tab.wait_for_function(
            "[...document.querySelectorAll('#chart0 .mark-symbol path')].some(p => p.getAttribute('stroke-width') === '3.5')"
        )

        assert opened.tab.locator("#kernels tbody button").first.get_attribute("aria-pressed") == "true"

    def test_everything_that_can_be_used_has_a_name_and_tables_have_headings(self, opened: Opened) -> None:
        nameless = opened.tab.evaluate("""
            () => [...document.querySelectorAll('button, input, [role=region], figure, table')].filter(e =>
                !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length))).map(e => e.outerHTML.slice(0, 80))
        """)
        bad = opened.tab.evaluate(
            "[...document.querySelectorAll('table')].filter(t => !t.querySelector('th[scope=col]')).length"
        )
        ids = opened.tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")

        unnamed = opened.tab.locator("[role^=graphics]:not([aria-label]):not([aria-hidden])").count()

        assert (nameless, bad, len(ids), unnamed) == ([], 0, len(set(ids)), 0)
        assert opened.tab.evaluate("document.documentElement.lang") == "en"
        assert opened.tab.locator("h1").count() == 1

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_has_contrast_in_either_theme(self, browser: Any, page: str, tmp_path: Path, scheme: str) -> None:
        view = Opened(browser, page, tmp_path, color_scheme=scheme)

        low = view.tab.evaluate("""
            () => {
              const rgb = s => s.match(/[\\d.]+/g).map(Number);
              const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
              const back = e => { for (; e; e = e.parentElement) { const b = getComputedStyle(e).backgroundColor; const c = rgb(b); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
              return [...document.querySelectorAll('h1, h2, p, td, th, button, caption, label, figcaption')].filter(e => e.textContent.trim()).map(e => {
                const [a, b] = [lum(rgb(getComputedStyle(e).color).slice(0, 3)), lum(back(e))].sort((x, y) => y - x);
                return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 60)];
              }).filter(([ratio]) => ratio < 4.5);
            }
        """)
        view.tab.close()
        # WCAG 2.1, 1.4.3: 4.5 to 1 for text of this size
        assert low == []

    def test_a_phone_scrolls_the_chart_and_not_the_page(self, browser: Any, page: str, tmp_path: Path) -> None:
        view = Opened(browser, page, tmp_path, viewport={"width": 390, "height": 800})

        wide = view.tab.evaluate("document.documentElement.scrollWidth")
        view.tab.close()
        assert wide <= 390
