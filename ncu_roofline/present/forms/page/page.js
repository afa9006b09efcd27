"use strict";
(() => {
  const { charts, config: configs } = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const phone = matchMedia("(max-width: 560px)");
  const table = document.getElementById("kernels");
  const rows = table ? [...table.tBodies[0].rows] : [];
  const search = document.getElementById("filter");
  const count = document.getElementById("count");
  const families = [...document.querySelectorAll(".families button")];
  const tip = document.getElementById("tip");
  const views = [];
  let pinned = null;

  // text nodes only: a kernel's name is never markup
  const tooltip = (_, event, __, value) => {
    tip.hidden = value === null || value === undefined || typeof value !== "object";
    if (tip.hidden) return;
    const list = document.createElement("dl");
    for (const [key, text] of Object.entries(value)) {
      if (text === "" || text === "null" || text === "undefined" || text === null || text === "–") continue;
      list.append(Object.assign(document.createElement("dt"), { textContent: key }),
        Object.assign(document.createElement("dd"), { textContent: String(text) }));
    }
    tip.replaceChildren(list);
    tip.style.left = Math.max(0, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(0, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)) + "px";
  };

  for (const row of rows) {
    row.querySelector("button").title = row.dataset.full;
    row.searched = `${row.dataset.full} ${row.textContent}`.toLowerCase();
  }

  const chosen = () => families.filter((b) => b.getAttribute("aria-pressed") === "true").map((b) => b.dataset.family);

  const filter = () => {
    const words = (search ? search.value : "").toLowerCase().split(/\s+/).filter(Boolean);
    const kept = chosen();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(kept.includes(row.dataset.family) && words.every((w) => row.searched.includes(w)));
      shown += !row.hidden;
    }
    if (count) count.textContent = `${shown} of ${rows.length} rows`;
  };

  const light = (names) => {
    for (const row of rows) row.classList.toggle("lit", names.includes(row.dataset.full));
  };

  // a selection of Vega-Lite is a data set; writing it is how a page selects
  const select = (view, store, field, values) => {
    try { view.data(store, values.map((v) => ({ unit: "", fields: [{ type: "E", channel: null, field }], values: [v] }))).runAsync(); } catch { /* this chart has no such selection */ }
  };

  const highlight = (name) => {
    for (const { view, mark } of views) select(view, `kernel_${mark}_store`, "full", name === null ? [] : [name]);
    light(name === null ? [] : [name]);
  };

  const listen = (view, mark) => {
    try {
      view.addSignalListener(`kernel_${mark}`, (_, value) => light((value && value.full) || (pinned === null ? [] : [pinned])));
      view.addSignalListener(`family_${mark}`, (_, value) => {
        const kept = (value && value.family) || families.map((b) => b.dataset.family);
        for (const b of families) b.setAttribute("aria-pressed", String(kept.includes(b.dataset.family)));
        filter();
      });
    } catch { /* a chart without marks has no selections */ }
  };

  // Vega leaves the containers of its marks without a name for screen readers
  const name = (drawn) => {
    for (const part of drawn.querySelectorAll("[role^=graphics]:not([aria-label])")) {
      if (part.childElementCount) part.setAttribute("aria-label", part.getAttribute("aria-roledescription") || "marks");
      else part.setAttribute("aria-hidden", "true");
    }
  };

  // what a phone changes: members by name or by place, null where one goes
  const changed = (old, change) => {
    const inside = (v) => v !== null && typeof v === "object";
    if (!inside(change) || Array.isArray(change) || !inside(old)) return change;
    const made = Array.isArray(old) ? [...old] : { ...old };
    for (const [key, value] of Object.entries(change)) {
      if (value === null) delete made[key];
      else made[key] = changed(made[key], value);
    }
    return made;
  };
  const stacked = (config) => ({ ...config, legend: { ...config.legend, layout: { top: { direction: "vertical", anchor: "start" } } } });

  const draw = async () => {
    for (const { view } of views.splice(0)) view.finalize();
    for (const chart of charts) {
      const config = configs[dark.matches ? "dark" : "light"];
      const spec = phone.matches ? { ...changed(chart.spec, chart.narrow), config: stacked(config) } : { ...chart.spec, config };
      const options = { mode: "vega-lite", ast: true, actions: false, renderer: "svg", defaultStyle: false, tooltip };
      const { view } = await vegaEmbed(document.getElementById(chart.id), spec, options);
      views.push({ view, mark: chart.mark });
      listen(view, chart.mark);
      name(document.getElementById(chart.id));
    }
    document.documentElement.dataset.drawn = String(views.length);
  };

  for (const button of families) button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    const kept = chosen();
    for (const { view, mark } of views) select(view, `family_${mark}_store`, "family", kept.length === families.length ? [] : kept.length ? kept : [""]);
    filter();
  });

  // the numbers of a kernel, what they stand on, and its full name
  const detail = document.getElementById("kernel");
  const show = (row) => {
    if (!detail) return;
    detail.hidden = row === null;
    if (row === null) return;
    const heads = [...table.tHead.rows[0].cells].map((c) => c.textContent);
    const told = [["name", row.dataset.full], ...heads.slice(1).map((h, i) => [h, row.cells[i + 1].textContent]), ["doubts", row.dataset.told || "none"]];
    detail.replaceChildren(...told.flatMap(([key, text]) => [
      Object.assign(document.createElement("dt"), { textContent: key }), Object.assign(document.createElement("dd"), { textContent: text })]));
  };

  for (const button of document.querySelectorAll("[data-save]")) button.addEventListener("click", async () => {
    const { view } = views[Number(button.dataset.chart)];
    const link = Object.assign(document.createElement("a"), { download: `chart.${button.dataset.save}` });
    link.href = await view.toImageURL(button.dataset.save, 2);
    link.click();
  });

  for (const row of rows) {
    const name = row.dataset.full;
    row.addEventListener("pointerenter", () => highlight(name));
    row.addEventListener("pointerleave", () => highlight(pinned));
    row.querySelector("button").addEventListener("click", (event) => {
      pinned = pinned === name ? null : name;
      for (const b of table.tBodies[0].querySelectorAll("button")) b.setAttribute("aria-pressed", "false");
      event.currentTarget.setAttribute("aria-pressed", String(pinned === name));
      highlight(pinned);
      show(pinned === null ? null : row);
    });
  }

  for (const heading of table ? table.tHead.rows[0].cells : []) heading.querySelector("button").addEventListener("click", () => {
    const falling = heading.getAttribute("aria-sort") !== "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const at = heading.cellIndex;
    const value = (row) => row.cells[at].dataset.v ?? row.cells[at].textContent;
    const numeric = heading.classList.contains("n");
    rows.sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return (numeric ? x - y : x.localeCompare(y)) * (falling ? -1 : 1);
    });
    table.tBodies[0].append(...rows);
  });

  if (search) search.addEventListener("input", filter);
  const reset = document.getElementById("reset");
  if (reset) reset.addEventListener("click", () => {
    for (const b of families) b.setAttribute("aria-pressed", "true");
    if (search) search.value = "";
    pinned = null;
    highlight(null);
    show(null);
    filter();
    draw();
  });
  dark.addEventListener("change", draw);
  phone.addEventListener("change", draw);
  filter();
  draw();
})();
