// @ts-check
/**
 * Fills the slots of a page with what Podium decides, and reports what was shown.
 *
 *     <script async src="https://podium.example/podium.js" data-key="podium_pub_…" data-timeout-ms="400"></script>
 *     <div data-podium="flag-key">default content</div>
 *
 * A slot is hidden for `data-timeout-ms` at most. If there is no good answer by then, its default stays for good.
 *
 * @typedef {{ flag: string, unit: Unit, experiment?: string, variant?: string, value?: any, assigned: boolean, id?: string }} Decision
 * @typedef {{ userId?: string, anonymousId?: string }} Unit whose decision or event it is
 */
(() => {
  'use strict';
  const SLOT = 'data-podium';
  /** `wait` while the slot is hidden, then `shown` or `default`. */
  const STATE = 'data-podium-state';
  /** What a page may call its own hold of slots, until this script is there. */
  const HOLD = 'podium-hold';
  /** How long to wait for the server, and then to leave it alone, in ms. */
  const REST_MS = 10_000;
  /** Events that a page holds back at most, how many go in one request, and after how many ms. */
  const EVENTS_MAX = 200, BATCH_MAX = 25, BATCH_MS = 200;
  /** What a request may carry that outlives its page, in characters: browsers take 64 KiB. */
  const KEEPALIVE_MAX = 20_000;

  const script = /** @type {HTMLScriptElement | null} */ (
    document.currentScript || document.querySelector('script[data-key][src*="podium.js"]')
  );
  if (!script || Object.hasOwn(window, 'podium')) return;
  const { key = '', timeoutMs, user } = script.dataset;
  const limit = Number(timeoutMs) >= 0 ? Number(timeoutMs) : 400;

  /** What links to this page show, whatever the shopper would get. */
  const previews = new URLSearchParams(location.search).getAll('podium_preview');

  const warn = (/** @type {unknown} */ fault) => console.warn('podium:', fault);
  /** @template T @param {() => T} run @returns {T | undefined} nothing if it threw */
  const attempt = (run) => {
    try {
      return run();
    } catch (fault) {
      warn(fault);
    }
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('');

  // ---- Who it is.

  const anonymousId = (() => {
    const name = 'podium.anonymous_id';
    const minted = random();
    try {
      const known = localStorage.getItem(name);
      if (known) return known;
      localStorage.setItem(name, minted);
    } catch {
      // Without storage everybody is new on every page.
    }
    return minted;
  })();
  let userId = user;
  /** @returns {Unit} */
  const unit = () => (userId ? { userId } : { anonymousId });

  // ---- Talking to the server.

  /** @param {string} path @param {string} body @param {boolean} [keepalive] */
  const post = async (path, body, keepalive) =>
    fetch(new URL(path, script.src), {
      method: 'POST',
      headers: { authorization: 'Bearer ' + key, 'content-type': 'application/json' },
      credentials: 'omit',
      body,
      signal: AbortSignal.timeout(REST_MS),
      keepalive: keepalive && body.length < KEEPALIVE_MAX,
    });

  /** @type {string[]} each as JSON, since a page may change what it handed over */
  let events = [];
  let flushing = 0, nFailures = 0;

  const flush = () => {
    clearTimeout(flushing);
    flushing = 0;
    const batch = events.splice(0, BATCH_MAX);
    if (!batch.length) return;
    if (events.length) flushSoon();
    const again = () => {
      events = [...batch, ...events].slice(0, EVENTS_MAX);
      flushSoon(1000 * 2 ** Math.min(++nFailures, 6));
    };
    post('api/v1/events', `{"batch":[${batch}],"sentAt":"${new Date().toJSON()}"}`, true).then((answer) => {
      if (answer.status === 429 || answer.status >= 500) again();
      else nFailures = 0;
    }, again);
  };
  const flushSoon = (wait = BATCH_MS) => {
    flushing ||= setTimeout(flush, wait);
  };
  const flushAll = () => {
    while (events.length) flush();
  };
  /** @param {Unit} whose @param {object} event */
  const send = (whose, event) =>
    attempt(() => {
      if (events.length >= EVENTS_MAX) return;
      events.push(JSON.stringify({ messageId: random(), timestamp: new Date(), ...whose, ...event }));
      flushSoon();
    });

  // ---- Deciding: one call for all slots that are there when it goes out.

  /** @type {Map<string, Decision>} what is known of the present unit */
  let decided = new Map();
  /** @type {Map<string, Element[]>} slots by the flag that they wait for */
  const waiting = new Map();
  /** @type {WeakSet<Element>} */
  const seen = new WeakSet();
  let asking = 0, restUntil = 0;

  /** @param {Element} slot @param {string} state */
  const settle = (slot, state) => slot.setAttribute(STATE, state);
  const isWaiting = (/** @type {Element} */ slot) => slot.getAttribute(STATE) === 'wait';

  /**
   * How much longer a slot may be hidden, in ms, if it was there before this script: a hold of the page's own that has
   * ended showed the default, which then stays.
   *
   * @param {Element} slot
   */
  const left = (slot) => {
    if (!getComputedStyle(slot).animationName.includes(HOLD)) return limit;
    const hold = slot.getAnimations().find((animation) => /** @type {any} */ (animation).animationName === HOLD);
    return hold ? limit - Number(hold.currentTime) : 0;
  };

  /** @param {Element} slot @param {boolean} [isOld] whether it was there before this script */
  const found = (slot, isOld) => {
    if (seen.has(slot)) return;
    seen.add(slot);
    const flag = slot.getAttribute(SLOT);
    const wait = isOld ? left(slot) : limit;
    const known = flag && decided.get(flag);
    if (known) return apply(slot, known);
    if (!flag || wait <= 0 || Date.now() < restUntil) return settle(slot, 'default');
    settle(slot, 'wait');
    setTimeout(() => isWaiting(slot) && settle(slot, 'default'), wait);
    waiting.set(flag, [...(waiting.get(flag) ?? []), slot]);
    // The rest of a page that is still being read may bring more slots; it is waited for, but not for long.
    asking ||= setTimeout(ask, document.readyState === 'loading' ? limit / 4 : 0);
  };

  const ask = () => {
    clearTimeout(asking);
    asking = 0;
    if (!waiting.size) return;
    const whose = unit();
    const asked = new Map([...waiting].slice(0, 100));
    for (const flag of asked.keys()) waiting.delete(flag);
    if (waiting.size) asking = setTimeout(ask);
    /** @type {Record<string, unknown>} */
    const body = { unit: whose.userId ?? whose.anonymousId, flags: [...asked.keys()], exposure: false, channel: 'web' };
    if (previews.length) body.context = { podium_preview: previews };
    post('api/v1/decide', JSON.stringify(body))
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(`status ${answer.status}`)))
      .then(({ decisions }) => {
        for (const { flag, experiment, variant, value, propensity, decision_id: id, error_code: error } of decisions) {
          if (error) {
            warn(`${flag}: ${error}`);
            continue;
          }
          /** @type {Decision} */
          const decision = { flag, unit: whose, experiment, variant, value, assigned: propensity > 0, id };
          if (whose.userId === userId) decided.set(flag, decision);
          for (const slot of asked.get(flag) ?? []) if (isWaiting(slot)) apply(slot, decision);
        }
      })
      .catch((fault) => {
        restUntil = Date.now() + REST_MS;
        warn(fault);
      })
      .finally(() => {
        for (const slot of [...asked.values()].flat()) if (isWaiting(slot) && !leaving) settle(slot, 'default');
      });
  };

  // ---- Showing.

  /** Whether the page is being left for another; its slots stay hidden until their time is up. */
  let leaving = false;

  /** @param {Element} slot @param {Decision} decision */
  const apply = (slot, decision) => {
    const state = attempt(() => show(slot, decision)) ?? 'default';
    if (state !== 'wait') settle(slot, state);
  };

  /**
   * Puts the content of a decision into a slot.
   *
   * @param {Element} slot
   * @param {Decision} decision
   * @returns {string} the state of the slot
   */
  const show = (slot, decision) => {
    const { flag, variant, value } = decision;
    if (value == null) {
      // The default is what this variant shows.
    } else if (typeof value !== 'object') {
      slot.textContent = String(value);
    } else if (typeof value.html === 'string') {
      slot.replaceChildren(...clean(value.html));
    } else if (typeof value.redirect === 'string') {
      const to = web(value.redirect);
      if (!to) throw `${flag}: no redirect to ${value.redirect}`;
      if (to.href.split('#')[0] !== location.href.split('#')[0] && once(flag)) {
        leaving = true;
        expose(decision);
        flushAll();
        location.replace(to);
        return 'wait';
      }
    } else {
      const detail = { flag, variant, value: 'json' in value ? value.json : value };
      slot.dispatchEvent(new CustomEvent('podium:decision', { bubbles: true, detail }));
    }
    const place = slot.getClientRects().length ? slot : mark(slot);
    shown.set(place, decision);
    views.observe(place);
    return 'shown';
  };

  /** The address if it is one of the web. @param {string} address */
  const web = (address) => {
    const url = new URL(address, document.baseURI);
    return /^https?:$/.test(url.protocol) ? url : undefined;
  };

  /** Whether a redirect has not been followed in this session; without a memory of that, none is. @param {string} flag */
  const once = (flag) => {
    try {
      const name = 'podium.redirect.' + flag;
      if (sessionStorage.getItem(name)) return false;
      sessionStorage.setItem(name, '1');
      return true;
    } catch {
      return false;
    }
  };

  /** Elements and attributes that cannot run anything. All else is left out, with what is in it. */
  const ELEMENTS = new Set(
    ('a abbr address article aside audio b bdi bdo blockquote br button caption cite code col colgroup data dd del details ' +
      'dfn div dl dt em figcaption figure footer h1 h2 h3 h4 h5 h6 header hgroup hr i img ins kbd label li main mark meter ' +
      'nav ol p picture pre progress q s samp section small source span strong sub summary sup table tbody td tfoot th ' +
      'thead time tr track u ul var video wbr').split(' '),
  );
  const ATTRIBUTES =
    /^(aria-[\w-]+|data-(?!podium)[\w-]+|alt|autoplay|class|colspan|controls|datetime|decoding|dir|height|id|kind|label|lang|loading|loop|max|media|min|muted|open|playsinline|rel|role|rowspan|scope|sizes|span|srclang|srcset|style|tabindex|target|title|type|value|width)$/;
  const ADDRESSES = /^(href|src|poster|cite)$/;

  /** @type {any} made when it is needed, for pages that ask for trusted types */
  let policy;
  /** Reads HTML and leaves out whatever could run. @param {string} html */
  const clean = (html) => {
    const { trustedTypes } = /** @type {any} */ (window);
    policy ??= attempt(() => trustedTypes?.createPolicy('podium', { createHTML: (/** @type {string} */ text) => text }));
    // Nothing runs and nothing is loaded in this document.
    const { body } = new DOMParser().parseFromString(policy ? policy.createHTML(html) : html, 'text/html');
    for (const element of body.querySelectorAll('*')) {
      if (element.namespaceURI !== document.documentElement.namespaceURI || !ELEMENTS.has(element.localName)) {
        element.remove();
        continue;
      }
      for (const { name, value } of [...element.attributes]) {
        const isSafe = ADDRESSES.test(name) ? /^(mailto|tel):/i.test(value) || attempt(() => web(value)) : ATTRIBUTES.test(name);
        if (!isSafe) element.removeAttribute(name);
      }
    }
    return body.childNodes;
  };

  // ---- What was really shown.

  /**
   * Marks where a slot would stand that has no place on the page, since its variant shows nothing: it is to be seen when
   * the other variants would be. @param {Element} slot
   */
  const mark = (slot) => {
    const place = document.createElement('span');
    place.style.position = 'absolute';
    slot.before(place);
    return place;
  };

  /** @type {WeakMap<Element, Decision>} what is seen once this comes into view */
  const shown = new WeakMap();
  /** @type {Set<string | undefined>} */
  const exposed = new Set();
  const views = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const decision = shown.get(target);
      if (!decision || !isIntersecting) continue;
      views.unobserve(target);
      if (!target.hasAttribute(SLOT)) target.remove();
      expose(decision);
    }
  });

  /** @param {Decision} decision */
  const expose = ({ unit, experiment, variant, assigned, id }) => {
    if (!assigned || exposed.has(id)) return;
    exposed.add(id);
    send(unit, {
      event: 'Experiment Viewed',
      messageId: 'viewed-' + id,
      properties: { experiment_id: experiment, variation_id: variant, decision_id: id },
    });
  };

  // ---- For the page's own scripts.

  Object.defineProperty(window, 'podium', {
    value: Object.freeze({
      /**
       * Says who the shopper is, from now on: slots that come later are decided for them.
       *
       * @param {string} id
       */
      identify(id) {
        if (!id || id === userId) return;
        userId = String(id);
        decided = new Map();
        send({ userId, anonymousId }, { type: 'identify' });
      },
      /**
       * Sends an event.
       *
       * @param {string} name such as `Product Added`
       * @param {object} [properties]
       */
      track(name, properties) {
        send(userId ? { userId, anonymousId } : { anonymousId }, { event: name, properties });
      },
    }),
  });

  // ---- The page.

  // A sheet of the script's own needs no leave from a policy for styles.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`[${STATE}=wait],[${STATE}=wait] *{visibility:hidden!important}`);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

  /** @param {ParentNode} within @param {boolean} [isOld] */
  const search = (within, isOld) => {
    for (const slot of within.querySelectorAll(`[${SLOT}]`)) attempt(() => found(slot, isOld));
  };
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) {
        if (!(node instanceof Element)) continue;
        if (node.hasAttribute(SLOT)) attempt(() => found(node));
        search(node);
      }
    }
  }).observe(document, { childList: true, subtree: true });
  search(document, true);
  addEventListener('DOMContentLoaded', ask);
  addEventListener('pagehide', flushAll);
  document.addEventListener('visibilitychange', () => document.hidden && flushAll());
})();
