"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll("#cards .card")];
  const viewer = find("viewer");
  let group = [];
  let at = 0;
  let opener = null;

  document.documentElement.classList.add("scripted");

  function filter() {
    const wanted = find("by-class").value;
    const split = document.querySelector("input[name=split]:checked").value;
    let count = 0;
    for (const card of cards) {
      const fits = (!wanted || card.dataset.classes.split(" ").includes(wanted)) &&
        (!split || card.dataset.split === split);
      card.hidden = !fits;
      count += fits;
    }
    find("shown").textContent = count === 1 ? "1 image" : `${count} images`;
    find("none").hidden = count > 0;
  }

  function mark() {
    document.body.classList.toggle("no-boxes", !find("with-boxes").checked);
    document.body.classList.toggle("no-names", !find("with-names").checked);
  }

  function show(place) {
    at = (place + group.length) % group.length;
    const card = group[at];
    const caption = card.querySelector("figcaption");
    find("viewer-title").textContent = caption.querySelector(".id").textContent;
    find("viewer-place").textContent = `${at + 1} of ${group.length}`;
    find("stage").replaceChildren(card.querySelector(".pic").cloneNode(true));
    find("about").replaceChildren(...[...caption.cloneNode(true).children].slice(1));
    for (const id of ["previous", "next"]) find(id).disabled = group.length < 2;
  }

  function open(button) {
    opener = button;
    const card = button.closest(".card");
    group = [...card.closest("[data-group]").querySelectorAll(".card:not([hidden]):has(.open)")];
    show(group.indexOf(card));
    viewer.showModal();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button) open(button);
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) {
      event.preventDefault();
      show(at + step);
    }
  });
  viewer.addEventListener("close", () => {
    const card = group[at];
    const button = card && !card.hidden ? card.querySelector(".open") : opener;
    if (button) button.focus();
    find("stage").replaceChildren();
  });
  find("previous").addEventListener("click", () => show(at - 1));
  find("next").addEventListener("click", () => show(at + 1));
  find("close").addEventListener("click", () => viewer.close());
  document.querySelector(".filters").addEventListener("submit", (event) => event.preventDefault());
  find("by-class").addEventListener("change", filter);
  for (const input of document.querySelectorAll("input[name=split]")) input.addEventListener("change", filter);
  for (const id of ["with-boxes", "with-names"]) find(id).addEventListener("change", mark);
  filter(); // a browser that goes back keeps what was chosen
  mark();
})();
