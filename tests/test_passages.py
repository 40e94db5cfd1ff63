"""Where the passages of a long text begin and end."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.passages import cuts_of
from reading.sentences import sentences_of

Cut = tuple[str, list[int], int]


@st.composite
def cuttings(draw: st.DrawFn) -> Cut:
    """A text, where its tokens begin, and how many of them fit together. Each visible character is a token."""
    text = draw(st.text(alphabet='xxxxyyy...!? \n")', min_size=1, max_size=60))
    return text, [place for place, letter in enumerate(text) if not letter.isspace()], draw(st.integers(1, 12))


every_cutting = settings(max_examples=500, derandomize=True, deadline=None)


@every_cutting
@given(case=cuttings())
def test_every_token_is_in_one_passage_and_every_passage_fits(case: Cut) -> None:
    text, starts, room = case
    cuts = cuts_of(text, starts, room)
    assert (cuts[0], cuts[-1]) == (0, len(starts))
    lengths = [end - start for start, end in pairwise(cuts)]
    assert sum(lengths) == len(starts)
    assert not starts or min(lengths) >= 1
    assert max(lengths) <= room


@every_cutting
@given(case=cuttings())
def test_a_sentence_that_fits_is_never_cut(case: Cut) -> None:
    text, starts, room = case
    cuts = cuts_of(text, starts, room)
    for sentence in sentences_of(text):
        tokens = [number for number, place in enumerate(starts) if sentence.start <= place < sentence.end]
        if len(tokens) <= room:
            assert not set(cuts) & set(tokens[1:])


@every_cutting
@given(case=cuttings())
def test_a_sentence_that_is_too_long_is_cut_into_as_few_parts_as_hold_it(case: Cut) -> None:
    text, starts, room = case
    cuts = cuts_of(text, starts, room)
    for sentence in sentences_of(text):
        tokens = [number for number, place in enumerate(starts) if sentence.start <= place < sentence.end]
        if len(tokens) > room:
            assert tokens[0] in cuts
            assert len(set(cuts) & set(tokens)) == -(-len(tokens) // room)


@every_cutting
@given(case=cuttings())
def test_no_two_neighbouring_passages_would_fit_together(case: Cut) -> None:
    text, starts, room = case
    lengths = [end - start for start, end in pairwise(cuts_of(text, starts, room))]
    assert all(sum(both) > room for both in pairwise(lengths))
