"""An error is taken apart as it was put together: our sentence, and the provider's own words."""

from __future__ import annotations

from partners.runsignup.answer import Answer
from partners.runsignup.outcomes import by_error, by_status
from sync.web.error_words import error_words


def answer(status: int) -> Answer:
    return Answer(status=status, headers={}, body=b"")


def test_the_providers_words_and_code_are_told_from_the_sentence():
    error = by_error(b'{"error_code": 7, "error_msg": "Access (denied): you."}', answer(200), asked="race")

    words = error_words(error.text)

    assert words.words == "Access (denied): you"
    assert words.code == "error 7"
    assert words.plain == "RunSignUp gives this key no access: the race director must add the timing company."


def test_an_answer_without_words_leaves_its_status():
    words = error_words(by_status(answer(503)).text)

    assert (words.plain, words.words, words.code) == ("RunSignUp is unavailable.", "", "HTTP 503")


def test_a_sentence_of_our_own_stays_whole():
    text = "The process that ran this sync ended before it was done. It is repeated at once."

    assert error_words(text).plain == text
    assert error_words("").plain == ""
