"""What a move leaves is said with the calls that do it, for the side that is in use."""

from pathlib import Path

from dynaferry.cli.commands.end_move_text import late_lines, left_of
from dynaferry.follow.enabled_streams import EnabledStream
from dynaferry.state.move_records import MoveRecord
from tests.state.contract import table_identity

TABLE = table_identity(0)
STREAM = EnabledStream(TABLE.source_arn, 1.0, "a-stream")
FINISHED = MoveRecord(stage="finished", since=9.0, switched_at=5.0)


def left(command: str, move: MoveRecord, *streams: EnabledStream) -> str:
    assert command in ("abort", "finish")
    return "\n".join(left_of("abort" if command == "abort" else "finish", move, [TABLE], streams))


def test_a_finished_move_leaves_time_to_live_triggers_and_the_policy_and_drops_nothing() -> None:
    said = left("finish", FINISHED)
    assert "update-time-to-live --table-name target-0 --region eu-central-1" in said
    assert "list-event-source-mappings --region eu-west-1" in said
    assert f"delete-resource-policy --resource-arn {TABLE.source_arn}" in said
    assert "delete-table" not in said
    assert "StreamEnabled=false" not in said


def test_an_aborted_move_leaves_a_copy_and_names_the_call_that_drops_it() -> None:
    said = left("abort", MoveRecord(stage="aborted", since=9.0))
    assert "the source source-0 is as it was" in said
    assert "delete-table --table-name target-0 --region eu-central-1" in said
    assert f"delete-resource-policy --resource-arn {TABLE.source_arn}" in said
    assert "delete-table --table-name source" not in said


def test_a_move_that_went_back_leaves_the_target_and_not_the_source() -> None:
    said = left("finish", MoveRecord(stage="finished", since=9.0, switched_at=5.0, returned_at=7.0))
    assert "the source source-0 is in use" in said
    assert "delete-table --table-name target-0" in said
    assert "update-time-to-live" not in said
    again = MoveRecord(stage="finished", since=9.0, switched_at=8.0, returned_at=7.0)
    assert left("finish", again) == left("finish", FINISHED)


def test_a_stream_is_switched_off_only_where_it_is_ours() -> None:
    foreign = EnabledStream(TABLE.source_arn, 1.0, "another", is_ours=False)
    assert "StreamEnabled=false" not in left("finish", FINISHED, foreign)
    for command in ("finish", "abort"):
        assert f"update-table --table-name {TABLE.source_arn} --stream" in left(
            command, FINISHED, STREAM
        )


def test_late_writes_are_said_first_with_where_they_are_and_what_is_lost() -> None:
    said = list(late_lines("orders", 1_234, [Path("a"), Path("b")], ["trimmed"]))
    assert said == [
        "1,234 keys were written to the source behind the switch, and are not in the target:"
        " dynaferry late-writes list orders",
        "what was written is kept in a, b",
        "there may be more late writes: trimmed",
    ]
    assert list(late_lines("orders", 0, [], [])) == []
