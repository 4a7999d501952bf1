"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.querySelector("main");
  const sections = [...document.querySelectorAll("section")];
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Order of the pictures: by name, or by the error of one model.
  const order = document.getElementById("order");
  const metric = document.getElementById("metric");
  const digits = { sad: 2, mse: 4, mad: 4, grad: 2, conn: 2, seconds: 2 };
  // Undefined where the model did not solve the picture.
  const value = (stem, model) => data.pictures[stem][model]?.[metric.value];
  function arrange() {
    const model = order.value;
    const sorted = [...sections].sort((a, b) => model === ""
      ? a.dataset.index - b.dataset.index
      : (value(b.dataset.stem, model) ?? -1) - (value(a.dataset.stem, model) ?? -1));
    sorted.forEach(section => main.append(section));
    const body = document.querySelector(".matrix tbody");
    const rows = Object.fromEntries(all("tr", body).map(row => [row.dataset.stem, row]));
    sorted.forEach(section => body.append(rows[section.dataset.stem]));
  }
  function fill() {
    const stems = Object.keys(data.pictures);
    const largest = Math.max(...stems.flatMap(stem => data.models.map(model => value(stem, model) ?? 0))) || 1;
    all(".matrix tbody tr").forEach(row => {
      const values = data.models.map(model => value(row.dataset.stem, model));
      const solved = values.filter(number => number !== undefined);
      all("td.number", row).forEach((cell, i) => {
        cell.textContent = values[i]?.toFixed(digits[metric.value]) ?? "";
        cell.classList.toggle("best", solved.length > 1 && values[i] === Math.min(...solved));
        cell.style.background = `rgba(255, 138, 30, ${(0.45 * (values[i] ?? 0) / largest).toFixed(3)})`;
      });
    });
    arrange();
  }
  order.addEventListener("change", arrange);
  metric.addEventListener("change", fill);
  fill();

  // Any table with buttons in its head sorts by that column.
  all("th button").forEach(button => button.addEventListener("click", () => {
    const table = button.closest("table");
    const column = [...button.closest("tr").children].indexOf(button.parentElement);
    const down = button.getAttribute("aria-sort") === "ascending";
    all("th button", table).forEach(other => other.removeAttribute("aria-sort"));
    button.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => { const text = row.children[column].textContent; return isNaN(text) ? text : Number(text); };
    all("tbody tr", table)
      .sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); })
      .forEach(row => row.parentElement.append(row));
  }));

  // What the comps lie over.
  all(".swatches button").forEach(button => button.addEventListener("click", () => {
    all(".swatches button").forEach(other => other.setAttribute("aria-pressed", other === button));
    document.body.dataset.behind = button.dataset.colour;
    if (button.dataset.colour !== "checker") {
      document.documentElement.style.setProperty("--behind", button.dataset.colour);
    }
  }));

  // The viewer: every picture of one case lies at the same place, so that stepping between them is a flip.
  const viewer = document.getElementById("viewer");
  const image = viewer.querySelector("img");
  const [top, bottom] = viewer.querySelectorAll("p");
  let section = null, row = "", column = "", scale = 1, x = 0, y = 0, held = null;
  const tile = (r, c) => section.querySelector(`a[data-row="${r}"][data-column="${CSS.escape(c)}"]`);
  function place() {
    image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    image.classList.toggle("near", scale >= 2);
  }
  function fit() {
    scale = Math.min(innerWidth / image.naturalWidth, (innerHeight - 70) / image.naturalHeight);
    x = (innerWidth - image.naturalWidth * scale) / 2;
    y = 35 + (innerHeight - 70 - image.naturalHeight * scale) / 2;
    place();
  }
  function exact() {
    const cx = (innerWidth / 2 - x) / scale, cy = (innerHeight / 2 - y) / scale;
    scale = 1; x = innerWidth / 2 - cx; y = innerHeight / 2 - cy;
    place();
  }
  function show(next, refit) {
    if (!next) return;
    row = next.dataset.row; column = next.dataset.column;
    image.onload = () => refit ? fit() : place();
    image.src = next.href;
    viewer.classList.toggle("comp", row === "comp");
    viewer.classList.add("open");
    top.textContent = `${section.dataset.stem} · ${next.dataset.name}`;
  }
  function close() { viewer.classList.remove("open"); const last = tile(row, column); if (last) last.focus(); }
  all("a.tile[data-row]").forEach(link => link.addEventListener("click", event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    section = link.closest("section");
    show(link, true);
  }));
  viewer.querySelector("button").addEventListener("click", close);
  const along = (list, now, step) => list[(list.indexOf(now) + step + list.length) % list.length];
  addEventListener("keydown", event => {
    if (!viewer.classList.contains("open") || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = all(`a[data-row="${row}"]`, section).map(a => a.dataset.column);
    const rows = [...new Set(all(`a[data-column="${CSS.escape(column)}"]`, section).map(a => a.dataset.row))];
    const keys = {
      Escape: close,
      ArrowRight: () => show(tile(row, along(columns, column, 1))),
      ArrowLeft: () => show(tile(row, along(columns, column, -1))),
      ArrowDown: () => show(tile(along(rows, row, 1), column)),
      ArrowUp: () => show(tile(along(rows, row, -1), column)),
      f: fit, 1: exact,
      t: () => { if (!held) { held = [row, column]; show(tile(row === "comp" ? "comp" : "matte", "truth")); } },
      p: () => { if (!held) { held = [row, column]; show(tile("matte", "inputs")); } },
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  addEventListener("keyup", event => {
    if (held && (event.key === "t" || event.key === "p")) { show(tile(...held)); held = null; }
  });
  viewer.addEventListener("wheel", event => {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY * 0.0015), next = Math.min(32, Math.max(0.05, scale * factor));
    x = event.clientX - (event.clientX - x) * next / scale;
    y = event.clientY - (event.clientY - y) * next / scale;
    scale = next;
    place();
  }, { passive: false });
  viewer.addEventListener("pointermove", event => {
    if (event.buttons & 1) { x += event.movementX; y += event.movementY; place(); }
  });
  viewer.addEventListener("dragstart", event => event.preventDefault());
})();
