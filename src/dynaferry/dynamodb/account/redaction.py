"""Keeps secrets out of what is told of an error (invariant 8).

Services repeat what they were sent: a validation error the external id, a signature that does not
match the whole canonical request with its session token [DG:Programming.Errors]; a proxy may show
anything, and a URL library the proxy's password. So what is told goes through here, once it is
understood what it is and before it is shortened, and the errors that caused it do too, since a
traceback shows them. The response itself is never changed: a secret may be like any other word.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError
from yarl import URL

HIDDEN = "…"
# Requests whose responses come now may be signed with the session before this one, not with older.
_SESSIONS = 3


class Redactor:
    """The secrets of one side: its external id, the credentials of late, and what lasts."""

    def __init__(self, external_id: str | None = None, *, lasting: Iterable[str] = ()) -> None:
        self._lasting = {external_id, *lasting}
        self._sessions: deque[tuple[str | None, ...]] = deque(maxlen=_SESSIONS)

    def note(self, credentials: tuple[str | None, ...]) -> None:
        """Adds the credentials that are current."""
        if not self._sessions or self._sessions[-1] != credentials:
            self._sessions.append(credentials)

    def hide(self, text: str) -> str:
        """The text without any of them, as it is or as a URL or JSON writes it."""
        for secret in self._longest_first():
            for form in (secret, quote(secret, safe=""), secret.replace("/", "\\/")):
                text = text.replace(form, HIDDEN)
        return text

    def hide_in_error(self, error: BaseException) -> None:
        """Takes them out of the words of an error and of all that led to it."""
        seen: set[int] = set()
        link: BaseException | None = error
        while link is not None and id(link) not in seen:
            seen.add(id(link))
            link.args = tuple(self.hide(a) if isinstance(a, str) else a for a in link.args)
            if isinstance(link, ClientError):
                self._hide_in_response(link.response)
            self._hide_in_fields(link)
            link = link.__cause__ or link.__context__

    def _hide_in_fields(self, error: BaseException) -> None:
        """Some make their words anew each time, out of what they keep: an address, for one."""
        for name, value in vars(error).items():
            if isinstance(value, str | URL) and self.hide(str(value)) != str(value):
                setattr(error, name, self.hide(str(value)))

    def _hide_in_response(self, response: dict[str, Any]) -> None:
        words = response.get("Error", {})
        if isinstance(words.get("Message"), str):
            words["Message"] = self.hide(words["Message"])

    def _longest_first(self) -> list[str]:
        known = {*self._lasting, *(part for session in self._sessions for part in session)}
        # An external id has at least two characters; hiding shorter ones would hide words.
        return sorted((s for s in known if s is not None and len(s) > 1), key=len, reverse=True)
