"""When should a workflow run? The algebra of triggers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.keys import AssetKey
from riparian.assets.triggers import (
    MOST_PARTS,
    And,
    Missing,
    Not,
    OnCron,
    OnUpdate,
    Or,
    Signals,
    Trigger,
    manual,
    missing,
    on_cron,
    on_update,
    trigger_from_json,
)

A, B, OUT = AssetKey("x.a"), AssetKey("x.b"), AssetKey("x.out")
SIX, FIRST = on_cron("0 6 * * *"), on_cron("0 6 1 * *", timezone="Europe/Berlin")

keys = st.lists(st.sampled_from(["x.a", "x.b", "x.c"]), max_size=2, unique=True)
states = st.recursive(
    keys.map(lambda k: missing(*k)), lambda s: st.tuples(s, s).map(lambda p: p[0] & p[1]) | s.map(lambda t: ~t)
)
events = st.builds(lambda k, each: on_update(*k, all=each), keys, st.booleans()) | st.sampled_from([SIX, FIRST])
triggers = st.recursive(
    events | states,
    lambda t: st.tuples(t, t).map(lambda p: p[0] & p[1]) | st.tuples(t, t).map(lambda p: p[0] | p[1]),
    max_leaves=6,
)
some = st.frozensets(st.sampled_from(["x.a", "x.b", "x.c"]))
signals = st.builds(
    Signals,
    updated=some,
    due=st.frozensets(st.sampled_from([SIX.name, FIRST.name])),
    missing=some | some.map(lambda s: s | {OUT}),
    consumes=st.just(frozenset({A, B})),
    makes=st.just(frozenset({OUT})),
)


@given(triggers)
def test_json_round_trip(trigger: Trigger) -> None:
    """What a manifest holds is read back as it was declared."""
    assert trigger == trigger_from_json(trigger.to_json())


@given(triggers)
def test_text_is_what_a_person_types(trigger: Trigger) -> None:
    """The text of a trigger is Python that makes it again."""
    assert trigger == eval(str(trigger), {"on_update": on_update, "on_cron": on_cron, "missing": missing})  # noqa: S307


@given(triggers, triggers, triggers, signals)
def test_and_and_or_are_those_of_logic(a: Trigger, b: Trigger, c: Trigger, now: Signals) -> None:
    """Both hold as their parts do, whatever the order and the parentheses."""
    assert (a.holds(now) and b.holds(now)) == (a & b).holds(now) == (b & a).holds(now)
    assert (a.holds(now) or b.holds(now)) == (a | b).holds(now) == (b | a).holds(now)
    assert (a & b) & c == a & (b & c)
    assert (a | b) | c == a | (b | c)
    assert (a & (b | c)).holds(now) == (a & b | a & c).holds(now)


@given(states, states, signals)
def test_de_morgan(a: Trigger, b: Trigger, now: Signals) -> None:
    """Not both is one not, and not one is both not; twice not is nothing."""
    assert (~(a & b)).holds(now) == (~a | ~b).holds(now)
    assert (~(a | b)).holds(now) == (~a & ~b).holds(now)
    assert a == ~~a
    assert a.holds(now) != (~a).holds(now)


@given(triggers, signals, some, st.booleans())
def test_news_makes_nothing_untrue(trigger: Trigger, now: Signals, news: frozenset[str], six: bool) -> None:
    """A trigger that holds still holds after another update or tick."""
    later = Signals(
        updated=now.updated | news,
        due=now.due | ({SIX.name} if six else set()),
        missing=now.missing,
        consumes=now.consumes,
        makes=now.makes,
    )

    assert trigger.holds(later) or not trigger.holds(now)


@given(triggers, signals)
def test_what_updates_alone_can_start_needs_no_tick(trigger: Trigger, now: Signals) -> None:
    """A trigger that needs a tick never holds without one."""
    silent = Signals(updated=now.updated, missing=now.missing, consumes=now.consumes, makes=now.makes)

    assert trigger.by_update or not trigger.holds(silent)


@pytest.mark.parametrize(
    ("trigger", "updated", "expected"),
    [
        (on_update(), ["x.a"], True),
        (on_update(), ["x.z"], False),
        (on_update("x.z"), ["x.z"], True),
        (on_update("x.a", "x.b"), ["x.b"], True),
        (on_update("x.a", "x.b", all=True), ["x.b"], False),
        (on_update("x.a", "x.b", all=True), ["x.a", "x.b"], True),
        (on_update(all=True), ["x.a"], False),
        (on_update(all=True), ["x.a", "x.b"], True),
    ],
    ids=str,
)
def test_updates(trigger, updated, expected) -> None:
    """Any of the named or consumed, or each of them; what is only named elsewhere is not meant by `on_update()`."""
    assert expected == trigger.holds(Signals(updated=frozenset(updated), consumes=frozenset({A, B})))


def test_each_of_nothing_is_never_true() -> None:
    """A workflow that consumes nothing is not always triggered by `all`."""
    assert not on_update(all=True).holds(Signals())


def test_what_it_names() -> None:
    """Assets and schedules are found through all levels, each once; watching is of updates alone."""
    trigger = (on_update("x.a") | SIX) & ~missing("x.b") & (SIX | FIRST)

    assert (A, B) == trigger.assets
    assert (SIX, FIRST) == trigger.schedules
    assert (True, False) == (trigger.watches(A), trigger.watches(B))
    assert (True, False) == (on_update().watches(B), on_update().watches(B, consumed=False))
    assert {B} == trigger.absences([OUT])
    assert {OUT} == missing().absences([OUT])


def test_what_nests_is_flat_and_said_once() -> None:
    """Parentheses that say nothing leave no trace; one of the same is itself."""
    assert And((on_update(), SIX, missing())) == on_update() & (SIX & missing()) & SIX
    assert Or((SIX, FIRST)) == SIX | (FIRST | SIX)
    assert SIX == SIX & SIX
    assert Not(Missing()) == ~missing()
    assert OnUpdate() == on_update() | on_update()


def test_absence_asks_and_its_opposite_does_not() -> None:
    """Only what wants something made asks for what nobody else asks for."""
    now = Signals(missing=frozenset({OUT, A}), makes=frozenset({OUT}))

    assert [True, True, False, False] == [
        t.fills(now) for t in (missing(), SIX & missing(), ~missing("x.b"), on_update())
    ]


REFUSED = [
    (lambda: ~on_update(), "no state"),
    (lambda: ~SIX, "no state"),
    (lambda: ~(SIX & missing()), "no state"),
    (lambda: Not(on_update()), "no state"),
    (lambda: ~manual(), "stands alone"),
    (lambda: manual() & on_update(), "can not be combined"),
    (lambda: on_update() | manual(), "can not be combined"),
    (lambda: on_update() and SIX, "combine triggers with & and |"),
    (lambda: not on_update(), "combine triggers with & and |"),
    (lambda: on_update() & "x.a", "that is no trigger"),
    (lambda: "x.a" & on_update(), "that is no trigger"),
    (lambda: on_update & SIX, r"write on_update\(…\)"),
    (lambda: on_cron("0 6 * *"), "has 4 fields"),
    (lambda: on_cron("0 0 6 * * *"), "has 6 fields"),
    (lambda: on_cron("0 25 * * *"), "bad hour"),
    (lambda: on_cron("0 0 30 2 *"), "no such month has"),
    (lambda: on_cron("0 0 */31 2 MON#5"), "never ticks"),
    (lambda: on_cron("0 6 * * *", "Europe/Berlni"), "did you mean 'Europe/Berlin'"),
    (lambda: on_cron("0 6 * * *", "../../etc/passwd"), "no such timezone"),
    (lambda: on_cron("0 6 * * *", timezone=None), "timezone is None"),
    (lambda: trigger_from_json({"kind": "moon"}), "unknown trigger 'moon'"),
    (lambda: trigger_from_json({"kind": "and", "triggers": []}), "combines nothing"),
    (lambda: trigger_from_json({"kind": "and", "triggers": [{"kind": "manual"}]}), "can not be combined"),
]


@pytest.mark.parametrize(("write", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_can_not_be_meant_is_refused_where_it_is_written(write, says) -> None:
    """Each mistake is told with what to write."""
    with pytest.raises(DeclarationError, match=says):
        write()


def test_a_trigger_too_deep_is_refused() -> None:
    """A manifest made by hand breaks nothing."""
    body = on_update().to_json()
    for _ in range(300):
        body = {"kind": "and", "triggers": [body]}

    with pytest.raises(DeclarationError, match="nested deeper"):
        trigger_from_json(body)


def test_an_expression_is_the_same_however_it_is_spaced() -> None:
    """Spaces do not make another schedule."""
    assert SIX == OnCron("0  6 * * * ")
    assert ("0 6 * * * (UTC)", "0 6 1 * * (Europe/Berlin)") == (SIX.name, FIRST.name)


@pytest.mark.parametrize("said", [("0," * 80 + "0 6 * * *", "UTC"), ("0 6 * * *", "a" * 1_000_000)])
def test_a_schedule_of_any_length_is_refused_in_short(said) -> None:
    """Before it is read, and without repeating all of it."""
    with pytest.raises(DeclarationError, match="longer than 100 characters") as refused:
        on_cron(*said)

    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("kind", ["and", "or"])
def test_a_trigger_of_very_many_parts_is_refused(kind: str) -> None:
    """At any depth: all of them are looked at whenever the workflow is. One on_update may name many assets."""
    updates = [on_update(f"n.a{n}").to_json() for n in range(MOST_PARTS + 1)]
    inner = {"kind": "or" if kind == "and" else "and", "triggers": updates[1:]}

    with pytest.raises(DeclarationError, match="combines more than 500 parts"):
        trigger_from_json({"kind": kind, "triggers": [updates[0], inner]})
    assert MOST_PARTS == len(list(trigger_from_json({"kind": kind, "triggers": updates[1:]}).leaves()))
    assert 600 == len(on_update(*(f"n.a{n}" for n in range(600))).assets)
