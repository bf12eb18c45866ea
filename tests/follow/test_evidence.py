"""What a go says that it rests on: never more than was done."""

import itertools

import pytest

from dynaferry.follow.evidence import PROOF_NAMES, evidence_of
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof, CutOverVerify

MEASURED = ClosedProof(True, "measured for account 1 in us-east-1 on 2026-11-28: all were there")
UNMEASURED = ClosedProof(False, "`dynaferry bench facts` has not measured it")
PROOFS: tuple[CutOverProof, ...] = ("observed", "closed")
VERIFIES: tuple[CutOverVerify, ...] = ("recent", "full", "none")
ALL = list(itertools.product(PROOFS, VERIFIES, (None, MEASURED, UNMEASURED), (None, 7)))


@pytest.mark.parametrize(("proof", "verify", "closed", "compared"), ALL)
def test_each_name_is_proven_or_not_and_nothing_is_proven_that_was_not_done(
    proof: CutOverProof,
    verify: CutOverVerify,
    closed: ClosedProof | None,
    compared: int | None,
) -> None:
    found = evidence_of(proof, verify, closed=closed, compared=compared, silent_seconds=6.0)
    assert sorted((*found.proven, *found.not_proven)) == sorted(PROOF_NAMES)
    assert ("drained" in found.proven) == (proof == "closed" and closed is MEASURED)
    assert ("all keys equal" in found.proven) == (verify == "full" and compared is not None)
    assert ("recent keys equal" in found.proven) == (verify != "none" and compared is not None)
    assert "no later writes" not in found.proven
    assert found.not_shown


def test_a_closed_stream_is_called_proof_only_where_that_was_measured() -> None:
    measured = evidence_of("closed", "recent", closed=MEASURED, compared=7, silent_seconds=0.0)
    assert "proof, measured for account 1" in measured.shown[0]
    other = evidence_of("closed", "recent", closed=UNMEASURED, compared=7, silent_seconds=0.0)
    assert "proof" not in other.shown[0]
    assert "has not measured it" in other.not_shown[0]
