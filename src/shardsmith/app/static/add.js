// Files that are dropped or chosen go to the server by slices; a cut connection is taken up where it ended.
"use strict";

(() => {
  const zone = document.getElementById("drop");
  if (!zone) return;
  const say = JSON.parse(document.getElementById("add-texts").textContent);
  const PARALLEL = 5, TRIES = 8;
  const part = id => document.getElementById(id);
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  let busy = false;

  addEventListener("dragenter", event => { event.preventDefault(); part("let-go").hidden = busy; });
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("dragleave", event => { if (!event.relatedTarget) part("let-go").hidden = true; });
  addEventListener("drop", event => {
    event.preventDefault();
    part("let-go").hidden = true;
    // entries are gone once the event has ended: taken now, read after
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry()).filter(Boolean);
    begin(() => read(entries));
  });
  for (const id of ["files", "folder"]) {
    part(id).addEventListener("change", event => {
      const files = [...event.target.files].map(file => ({name: file.webkitRelativePath || file.name, file}));
      begin(async () => files);
    });
  }
  part("by-address").addEventListener("submit", event => {
    event.preventDefault();
    begin(async () => [], new FormData(event.target).get("address"));
  });
  addEventListener("beforeunload", event => { if (busy) event.preventDefault(); });

  async function read(entries) {
    const found = [];
    for (const entry of entries) {
      if (entry.isFile) {
        const file = await new Promise((done, fail) => entry.file(done, fail));
        found.push({name: entry.fullPath.replace(/^\//, ""), file});
      } else {
        const reader = entry.createReader();
        for (let some; (some = await new Promise((done, fail) => reader.readEntries(done, fail))).length;) {
          found.push(...await read(some));  // a hundred at a time
        }
      }
    }
    return found;
  }

  async function begin(list, address = "") {
    if (busy) return;
    busy = true;
    part("coming").hidden = false;
    part("coming-error").hidden = true;
    part("coming-what").textContent = say.reading;
    try {
      const files = (await list()).sort((one, other) => one.name < other.name ? -1 : 1);
      if (!files.length && !address) throw new Error(say.none);
      const wanted = {
        files: files.map(({name, file}) => ({name, bytes: file.size, modified: file.lastModified})),
        address, dataset: zone.dataset.dataset || null,
      };
      const upload = await ask("POST", "/api/uploads", JSON.stringify(wanted), {"content-type": "application/json"});
      const {id, came, slice_bytes: size, state} = await upload.json();
      if (state === "uploading") {
        await send(id, files, came, size);
        await ask("POST", `/api/uploads/${id}/finish`);
      }
      busy = false;
      location.assign(`${zone.dataset.where}?upload=${id}`);
    } catch (error) {
      busy = false;
      part("coming").hidden = true;
      part("coming-error").textContent = error.message;
      part("coming-error").hidden = false;
    }
  }

  async function send(id, files, came, size) {
    const total = files.reduce((sum, {file}) => sum + file.size, 0);
    const started = performance.now(), before = came.reduce((sum, count) => sum + count, 0);
    const left = files.map((_, number) => number).filter(number => came[number] < files[number].file.size);
    let done = before, ended = files.length - left.length, drawn = 0;
    const show = () => {
      if (performance.now() - drawn < 100 && done < total) return;
      drawn = performance.now();
      const seconds = (drawn - started) / 1000 * (total - done) / Math.max(1, done - before);
      const time = seconds < 90 ? filled(say.seconds, {n: Math.ceil(seconds)}) : filled(say.minutes, {n: Math.ceil(seconds / 60)});
      part("coming-bar").value = total ? done / total : 1;
      part("coming-what").textContent = filled(say.coming, {
        name: files[0].name.split("/")[0], done: (done / 1e6).toFixed(1), total: (total / 1e6).toFixed(1),
        files: `${ended.toLocaleString("en")} / ${files.length.toLocaleString("en")}`,
      });
      part("coming-left").textContent = done > before ? filled(say.left, {time}) : "";
    };
    const one = async () => {
      for (let number; (number = left.shift()) !== undefined;) {
        const {file} = files[number];
        let offset = came[number];
        while (offset < file.size) {
          const next = await slice(`/api/uploads/${id}/${number}`, file, offset, size);
          done += next - offset;
          offset = next;
          show();
        }
        ended += 1;
      }
    };
    show();
    await Promise.all(Array.from({length: PARALLEL}, one));
  }

  // Sends one slice; returns where to go on. A cut connection is tried again, from where the server says it is.
  async function slice(address, file, offset, size) {
    const bytes = await file.slice(offset, offset + size).arrayBuffer();
    const headers = crypto.subtle ? {"x-sha256": await digest(bytes)} : {};  // over plain HTTP there is none
    for (let tries = 0; ; tries += 1) {
      try {
        const answer = await ask("PUT", `${address}?offset=${offset}`, bytes, headers);
        return Number(answer.headers.get("upload-offset"));
      } catch (error) {
        if (error.isAnswer) throw error;
        if (tries === TRIES) throw new Error(say.gone);
        part("coming-left").textContent = say.again;
        await new Promise(done => setTimeout(done, Math.min(8000, 250 * 2 ** tries)));
        const where = await fetch(address, {method: "HEAD"}).catch(() => null);
        const there = where?.ok ? Number(where.headers.get("upload-offset")) : offset;
        if (there > offset) return there;
      }
    }
  }

  async function digest(bytes) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...hash].map(byte => byte.toString(16).padStart(2, "0")).join("");
  }

  async function ask(method, address, body, headers = {}) {
    const answer = await fetch(address, {method, body, headers});
    if (answer.ok) return answer;
    const said = await answer.text();
    let message = said;
    try { message = JSON.parse(said).error; } catch { /* no JSON: as it is */ }
    throw Object.assign(new Error(message), {isAnswer: true});
  }
})();
