// Look: what plain forms do not reach: all shown at once, ranges of tiles, and keys.
"use strict";

const boxes = () => [...document.querySelectorAll(".pick input")];
let last = null;

document.querySelector(".search .find")?.setAttribute("hidden", "");  // what is chosen is asked for at once
addEventListener("change", event => {
  if (event.target.matches("[data-anew]")) event.target.form.submit();  // the choices are another source's
  if (event.target.matches("[data-all]")) boxes().forEach(box => { box.checked = event.target.checked; });
}, true);
addEventListener("click", event => {
  if (!event.target.matches(".pick input")) return;
  const all = boxes(), now = all.indexOf(event.target);
  if (event.shiftKey && last !== null) {
    all.slice(Math.min(last, now), Math.max(last, now) + 1).forEach(box => { box.checked = event.target.checked; });
  }
  last = now;
});

const columns = tiles => tiles.filter(tile => tile.offsetTop === tiles[0].offsetTop).length;

addEventListener("keydown", event => {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = boxes(), now = all.indexOf(document.activeElement);
  if (now >= 0) {
    const down = columns([...document.querySelectorAll(".tile")]);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: down, ArrowUp: -down }[event.key];
    if (step) {
      event.preventDefault();
      all[Math.min(Math.max(now + step, 0), all.length - 1)].focus();
      return;
    }
    if (event.key === "Enter") {
      event.preventDefault();
      all[now].closest(".tile").querySelector("a").click();
      return;
    }
  }
  const of = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (of) {
    event.preventDefault();
    of.click();
  }
});
