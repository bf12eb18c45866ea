"""Whether a certificate is about the run that it is told with."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.errors import PlanError
from dynaferry.report.certificate import StoredCertificate, check_belongs
from tests.report.recorded import CERTIFICATE, stored_run

PATH = Path("orders.json")


def certified(**settings: object) -> StoredCertificate:
    return replace(CERTIFICATE, tables=[replace(CERTIFICATE.tables[0], **settings)])


@pytest.mark.parametrize(
    ("then", "now", "is_refused"), [(1.5, 1.5, False), (1.5, 2.5, True), (None, 2.5, False)]
)
def test_where_there_is_no_id_the_creation_distinguishes_tables(
    then: float | None, now: float | None, is_refused: bool
) -> None:
    run = stored_run()
    copied = replace(run.tables[0].identity, target_table_id=None, target_created_at=then)
    run = replace(run, tables=[replace(run.tables[0], identity=copied)])
    certificate = certified(target_created_at=now)
    if is_refused:
        with pytest.raises(PlanError, match="another target table"):
            check_belongs(certificate, run, PATH)
    else:
        check_belongs(certificate, run, PATH)


def test_where_ids_agree_the_creation_does_not_matter() -> None:
    run = stored_run()
    copied = replace(run.tables[0].identity, source_created_at=1.5)
    run = replace(run, tables=[replace(run.tables[0], identity=copied)])
    same = certified(source_table_id=copied.source_table_id, source_created_at=2.5)
    check_belongs(same, run, PATH)
