"""Which partition does the name of an arriving file stand for?"""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riparian.assets.errors import DeclarationError
from riparian.assets.partitions import Cron, Daily, Hourly, Monthly, Partitions, Product, Static, Weekly
from riparian.assets.patterns import BadMatch, parse_pattern, placeholders

DAYS = Daily("day", start="2013-01-01", end="2013-12-31")
EVER = Daily("day", start="0001-01-01")


@pytest.mark.parametrize(
    ("text", "folder", "example"),
    [
        ("drop/flights_{day:%Y-%m-%d}.csv", "drop", "flights_2013-02-03.csv"),
        ("flights_{day:%Y%m%d}.csv", ".", "flights_20130203.csv"),
        ("/data/in/{day:%Y/%m/%d}.csv", "/data/in", "2013/02/03.csv"),
        ("/{day:%Y%j}.csv", "/", "2013034.csv"),
        ("./a//b/{day:%d%b%y}/x.csv", "a/b", "03Feb13/x.csv"),
        ("../shared/{day}.csv", "../shared", "2013-02-03.csv"),
        ("a/{{b}}/c{{{day}}}.csv", "a/{b}", "c{2013-02-03}.csv"),
        ("drop/100%_{day:%Y%%%m%%%d}.csv", "drop", "100%_2013%02%03.csv"),
    ],
)
def test_pattern_names_folder_and_partition(text: str, folder: str, example: str) -> None:
    """The folder is what stands before the placeholder's segment; the rest is matched and formatted."""
    pattern = parse_pattern(text)

    assert (folder, "2013-02-03", example) == (
        pattern.folder,
        pattern.match(example, DAYS),
        pattern.format("2013-02-03"),
    )


@given(
    day=st.dates(),
    strftime=st.sampled_from(
        [
            "%Y-%m-%d",
            "%Y%m%d",
            "%d.%m.%Y",
            "%Y%j",
            "%j-%Y",
            "%d%b%Y",
            "%Y/%m/%d",
            "%b %d, %Y",
            "%%%Y%m%d",
            "%Y%y%m%b%d%j",
        ]
    ),
    before=st.text(st.characters(exclude_characters="/.*?~\0", exclude_categories=["Cs"]), max_size=5),
    after=st.sampled_from([".csv", "", "x", "/data.parquet", " {"]),
)
def test_format_then_match_gives_the_partition(day: date, strftime: str, before: str, after: str) -> None:
    """The name that a partition's file has is matched as that partition, in every notation and with any text around."""
    quoted = [text.replace("{", "{{").replace("}", "}}") for text in (before, after)]
    pattern = parse_pattern(f"drop/{quoted[0]}{{day:{strftime}}}{quoted[1]}")

    assert day.isoformat() == pattern.match(pattern.format(day.isoformat()), EVER)


@given(day=st.dates(date(1969, 1, 1), date(2068, 12, 31)))
def test_two_digit_years_are_1969_to_2068(day: date) -> None:
    """Two digits of a year mean what POSIX says."""
    pattern = parse_pattern("{day:%y%m%d}.csv")

    assert day.isoformat() == pattern.match(pattern.format(day.isoformat()), EVER)


@given(st.text(st.characters(exclude_characters="\0"), max_size=30))
def test_no_name_breaks_a_match(name: str) -> None:
    """Any name gives a partition that the definition holds, a reason, or nothing."""
    match = parse_pattern("{region}_{day}.csv").match(f"{name}_2013-02-03.csv", DAYS)

    assert match == ("2013-02-03" if name and "/" not in name else None)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("flights_2013-02-31.csv", "'2013-02-31' is not a day written %Y-%m-%d"),
        ("flights_2012-12-31.csv", "partition '2012-12-31' lies outside 2013-01-01 to 2013-12-31"),
        ("flights_0000-01-01.csv", "'0000-01-01' is not a day written %Y-%m-%d"),
    ],
)
def test_right_shape_but_no_partition_says_why(name: str, reason: str) -> None:
    """A name of the right shape that stands for no partition is told from one of another shape."""
    assert BadMatch(reason) == parse_pattern("drop/flights_{day:%Y-%m-%d}.csv").match(name, DAYS)


@pytest.mark.parametrize(
    "text", ["{day:%Y%j}", "{day:%Y%m%d%j}", "{day:%Y%y%m%d}", "{day:%d%b%Y}"], ids=["leap", "two", "years", "case"]
)
def test_a_day_has_one_spelling(text: str) -> None:
    """The 366th of a common year, parts that contradict each other and another case are no day."""
    name = {"{day:%Y%j}": "2013366", "{day:%Y%m%d%j}": "20130203099", "{day:%Y%y%m%d}": "2013140203"}.get(
        text, "03feb2013"
    )

    assert isinstance(parse_pattern(text).match(name, EVER), BadMatch)


@pytest.mark.parametrize(
    "name", ["flights_2013-2-3.csv", "xflights_2013-02-03.csv", "flights_2013-02-03.csv.gz", "a/b", ""]
)
def test_another_shape_is_no_match(name: str) -> None:
    """The whole name must fit, digit for digit."""
    assert parse_pattern("drop/flights_{day:%Y-%m-%d}.csv").match(name, DAYS) is None


def test_without_partitions_every_fitting_file_is_the_whole_asset() -> None:
    """An asset in one piece takes each file that fits, with or without placeholders."""
    assert ("", "", None) == (
        parse_pattern("drop/rates.csv").match("rates.csv", None),
        parse_pattern("drop/{name}.csv").match("rates.csv", None),
        parse_pattern("drop/{name}.csv").match("a/rates.csv", None),
    )


def test_other_placeholders_are_formatted_by_name() -> None:
    """A placeholder that is not the dimension needs its text to make a name."""
    assert "eu_2013-02-03.csv" == parse_pattern("{region}_{day}.csv").format("2013-02-03", {"region": "eu"})


def test_placeholders_in_order() -> None:
    """The names between the braces, as written."""
    assert ("region", "day") == placeholders("drop/{region}/{{x}}_{day:%Y-%m-%d}.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no file"),
        ("drop/", "names no file"),
        ("{day:%Y/%m/%d/}", "names no file"),
        ("drop/*.csv", "wildcard"),
        ("{day:%S%Y%m%d}.csv", "use %Y %y %m %b %d %j %H %M"),
        ("{day:%Y%m%d%}.csv", "use %Y %y %m %b %d %j %H %M"),
        ("{day:%Y}.csv", "does not name a whole moment"),
        ("{day:%d%j}.csv", "does not name a whole moment"),
        ("{day:%Y%m%d%M}.csv", "does not name a whole moment"),
        ("{day:%Y%Y%m%d}.csv", "twice"),
        ("{day}/{day}.csv", "names 'day' twice"),
        ("{a}{b}.csv", "does not say where 'a' ends"),
        ("{}.csv", "is not a placeholder"),
        ("{0}.csv", "is not a placeholder"),
        ("{day!r}.csv", "is not a placeholder"),
        ("{day.year}.csv", "is not a placeholder"),
        ("{day", "can not be read"),
        ("day}", "can not be read"),
        ("{day}/../x.csv", r"\.\. folder"),
        ("{day}//x.csv", "empty"),
        ("~/drop/x.csv", "begins with ~"),
        ("drop/.{day}", "hidden or unfinished"),
        ("drop/{day}.part", "hidden or unfinished"),
    ],
)
def test_bad_patterns_are_refused(text: str, says: str) -> None:
    """What can not be meant is refused with the remedy."""
    with pytest.raises(DeclarationError, match=says):
        parse_pattern(text)


def test_check_wants_the_dimension_named() -> None:
    """Partitions that the name does not tell, and days that no partition is called after, are refused."""
    with pytest.raises(DeclarationError, match="does not say which 'day'"):
        parse_pattern("drop/{region}.csv").check(DAYS)
    with pytest.raises(DeclarationError, match="no partition is called so"):
        parse_pattern("drop/{date:%Y-%m-%d}.csv").check(None)


def test_check_takes_what_can_be_matched() -> None:
    """A dimension in any notation, plain placeholders beside it, and none at all are fine."""
    checked = [parse_pattern("{region}_{day}.csv").check(DAYS), parse_pattern("{name}.csv").check(None)]

    assert [None, None] == checked


REGIONS = Static("region", ["eu", "us-east"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eu.csv", "eu"),
        ("us-east.csv", "us-east"),
        ("uk.csv", BadMatch("partition 'uk' is none of 'region'; write one of 'eu', 'us-east'")),
        ("EU.csv", BadMatch("partition 'EU' is none of 'region'; write one of 'eu', 'us-east'")),
        ("eu.json", None),
        ("eu/us.csv", None),
    ],
)
def test_a_static_placeholder_is_one_of_the_keys(name: str, expected: object) -> None:
    """A file whose key is none of them is told why it is for nobody."""
    pattern = parse_pattern("drop/{region}.csv")
    pattern.check(REGIONS)

    assert expected == pattern.match(name, REGIONS)


def test_a_static_partition_has_its_file() -> None:
    """The name of a partition's file is its key in the placeholder's place."""
    assert "us-east/x.csv" == parse_pattern("drop/{region}/x.csv").format("us-east")


@pytest.mark.parametrize(
    ("text", "says"), [("drop/x.csv", r"write \{region\} where"), ("{region:%Y-%m-%d}.csv", r"write \{region\}$")]
)
def test_a_static_dimension_is_no_day(text: str, says: str) -> None:
    """A pattern must say which key a file is for, and can not read it as a day."""
    with pytest.raises(DeclarationError, match=says):
        parse_pattern(text).check(REGIONS)


HOURS, MONTHS = Hourly("hour", "2013-01-01"), Monthly("month", "2013-01")
WEEKS, TICKS = Weekly("week", "2013-01-07"), Cron("tick", "30 5 * * *", "2013-01-01")


@pytest.mark.parametrize(
    ("text", "partitions", "name", "expected"),
    [
        ("{hour:%Y-%m-%dT%H}.csv", HOURS, "2013-02-03T05.csv", "2013-02-03T05Z"),
        ("{hour}.csv", HOURS, "2013-02-03T05Z.csv", "2013-02-03T05Z"),
        ("{hour:%Y/%m/%d/%H%M}.csv", HOURS, "2013/02/03/0500.csv", "2013-02-03T05Z"),
        ("{hour:%Y%m%d%H}.csv", HOURS, "2013020324.csv", BadMatch("'2013020324' is not a hour written %Y%m%d%H")),
        ("{hour:%Y%m%d%H}.csv", HOURS, "20130203.csv", None),
        ("{month:%Y-%m}.csv", MONTHS, "2013-02.csv", "2013-02"),
        ("{month}.csv", MONTHS, "2013-02.csv", "2013-02"),
        ("{month:%b%y}.csv", MONTHS, "Feb13.csv", "2013-02"),
        ("{month:%Y%m%d}.csv", MONTHS, "20130201.csv", "2013-02"),
        ("{month:%Y%m%d}.csv", MONTHS, "20130202.csv", BadMatch("'20130202' is not a month written %Y%m%d")),
        ("{week}.csv", WEEKS, "2013-02-04.csv", "2013-02-04"),
        ("{week}.csv", WEEKS, "2013-02-05.csv", BadMatch("'2013-02-05' is not a week written %Y-%m-%d")),
        ("{tick:%Y%m%d_%H%M}.csv", TICKS, "20130203_0530.csv", "2013-02-03T0530Z"),
        (
            "{tick:%Y%m%d_%H%M}.csv",
            TICKS,
            "20130203_0531.csv",
            BadMatch("'20130203_0531' is not a tick written %Y%m%d_%H%M"),
        ),
    ],
)
def test_names_of_other_windows(text: str, partitions: Partitions, name: str, expected: object) -> None:
    """A file's name says when its window begins, in any notation that says it whole; and the other way round."""
    pattern = parse_pattern(text)
    pattern.check(partitions)

    assert expected == pattern.match(name, partitions)
    if isinstance(expected, str):
        assert name == pattern.format(expected)


@pytest.mark.parametrize(
    ("text", "partitions", "says"),
    [
        ("{hour:%Y-%m-%d}.csv", HOURS, r"does not say the hour of 'hour' .* \{hour:%Y-%m-%dT%HZ\}"),
        ("{day:%Y-%m}.csv", DAYS, "does not say the day"),
        ("{tick:%Y%m%d%H}.csv", TICKS, "does not say the minute"),
        ("x.csv", MONTHS, r"write \{month:%Y-%m\} where"),
    ],
)
def test_a_name_says_the_whole_window(text: str, partitions: Partitions, says: str) -> None:
    """A pattern that leaves it open which window a file is for is refused."""
    with pytest.raises(DeclarationError, match=says):
        parse_pattern(text).check(partitions)


SALES = Product(DAYS, Static("region", ["eu", "eu_west", "us"]), Static("shop", ["west_a", "a"]))


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("in/{region}/{day:%d%b%Y}_{shop}.csv", "eu/03Feb2013_a.csv", "2013-02-03,eu,a"),
        ("in/{region}_{shop}_{day}.csv", "eu_west_a_2013-02-03.csv", "2013-02-03,eu,west_a"),
        ("in/{region}_{shop}_{day}.csv", "eu_west_west_a_2013-02-03.csv", "2013-02-03,eu_west,west_a"),
    ],
)
def test_a_name_says_the_key_of_each_dimension(text: str, name: str, found: str) -> None:
    """In any order and notation; where a name can be read in several ways, one that reads keys wins."""
    pattern = parse_pattern(text)
    pattern.check(SALES)

    assert found == pattern.match(name, SALES)
    assert found == pattern.match(pattern.format(found, partitions=SALES), SALES)


def test_what_a_name_does_not_say_of_several_dimensions() -> None:
    """The first that is missing or wrong is told."""
    with pytest.raises(DeclarationError, match=r"does not say which 'region' a file is for; write \{region\} where"):
        parse_pattern("{day}/{shop}.csv").check(SALES)
    with pytest.raises(DeclarationError, match="reads 'shop' as a day, but its partitions are keys"):
        parse_pattern("{day}/{region}/{shop:%Y%m%d}.csv").check(SALES)
    pattern = parse_pattern("{day}/{region}_{shop}.csv")
    for name, why in (
        ("2013-02-03/uk_a.csv", "partition 'uk' is none of 'region'"),
        ("2013-02-30/eu_a.csv", "'2013-02-30' is not a day written %Y-%m-%d"),
    ):
        match = pattern.match(name, SALES)
        assert isinstance(match, BadMatch)
        assert why in match.reason
