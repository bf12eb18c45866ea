"""Tables for tests: descriptions made by hand, and a side whose service answers as it is told."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from dynaferry.dynamodb.account.session import AccountSession, CredentialSource, Side
from dynaferry.dynamodb.tables.description import IndexDescription, KeyAttribute, TableDescription
from dynaferry.errors import DynaferryError

ENDPOINT = "http://127.0.0.1:9"
PK = KeyAttribute("pk", "S", "HASH")
SK = KeyAttribute("sk", "N", "RANGE")
BY_EMAIL = IndexDescription(
    name="by_email", kind="GSI", keys=(KeyAttribute("email", "S", "HASH"),), projection="ALL"
)
BY_DATE = IndexDescription(
    name="by_date",
    kind="LSI",
    keys=(PK, KeyAttribute("date", "S", "RANGE")),
    projection="KEYS_ONLY",
)


def described(
    name: str = "orders", *, account: str = "123456789012", **settings: Any
) -> TableDescription:
    """An ACTIVE on-demand table with one string key, but for what `settings` say."""
    table: dict[str, Any] = {
        "name": name,
        "arn": f"arn:aws:dynamodb:us-east-1:{account}:table/{name}",
        "table_id": f"id-of-{name}-in-{account}",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "status": "ACTIVE",
        "keys": (PK,),
        "endpoint": ENDPOINT,
    }
    return TableDescription(**(table | settings))


def refusal(code: str, operation: str, message: str = "no") -> ClientError:
    """What botocore raises for an error answer with this code."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}},
        operation,
    )


class ScriptedClient:
    """A control-plane client: each method gives its next answer, the last one again and again."""

    def __init__(self, **answers: Sequence[Any]) -> None:
        self._answers = {method: list(given) for method, given in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, method: str) -> Any:
        async def call(**parameters: Any) -> Any:
            self.calls.append((method, parameters))
            given = self._answers[method]
            answer = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def requests_of(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each call of this method."""
        return [parameters for called, parameters in self.calls if called == method]


class ScriptedSession(AccountSession):
    """A side whose client is scripted, and whose endpoint is always the same."""

    async def endpoint_for(self, table: str) -> str:
        """The one endpoint; a DescribeTable costs no answer of the script."""
        return ENDPOINT


async def _nothing_is_signed() -> Any:
    raise AssertionError("credentials were asked for")


def _nothing_goes_wrong(error: Exception) -> DynaferryError:
    raise AssertionError from error


def scripted(side: Side = "source", /, **answers: Sequence[Any]) -> ScriptedSession:
    """A side that answers each control-plane method in turn as told."""
    return ScriptedSession(
        side=side,
        region="us-east-1",
        acting_as="role arn:aws:iam::123456789012:role/reader",
        client=ScriptedClient(**answers),
        credentials=CredentialSource(_nothing_is_signed, _nothing_goes_wrong),
        ca_bundle=None,
        takes_arns=True,
    )


def described_on_the_wire(name: str = "orders", **fields: Any) -> dict[str, Any]:
    """A DescribeTable answer with the least that the service says."""
    return {
        "Table": {
            "TableName": name,
            "TableArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{name}",
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            **fields,
        }
    }
