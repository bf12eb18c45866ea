"""What is said of a flag or a value that cannot be typed."""

import pytest

from dynaferry.cli.main import run_command


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("copy --progres auto", "No such option: --progres. Did you mean '--progress'?"),
        (
            "copy --max-write-unit 5",
            "No such option: --max-write-unit. Did you mean '--max-write-units'?",
        ),
        (
            "verify --create-target",
            "No such option: --create-target. It is one of dynaferry copy and move.",
        ),
        ("copy --zzz", "No such option: --zzz."),
        ("copy -z", "No such option: -z."),
        ("cpoy", "No such command 'cpoy'. Did you mean 'copy'?"),
        (
            "copy --progress plian",
            "Invalid value for '--progress': 'plian' is not one of 'auto', 'plain', 'none'."
            " Did you mean 'plain'?",
        ),
        (
            "copy --on-reject bogus",
            "Invalid value for '--on-reject': 'bogus' is not one of 'dead-letter', 'stop'.",
        ),
        ("copy --writers 8k", "Invalid value for '--writers': it must be a whole number"),
        ("copy --max-read-units lots", "Invalid value for '--max-read-units': it must be a number"),
        ("demo --items 0", "Invalid value for '--items': it must be at least 1"),
    ],
)
def test_a_mistake_is_told_in_plain_words(
    typed: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(typed.split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"Error: {said}"
