// Keeps a polled page honest: says so when it is not current any more, and leaves the reader's place alone.
(function () {
  "use strict";
  var STALE_AFTER = 30000;
  var MESSAGE_SHOWN = 60000;
  var live = document.getElementById("live");
  var stale = document.getElementById("stale");
  if (!live || !stale || !window.htmx) return;

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
  }

  function lookAgain() {
    if (!document.hidden) parts.forEach(function (part) { window.htmx.trigger(part.element, "look-again"); });
    show();
  }

  document.body.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.elt !== live) return;
    failed = !event.detail.successful;
    if (!failed) lastGood = Date.now();
    show();
  });

  // What is asked for again, each part with what the reader opened or scrolled in it.
  var parts = [live].concat(["day-live", "why-live", "race-checks", "ahead-live", "races-live"].map(function (id) { return document.getElementById(id); })).filter(Boolean).map(function (element) {
    return { element: element, etag: null, open: [], scrolled: {}, focused: null };
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
    Object.keys(part.scrolled).forEach(function (id) { var box = document.getElementById(id); if (box) box.scrollLeft = part.scrolled[id]; });
    var again = part.focused && part.element.querySelector(part.focused);
    if (again) again.focus({ preventScroll: true });
    if (part.element === live) announce();
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

  announce();
  document.addEventListener("visibilitychange", lookAgain);
  window.addEventListener("pageshow", function (event) { if (event.persisted) lookAgain(); });
  window.setInterval(show, 1000);
})();
