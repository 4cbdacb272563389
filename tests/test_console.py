from __future__ import annotations

import io
import json

import pytest

from talkface.console import Console, show
from talkface.errors import InputError


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Call it inside the test to make stderr a terminal (pytest puts its own stderr back before the test)."""

    def attach() -> Terminal:
        stream = Terminal()
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "120")
        return stream

    return attach


def run(console: Console) -> None:
    with console:
        console.stage("Reading")
        console.stage("Drawing", 2)
        console.warn("The light is poor.")
        console.advance()
        console.advance()


def test_on_a_terminal_stages_and_counts_are_shown(terminal):
    stream = terminal()
    run(Console())
    text = stream.getvalue()
    assert "Drawing" in text
    assert "2/2" in text
    assert "The light is poor." in text


def test_without_a_terminal_there_are_only_warnings(capsys):
    run(Console())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "warning: The light is poor.\n"


def test_verbose_writes_the_stages_out(capsys):
    run(Console(verbose=True))
    assert capsys.readouterr().err.splitlines() == ["Reading", "Drawing (2 frames)", "warning: The light is poor."]


def test_quiet_is_quiet_even_on_a_terminal(terminal):
    stream = terminal()
    run(Console(quiet=True))
    assert stream.getvalue() == ""


def test_errors_are_one_sentence_and_a_hint(capsys):
    Console(quiet=True).fail(InputError("It is broken.", "Mend it."))
    assert capsys.readouterr().err == "error: It is broken.\nhint: Mend it.\n"


def test_verbose_errors_come_with_a_traceback(capsys):
    try:
        raise InputError("It is broken.")
    except InputError as error:
        Console(verbose=True).fail(error)
    assert "Traceback" in capsys.readouterr().err


def test_json_is_one_object_on_stdout(capsys, tmp_path):
    show({"path": tmp_path, "name": "é"})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"path": str(tmp_path), "name": "é"}
    assert captured.err == ""
