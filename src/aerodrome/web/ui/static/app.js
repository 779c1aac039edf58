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

// What is wrong with one field stands below that field, and the keyboard is in it.
function placeProblem() {
  const problem = document.querySelector(".callout[data-field]:not(#live *)");
  const field = problem && document.querySelector(`main [name="${CSS.escape(problem.dataset.field)}"]:not([type=hidden])`);
  if (!field) return;
  for (let box = field.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  problem.id = "problem";
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", "problem");
  (field.closest(".field") || field.form).append(problem);
  field.focus();
}
document.addEventListener("DOMContentLoaded", placeProblem);
// On a phone the tabs are wider than the screen: begin at the one that is open.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("nav [aria-current]").forEach((item) => { item.parentElement.scrollLeft = item.offsetLeft - item.parentElement.offsetLeft - 40; });
});
// What scrolls sideways can be scrolled with the keyboard, too.
function letKeysScroll() {
  document.querySelectorAll(".scroll, .phases, pre").forEach((item) => {
    if (item.scrollWidth > item.clientWidth && !item.hasAttribute("tabindex")) item.tabIndex = 0;
  });
}
document.addEventListener("DOMContentLoaded", letKeysScroll);
document.addEventListener("htmx:after:swap", letKeysScroll);
window.addEventListener("resize", letKeysScroll);
// Files are sent with a bar that shows how far; folders of tools stay here.
const LEFT_OUT = /(^|\/)(\.git|\.venv|venv|node_modules|__pycache__|\.mypy_cache|\.ruff_cache|\.pytest_cache|\.tox)\//;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("upload" in form.dataset) || event.defaultPrevented) return;
  event.preventDefault();
  const sent = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (!(value instanceof File)) sent.append(name, value);
    else if (value.name && !LEFT_OUT.test(value.webkitRelativePath)) sent.append(name, value, value.webkitRelativePath || value.name);
  }
  const bar = form.querySelector("progress"), button = form.querySelector("button.primary"), request = new XMLHttpRequest();
  bar.hidden = false;
  button.disabled = true;
  request.upload.addEventListener("progress", (step) => { if (step.lengthComputable) bar.value = step.loaded / step.total; });
  request.addEventListener("load", () => {
    if (request.status < 400) { window.location.assign(request.responseURL); return; }
    const answer = new DOMParser().parseFromString(request.responseText, "text/html").querySelector(".callout.bad");
    form.querySelectorAll(".callout").forEach((old) => old.remove());
    if (answer) form.prepend(answer);
    bar.hidden = true;
    button.disabled = false;
    placeProblem();
  });
  request.addEventListener("error", () => { bar.hidden = true; button.disabled = false; form.submit(); });
  request.open("POST", form.action);
  request.send(sent);
});
