from dynaferry.copy.rejects import RejectionLimit


def test_what_is_beyond_the_limit_is_not_counted() -> None:
    limit = RejectionLimit(5, so_far=2)
    assert limit.allows(2)
    assert not limit.allows(2)
    assert limit.allows(1)
    assert not limit.allows(1)


def test_none_may_be_refused_where_the_limit_is_0() -> None:
    assert not RejectionLimit(0).allows(1)
