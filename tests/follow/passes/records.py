"""Passes as they are stored, for tests."""

from typing import Any

from dynaferry.state.move_records import PassRecord, TablePass


def a_pass(
    number: int = 1,
    *,
    found: int = 0,
    began_at: float = 1_000.0,
    reading: float = 100.0,
    repairing: float = 0.0,
    items: int = 1_000_000,
    in_flux: int = 0,
    **more: Any,
) -> PassRecord:
    """One that came to its end, and repaired all that did not move."""
    table = TablePass(
        source="orders",
        target="orders",
        items=items,
        found=found,
        repaired=found - in_flux,
        in_flux=in_flux,
        is_equal=not in_flux,
    )
    record = PassRecord(
        number=number,
        began_at=began_at,
        ended_at=began_at + reading + repairing,
        reading_seconds=reading,
        settling_seconds=5.0,
        repairing_seconds=repairing,
        is_complete=True,
        tables=(table,),
    )
    fields = {name: getattr(record, name) for name in PassRecord.__struct_fields__}
    return PassRecord(**(fields | more))
