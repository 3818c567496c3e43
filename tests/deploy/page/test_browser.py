"""The page in a real browser, where there is one (Chromium in the PATH): no error, no scrolling sideways, both themes,
a telephone; operators answer to the mouse and to the keyboard.
"""

import pytest


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_it_fits_and_is_readable(opened, width, theme):
    page = opened(width, theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground, ink = (
        page.evaluate(f"getComputedStyle(document.querySelector('{place}')).{which}")
        for place, which in (("section:not(.cards)", "backgroundColor"), ("#graph svg", "fill"))
    )
    light = [sum(map(int, colour[4:-1].split(","))) for colour in (ground, ink)]
    assert light[0] - light[1] > 500 if theme == "light" else light[1] - light[0] > 500


def test_operators_answer(opened):
    page = opened(1280)
    boxes = page.locator('#graph [role="button"]')
    names = [name[3:] for name in boxes.evaluate_all("found => found.map(box => box.id)")]
    page.mouse.move(0, 0)
    boxes.nth(1).click()
    assert page.locator("#details h3").inner_text() == names[1]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("#details h3").inner_text() == names[2]
    signs = page.locator(".sign")
    shown = signs.evaluate_all("found => found.filter(one => !one.hidden).map(one => one.dataset.node)")
    assert shown in ([], [names[2]]) and signs.count() > 3


def test_the_graph_can_be_zoomed_and_moved(opened):
    page = opened(1280)

    def view() -> list[float]:
        numbers = page.locator("#graph svg").get_attribute("viewBox").split()
        return [round(float(n), 3) for n in numbers]

    whole = view()
    page.locator('[data-zoom="1.3"]').click()
    closer = view()
    assert closer[2] < whole[2] and closer[0] > whole[0]
    page.locator("#graph").focus()
    page.keyboard.press("ArrowLeft")
    assert whole[0] <= view()[0] < closer[0]
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert view() == whole
    page.keyboard.press("+")
    page.locator("text=whole").click()
    assert view() == whole


def test_it_prints(opened, tmp_path):
    page = opened(1280, "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes()[:5] == b"%PDF-"
