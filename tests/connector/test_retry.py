"""When a host is tried again, and when that ends. No clock runs here."""

from __future__ import annotations

import itertools

from guard.connector.retry import LONGEST, Retry


def tries(retry: Retry) -> list[float]:
    """The moments of the tries, if each fails at once."""
    moments = [1000.0]
    while (again := retry.next_after(moments[-1])) is not None:
        moments.append(again)
    return moments


def test_a_minute_of_tries() -> None:
    moments = tries(Retry())
    assert 5 <= LONGEST <= 60
    assert LONGEST <= moments[-1] - moments[0] <= LONGEST + 4
    assert 15 <= len(moments) <= 40


def test_the_pauses_grow_and_stay_short() -> None:
    moments = tries(Retry())
    pauses = [after - before for before, after in itertools.pairwise(moments)]
    assert pauses[0] <= 0.7 + 1e-6, "a node that was only busy is back at once"
    assert max(pauses) <= 3.5 + 1e-6, "a node that is back is found within seconds"
    assert min(pauses[6:]) >= 3.0 - 1e-6
    assert all(pause > 0 for pause in pauses)


def test_a_round_that_took_long_is_followed_by_another() -> None:
    """The minute begins with the first failure: silent addresses fail late and are tried again."""
    retry = Retry()
    assert retry.next_after(5000.0) is not None
    assert retry.next_after(5000.0 + LONGEST + 1) is None


def test_hosts_have_their_own_minute() -> None:
    first, second = Retry(), Retry()
    assert first.next_after(0.0) is not None
    assert second.next_after(100.0) is not None
    assert first.next_after(100.0) is None
