// Keeps a polled page honest: says so when it is not current any more, and leaves the reader's place alone.
(function () {
  "use strict";
  var STALE_AFTER = 30000;
  var MESSAGE_SHOWN = 60000;
  var AFTER_DOWNLOAD = 2000;
  var live = document.getElementById("live");
  var stale = document.getElementById("stale");
  if (!live || !stale) return;

  var lastGood = Date.now();
  var failed = false;

  function clock(at) {
    return new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  }

  function show() {
    var isStale = failed || Date.now() - lastGood > STALE_AFTER;
    if (isStale && stale.hidden) {
      document.getElementById("stale-text").textContent =
        "This page is stale: no answer from Project88 since " + clock(lastGood) + " (this device's clock).";
    }
    stale.hidden = !isStale;
    live.classList.toggle("is-stale", isStale);
    tick();
  }

  // How far Project88's clock is ahead of this device's, in milliseconds.
  var ahead = live.dataset.now * 1000 - Date.now();
  function learnClock(xhr) {
    var found = Date.parse(xhr.getResponseHeader("Date")) - Date.now();
    // The header knows whole seconds: a smaller difference is none, and would make ages jump.
    if (Math.abs(found - ahead) > 2000) ahead = found;
  }

  // The server says "just now" and minutes, so that it need not send a page for each second; the seconds are counted here.
  // And while no answer comes, what is old must not go on being called new.
  function tick() {
    var now = Date.now() + ahead;
    var selection = window.getSelection();
    if (selection && !selection.isCollapsed) return;
    document.querySelectorAll("[data-ago]").forEach(function (span) {
      var time = span.parentNode.previousElementSibling;
      var wasAhead = span.dataset.ago || (/^(in|within) /.test(span.textContent) ? "ahead" : "past");
      var text = time && away((Date.parse(time.dateTime) - now) / 1000, wasAhead === "ahead");
      span.dataset.ago = wasAhead;
      if (text && text !== span.textContent) span.textContent = text;
    });
  }
  function away(seconds, wasAhead) {
    // What was to come and came is told at the next poll.
    if (wasAhead && seconds <= 0 && seconds > -60) return "now";
    if (!wasAhead && seconds > 0) return "just now";
    var words = spanWords(Math.floor(Math.abs(seconds)));
    return words && (seconds > 0 ? "in " + words : words + " ago");
  }
  // As the server says it; from two days on that is left as it is.
  function spanWords(seconds) {
    var minutes = Math.floor(seconds / 60);
    if (seconds < 60) return seconds + " s";
    if (minutes < 60) return minutes + " min";
    if (minutes < 48 * 60) return Math.floor(minutes / 60) + " h" + (minutes % 60 ? " " + (minutes % 60) + " min" : "");
    return null;
  }

  function lookAgain() {
    if (!document.hidden && window.htmx) parts.forEach(function (part) { window.htmx.trigger(part.element, "look-again"); });
    show();
  }

  document.body.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful) learnClock(event.detail.xhr);
    if (event.detail.elt !== live) {
      sayOfPart(event.detail.elt, event.detail.successful);
      return;
    }
    failed = !event.detail.successful;
    if (!failed) lastGood = Date.now();
    show();
  });

  // What is asked for again, each part with what the reader opened or scrolled in it.
  var parts = [live].concat(["day-live", "why-live", "race-checks", "ahead-live", "races-live", "keys-live", "last-day-live"].map(function (id) { return document.getElementById(id); })).filter(Boolean).map(function (element) {
    return { element: element, etag: null, open: [], loaded: {}, scrolled: {}, focused: null, lastGood: /load/.test(element.getAttribute("hx-trigger")) ? null : Date.now() };
  });

  // A part that is not answered while the rest of the page is: it would look as current as the rest.
  function sayOfPart(element, isAnswered) {
    var part = parts.find(function (one) { return one.element === element; });
    if (!part) return;
    var note = element.querySelector(":scope > .part-stale");
    if (isAnswered) {
      part.lastGood = Date.now();
      if (note) note.remove();
    } else if (!note) {
      note = document.createElement("p");
      note.className = "part-stale";
      note.textContent = part.lastGood
        ? "This part is stale: no answer since " + clock(part.lastGood) + " (this device's clock)."
        : "This part did not load. It is asked for again by itself.";
      element.prepend(note);
    }
  }

  // Which copy is here. A browser says it itself where it keeps one, and of a shared page it keeps none.
  document.body.addEventListener("htmx:configRequest", function (event) {
    var part = partOf(event);
    if (part && part.etag) event.detail.headers["If-None-Match"] = part.etag;
  });
  function partOf(event) {
    return parts.find(function (part) { return part.element === event.detail.target; });
  }

  // The same bytes again: nothing to swap, so a selection, the focus and a screen reader stay where they are.
  document.body.addEventListener("htmx:beforeSwap", function (event) {
    var part = partOf(event);
    if (!part) return;
    if (part.element !== live && isSelected(part.element)) {
      event.detail.shouldSwap = false;
      return;
    }
    var found = event.detail.xhr.getResponseHeader("ETag");
    if (found !== null && found === part.etag) event.detail.shouldSwap = false;
    else if (event.detail.shouldSwap) remember(part);
    part.etag = found;
  });

  // Somebody copies the explanation: it must not be replaced under the mouse.
  function isSelected(element) {
    var selection = window.getSelection();
    return Boolean(selection) && !selection.isCollapsed && selection.containsNode(element, true);
  }

  function remember(part) {
    var element = part.element, active = document.activeElement;
    part.open = Array.from(element.querySelectorAll("details[open][id]"), function (box) { return box.id; });
    part.loaded = {};
    element.querySelectorAll("details[open] > [data-loaded][id]").forEach(function (box) { part.loaded[box.id] = Array.from(box.childNodes); });
    part.scrolled = {};
    element.querySelectorAll(".scroll[id]").forEach(function (box) { part.scrolled[box.id] = box.scrollLeft; });
    part.focused = active && element.contains(active) ? path(active) : null;
  }
  function path(element) {
    if (element.id) return "#" + window.CSS.escape(element.id);
    if (element.tagName === "SUMMARY" && element.parentNode.id) return "#" + window.CSS.escape(element.parentNode.id) + " > summary";
    if (element.tagName === "A") return 'a[href="' + window.CSS.escape(element.getAttribute("href")) + '"]';
    return null;
  }
  document.body.addEventListener("htmx:afterSwap", function (event) {
    var part = partOf(event);
    if (!part) return;
    part.open.forEach(function (id) { var box = document.getElementById(id); if (box) box.open = true; });
    // What was loaded into it stays until it is loaded anew.
    Object.keys(part.loaded).forEach(function (id) { var box = document.getElementById(id); if (box) box.replaceChildren.apply(box, part.loaded[id]); });
    Object.keys(part.scrolled).forEach(function (id) { var box = document.getElementById(id); if (box) box.scrollLeft = part.scrolled[id]; });
    var again = part.focused && part.element.querySelector(part.focused);
    if (again) again.focus({ preventScroll: true });
    if (part.element === live) announce();
    tick();
  });

  // One persistent live region: it speaks when the word changes, not at every new time.
  function announce() {
    var region = document.getElementById("announcement");
    var sentence = live.querySelector(".sentence");
    if (!region || !sentence) return;
    var word = sentence.querySelector(".word").textContent;
    if (region.dataset.word !== undefined && region.dataset.word !== word) {
      region.textContent = sentence.querySelector("p").textContent;
    }
    region.dataset.word = word;
    var asked = live.querySelector(".asked");
    var answer = asked ? asked.textContent.trim() : "";
    if (region.dataset.asked !== undefined && region.dataset.asked !== answer && answer) region.textContent = answer;
    region.dataset.asked = answer;
  }

  // What was said about a click is old news a minute later.
  window.setTimeout(function () {
    document.querySelectorAll(".messages").forEach(function (list) { list.remove(); });
  }, MESSAGE_SHOWN);

  // A download leaves the page as it is: what was taken appears in it without loading it again.
  document.addEventListener("submit", function (event) {
    if (!event.target.closest(".exports") || !window.htmx) return;
    window.setTimeout(function () {
      window.htmx.ajax("GET", window.location.pathname, { target: "#exports-taken", select: "#exports-taken", swap: "outerHTML" });
    }, AFTER_DOWNLOAD);
  });

  announce();
  tick();
  document.addEventListener("visibilitychange", lookAgain);
  window.addEventListener("pageshow", function (event) { if (event.persisted) lookAgain(); });
  window.setInterval(show, 1000);
})();
