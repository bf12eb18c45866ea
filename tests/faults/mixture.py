"""One short copy in bad weather, chosen by a seed: its table, its faults, and what people do.

An attempt is made, and made again, as a person would who reads the message: what was broken is
mended, a target that is gone is created anew and the run started over. After a bounded number of
attempts the weather clears up, so that every mixture ends; then both tables are compared.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PreflightError,
    RefusedError,
    RetryableError,
    ServiceGoneError,
    StateError,
    StateWriteError,
    TableNotFoundError,
)
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.state.directory import state_path
from dynaferry.stop import StopSignal
from tests.faults.happenings import EVENTS, FIRST_AT, Event, Happening
from tests.faults.judge import Verdict, judge_finished, judge_state
from tests.faults.odd_items import odd_items
from tests.faults.power import PowerCut
from tests.faults.weather import FAULTS, SILENCES, Fault
from tests.faults.world import RUN, World, faulty_world
from tests.worlds.table_client import KeyAttribute

KEYS: tuple[tuple[KeyAttribute, ...], ...] = (
    (("pk", "S"),),
    (("Items", "S"),),
    (("pk", "N"),),
    (("pk", "B"),),
    (("pk", "S"), ("sk", "N")),
    (("UnprocessedItems", "N"), ("LastEvaluatedKey", "B")),
    (("PutRequest", "B"), ("Item", "S")),
)
ROUGH_ATTEMPTS = 6
MOST_ATTEMPTS = 12
SHORT_PATIENCE_SECONDS = 0.5
# What an attempt may end with after each event; faults alone may end none that they get through.
MAY_END_WITH: dict[Event, tuple[type[DynaferryError], ...]] = {
    "policy changed": (AccessDeniedError,),
    "clock jumps": (AccessDeniedError,),
    "session expires": (AccessDeniedError,),
    "target dropped": (TableNotFoundError, PreflightError, StateError),
    "brown-out": (ServiceGoneError,),
}
# The control plane is tried four times only, and a busy machine may miss a deadline.
MAY_ALWAYS_END_WITH = (RetryableError, StateWriteError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What a seed makes."""

    seed: int
    keys: tuple[KeyAttribute, ...]
    items: int
    page_items: int
    bad_share: float
    shares: dict[Fault, float]
    events: tuple[Event, ...]
    role: bool
    settings: dict[str, int]

    @classmethod
    def of(cls, seed: int) -> "Mixture":
        """The mixture of this seed, always the same."""
        chance = random.Random(f"mixture {seed}")
        faults = chance.sample(FAULTS, chance.randrange(len(FAULTS) + 1))
        most = min(0.15, 0.6 / (len(faults) or 1))
        return cls(
            seed=seed,
            keys=chance.choice(KEYS),
            items=chance.choice((0, 1, 25, 26, *[chance.randrange(30, 500) for _ in range(8)])),
            page_items=chance.choice((3, 10, 20, 25, 60, 500)),
            bad_share=chance.choice((0.0, 0.0, 0.02, 0.3)),
            shares={fault: chance.uniform(0.01, _most(fault, most)) for fault in faults},
            events=tuple(chance.choices(EVENTS, k=chance.randrange(5))),
            role=chance.random() < 0.5,
            settings={
                "segments": chance.choice((1, 2, 5, 8)),
                "readers": chance.choice((1, 2, 4)),
                "writers": chance.choice((1, 3, 8)),
            },
        )


def _most(fault: Fault, most: float) -> float:
    """Each silence costs a time-out, so that there are few."""
    return min(most, 0.03) if fault in SILENCES else most


@dataclass(slots=True)
class Run:
    """How a mixture went."""

    verdict: Verdict
    attempts: int = 0
    met: Counter[str] = field(default_factory=Counter)
    ended_with: Counter[str] = field(default_factory=Counter)


async def run_mixture(mixture: Mixture, state_dir: Path) -> Run:
    """Copies until the run is done, and judges; a state is judged after every attempt.

    :raises AssertionError: an attempt ended as none should
    """
    chance = random.Random(f"run {mixture.seed}")
    items = odd_items(mixture.keys, mixture.items, chance, bad_share=mixture.bad_share)
    async with faulty_world(
        items,
        keys=mixture.keys,
        page_items=mixture.page_items,
        seed=mixture.seed,
        shares=mixture.shares,
    ) as world:
        return await _Course(mixture, world, state_dir, chance).run()


class _Course:
    """The attempts of one mixture."""

    def __init__(
        self, mixture: Mixture, world: World, state_dir: Path, chance: random.Random
    ) -> None:
        self._mixture = mixture
        self._world = world
        self._state_dir = state_dir
        self._chance = chance
        self._events = list(mixture.events)
        self._past: list[Event] = []
        self._run = Run(Verdict())
        self._restart = False

    async def run(self) -> Run:
        outcome = None
        while outcome is None or outcome.summary.status not in ("complete", "rejected"):
            assert self._run.attempts < MOST_ATTEMPTS, f"no end: {self._run}, {outcome}"
            if self._run.attempts == ROUGH_ATTEMPTS:
                self._world.weather.clear_up()
            outcome = await self._attempt()
            if not self._run.verdict.is_good:
                return self._run
        world = self._world
        self._run.verdict = await judge_finished(
            world.service, world.source, world.target, outcome.summary, self._state_dir
        )
        self._run.met.update(world.weather.met)
        return self._run

    async def _attempt(self) -> Outcome | None:
        self._run.attempts += 1
        event = self._events.pop(0) if self._events else None
        if event is not None:
            self._past.append(event)
        stop = StopSignal()
        attempt = asyncio.ensure_future(execute(self._plan(event), stop=stop))
        with PowerCut(state_path(self._state_dir, RUN)) as power_cut:
            happening = Happening(
                self._world,
                event,
                self._chance,
                stop,
                power_cut,
                attempt.cancel,
                at=self._chance.randrange(FIRST_AT, FIRST_AT + 8 + self._requests_expected()),
            )
            self._world.weather.before_request = happening.before_request
            outcome = await _ended(attempt)
            self._world.weather.before_request = None
        self._run.met.update(happening.happened)
        self._note_end(outcome, happening)
        self._restart = self._needs_restart(outcome)
        self._mend()
        if outcome is None or outcome.summary.status not in ("complete", "rejected"):
            await self._judge_state()
        return outcome

    def _requests_expected(self) -> int:
        """Of an attempt that copies all, in fine weather."""
        items, page_items = self._mixture.items, self._mixture.page_items
        return items // page_items + items // min(page_items, BATCH_MAX_ITEMS)

    def _plan(self, event: Event | None) -> CopyPlan:
        settings: dict[str, Any] = dict(self._mixture.settings)
        if event == "brown-out":
            settings["patience_seconds"] = SHORT_PATIENCE_SECONDS
        return self._world.plan(
            self._state_dir, role=self._mixture.role, restart=self._restart, **settings
        )

    def _note_end(self, outcome: Outcome | None, happening: Happening) -> None:
        if outcome is None:
            assert happening.happened == ["power cut"]
            self._run.ended_with["power cut"] += 1
            return
        if outcome.summary.status == "interrupted":
            assert happening.happened[:1] in (["signal"], ["two signals"])
        self._run.ended_with[outcome.summary.status] += 1
        if outcome.error is not None:
            self._run.ended_with[type(outcome.error).__name__] += 1
            may = [kind for past in self._past for kind in MAY_END_WITH.get(past, ())]
            assert isinstance(outcome.error, (*MAY_ALWAYS_END_WITH, *may)), repr(outcome.error)

    def _needs_restart(self, outcome: Outcome | None) -> bool:
        """A person would read it in the hint."""
        error = None if outcome is None else outcome.error
        return isinstance(error, RefusedError) and "--restart" in (error.hint or "")

    def _mend(self) -> None:
        self._world.service.mend()
        if self._world.target.name not in self._world.service.tables:
            self._world.create_target_again()

    async def _judge_state(self) -> None:
        if state_path(self._state_dir, RUN).exists():
            self._run.verdict = await judge_state(
                self._world.source, self._world.target, self._state_dir, RUN
            )


async def _ended(attempt: "asyncio.Future[Outcome]") -> Outcome | None:
    """The outcome; None of an attempt that was cut off."""
    try:
        return await attempt
    except asyncio.CancelledError:
        return None
