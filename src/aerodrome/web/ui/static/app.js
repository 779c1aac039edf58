// Small behaviours of the pages; everything works without them.
"use strict";
htmx.config.defaultSwap = "outerHTML";

// Keep a log scrolled to its end while it grows, unless somebody scrolled up to read; keep opened details open.
let stick = true;
let opened = new Set();
document.addEventListener("htmx:before:swap", () => {
  const log = document.getElementById("log");
  stick = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  opened = new Set([...document.querySelectorAll("#live details[open]")].map((item) => item.dataset.key));
});
document.addEventListener("htmx:after:swap", () => {
  const log = document.getElementById("log");
  if (log && stick) log.scrollTop = log.scrollHeight;
  document.querySelectorAll("#live details").forEach((item) => { if (opened.has(item.dataset.key)) item.open = true; });
});
document.addEventListener("DOMContentLoaded", () => {
  const log = document.getElementById("log");
  if (log) log.scrollTop = log.scrollHeight;
});
// Ask before what cannot be taken back.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
// A choice that decides which fields there are opens the form with those.
document.addEventListener("change", (event) => {
  const address = event.target.dataset.reload;
  if (address) window.location.assign(address + encodeURIComponent(event.target.value));
});
