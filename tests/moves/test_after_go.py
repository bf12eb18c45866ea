"""The comparison behind a go, by the processes that people have, beside an application."""

from tests.moves.after_go import certify


def test_exactly_what_was_lost_is_told_beside_an_application_that_goes_on_writing() -> None:
    found = certify(2_000, 150.0, 7, way_back="keep")
    assert found.is_true, (found.certificate, found.told)
    written = found.certificate.tables[0].written_to_target
    assert written is not None
    assert written > 50
