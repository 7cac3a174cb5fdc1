"""MJML becomes HTML without reading files or the network, and broken MJML is an error, not a crash."""

from pathlib import Path

import pytest

from mailkit import mjml

WHOLE = "<mjml><mj-body><mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"


def test_compiles_to_a_whole_document() -> None:
    compiled = mjml.compile(WHOLE.format("Hello &amp; welcome, <a href='%%url%%'>reader</a>"))
    assert compiled.startswith("<!doctype html>")
    assert "Hello &amp; welcome" in compiled
    assert "%%url%%" in compiled
    assert "<mj-" not in compiled


@pytest.mark.parametrize("font", ["Roboto", "Open Sans", "Lato, Arial"])
def test_fetches_no_font(font: str) -> None:
    compiled = mjml.compile(
        f"<mjml><mj-head><mj-attributes><mj-all font-family='{font}' /></mj-attributes></mj-head>"
        "<mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    assert "fonts.googleapis.com" not in compiled
    assert "@import" not in compiled


def test_includes_are_not_loaded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.mjml"
    secret.write_text("<mj-text>secret</mj-text>")
    for path in (str(secret), f"file://{secret}", "https://evil.test/x.mjml"):
        with pytest.raises(mjml.MjmlError):
            mjml.compile(f"<mjml><mj-body><mj-include path='{path}' /></mj-body></mjml>")


@pytest.mark.parametrize(
    "broken",
    [
        "", "text", "<mjml>", "<mjml><mj-body></mj-body>", WHOLE.format("<b>"), WHOLE.format("</b>"),
        "<mjml><mj-body><mj-nothing/></mj-body></mjml>", WHOLE.format("1 < 2"),
    ],
)  # fmt: skip
def test_broken_mjml_is_an_error(broken: str) -> None:
    with pytest.raises(mjml.MjmlError):
        mjml.compile(broken)


def test_deep_nesting_does_not_end_the_process() -> None:
    """Measured: 20,000 levels overflow the compiler's stack and kill the interpreter."""
    assert mjml.compile(WHOLE.format("<b>" * 150 + "</b>" * 150))
    with pytest.raises(mjml.MjmlError, match="deeply"):
        mjml.compile(WHOLE.format("<b>" * 50_000 + "</b>" * 50_000))


def test_void_elements_do_not_count_as_nesting() -> None:
    assert mjml.compile(WHOLE.format("<br>" * 1_000 + "<img src='x' alt=''>" * 300))
