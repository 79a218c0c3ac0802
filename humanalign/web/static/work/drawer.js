// What opens beside or above the task: instructions, keys, the reasons to skip or to report.

import { words } from "./words.js";

const BESIDE = matchMedia("(min-width: 75rem)");
let guide = null;

/** Open or close the instructions: beside the task on a wide screen, above it on a narrow one. */
export function toggleDrawer() {
  const drawer = document.getElementById("drawer");
  if (drawer.open) return closeDrawer();
  const link = document.querySelector("[data-drawer]");
  if (BESIDE.matches) drawer.show();
  else drawer.showModal();
  fill(drawer.querySelector(".drawer-body"), link.href);
  return true;
}

/** Close the instructions. True when they were open. */
export function closeDrawer() {
  const drawer = document.getElementById("drawer");
  if (!drawer.open) return false;
  drawer.close();
  return true;
}

/** Open another dialog of the page by its id, the focus on its first choice. */
export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog) return;
  dialog.showModal();
  dialog.querySelector("input[type=radio]")?.focus();
}

/** The instructions are fetched once, from their own page. */
async function fill(place, address) {
  if (place.childElementCount && guide === address) return;
  try {
    const response = await fetch(address);
    const text = new DOMParser().parseFromString(await response.text(), "text/html");
    place.replaceChildren(document.adoptNode(text.getElementById("guide")));
    place.firstElementChild.removeAttribute("id");
    guide = address;
  } catch {
    place.textContent = words("unread");
  }
}

/** Bind what stays on the page from task to task. */
export function mountDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) bind(dialog);
}

/** Close by its button, and by a press on the ground behind it. */
export function bind(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) dialog.close();
    const ground = event.target === dialog && dialog.matches(":modal") && outside(dialog, event);
    if (ground) dialog.close();
  });
}

function outside(dialog, event) {
  const box = dialog.getBoundingClientRect();
  const across = event.clientX < box.left || event.clientX > box.right;
  return across || event.clientY < box.top || event.clientY > box.bottom;
}
