"""DynamoDB Local: the service's own engine on loopback, in memory.

It keeps tables apart by access key and region, so two access keys are two accounts. It has no
STS, so both accounts are profiles of a credentials file. It gives every table the account id
000000000000 and the region ddblocal in its ARN: two tables of one name have one ARN, so source
and target need names of their own here.
"""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dynaferry.plan.settings import Account
from tests.worlds.table_client import TableClient

REGION = "eu-central-1"
ACCESS_KEYS = {"source": "sourceaccount", "target": "targetaccount"}
JARS = Path(__file__).parents[2] / ".cache" / "dynamodb-local"
LAUNCHER = Path(__file__).with_name("RollingServer.java")
MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
SECONDS_TO_START = 60


class DynamoDbLocalMissingError(Exception):
    """DynamoDB Local cannot be started on this machine; the message says what is missing."""


@dataclass(frozen=True)
class LocalWorld:
    """A source and a target account in DynamoDB Local, and the way past dynaferry to both.

    `source` and `target` name profiles of `credentials_file`, which AWS_SHARED_CREDENTIALS_FILE
    has to point to.
    """

    url: str
    credentials_file: Path
    commands: "subprocess.Popen[bytes] | None" = None

    def roll(self) -> None:
        """Closes every open shard of every stream, and opens its child. It blocks."""
        self._command("roll")

    def age(self, seconds: float) -> None:
        """Makes all records and iterators so much older. It blocks."""
        self._command(f"age {int(seconds * 1000)}")

    def _command(self, line: str) -> None:
        if self.commands is None or self.commands.stdin is None or self.commands.stdout is None:
            raise RuntimeError("this server takes no commands")
        self.commands.stdin.write(f"{line}\n".encode())
        self.commands.stdin.flush()
        answer = self.commands.stdout.readline().decode().strip()
        if answer != "done":
            raise RuntimeError(f"{line}: {answer}")

    @property
    def source(self) -> Account:
        """The source side of a plan."""
        return Account(profile="source", region=REGION, endpoint_url=self.url)

    @property
    def target(self) -> Account:
        """The target side of a plan."""
        return Account(profile="target", region=REGION, endpoint_url=self.url)

    @property
    def source_tables(self) -> TableClient:
        """For seeding and reading back."""
        return TableClient(self.url, REGION, ACCESS_KEYS["source"])

    @property
    def target_tables(self) -> TableClient:
        """For seeding and reading back."""
        return TableClient(self.url, REGION, ACCESS_KEYS["target"])


def find_java(jars: Path = JARS) -> Path:
    """The Java runtime, if it and the jars are there.

    :raises DynamoDbLocalMissingError: they are not
    """
    java = shutil.which("java")
    if java is None:
        raise DynamoDbLocalMissingError("DynamoDB Local needs Java 17, and there is no java")
    if not any(jars.glob("DynamoDBLocal-*.jar")):
        raise DynamoDbLocalMissingError(
            f"DynamoDB Local is not in {jars}; `make test-local` fetches it"
        )
    return Path(java)


@contextmanager
def running_rolling_local(java: Path, jars: Path) -> Iterator[LocalWorld]:
    """Runs DynamoDB Local so that its shards roll and its records age on demand."""
    port = _free_port()
    command = [
        *(str(java), "-Xmx1g", f"-Djava.library.path={jars}", "-cp", f"{jars}/*"),
        *(str(LAUNCHER), "-inMemory", "-disableTelemetry", "-port", str(port)),
    ]
    with tempfile.TemporaryDirectory(prefix="dynamodb-local-") as directory:
        log = Path(directory) / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            ) as server,
        ):
            try:
                _wait_until_ready(server, log)
                credentials = _write_credentials(Path(directory) / "credentials")
                yield LocalWorld(f"http://127.0.0.1:{port}", credentials, server)
            finally:
                server.terminate()


def _wait_until_ready(server: "subprocess.Popen[bytes]", log: Path) -> None:
    """It says so, after what DynamoDB Local says of its settings."""
    assert server.stdout is not None
    for line in server.stdout:
        if line.strip() == b"ready":
            return
    raise RuntimeError(f"DynamoDB Local ended: {log.read_text()}")


@contextmanager
def running_dynamodb_local(java: Path) -> Iterator[LocalWorld]:
    """Runs DynamoDB Local on a free port until the block ends."""
    port = _free_port()
    command = [
        str(java),
        "-Xmx2g",
        f"-Djava.library.path={JARS}",
        *("-cp", f"{JARS}/*", MAIN_CLASS),
        *("-inMemory", "-disableTelemetry", "-port", str(port)),
    ]
    with tempfile.TemporaryDirectory(prefix="dynamodb-local-") as directory:
        log = Path(directory) / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(command, cwd=directory, stdout=output, stderr=output) as server,
        ):
            try:
                _wait_until_open(server, port, log)
                yield LocalWorld(
                    f"http://127.0.0.1:{port}", _write_credentials(Path(directory) / "credentials")
                )
            finally:
                server.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_open(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(SECONDS_TO_START * 10):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = server.wait(timeout=0.1)
            raise RuntimeError(f"DynamoDB Local ended with {code}: {log.read_text()}")
    raise RuntimeError(f"DynamoDB Local did not open its port: {log.read_text()}")


def _write_credentials(path: Path) -> Path:
    path.write_text(
        "".join(
            f"[{profile}]\naws_access_key_id = {key}\naws_secret_access_key = testing\n\n"
            for profile, key in ACCESS_KEYS.items()
        )
    )
    return path
