// Drag and drop, folders and progress for the upload; without it, the form sends images all the same.
"use strict";

const form = document.getElementById("upload");
const well = document.getElementById("well");
const images = document.getElementById("images");
const folder = document.getElementById("folder");
const said = document.getElementById("said");

document.getElementById("folder-label").hidden = !("webkitdirectory" in folder);
folder.addEventListener("change", () => send([...folder.files].map((file) => [file.webkitRelativePath || file.name, file])));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  send([...images.files].map((file) => [file.name, file]));
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    well.classList.toggle("over", kind === "dragenter" || kind === "dragover");
  });
}
document.addEventListener("drop", async (event) => {
  // Taken at once: what was dropped is gone after the first wait.
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const plain = [...event.dataTransfer.files].map((file) => [file.name, file]);
  said.textContent = "Looking at what was dropped…";
  try {
    if (!entries.length) return send(plain);
    const found = [];
    for (const entry of entries) await gather(entry, found);
    send(found);
  } catch (error) {
    said.textContent = `It cannot be read: ${error.message}`;
  }
});

// All files below an entry, each with its path; a folder gives its entries a hundred at a time.
async function gather(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push([entry.fullPath.replace(/^\//, ""), file]);
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) await gather(inner, found);
  }
}

function send(found) {
  const bytes = found.reduce((sum, [, file]) => sum + file.size, 0);
  if (!found.length) return say("There is no file in it.");
  if (found.length > Number(form.dataset.files)) return say(`These are ${found.length} files, more than are allowed at once.`);
  if (bytes > Number(form.dataset.bytes)) return say(`These are ${Math.round(bytes / 1e6)} MB, more than are allowed at once.`);
  const data = new FormData();
  data.append("name", form.elements.name.value);
  for (const [path, file] of found) {
    data.append("path", path);
    data.append("file", file, file.name);
  }
  const request = new XMLHttpRequest();
  const bar = document.getElementById("sent");
  request.upload.addEventListener("progress", (event) => { bar.value = event.total ? 100 * event.loaded / event.total : 0; });
  request.addEventListener("load", () => (request.status < 400 ? (location.href = request.responseURL) : say(reason(request))));
  request.addEventListener("error", () => say("The upload was refused or broken off; nothing of it stays."));
  request.open("POST", form.action);
  request.send(data);
  document.getElementById("sending").hidden = false;
  form.inert = true;
  said.textContent = `Uploading ${found.length} file${found.length === 1 ? "" : "s"}…`;
}

function reason(request) {
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  return page.querySelector("main .note")?.textContent || request.responseText || `The answer was ${request.status}.`;
}

function say(text) {
  said.textContent = text;
  document.getElementById("sending").hidden = true;
  form.inert = false;
}
