"""The mixture of episodes: which kinds, how often, how many rows each."""

from collections.abc import Callable
from random import Random

from recipes import asking, generated
from recipes.books import Books
from recipes.episode import Episode
from recipes.meaning import Meanings
from recipes.sets import Sets
from recipes.sorting import Sorting, sort_out

Make = Callable[[Random, int], Episode]


def mixture(books: Books, sets: Sets) -> dict[Make, float]:
    """What makes an episode of so many rows, with its share."""
    return {
        sorting(generated.kinds): 10,
        sorting(generated.moods): 8,
        sorting(generated.holding): 4,
        sorting(generated.containing): 3,
        sorting(generated.beginning): 2,
        sorting(generated.comparing): 3,
        sorting(sets.by_mood): 12,
        sorting(sets.by_intent): 14,
        sorting(sets.by_example): 10,
        sorting(books.by_book): 5,
        sorting(books.by_topic): 7,
        sorting(books.by_manner): 3,
        asking.edits: 14,
        asking.relations: 4,
        asking.mappings: 4,
        asking.lookups: 4,
        asking.facts: 6,
        asking.sums: 4,
        asking.counting: 2,
        books.blanks: 4,
        sets.naming: 4,
    }


def with_meanings(makes: dict[Make, float], meanings: Meanings) -> dict[Make, float]:
    """The same, and sortings by meaning besides."""
    return {**makes, sorting(meanings.by_meaning): 40}


def sorting(make: Callable[[Random], Sorting]) -> Make:
    """What makes an episode of a drawn sorting."""
    return lambda draw, count: sort_out(make(draw), draw, count)


def episode(makes: dict[Make, float], draw: Random) -> Episode:
    """One episode; a third of them are a row alone, most of the others have many."""
    (make,) = draw.choices(list(makes), list(makes.values()))
    return make(draw, draw.choice([1, 1, 1, 1, 2, 3, 4, 5, 6, 8, 10, 12]))
