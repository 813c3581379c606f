"use strict";
// The page: what the user does goes to the server, and what the server says is shown. What users typed goes into text nodes only, never into HTML.

const the = (id) => document.getElementById(id);

/** What the server refused, or that it does not answer. */
class Failure extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function call(method, path, body) {
  const options = { method, signal: AbortSignal.timeout(5000) };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response, answer;
  try {
    response = await fetch(path, options);
    answer = await response.json();
  } catch (error) {
    if (response) throw new Failure("unreadable", `The server's answer cannot be read (status ${response.status}).`);
    throw new Failure("unreachable", "The server does not answer. This page will go on when it does.");
  }
  if (!response.ok) throw new Failure(answer.code, answer.message);
  return answer;
}

// Messages. One is shown at a time; that of a server which is gone goes when it is back.

let shown = null;

function show(failure) {
  shown = failure.code ?? "broken";
  the("message").textContent = failure.message;
  the("message").hidden = false;
}

function clearMessage() {
  shown = null;
  the("message").hidden = true;
}

// The session.

/** The session as the server told it last, and when that was, by this browser's steady clock. */
let session = null, toldAt = 0;

function setSession(answer) {
  const isNew = session?.handle !== answer?.handle;
  [session, toldAt] = [answer, performance.now()];
  the("login").hidden = session !== null;
  the("session").hidden = session === null;
  the("list").hidden = !session?.is_operator;
  the("operator-hint").hidden = Boolean(session?.is_operator);
  if (session === null) {
    the("total").textContent = "";
    drawRows([]);
    return;
  }
  the("user").textContent = session.user;
  the("since").textContent = new Date(session.since).toLocaleTimeString();
  the("handle").textContent = session.handle;
  the("note").textContent = session.note || "–";
  the("lifetime").textContent = `each request makes it ${span(session.lifetime)} again`;
  drawExpiry();
  if (isNew && session.is_operator) act(refreshList);
}

function span(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return seconds < 100 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function drawExpiry() {
  if (session === null) return;
  const left = session.expires_in - (performance.now() - toldAt);
  the("expires").textContent = `in ${span(left)};`;
  the("left").style.width = `${Math.max(0, Math.min(100, (100 * left) / session.lifetime))}%`;
}

/** What a failure means for the session, besides being shown. */
function failed(failure) {
  const isOver = failure.code === "ended" || failure.code === "not_logged_in";
  // The browser forgets the cookie when the session expires, so the server knows nothing of it: the page does.
  const message = isOver && session !== null ? "Your session has ended: it expired, or it was ended elsewhere. Please log in again." : failure.message;
  if (isOver) setSession(null);
  show(new Failure(failure.code, message));
}

/** Runs what a button or form asks for. Only the last message counts. */
async function act(action) {
  try {
    await action();
  } catch (failure) {
    failed(failure);
  }
}

function on(id, event, action) {
  the(id).addEventListener(event, (happened) => {
    happened.preventDefault();
    clearMessage();
    act(action);
  });
}

on("login", "submit", async () => {
  setSession(await call("POST", "/api/login", { name: the("name").value, password: the("password").value }));
  the("password").value = "";
});
on("note-form", "submit", async () => {
  setSession(await call("POST", "/api/note", { note: the("new-note").value }));
  the("new-note").value = "";
});
on("extend", "click", async () => setSession(await call("GET", "/api/session")));
on("logout", "click", async () => {
  await call("POST", "/api/logout");
  setSession(null);
});
on("logout-everywhere", "click", async () => {
  const { ended } = await call("POST", "/api/logout-everywhere");
  setSession(null);
  show({ code: "told", message: `Sessions ended: ${ended}.` });
});

// The operator's list.

async function refreshList() {
  const list = await call("GET", "/api/sessions");
  the("total").textContent = `${list.sessions.length} shown of ${list.total}`;
  drawRows(list.sessions);
}

/** The lines of the list, by handle. A line stays the same element while its session lives, so that a click is not lost to a refresh. */
const lines = new Map();

function drawRows(sessions) {
  const live = new Set(sessions.map((one) => one.handle));
  for (const [handle, line] of lines) {
    if (live.has(handle)) continue;
    line.remove();
    lines.delete(handle);
  }
  sessions.forEach((one, index) => {
    const line = lines.get(one.handle) ?? row(one), there = the("rows").rows[index];
    lines.set(one.handle, line);
    line.cells[3].textContent = `in ${span(one.expires_in)}`;
    if (there !== line) the("rows").insertBefore(line, there ?? null);
  });
}

function row(one) {
  const end = document.createElement("button");
  end.textContent = "End";
  end.addEventListener("click", () => {
    clearMessage();
    act(async () => {
      await call("POST", `/api/sessions/${encodeURIComponent(one.handle)}/end`);
      if (one.is_yours) setSession(null);
      else await refreshList();
    });
  });
  const cells = [one.user + (one.is_yours ? " (you)" : ""), one.handle, new Date(one.since).toLocaleTimeString(), "", end];
  const line = document.createElement("tr");
  for (const cell of cells) line.insertCell().append(cell);
  return line;
}

// What goes on without the user's doing. The operator's list prolongs the operator's session, as looking at it is what an operator does.

let samples = [], next = 0;

async function poll() {
  try {
    const answer = await call("GET", `/api/stats?from=${next}`);
    // A server that was started anew counts from 0.
    if (answer.next < next) samples = [];
    samples = samples.concat(answer.samples).slice(-121);
    next = answer.next;
    drawCharts(samples);
    the("dashboard").classList.remove("stale");
    if (shown === "unreachable") clearMessage();
    if (session?.is_operator) await refreshList();
    if (session !== null) {
      const before = toldAt, told = await call("GET", "/api/session/peek");
      // Unless the user did something meanwhile: the answer may be older.
      if (toldAt === before) setSession(told);
    }
  } catch (failure) {
    if (failure.code === "unreachable") the("dashboard").classList.add("stale");
    // The user may have logged out while this was asked.
    if (failure.code === "unreachable" || session !== null) failed(failure);
  }
  setTimeout(poll, 1000);
}

async function start() {
  try {
    setSession(await call("GET", "/api/session"));
  } catch (failure) {
    setSession(null);
    if (failure.code !== "not_logged_in") show(failure);
  }
  poll();
}

makeCharts(the("charts"));
setInterval(drawExpiry, 250);
start();
