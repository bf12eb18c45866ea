"""Finds the rate that a table, an index or a key range can take. Pure: the clock is passed in.

Nobody knows a table's capacity, so it is measured. Two facts make that possible. While requests
are refused, what is accepted *is* the capacity. And between two moments at which the service had
nothing left, the average of what was accepted is the capacity too, whatever it had saved up in
between: a bucket that was empty twice gave out just what flowed into it. (Where nobody waited for
more for a part of that time, the bucket may have run over, and the average is of what was asked.)

So the controller grows fast from a modest start until the first refusal, then sets the rate a
little below what it measured, holds it there, and goes on along a cubic curve: past the old limit
it grows gently at first and ever faster after that. Once more was accepted than the old limit
could have given, the table has been given more: the search begins anew, from where it is. A refusal
counts once per round trip, since what is on its way was sent at the old rate. Where nothing at all
is accepted, the rate falls to a few requests a second, and returns to what it was once they get
through.

What is not used does not grow: a rate that the source cannot fill says nothing about the target.
"""

import math
from typing import Final

from dynaferry.throttle.calm import Calm
from dynaferry.throttle.rate_profile import RateProfile

# A measurement spans at least this, or two round trips: fewer responses say too little.
RATE_WINDOW_SECONDS: Final = 0.2
WINDOW_ROUND_TRIPS: Final = 2.0
# A smaller share of refused units is chance: a partition's moment, not the table's limit.
REFUSED_SHARE: Final = 0.01
# A rate of which less than this is used is not what limits.
USED_SHARE: Final = 0.7
# One batch of small items. One request a second is the least that still finds out.
LEAST_UNITS: Final = 25.0
# No table takes more; a rate stays a number, whatever it grows from.
MOST_UNITS_PER_SECOND: Final = 1e9
# Right after a back-off nothing is saved up at the service, and one batch more than flows in is
# refused. So the rate stays lower for a moment; what is not used then is there later.
DRAIN_SECONDS: Final = 0.4
DRAIN_SHARE: Final = 0.88
MOST_DRAIN_STRETCH: Final = 2.0
# With fewer requests a second than this, or responses that take longer, everything takes longer in
# proportion, up to so much: each request says little, and one that is refused weighs much.
STEADY_REQUESTS: Final = 60.0
STEADY_LATENCY_SECONDS: Final = 0.04
MOST_STRETCH: Final = 20.0
REQUEST_WEIGHT: Final = 0.1
# A bucket that was empty gives out just what flows in. So much more of it, and more flows in.
OUTGROWN_SHARE: Final = 1.05
CHANCE_REQUESTS: Final = 2.0  # so many more in a time say nothing
# Two moments at which the service had nothing left say what flows in, if they are so far apart.
APART_SECONDS: Final = 0.4
APART_ROUND_TRIPS: Final = 4.0
# They do so only where somebody waited for more in so much of the time between them.
LEAST_USED_SHARE: Final = 0.8
# Beyond what was measured, no more than this times what was taken is asked for: the rest is idle.
USABLE_GROWTH: Final = 2.0
# When nothing was accepted for so long and two round trips, it is no back-off but an outage.
OUTAGE_SECONDS: Final = 0.1
OUTAGE_ROUND_TRIPS: Final = 2.0
OUTAGE_REFUSALS: Final = 4
OUTAGE_FALL: Final = 16.0
LEAST_RESPONSES: Final = 8
MAX_WINDOW_SECONDS: Final = 2.0
# Once a capacity is known, the search for more doubles in so many times the seconds: it may be what
# was saved up, and not more that flows in.
KNOWN_DOUBLING: Final = 1.6
# A window that nobody closes for so long, and for the time of so many requests, was left alone.
LATE_SECONDS: Final = 0.5
LATE_REQUESTS: Final = 2.0
LATENCY_WEIGHT: Final = 0.1
NEVER: Final = -math.inf


class RateController:
    """One limit, found by its refusals. `ceiling` is a rate that is never passed."""

    def __init__(self, temper: RateProfile, *, now: float, ceiling: float = math.inf) -> None:
        self._temper = temper
        self._ceiling = ceiling
        self._least_units = LEAST_UNITS
        self._request_units = LEAST_UNITS
        self._capacity: float | None = None  # measured
        self._rate = min(temper.start_units, ceiling)
        self._before_trouble: float | None = None  # the capacity before the last back-offs
        self._before_outage: float | None = None
        self._is_searching = True
        self._calm = Calm()
        self._usable = math.inf
        self._curve_from = now
        self.latency_seconds = 0.0
        self._deaf_until = NEVER
        self._emptied_at: float | None = None
        self._accepted_since_emptied = 0.0
        self._accepted_at = now
        self._refused = 0.0
        self._open_window(now)

    @property
    def rate(self) -> float:
        """Units a second that may be sent now."""
        return self._rate

    @property
    def capacity(self) -> float | None:
        """The capacity as it was last measured, None before the first refusal."""
        return self._capacity

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit: one that was found, or one that was given."""
        return self._capacity is not None or self._ceiling < math.inf

    def asked(self, units: float) -> None:
        """A request of so many units is to be sent: one of them a second is the least rate."""
        self._least_units = max(LEAST_UNITS, units)
        self._request_units += REQUEST_WEIGHT * (units - self._request_units)

    def wanted(self) -> None:
        """Somebody had to wait for this rate, so it is worth trying a higher one."""
        self._was_wanted = True

    def accepted(self, units: float, latency_seconds: float, now: float) -> None:
        """A response came: `units` were consumed, `latency_seconds` after the request was sent.

        A latency of 0 is not known.
        """
        self._accepted += units
        self._accepted_since_emptied += units
        if self.latency_seconds == 0.0:
            self.latency_seconds = latency_seconds
        elif latency_seconds > 0:
            self.latency_seconds += LATENCY_WEIGHT * (latency_seconds - self.latency_seconds)
        if units > 0:
            self._accepted_at = now
        if units > 0 and self._before_outage is not None:
            self._return_from_outage(now)

    def refused(self, units: float, now: float) -> None:
        """`units` were refused for their rate: of a whole request, or the rest of one."""
        if now < self._deaf_until:
            return
        self._refused += units
        if self._is_quiet(now) and self._is_refused() and not self._has_outgrown(now):
            # The first word after a quiet time: no need to wait for the end of the window.
            self._back_off(now)
        elif self._is_outage(now):
            self._accepted = 0.0
            self._back_off(now)

    def search_again(self) -> None:
        """What was refused was not for the rate: nobody knows how far it is to the limit."""
        self._is_searching = True
        self._emptied_at = None
        self._calm.end()

    def advance(self, now: float) -> None:
        """Moves the rate to where it is now. To be called before `rate` is used."""
        if now >= self._window_ends_at:
            self._close_window(now)
        elif self._before_outage is None and not self._is_searching:
            self._follow_curve(now)

    # Windows -------------------------------------------------------------------------------------

    def _open_window(self, now: float) -> None:
        seconds = max(RATE_WINDOW_SECONDS, WINDOW_ROUND_TRIPS * self.latency_seconds)
        # A low rate needs longer for as many responses.
        seconds = max(seconds, LEAST_RESPONSES * self._request_units / self._rate)
        self._window_from = now
        self._window_ends_at = now + min(seconds, MAX_WINDOW_SECONDS)
        self._accepted = 0.0
        self._refused = 0.0
        self._was_wanted = False

    def _close_window(self, now: float) -> None:
        if self._is_refused():
            self._back_off(now)
            return
        if self._before_outage is None:
            self._go_on(now)
        self._open_window(now)

    def _is_refused(self) -> bool:
        return self._refused > REFUSED_SHARE * (self._accepted + self._refused)

    def _is_quiet(self, now: float) -> bool:
        """Whether the last back-off is over, and what follows is news."""
        since = (now - self._curve_from) / self._stretch()
        return self._emptied_at is not None and since >= self._hold_seconds()

    def _hold_seconds(self) -> float:
        """In seconds of the curve: where those take longer anyway, a calm one takes no longer."""
        return self._temper.hold_seconds * max(1.0, self._calm.stretch / self._stretch())

    def _stretch(self) -> float:
        """How much longer a second of the curve takes where requests are few, or slow."""
        if not self._temper.probe_share:
            return 1.0  # its seconds are many already
        slow = self.latency_seconds / STEADY_LATENCY_SECONDS
        return min(MOST_STRETCH, max(self._stretch_for_few(), slow))

    def _stretch_for_few(self) -> float:
        few = STEADY_REQUESTS * self._request_units / max(self._capacity or 0.0, self._rate)
        return min(MOST_STRETCH, max(1.0, few))

    # Down ----------------------------------------------------------------------------------------

    def _back_off(self, now: float) -> None:
        if self._is_quiet(now):
            self._before_trouble = self._capacity
        if self._accepted > 0 or self._is_one_of_few(now):
            measured = self._measured(now)
            self._calm.note(self._capacity, measured, grows=self._temper.probe_share > 0)
            self._capacity = measured
            self._is_searching = False
            self._curve_from = self._emptied_at = now
            self._accepted_since_emptied = 0.0
            self._set_rate(DRAIN_SHARE * self._temper.keep * self._capacity)
        else:
            self._fall(now)
        self._deaf_until = now + self.latency_seconds
        self._open_window(self._deaf_until)

    def _is_one_of_few(self, now: float) -> bool:
        """Whether nothing was accepted since there was hardly anything asked, and so no outage."""
        if self._before_outage is not None or self._has_outgrown(now):
            return False
        return self._is_apart(now) and self._refused < OUTAGE_REFUSALS * self._request_units

    def _measured(self, now: float) -> float:
        """The capacity: by the average since it was empty last, as it was known where that says
        nothing, or by what is refused now.
        """
        if self._is_apart(now) and not self._has_outgrown(now):
            average = 0.0 if self._was_partly_unused(now) else self._average(now)
            return average or self._capacity or LEAST_UNITS
        asked = self._accepted + self._refused
        taken = self._accepted / asked
        sent_per_second = asked / max(now - self._window_from, RATE_WINDOW_SECONDS)
        if sent_per_second > USED_SHARE * self._rate:
            sent_per_second = self._rate  # without the noise of when responses come
        # A few refusals below the rate that was measured are some partition's, not the table's.
        believed = (self._capacity or 0.0) * max(0.0, 1 - 2 * (1 - taken))
        return max(sent_per_second * taken, believed)

    def _is_apart(self, now: float) -> bool:
        """Whether it was empty before, and long enough ago for an average."""
        if self._emptied_at is None:
            return False
        if self._is_quiet(now) or not self._temper.probe_share:
            return self._is_quiet(now)
        apart = max(APART_SECONDS * self._stretch(), APART_ROUND_TRIPS * self.latency_seconds)
        return now - self._emptied_at >= apart

    def _average(self, now: float) -> float:
        """What was accepted a second since it was empty last."""
        return self._accepted_since_emptied / (now - (self._emptied_at or NEVER))

    def _was_partly_unused(self, now: float) -> bool:
        """Whether for a fifth of the time since it was empty nobody waited, as in a pause: the
        average says then how much was asked, and what is known of the limit stays.
        """
        emptied_at = self._emptied_at or NEVER
        used_seconds = now - self._curve_from - self._unused_in_window(now)
        return used_seconds < LEAST_USED_SHARE * (now - emptied_at)

    def _unused_in_window(self, now: float) -> float:
        """Nobody came to close it for longer than it takes until the next request may be sent."""
        late_seconds = now - self._window_ends_at
        patience = max(LATE_SECONDS, LATE_REQUESTS * self._request_units / self._rate)
        if late_seconds > patience:
            return late_seconds
        return max(0.0, now - self._window_from - MAX_WINDOW_SECONDS)

    def _has_outgrown(self, now: float) -> bool:
        """Whether more was accepted than the old capacity could give: it was raised meanwhile, and
        the average over both of them says too little of the new one.
        """
        if not self._temper.probe_share:
            return False
        could_give = (self._capacity or math.inf) * (now - (self._emptied_at or NEVER))
        by_chance = CHANCE_REQUESTS * self._request_units
        return self._accepted_since_emptied - by_chance > OUTGROWN_SHARE * could_give

    def _is_outage(self, now: float) -> bool:
        """Whether nothing is accepted any more; no need to wait for the end of the window."""
        if self._before_outage is not None:
            return False
        least_seconds = OUTAGE_SECONDS + OUTAGE_ROUND_TRIPS * self.latency_seconds
        enough = self._refused >= OUTAGE_REFUSALS * self._request_units
        return enough and now - self._accepted_at > least_seconds

    def _fall(self, now: float) -> None:
        if self._before_outage is None:
            self._before_outage = self._before_trouble or self._capacity or self._temper.start_units
            self._set_rate(self._before_outage)
        self._set_rate(self._rate / OUTAGE_FALL)
        self._curve_from = now

    # Up ------------------------------------------------------------------------------------------

    def _return_from_outage(self, now: float) -> None:
        """What was there before is likely there again, and less is soon found out."""
        before, self._before_outage = self._before_outage or LEAST_UNITS, None
        self._capacity = before
        self._is_searching = False
        self._curve_from = now
        self._emptied_at = None
        self._set_rate(self._temper.keep * before)
        self._open_window(now)

    def _go_on(self, now: float) -> None:
        seconds = now - self._window_from
        # Time that was not used does not count, nor does a pause in which nobody asked.
        self._curve_from += self._unused_in_window(now) if self._was_wanted else seconds
        if not self._was_wanted:
            return
        seconds = min(seconds, MAX_WINDOW_SECONDS)
        self._usable = USABLE_GROWTH * self._accepted / max(seconds, RATE_WINDOW_SECONDS)
        self._is_searching |= self._has_outgrown(now)
        if self._is_searching:
            self._search(seconds)
        else:
            self._follow_curve(now)

    def _search(self, seconds: float) -> None:
        """Doubles fast: nobody knows how far it is to the limit."""
        if self._capacity is not None:
            seconds /= KNOWN_DOUBLING * self._stretch_for_few()
        doubled = self._rate * 2 ** (seconds / self._temper.doubling_seconds)
        self._set_rate(max(self._rate, min(doubled, self._usable)))

    def _follow_curve(self, now: float) -> None:
        capacity = self._capacity or 0.0
        stretch = self._stretch()
        since = (now - self._curve_from) / stretch
        beyond = max(0.0, since - self._hold_seconds())
        keep, share = self._temper.keep, self._temper.share_at(beyond)
        if beyond > 0:
            share = max(keep, min(share, self._usable / capacity))
        drain_seconds = DRAIN_SECONDS * min(stretch, MOST_DRAIN_STRETCH)
        is_drained = now - self._curve_from >= drain_seconds
        self._set_rate(capacity * (share if is_drained else DRAIN_SHARE * share))

    def _set_rate(self, rate: float) -> None:
        self._rate = min(self._ceiling, MOST_UNITS_PER_SECOND, max(self._least_units, rate))
