"""The tables of an account in a Region, by their names: ListTables, which only patterns need."""

from typing import Any

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.failures.service_errors import CALL_ERRORS
from dynaferry.errors import AccessDeniedError

_OPERATION = "ListTables"
_WITHOUT = "only a pattern needs it: tables that are named one by one are not listed"


async def list_tables(session: AccountSession) -> list[str]:
    """The names of all tables that the side's account has in its Region.

    :raises AccessDeniedError: the role lacks dynamodb:ListTables
    :raises UnavailableError: the service did not respond
    :raises CorruptAnswerError: something else than the service responded
    """
    names: list[str] = []
    start: dict[str, str] = {}
    while True:
        page, last = await _page(session, start)
        names += page
        if last is None or last in start.values():
            return names
        start = {"ExclusiveStartTableName": last}


async def _page(session: AccountSession, start: dict[str, str]) -> tuple[list[str], str | None]:
    """Some names, and the last of them where there are more."""
    try:
        response: dict[str, Any] = await session.client.list_tables(**start)
        names = [str(name) for name in response["TableNames"]]
        last: str | None = response.get("LastEvaluatedTableName")
    except CALL_ERRORS as error:
        failed = session.error_for(error, operation=_OPERATION, table=None)
        if isinstance(failed, AccessDeniedError):
            failed.hint = "; ".join(filter(None, (failed.hint, _WITHOUT)))
        raise failed from error
    return names, last
