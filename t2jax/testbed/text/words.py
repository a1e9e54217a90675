"""The words of the synthetic tasks, short and common so that a small encoding needs few tokens for them."""

__all__ = ["BEASTS", "COLOURS", "EVENTS", "FIRST", "LAST", "TOWNS", "YEARS"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words("""
ann ben carl dan eve finn gus hal ida jack kate leo mary ned olga paul rose sam tom una vera will john jane
mark luke peter anna clara david emma frank george helen james laura martin nora oscar ruth
""")
LAST = _words("""
hill wood stone lake field ford brook moore day king bell reed hall green grant cook fisher hunter marsh
mill north page price rice short snow summer west white winter young baker carter cross dean fox gray
hart lane
""")
TOWNS = _words("""
paris london rome boston dover york athens cairo delhi oslo milan lima perth salem dublin berlin vienna
madrid lisbon denver austin geneva havana leeds bath
""")
COLOURS = _words("red blue black brown pink grey gold silver orange purple")
BEASTS = _words("dog cat horse cow sheep goat hen duck pig mouse rabbit bear wolf lion snake frog bee ant owl crow")
EVENTS = _words("""
rain wind fire flood storm frost harvest feast dance song war peace meal sleep work play market
wedding journey battle trial lesson prayer supper
""")
YEARS = tuple(str(year) for year in range(1500, 2000))
