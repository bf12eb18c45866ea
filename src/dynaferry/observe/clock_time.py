"""The clock time of an end that is only estimated, for people: in the zone of this machine."""

from datetime import datetime, tzinfo


def about(seconds_left: float, now: float, zone: tzinfo | None = None) -> str:
    """When that will be: `about 03:40`, `about Tue 03:40`, or with a date where it is far away.

    `now` is in seconds since the epoch.
    """
    today = datetime.fromtimestamp(now, zone)
    end = datetime.fromtimestamp(now + seconds_left, zone)
    if end.date() == today.date():
        return f"about {end:%H:%M}"
    if (end.date() - today.date()).days < 7:
        return f"about {end:%a %H:%M}"
    return f"about {end:%d %b %H:%M}"
