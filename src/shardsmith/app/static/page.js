// What every screen has: a word where the server is gone, and the focus where htmx put something new.
"use strict";

addEventListener("htmx:sendError", () => { document.getElementById("closed").hidden = false; });
addEventListener("htmx:afterOnLoad", () => { document.getElementById("closed").hidden = true; });
// an answer that says what went wrong is shown, like any other
addEventListener("htmx:beforeSwap", event => {
  if (event.detail.xhr.status >= 400 && event.detail.xhr.getResponseHeader("content-type")?.startsWith("text/html")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});
addEventListener("save", event => { location.href = event.detail.value; });
addEventListener("click", event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent).then(() => {
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 2000);
  });
});
