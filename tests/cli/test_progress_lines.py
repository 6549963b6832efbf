"""Progress in a pipe."""

from lineal.cli.progress_lines import ProgressLines


def test_a_line_comes_every_ten_seconds_and_says_how_long_it_takes(capsys):
    now = 0.0
    advance = ProgressLines("evaluating m", 4000, "tokens", lambda: now)
    for at in (4.0, 9.0, 12.0, 20.0, 23.0):
        now = at
        advance(500)
    assert capsys.readouterr().err.splitlines() == [
        "evaluating m: 1,500 of 4,000 tokens, 20 s left",
        "evaluating m: 2,500 of 4,000 tokens, 14 s left",
    ]


def test_what_is_done_at_once_says_nothing_and_a_note_comes_last(capsys):
    now = 0.0
    advance = ProgressLines("training m", 10, "steps", lambda: now)
    now = 60.0
    advance(1, "loss 3.210")
    now = 90.0
    advance(9)
    assert capsys.readouterr().err == "training m: 1 of 10 steps, 9 min left, loss 3.210\n"
