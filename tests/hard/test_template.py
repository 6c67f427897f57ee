"""A template is read by its own grammar; a value is never more than a value."""

import random
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import InputError
from afina.hard.template import FUEL, LONGEST, Template
from afina.hard.template_reading import DEEPEST

PAYLOADS = [
    "{{7*7}}",
    "{{ name }}",
    "{x.__class__}",
    "{{ x.__class__.__mro__ }}",
    "{% for i in range(9) %}x{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{%",
    "%}",
    "{#",
    "#}",
    "${}",
    "${7*7}",
    "{0}",
    "%s %(x)s",
    "<b>&amp;</b>",
    "{% raw %}",
    "{% endraw %}",
    "\\n",
    "\r\n",
    "\x00",
    "{{ '",
    "}}",
    "é😀",
]
EVENTS: list[str] = []
WATCHED = ("open", "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect")


def hostile(seed: int, count: int) -> list[str]:
    """Values of payloads joined at random, each with a number of its own."""
    draw = random.Random(seed)
    return [
        f"{draw.choice(PAYLOADS)}{number}{''.join(draw.choices(PAYLOADS, k=draw.randrange(4)))}!"
        for number in range(count)
    ]


def test_ten_thousand_hostile_values_stand_verbatim_once() -> None:
    """FAULTS 15. Broken by rendering what was rendered once more."""
    watching = True
    sys.addaudithook(lambda event, _: EVENTS.append(event) if watching else None)
    plain = Template('{"a": {"b": {{ name }}}} {0} ${} {#')
    nested = Template("{% if name %}{% for each in many %}<{{ each }}>{% endfor %}{% endif %}")
    for value in hostile(0, 10_000):
        assert plain.render({"name": value}) == f'{{"a": {{"b": {value}}}}} {{0}} ${{}} {{#'
        assert nested.render({"name": "x", "many": [value]}) == f"<{value}>"
    watching = False
    assert not [event for event in EVENTS if event in WATCHED]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ x.__class__ }}", "came '.'; templates have no attributes"),
        ("{{ x['a'] }}", "came '['; templates have no indices"),
        ("{{ x() }}", "came '('; templates have no calls"),
        ("{{ x|upper }}", "came '|'; templates have no filters"),
        ("{{ __x__ }}", "expected a field's name, came '__x__'"),
        ("{{ 7*7 }}", "came '7'"),
        ("{{ x y }}", "expected one field's name or one text in quotes"),
        ("{{ }}", "expected one field's name or one text in quotes"),
        ("{{ not }}", "expected a field's name, came 'not'"),
        ("{{ x", "{{ is never closed"),
        ("{{ 'x }}", 'came "\'"'),
        ("{%", "{% is never closed"),
        ("{% %}", "expected if, elif, else, endif"),
        ("{%- if x %}", "came '-'; templates have no marks for white space"),
        ("{% include 'a' %}", "endfor, came 'include'"),
        ("{% import 'a' as b %}", "endfor, came 'import'"),
        ("{% extends 'a' %}", "endfor, came 'extends'"),
        ("{% macro f() %}", "endfor, came 'macro'"),
        ("{% set a = b %}", "endfor, came 'set'"),
        ("{% raw %}", "endfor, came 'raw'"),
        ("{# {{ x.y }} #}", "came '.'; templates have no attributes"),
        ("{% raw %}{{ x.y }}{% endraw %}", "came 'raw'"),
        ("{% if x %}", "the if is never closed; add endif"),
        ("{% if %}a{% endif %}", "expected a field's name, came '%}'"),
        ("{% if x and %}a{% endif %}", "expected a field's name, came '%}'"),
        ("{% if x y %}a{% endif %}", "expected and, or, == or !=, came 'y'"),
        ("{% if x == y %}a{% endif %}", "expected a text in quotes, came 'y'"),
        ("{% if 'x' %}a{% endif %}", "expected a field's name"),
        ("{% if x.y %}a{% endif %}", "came '.'"),
        ("{% elif x %}", "elif belongs to no if"),
        ("{% if x %}{% else %}{% else %}{% endif %}", "else belongs to no if"),
        ("{% if x %}{% endfor %}", "endfor closes nothing"),
        ("{% for x in y %}{% else %}{% endfor %}", "else belongs to no if"),
        ("{% for x in y.z %}{% endfor %}", "came '.'"),
        ("{% for x in 'abc' %}{% endfor %}", "came 'for'"),
        ("{% for x in range(9) %}{% endfor %}", "came '('"),
        ("{% for x in y %}{% for x in y %}{% endfor %}{% endfor %}", "name 'x' is taken"),
        ("{{ x }}{% for x in y %}{% endfor %}", "name 'x' is taken"),
        ("{% for _x in y %}{% endfor %}", "name '_x' is taken"),
    ],
)
def test_what_is_no_field_or_block_is_refused_with_its_line(text: str, reason: str) -> None:
    """FAULTS 16. A comment or raw block hides nothing: there are none."""
    with pytest.raises(InputError) as caught:
        Template(f"one\ntwo\n{text}")
    assert str(caught.value).startswith("line 3: ")
    assert reason in str(caught.value)


def test_an_unknown_field_is_refused_with_its_line() -> None:
    """Wherever it stands, also where it would never be rendered."""
    for text in ("{{ b }}", "{% if a and not b %}x{% endif %}", "{% for c in b %}{% endfor %}"):
        with pytest.raises(InputError, match="line 2: the field 'b' is unknown; known are a"):
            Template(f"{{{{ a }}}}\n{text}").check(["a"])
    Template("{% for c in a %}{{ c }}{% endfor %}").check(["a"])


def test_a_loop_s_name_is_unknown_behind_its_loop() -> None:
    with pytest.raises(InputError, match="line 1: the field 'c' is unknown"):
        Template("{% for c in a %}{% endfor %}{{ c }}").check(["a"])


def test_a_loop_over_a_text_is_refused() -> None:
    """Broken by minijinja, which loops over a text's characters."""
    template = Template("{% for c in a %}{{ c }}{% endfor %}")
    with pytest.raises(InputError, match="line 1: expected a list to loop over, came the field"):
        template.check(["a"], lists=["b"])
    template.check(["a"], lists=["a"])


@pytest.mark.parametrize(
    "text",
    ['{"a": {"b": [1, {"c": 2}]}}', "{0} {x:>9} ${}", "{# note #}", "{ {", "} }", "%} #}", "{", ""],
)
def test_braces_need_no_escape(text: str) -> None:
    assert Template(text).render({}) == text
    assert Template(f"{text} {{{{ a }}}}{text}").render({"a": "b"}) == f"{text} b{text}"


@given(st.text(alphabet="{%}#'\" \nax", max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_made_to_stand_verbatim(text: str) -> None:
    assert Template.verbatim(text).render({}) == text


@given(st.text(alphabet="{%}#'\"= \nabiforned_.", max_size=40))
@settings(max_examples=500, deadline=None)
def test_what_is_read_renders_and_what_is_not_is_refused_by_us(text: str) -> None:
    """Broken by a template that minijinja reads otherwise than we do."""
    try:
        template = Template(text)
    except InputError:
        return
    template.render({name: ["v"] for name in template.names})


@pytest.mark.parametrize(
    "name", ["self", "loop", "true", "None", "name", "range", "é", "in_", "t0"]
)
def test_a_field_may_have_any_name(name: str) -> None:
    """Broken by names that mean something to Python or to minijinja."""
    text = f"{{{{ {name} }}}}{{% for item in {name} %}}[{{{{ item }}}}]{{% endfor %}}"
    assert Template(text).render({name: ["a", "b"]}) == "a b[a][b]"


def test_blocks_choose_and_repeat() -> None:
    text = "{% if a == 'x' and not b %}1{% elif b != '' or c %}2{% else %}3{% endif %}"
    template = Template(text)
    assert template.render({"a": "x", "b": "", "c": False}) == "1"
    assert template.render({"a": "x", "b": "y", "c": False}) == "2"
    assert template.render({"a": "z", "b": "", "c": 0}) == "3"
    assert template.names == ("a", "b", "c")
    pairs = Template("{% for a in x %}{% for b in y %}{{ a }}{{ b }} {% endfor %}{% endfor %}")
    assert pairs.render({"x": ["1", "2"], "y": ["3", "4"]}) == "13 14 23 24 "


def test_a_block_alone_on_its_line_takes_the_line_with_it() -> None:
    text = "a\n  {% if x %}  \n  b\n{% else %}\n c\n\n{% endif %}\nd {% if x %}e\n{% endif %}\nf\n"
    assert Template(text).render({"x": True}) == "a\n  b\nd e\nf\n"
    assert Template(text).render({"x": False}) == "a\n c\n\nd f\n"


def test_a_field_may_stand_as_html() -> None:
    """As mustache writes it: four characters, and no others."""
    template = Template("{{ a as html }}|{{ a }}|{{ as as html }}")
    values = {"a": "<b>&amp;\"'", "as": ["<", ">"]}
    assert template.render(values) == "&lt;b&gt;&amp;amp;&quot;'|<b>&amp;\"'|&lt; &gt;"
    assert template.names == ("a", "as")
    for text in ("{{ a as text }}", "{{ 'a' as html }}", "{{ a html }}"):
        with pytest.raises(InputError, match="line 1: expected one field's name or one text"):
            Template(text)
    with pytest.raises(InputError, match="came 'b as html'"):
        Template("{% for b in a %}{{ b as html }}{% endfor %}")


def test_values_of_nothing_are_written() -> None:
    """FAULTS 13."""
    values = {"a": 0, "b": 0.0, "c": False, "d": "", "e": ["x", ""]}
    text = "|".join(f"{{{{ {name} }}}}" for name in values)
    assert Template(text).render(values) == "0|0.0|False||x "


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(InputError, match="expected the input 'b', came a"):
        Template("{{ a }}{{ b }}").render({"a": ""})


def test_half_a_character_is_refused() -> None:
    """Broken by minijinja, which writes another character in its place."""
    with pytest.raises(InputError, match="expected a text of whole characters"):
        Template("{{ a }}").render({"a": "x\ud800"})


def test_a_template_takes_no_more_than_its_fuel() -> None:
    template = Template("{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}")
    clock = time.perf_counter()
    with pytest.raises(InputError, match=f"more than {FUEL} steps; loop over shorter lists"):
        template.render({"x": ["a"] * 1000})
    assert time.perf_counter() - clock < 1


def test_a_text_grows_no_longer_than_the_limit() -> None:
    """A value and the template's own words count alike; a fresh rendering begins at nothing."""
    long = "a" * (LONGEST // 4)
    for text, count in (("{{ x }}", 4), (long, 4)):
        template = Template("{% for a in many %}" + text + "{% endfor %}")
        assert len(template.render({"many": ["a"] * count, "x": long})) == LONGEST
        with pytest.raises(InputError, match="the text grows past 10000000 characters"):
            template.render({"many": ["a"] * (count + 1), "x": long})
        assert len(template.render({"many": ["a"] * count, "x": long})) == LONGEST


def test_blocks_stand_in_one_another_only_so_deep() -> None:
    text = "{% if x %}" * DEEPEST + "y" + "{% endif %}" * DEEPEST
    assert Template(text).render({"x": True}) == "y"
    with pytest.raises(InputError, match="line 1: more than 20 blocks"):
        Template("{% if x %}" + text + "{% endif %}")


def test_equal_texts_are_equal_templates() -> None:
    assert Template("{{ a }}") == Template("{{ a }}")
    assert hash(Template("{{ a }}")) == hash(Template("{{ a }}"))
    assert Template("{{ a }}") != Template("{{ b }}")
