// What the page does beyond its HTML: alerts come and go by themselves, filters need no reload, answers are sent, keys.
// Every text was escaped by the server; what it sends as HTML is put in as it is.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
let stream = null;
let toastTimer = 0;

function toast(text) {
  const place = $("#toast");
  if (!place) return;
  place.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.textContent = ""; }, 4000);
}

// --- what changes by itself ------------------------------------------------------------------------------------------

function listen() {
  if (stream) stream.close();
  stream = null;
  const board = $("#board");
  if (!board || !board.dataset.events) return;
  const address = new URL(board.dataset.events, location.href);
  address.searchParams.set("since", board.dataset.since);
  const source = stream = new EventSource(address);
  const whole = "refresh" in board.dataset;
  const on = (name, act) => source.addEventListener(name, (event) => { if (source === stream) act(JSON.parse(event.data)); });
  source.onopen = () => document.body.classList.remove("away");
  source.onerror = () => document.body.classList.add("away");
  on("reload", () => load(location.href, false));
  if (whole) {
    on("row", () => load(location.href, false));
    on("gone", () => load(location.href, false));
  } else {
    on("row", (row) => put(board, row));
    on("gone", (row) => { find(row.mark)?.remove(); });
    on("counts", (found) => {
      $("#counts").replaceWith(parsed(found.html));
      $("#nothing").hidden = found.total > 0;
    });
  }
}

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

function find(mark) {
  return all("#alerts > .alert").find((row) => row.dataset.mark === mark);
}

function put(board, { mark, at, html }) {
  const list = $("#alerts", board);
  const row = parsed(html);
  const old = find(mark);
  if (old && Number(old.dataset.at) === at) {
    const open = $("details", old).open;
    const focused = old.contains(document.activeElement);
    $("details", row).open = open;
    old.replaceWith(row);
    if (focused) $("summary", row).focus();
    return;
  }
  old?.remove();
  const after = all(".alert", list).find((other) => Number(other.dataset.at) < at);
  // Below the last one that is shown there may be others: those are a click away.
  if (!after && $(".more-of-them a", board)) return;
  list.insertBefore(row, after ?? null);
  row.classList.add("fresh");
}

// --- going from page to page of the same kind ------------------------------------------------------------------------

let loading = 0;
async function load(address, remember) {
  const mine = ++loading;
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (mine !== loading) return;
  if (!answer || !answer.ok || answer.redirected) {
    if (remember || answer?.redirected || answer?.status === 401) location.assign(address);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== loading) return;
  const focus = document.activeElement?.name;
  const open = new Set(all("#alerts details[open]").map((one) => one.closest(".alert")?.dataset.mark));
  $("main").replaceWith(page.querySelector("main"));
  for (const row of all("#alerts > .alert")) if (open.has(row.dataset.mark)) $("details", row).open = true;
  if (remember) history.pushState(null, "", address);
  if (focus) $(`[name="${CSS.escape(focus)}"]`)?.focus();
  listen();
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("#filters");
  if (!form) return;
  const chosen = [...new FormData(form)].filter(([, value]) => value);
  const query = new URLSearchParams(chosen).toString();
  load(form.getAttribute("action") + (query && "?" + query), true);
});
addEventListener("popstate", () => load(location.href, false));

// --- answers ---------------------------------------------------------------------------------------------------------

async function answer(button) {
  const row = button.closest(".alert");
  const group = all("button", row);
  const { kind, answer = "", value = "" } = button.dataset;
  const said = { mark: row.dataset.mark, kind, answer, value, press: press() };
  for (const one of group) one.disabled = true;
  const reply = await fetch("/replies", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(said),
  }).catch(() => null);
  for (const one of group) one.disabled = false;
  if (!reply) toast("No connection: not sent. Try again.");
  else if (reply.ok) {
    toast("Noted: " + button.textContent.trim());
    for (const menu of all(".menu[open]", row)) menu.open = false;
  } else toast((await reply.json().catch(() => ({}))).said || "Not taken. Load the page again.");
}

function press() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-kind]");
  if (button) answer(button);
  for (const menu of all(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

// --- keys ------------------------------------------------------------------------------------------------------------

function step(by) {
  const rows = all("#alerts > .alert > details > summary");
  if (!rows.length) return;
  const here = rows.indexOf(document.activeElement?.closest(".alert")?.querySelector("summary"));
  const next = rows[Math.min(Math.max(here + by, 0), rows.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function act(key) {
  const row = document.activeElement?.closest(".alert");
  const found = row && $(`[data-key="${key}"]`, row);
  if (!found) return false;
  $("details", row).open = true;
  found.click();
  if (found.matches("summary")) $("button", found.parentElement)?.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "f") $("#filters select")?.focus();
  else if (event.key === "?") $("#keys")?.showModal();
  else if (event.key === "Escape") {
    const menu = $(".menu[open]");
    if (!menu) return;
    menu.open = false;
    $("summary", menu).focus();
  } else if (!["a", "s", "n", "t"].includes(event.key) || !act(event.key)) return;
  event.preventDefault();
});

listen();
