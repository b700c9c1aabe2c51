"""Somebody in front of a browser, and what the browser's console said meanwhile."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.test import Client
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page

# A poll every 5 s, and a slow machine.
SOON = 15_000
# What the browser remarks on Django's own forms; no error and no refusal begins so.
ADVICE = ("[DOM]", "Autofocus processing was blocked")
# htmx marks what waits for an answer, and what an answer has just been put into.
_ALL_LOADED = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling, .htmx-added')"


class Visitor:
    """`page` is the one that they look at; `messages` is everything that the console said, page errors too."""

    def __init__(self, context: BrowserContext, site: str, user: AbstractBaseUser | None) -> None:
        self.context = context
        self.site = site
        self.messages: list[str] = []
        if user is not None:
            session = Client()
            session.force_login(user)
            cookie = session.cookies["sessionid"].value
            context.add_cookies([{"name": "sessionid", "value": cookie, "url": site}])
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.messages.append(str(error.error)))
        self.page: Page = context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(ADVICE):
            self.messages.append(message.text)

    def open(self, path: str) -> Page:
        """The page with everything that it loads on the first visit."""
        self.page.goto(self.site + path)
        self.page.wait_for_function(_ALL_LOADED)
        return self.page

    def tab_to(self, target: Locator, *, most: int = 60) -> None:
        """Press Tab until it has the focus, as somebody without a mouse does."""
        for _ in range(most):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{most} times Tab do not reach {target}")

    def leave(self) -> None:
        self.context.close()
