// Asking again and again: every two seconds while the page is seen, twice a minute while it is not.

const SEEN = 2000;
const UNSEEN = 30000;
const SLOWEST = 30000;

/** What the server says at an address. Throws an Error whose `status` is the answer's. */
export async function ask(path, values = {}) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) asked.append(name, each);
  }
  const query = asked.size ? `?${asked}` : "";
  const answer = await fetch(`${path}${query}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(20000) });
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(said.error ?? "The server could not answer."), { status: answer.status });
}

/** Call `look` until the page is left, one call at a time; `#trouble` says what goes wrong. */
export function poll(look) {
  let timer = 0;
  let failures = 0;
  let under = false;
  const again = (wait) => { timer = setTimeout(round, wait); };
  const round = async () => {
    if (under) return;
    under = true;
    clearTimeout(timer);
    try {
      await look();
      failures = 0;
      trouble("");
    } catch (error) {
      failures += 1;
      trouble(error.status ? error.message : "The server does not answer. Trying again.");
    }
    under = false;
    const wait = document.hidden ? UNSEEN : SEEN;
    again(Math.min(Math.max(SLOWEST, wait), wait * 2 ** Math.min(failures, 4)));
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
  round();
}

function trouble(said) {
  const place = document.getElementById("trouble");
  if (place.textContent !== said) place.textContent = said;
  place.hidden = !said;
}
