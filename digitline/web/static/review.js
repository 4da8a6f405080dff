// Review by keys: the next images wait here, pictures and all, so that a word shows the next one at once.
"use strict";

const AHEAD = 6; // Images held, the one that is shown among them.
const RENEW = 60_000; // Milliseconds after which it is said again that they are ours; a lease lasts three minutes.
const COUNT_EVERY = 10; // Words between two looks at how many are left.

const at = (id) => document.getElementById(id);
const [stage, words, done, saidLine, wrong, leftLine] = ["stage", "words", "done", "said", "wrong", "left"].map(at);
const job = stage.dataset.job;

let queue = JSON.parse(words.dataset.images || "[]"); // The first is shown.
const later = new Map(); // Put off by this reviewer until the page is loaded anew.
const told = []; // Words of this page, the last one at the end, each with its image and the promise of its number.
const left = { doubtful: Number(leftLine.dataset.doubtful), unsure: Number(leftLine.dataset.unsure) };
const most = Number(leftLine.dataset.most);
let sending = Promise.resolve(); // One request after the other: an undo must not overtake its word.
let since = 0;
let last = ""; // What was told last, without what follows from it.

const name = (image) => `${image.batch}-${image.position}`;
const spoken = (word) => ({ not_a_digit: "not a digit", several: "several digits" })[word] || word;

async function ask(address, values) {
  const body = new URLSearchParams({ ...values, ...(job ? { job } : {}) });
  // Kept alive, for whoever leaves the page has said it all the same.
  const answer = await fetch(address, { method: "POST", body, headers: { accept: "application/json" }, keepalive: true });
  if (answer.ok) return answer.json();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  throw new Error(page.querySelector("main .note")?.textContent.trim() || `The answer was ${answer.status}.`);
}

function enqueue(step) {
  const result = sending.then(step);
  sending = result.catch(() => {});
  return result;
}

function complain(error) {
  wrong.textContent = error.message;
  wrong.hidden = false;
}

function doubtful(image) {
  return image.label === null || image.verdict !== "digit";
}

function reading(image) {
  if (image.label === null) return image.message || spoken(image.verdict);
  return `${image.label}`;
}

function certainty(image) {
  if (image.confidence === null) return "";
  const next = image.runner_up === null ? "" : `; the next likeliest digit ${(100 * image.runner_up).toFixed(1)} %`;
  return `${(100 * image.confidence).toFixed(1)} %${next}`;
}

function show() {
  const image = queue[0];
  stage.hidden = !image;
  done.hidden = Boolean(image);
  if (!image) return;
  at("original").src = image.original;
  at("prepared").parentElement.hidden = !image.prepared;
  if (image.prepared) at("prepared").src = image.prepared;
  at("read").textContent = reading(image);
  at("confidence").textContent = certainty(image);
  at("verdict").textContent = (image.verdict || "").replaceAll("_", " ");
  at("true").textContent = image.true_label === null ? "" : image.true_label;
  at("path").textContent = image.path;
  at("path").href = image.page;
  at("job").textContent = `${image.job}: ${image.job_name}`;
  at("agree").value = image.agree;
  at("agreed").textContent = image.agree.replaceAll("_", " ");
  words.elements.batch.value = image.batch;
  words.elements.position.value = image.position;
  for (const button of words.querySelectorAll(".digit")) button.classList.toggle("suggested", button.value === image.agree);
}

function showLeft() {
  const figure = (number) => `${number.toLocaleString("en")}${number >= most ? "+" : ""}`;
  const [first, second] = leftLine.querySelectorAll("b");
  first.textContent = figure(left.doubtful);
  second.textContent = figure(left.unsure);
}

function tell(sentence) {
  last = sentence;
  const image = queue[0];
  const rest = left.doubtful + left.unsure;
  const sure = image && image.confidence !== null ? `, ${(100 * image.confidence).toFixed(0)} % sure` : "";
  const next = image ? `Next: read as ${reading(image)}${sure}.` : "";
  saidLine.textContent = `${sentence} ${rest ? `${rest.toLocaleString("en")} left.` : "Nothing is left."} ${next}`.trim();
}

function move(image, step) {
  const kind = doubtful(image) ? "doubtful" : "unsure";
  if (left[kind] < most) left[kind] = Math.max(0, left[kind] + step);
  showLeft();
}

// Ask for as many as are to be held; what is shown stays first, and what was said of meanwhile does not come back.
async function refill(count = false) {
  const before = queue[0];
  const wanted = AHEAD + later.size;
  const answer = await enqueue(() => ask("/review/next", { count: wanted, ...(count ? { left: "1" } : {}) }));
  const ended = new Set(told.map((one) => name(one.image)));
  const fresh = answer.images.filter((image) => !later.has(name(image)) && !ended.has(name(image)));
  // Whoever thought for too long, or came back by a reload, may find that somebody else has it now.
  const lost = before && queue[0] === before && !answer.images.some((image) => name(image) === name(before));
  const shown = lost ? undefined : queue[0];
  queue = shown ? [shown, ...fresh.filter((image) => name(image) !== name(shown))] : fresh;
  if (!queue.length && later.size) {
    queue = [...later.values()];
    later.clear();
  }
  for (const image of queue.slice(1)) {
    for (const address of [image.original, image.prepared]) if (address) new Image().src = address;
  }
  if (answer.left) Object.assign(left, answer.left);
  showLeft();
  if (!shown) {
    show();
    if (lost) tell("Somebody else has that image now.");
    else if (queue.length && last) tell(last);
  }
}

function send(entry) {
  if (entry.sent) return null;
  entry.sent = true;
  return ask("/review/say", { batch: entry.image.batch, position: entry.image.position, word: entry.word });
}

function say(word) {
  const image = queue.shift();
  if (!image || !word) return;
  const entry = { image, word, sent: false };
  entry.kept = enqueue(() => send(entry));
  entry.kept.catch((error) => {
    told.splice(told.indexOf(entry), 1);
    queue.unshift(image);
    move(image, 1);
    show();
    complain(error);
  });
  told.push(entry);
  wrong.hidden = true;
  move(image, -1);
  show();
  tell(`${spoken(word)}: ${image.path}.`);
  since += 1;
  const count = since % COUNT_EVERY === 0;
  if (queue.length < AHEAD || count) refill(count).catch(complain);
}

async function undo() {
  const entry = told.pop();
  try {
    const kept = entry ? await entry.kept : null;
    const answer = await enqueue(() => ask("/review/undo", kept ? { id: kept.id } : {}));
    if (!answer.word) return tell("There is nothing to take back.");
    const image = answer.image;
    if (image) {
      queue = [image, ...queue.filter((one) => name(one) !== name(image))];
      move(image, 1);
      show();
    }
    tell(`Taken back: ${spoken(answer.word)}${entry ? ` of ${entry.image.path}` : ""}.`);
  } catch (error) {
    complain(error);
  }
}

function putOff() {
  const image = queue.shift();
  if (!image) return;
  later.set(name(image), image);
  show();
  tell(`Later: ${image.path}.`);
  refill().catch(complain);
}

const KEYS = {
  x: () => say("not_a_digit"), s: () => say("several"), u: undo, n: putOff, " ": () => say(queue[0]?.agree),
};
for (let digit = 0; digit < 10; digit += 1) KEYS[digit] = () => say(String(digit));

document.addEventListener("keydown", (event) => {
  if (!at("keys").checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const target = event.target;
  if (target.closest("input:not([type=checkbox]), select, textarea")) return;
  // Space presses what has the focus, where that can be pressed.
  if (event.key === " " && target.closest("button, a, input, label")) return;
  const action = KEYS[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

words.addEventListener("submit", (event) => {
  event.preventDefault();
  say(event.submitter?.value);
  // A mouse's press leaves the keys where they were; who came by the tabulator stays on the button.
  if (document.activeElement === document.body || !document.activeElement.matches(":focus-visible")) stage.focus();
});
at("undo").addEventListener("submit", (event) => {
  event.preventDefault();
  undo();
});
at("skip").addEventListener("click", putOff);
window.addEventListener("pagehide", () => {
  told.forEach(send); // What still waits for its turn has none any more.
  navigator.sendBeacon("/review/leave", new URLSearchParams());
});
// A page that comes back as it was left has given its images back.
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
setInterval(() => refill(true).catch(complain), RENEW);

at("skip").hidden = at("keys-label").hidden = false;
at("keys").checked = localStorage.getItem("digitline-keys") !== "off";
at("keys").addEventListener("change", (event) => localStorage.setItem("digitline-keys", event.target.checked ? "on" : "off"));
show();
refill().catch(complain);
stage.focus({ preventScroll: true });
