// Only what a page without script cannot do: rows that appear while one looks,
// a key to search, and a button to copy. Everything else is links and forms.
"use strict";

const live = document.getElementById("live");

// connect follows what happens. The server sends rows that it has made itself
// and escaped; nothing else is ever put into the page.
function connect() {
  const table = document.querySelector("#callbacks tbody");
  const runs = document.getElementById("runs");
  if (!table && !runs) return;
  const stream = new EventSource("/stream");
  stream.onopen = () => { live.textContent = "Live."; };
  stream.onerror = () => { live.textContent = "Not connected; trying again."; };
  if (table) stream.addEventListener("callback", (event) => addRow(table, event.data));
  if (runs) stream.addEventListener("runs", (event) => { showRuns(runs, event.data); });
  addEventListener("pagehide", () => stream.close());
}

// showRuns says aloud that a run has begun or ended, and not each number on the way.
function showRuns(runs, html) {
  const titles = () => [...runs.querySelectorAll("h2")].map((title) => title.textContent).join(", ");
  const before = titles();
  runs.innerHTML = html;
  if (titles() !== before) live.textContent = titles();
}

function addRow(table, html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const row = holder.content.firstElementChild;
  if (!row) return;
  row.classList.add("new");
  table.prepend(row);
  while (table.rows.length > 300) table.deleteRow(-1);
  document.getElementById("none")?.remove();
  live.textContent = "New: " + row.cells[3].textContent.trim() + ", " + row.cells[2].textContent.trim();
}

// keys: / searches, as in many programs. Keys typed into a field are the field's.
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  const field = document.getElementById("q");
  if (field) field.focus();
  else location.href = "/clients";
});

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    live.textContent = "Copied.";
    button.textContent = "Copied";
  });
}

connect();
