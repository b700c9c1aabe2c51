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
  var etag = null;

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
    if (!document.hidden) window.htmx.trigger(live, "look-again");
    show();
  }

  document.body.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.elt !== live) return;
    failed = !event.detail.successful;
    if (!failed) lastGood = Date.now();
    show();
  });

  // The same bytes again: nothing to swap, so a selection, the focus and a screen reader stay where they are.
  document.body.addEventListener("htmx:beforeSwap", function (event) {
    if (event.detail.target !== live) return;
    var found = event.detail.xhr.getResponseHeader("ETag");
    if (found !== null && found === etag) event.detail.shouldSwap = false;
    else if (event.detail.shouldSwap) remember();
    etag = found;
  });

  // What the reader opened or scrolled inside the part that is replaced.
  var open = [];
  var scrolled = {};
  var focused = null;
  function remember() {
    open = Array.from(live.querySelectorAll("details[open][id]"), function (box) { return box.id; });
    scrolled = {};
    live.querySelectorAll(".scroll[id]").forEach(function (box) { scrolled[box.id] = box.scrollLeft; });
    var active = document.activeElement;
    focused = active && live.contains(active) ? path(active) : null;
  }
  function path(element) {
    if (element.id) return "#" + window.CSS.escape(element.id);
    if (element.tagName === "SUMMARY" && element.parentNode.id) return "#" + window.CSS.escape(element.parentNode.id) + " > summary";
    if (element.tagName === "A") return 'a[href="' + window.CSS.escape(element.getAttribute("href")) + '"]';
    return null;
  }
  document.body.addEventListener("htmx:afterSwap", function (event) {
    if (event.detail.target !== live) return;
    open.forEach(function (id) { var box = document.getElementById(id); if (box) box.open = true; });
    Object.keys(scrolled).forEach(function (id) { var box = document.getElementById(id); if (box) box.scrollLeft = scrolled[id]; });
    var again = focused && live.querySelector(focused);
    if (again) again.focus({ preventScroll: true });
    announce();
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
