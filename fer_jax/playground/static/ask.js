// Questions to the server; an error is one with the server's own words.

export async function getJson(path) {
  return read(await reach(path));
}

export async function postJson(path, body) {
  return read(await reach(path, { method: "POST", body }));
}

const asking = new Map(); // how many questions an element waits for

// Make a function that asks (question, then, otherwise). While an answer is awaited only the newest
// question waits, so that a slider that moves faster than the networks answer never queues up. An
// answer to an older question is shown too: it is on the slider's way.
export function askLatest(path, busy) {
  const mark = (by) => {
    asking.set(busy, (asking.get(busy) ?? 0) + by);
    busy.setAttribute("aria-busy", `${asking.get(busy) > 0}`);
    if (!asking.get(busy)) busy.classList.remove("waiting");
  };
  let running = false;
  let next = null;
  return async function ask(...question) {
    if (running) {
      next = question;
      return;
    }
    running = true;
    next = question;
    const slow = setTimeout(() => busy.classList.add("waiting"), 250);
    mark(1);
    while (next) {
      const [asked, then, otherwise] = next;
      next = null;
      try {
        then(await postJson(path, JSON.stringify(asked)));
      } catch (error) {
        otherwise(error);
      }
    }
    clearTimeout(slow);
    mark(-1);
    running = false;
  };
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error("the playground's server does not answer; start it again in its terminal");
  }
}

async function read(response) {
  const said = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Error(said.error ?? `the server answered ${response.status} ${response.statusText}`);
  }
  return said;
}
