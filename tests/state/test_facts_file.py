"""What a file of measured facts lets a cut-over say."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.dynamodb.environment.settings import THE_SERVICE_ITSELF, whose_endpoint
from dynaferry.errors import StateError
from dynaferry.state import facts_file
from dynaferry.state.facts_file import (
    CLOSED_SHARDS,
    Fact,
    FactVerdict,
    ServiceFacts,
    closed_proof,
    facts_path,
    read_facts,
    write_facts,
)

TABLE = "arn:aws:dynamodb:us-east-1:111111111111:table/orders"
LINE = "holds: 1,500 writes, all of them in the closed shards"


def _facts(verdict: FactVerdict = "holds", service: str = THE_SERVICE_ITSELF) -> ServiceFacts:
    closed = Fact(name=CLOSED_SHARDS, verdict=verdict, assumption="all is there", line=LINE)
    return ServiceFacts(
        account="111111111111",
        region="us-east-1",
        service=service,
        measured_at="2026-11-28T10:00:00+00:00",
        dynaferry="0.1.0",
        facts=[closed],
    )


def test_it_is_proof_only_where_it_was_measured_and_holds(tmp_path: Path) -> None:
    assert not closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF).is_proof
    write_facts(tmp_path, _facts())
    proof = closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF)
    assert proof.is_proof
    assert proof.why == f"measured for account 111111111111 in us-east-1 on 2026-11-28: {LINE}"


@pytest.mark.parametrize("verdict", ["fails", "not-measured"])
def test_it_is_no_proof_where_it_fails_or_was_not_measured(
    tmp_path: Path, verdict: FactVerdict
) -> None:
    write_facts(tmp_path, _facts(verdict))
    assert not closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF).is_proof


def test_facts_without_that_one_are_no_proof(tmp_path: Path) -> None:
    write_facts(tmp_path, replace(_facts(), facts=[]))
    proof = closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF)
    assert not proof.is_proof
    assert "has not measured it" in proof.why


@pytest.mark.parametrize(
    "other",
    [
        "arn:aws:dynamodb:eu-west-1:111111111111:table/orders",
        "arn:aws:dynamodb:us-east-1:222222222222:table/orders",
        "orders",
        "arn:aws:dynamodb:../..:111111111111:table/orders",
    ],
)
def test_facts_of_another_account_or_region_are_no_proof(tmp_path: Path, other: str) -> None:
    write_facts(tmp_path, _facts())
    assert not closed_proof(tmp_path, other, THE_SERVICE_ITSELF).is_proof


def test_a_file_that_was_copied_to_another_name_is_no_proof(tmp_path: Path) -> None:
    here = write_facts(tmp_path, _facts())
    here.rename(facts_path(tmp_path, "222222222222", "us-east-1"))
    assert not closed_proof(
        tmp_path, TABLE.replace("1" * 12, "2" * 12), THE_SERVICE_ITSELF
    ).is_proof


def test_facts_of_a_stand_in_are_no_proof_of_the_service_nor_the_other_way(tmp_path: Path) -> None:
    stand_in = whose_endpoint("http://127.0.0.1:8000/")
    write_facts(tmp_path, _facts(service=stand_in))
    assert closed_proof(tmp_path, TABLE, stand_in).is_proof
    proof = closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF)
    assert not proof.is_proof
    assert "at the service's own, but at http://127.0.0.1:8000" in proof.why
    write_facts(tmp_path, _facts())
    assert not closed_proof(tmp_path, TABLE, stand_in).is_proof


def test_a_file_that_cannot_be_read_proves_nothing_and_is_told(tmp_path: Path) -> None:
    path = write_facts(tmp_path, _facts())
    path.write_text("{")
    proof = closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF)
    assert not proof.is_proof
    assert str(path) in proof.why
    with pytest.raises(StateError, match="cannot be read"):
        read_facts(tmp_path, "111111111111", "us-east-1")


def test_a_file_of_another_version_proves_nothing(tmp_path: Path) -> None:
    write_facts(tmp_path, replace(_facts(), version=2))
    proof = closed_proof(tmp_path, TABLE, THE_SERVICE_ITSELF)
    assert not proof.is_proof
    assert "it is of version 2" in proof.why


def test_only_its_owner_reads_the_file_and_it_replaces_an_earlier_one(tmp_path: Path) -> None:
    write_facts(tmp_path, _facts("fails"))
    path = write_facts(tmp_path, _facts())
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_facts(tmp_path, "111111111111", "us-east-1") == _facts()
    assert [path] == list((tmp_path / facts_file.FACTS).iterdir())
