"""Names as the database looks them up: small letters of the plain alphabet, as sync.web.name_search folds them.

An index holds the folded last names, so that "muller" finds Müller and no list of people is read from end to end.
"""

from __future__ import annotations

from django.db.models import Func, TextField

# The one spelling of the expression: an index serves a query only when both say the same. Whoever changes it needs a
# migration that makes the index anew. Most names are plain letters already; what the others need costs five times as
# much with each row that is stored.
FOLDED = (
    "CASE WHEN octet_length({0}) = length({0}) THEN translate(lower({0}), '''`', '') ELSE "
    "replace(replace(replace(replace(regexp_replace(normalize("
    "translate(lower({0}), 'łøđðıħŧŋ''’‘ʼ`´', 'loddihtn'), NFKD), '[\\u0300-\\u036f]', '', 'g'), "
    "'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th') END"
)


class Folded(Func):
    """Quotes are left out: nobody remembers whether it was O'Brien, O’Brien or OBrien."""

    template = FOLDED.format("%(expressions)s")
    arity = 1
    output_field = TextField()
