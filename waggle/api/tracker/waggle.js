/* Waggle's tracker: docs/howto-track.md. Sets no cookie, asks nobody but the shop's own Waggle, and does nothing at all
   before the shopper agreed, or if the browser says no (Global Privacy Control, Do Not Track). */
(() => {
  "use strict";
  const script = document.currentScript;
  const queued = Array.isArray(window.waggle) ? window.waggle : [];
  if (!script || (window.waggle && !Array.isArray(window.waggle))) return; // loaded twice
  const { writeKey, consent: wanted = "wait", endpoint = new URL(script.src).origin, pages = "auto" } = script.dataset;
  const OUTBOX = "waggle.event.", ANONYMOUS = "waggle.anonymous", CUSTOMER = "waggle.customer", AGREED = "waggle.agreed";
  const TOLD = "waggle.gpc", CLOSED = "waggle.closed.";
  const MOST_KEPT = 200, MOST_SENT = 50, MOST_CHARS = 50000, LONGEST_PAUSE_S = 300;
  const gpc = navigator.globalPrivacyControl === true;
  const refused = gpc || [navigator.doNotTrack, window.doNotTrack].some((told) => told === "1" || told === "yes");

  // Storage may be full or forbidden: what cannot be kept is kept for this page.
  const memory = new Map();
  const keep = (name, text) => { memory.set(name, text); try { localStorage.setItem(name, text); } catch { /* see above */ } };
  const kept = (name) => { try { return localStorage.getItem(name) ?? memory.get(name) ?? null; } catch { return memory.get(name) ?? null; } };
  const forget = (name) => { memory.delete(name); try { localStorage.removeItem(name); } catch { /* see above */ } };
  const names = (prefix) => {
    const all = new Set(memory.keys());
    try { Object.keys(localStorage).forEach((name) => all.add(name)); } catch { /* see above */ }
    return [...all].filter((name) => name.startsWith(prefix)).sort();
  };
  const id = () => crypto.randomUUID?.() ??
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  let agreed = wanted === "given" ? true : wanted === "wait" && kept(AGREED) === "yes" ? true : null; // null: not asked yet
  let waiting = [], pause_s = 0, timer = 0, sending = false, ended = false, page = "", counted = 0, known = null;

  const who = () => {
    if (!kept(ANONYMOUS)) keep(ANONYMOUS, id());
    const customer_id = kept(CUSTOMER);
    return { anonymous_id: kept(ANONYMOUS), ...(customer_id && { customer_id }) };
  };

  // An event has a row of its own, so that two tabs never overwrite each other's; the time in front keeps the order.
  const tell = (type, data) => {
    const time = new Date(), row = OUTBOX + time.getTime() + "." + String(counted++).padStart(5, "0") + "." + id();
    const told = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined && value !== null));
    keep(row, JSON.stringify({ specversion: "1.0", id: row.slice(OUTBOX.length), type, time: time.toISOString(), data: told }));
    names(OUTBOX).slice(0, -MOST_KEPT).forEach(forget);
    clearTimeout(timer);
    timer = setTimeout(send, pause_s * 1000 || 50);
  };

  const send = async () => {
    const rows = names(OUTBOX).slice(0, MOST_SENT);
    if (sending || ended || agreed !== true || !rows.length) return;
    const bodies = rows.map(kept);
    while (bodies.length > 1 && bodies.join().length > MOST_CHARS) bodies.pop(); // a page that closes may send 64 kB
    sending = true;
    let answer = null;
    try {
      answer = await fetch(endpoint + "/v1/events", {
        method: "POST", mode: "cors", credentials: "omit", referrerPolicy: "no-referrer", keepalive: true,
        headers: { authorization: "Bearer " + writeKey, "content-type": "application/cloudevents-batch+json" },
        body: "[" + bodies.join() + "]",
      });
    } catch { /* away or offline: the same events go again, under the same ids */ }
    sending = false;
    if (agreed !== true) return;
    const status = answer?.status ?? 0;
    ended = status === 401 || status === 403; // a wrong key stays wrong; the next page tries again
    const again = !status || ended || status === 408 || status === 429 || status >= 500;
    if (!again) rows.slice(0, bodies.length).forEach(forget);
    const asked_s = Number(answer?.headers.get("retry-after")) || 0;
    pause_s = again ? Math.max(asked_s, Math.min(LONGEST_PAUSE_S, (pause_s || 1) * 2) * (0.5 + Math.random() / 2)) : 0;
    if (names(OUTBOX).length) { clearTimeout(timer); timer = setTimeout(send, pause_s * 1000); }
  };

  // Addresses may carry names and tokens: of the query only what a campaign says of itself is kept.
  const address = (text) => {
    try {
      const url = new URL(text, location.href);
      if (!/^https?:$/.test(url.protocol)) return undefined;
      const utm = new URLSearchParams([...url.searchParams].filter(([name]) => name.startsWith("utm_"))).toString();
      return url.origin + url.pathname + (utm && "?" + utm);
    } catch { return undefined; }
  };

  const calls = {
    page: () => {
      const url = address(location.href), referrer = page || document.referrer;
      page = url;
      tell("page-viewed", { ...who(), url, title: document.title.slice(0, 500) || undefined, referrer: referrer ? address(referrer) : undefined });
    },
    product: (sku, more = {}) => tell("product-viewed", { ...who(), sku, url: address(more.url ?? location.href) }),
    cart: (cart) => tell("cart-updated", { ...who(), ...cart }),
    add: (line) => tell("product-added", { ...who(), ...line }),
    remove: (line) => tell("product-removed", { ...who(), ...line }),
    checkout: (checkout) => tell("checkout-started", { ...who(), ...checkout }),
    identify: (customer_id, traits = {}) => {
      keep(CUSTOMER, customer_id);
      tell("customer-identified", { ...traits, ...who() });
    },
    reset: () => [CUSTOMER, ANONYMOUS].forEach(forget),
  };

  // A banner is text, a picture and a link: never markup, so that nobody can slip a script in.
  const show = (slot, { key = slot, text = "", link, label = "", image } = {}) => {
    if (kept(CLOSED + key)) return;
    document.querySelectorAll(`[data-waggle-slot="${CSS.escape(slot)}"]`).forEach((place) => {
      const add = (parent, tag, changes) => parent.appendChild(Object.assign(document.createElement(tag), changes));
      const web = (url) => /^https?:\/\//i.test(url ?? "");
      place.replaceChildren();
      const banner = add(place, "div", { className: "waggle-banner" });
      if (web(image)) add(banner, "img", { src: image, alt: "" });
      add(banner, "p", { textContent: text });
      if (web(link)) add(banner, "a", { href: link, textContent: label || link });
      const close = add(banner, "button", { type: "button", textContent: "×", ariaLabel: "Close" });
      close.onclick = () => { place.replaceChildren(); if (agreed === true) keep(CLOSED + key, "yes"); };
    });
  };

  const consent = (answer) => {
    agreed = answer === true || answer === "given";
    if (agreed && !refused) { keep(AGREED, "yes"); waiting.splice(0).forEach(run); send(); return; }
    waiting = [];
    if (agreed) optOut();
    else names("waggle.").filter((name) => !name.startsWith(CLOSED)).forEach(forget);
  };

  // The browser's signal is an opt-out of sale and sharing (CCPA): for a known customer that is told, and nothing else.
  const optOut = () => {
    if (!gpc || agreed !== true || !known || kept(TOLD) === known) return;
    keep(TOLD, known);
    tell("consent-withdrawn", { customer_id: known, purpose: "sale-share", mechanism: "gpc" });
  };

  const run = ([name, ...given]) => {
    if (name === "consent") consent(...given);
    else if (name === "show") show(...given);
    else if (!Object.hasOwn(calls, name)) console.warn(`waggle: there is no call ${JSON.stringify(name)}`);
    else if (refused) { if (name === "identify") { known = given[0]; optOut(); } }
    else if (agreed) calls[name](...given);
    else if (agreed === null && waiting.length < MOST_KEPT) waiting.push([name, ...given]);
  };

  window.waggle = Object.freeze({ push: (...all) => { all.forEach(run); return all.length; } });
  if (wanted === "given") consent("given");
  if (pages === "auto") {
    run(["page"]);
    const turned = () => { if (address(location.href) !== page) run(["page"]); };
    addEventListener("popstate", turned);
    for (const name of ["pushState", "replaceState"]) {
      const own = history[name];
      history[name] = function (...given) { const result = own.apply(this, given); setTimeout(turned); return result; };
    }
  }
  queued.forEach(run);
  addEventListener("online", () => { pause_s = 0; send(); });
  addEventListener("pagehide", () => { pause_s = 0; send(); });
  if (agreed && !refused) send();
})();
