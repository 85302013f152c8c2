/* The calculator of the chapter "meta-overfitting": bits of a description and the bound that follows, computed here.
   Does nothing on pages without <div id="razor-calculator">. No libraries, no network. The code is that of
   offconvex.holdout.razor.description, the bounds those of offconvex.holdout.razor.theory; tests compare the two. */
(function (root) {
  "use strict";

  // ---- the code: pure functions, also loaded by the tests ----

  const ALPHABETS = {
    phrase: (
      "absolute activation adam add after all and angle apply architecture as at augment average axis batch " +
      "before begin best bias binary bit block boost both bottom by cell center change channel class classifier " +
      "clip compute concatenate constant contrast convolution copy cosine count crop cross cross_entropy data " +
      "decay decrease deep default define delta dense depth descent deviation difference distribution divide " +
      "double drop dropout during each early else end ensemble epochs equal error even every example except " +
      "expectation exponential factor fan_in fan_out feature filter final first fit flip for forward from full " +
      "function gain gate gauss generate global gradient grid group half height hidden hinge horizontal if " +
      "image images in increase init initialize inner input inverse iterations keep kernel label labels last " +
      "layer layers learn least left length level linear local logistic loss map margin matrix maximum mean " +
      "median memory minimum model momentum multiply nearest negative network neuron noise norm normalize " +
      "number of offset on one or order original orthogonal output over pad parameter part patch path per pixel " +
      "pixels pool positive power previous probability product project random range rate ratio reduce " +
      "regularize repeat replace rescale resize rest reverse right root rotate round row same sample scale " +
      "schedule second seed select set sgd shape share shift shuffle side sigmoid sign size skip small smooth " +
      "softmax split square squared standard start state step steps stop stride subtract sum target test then " +
      "threshold times to top train transform transpose two uniform unit update upper validation value variance " +
      "vector vertical vote weight weights where whiten width window with without zero zeros"
    ).split(" "),
    equation: (
      "+ - * / ^ = ( ) [ ] , ; : < > | abs argmax cos exp floor gauss log max mean min sign sin sqrt sum " +
      "uniform var"
    ).split(" "),
    graph: (
      "add average avgpool batchnorm channels concat conv crop dense dropout embed flatten from global groups " +
      "identity input kernel max maxpool multiply norm pad recurrent relu repeat reshape sigmoid softmax stride " +
      "tanh upsample"
    ).split(" "),
  };
  const KINDS = Object.keys(ALPHABETS);
  const TAG = { phrase: 1, equation: 2, graph: 3 };
  const TOKEN = /->|[A-Za-z_][A-Za-z_0-9]*|[0-9]*\.?[0-9]+(?:e-?[0-9]+)?|\S/g;
  const LONGEST_NUMBER = 15;

  function fixed(size) {
    let width = 0;
    while (2 ** width < size) width += 1;
    return width;
  }

  function gamma(value) {
    let width = 0;
    while (2 ** (width + 1) <= value) width += 1;
    return 2 * width + 1;
  }

  /** [m, e] with m not divisible by ten. */
  function number(text, line) {
    const [, whole, part, power] = /^(\d*)\.?(\d*)(?:e(-?\d+))?$/.exec(text);
    const digits = (whole + part).replace(/^0+/, ""), exponent = Number(power || 0) - part.length;
    if (digits.length > LONGEST_NUMBER || Math.abs(exponent) > 99) {
      throw new Error(`Line ${line}: "${text}" has more than ${LONGEST_NUMBER} digits or an exponent beyond 99.`);
    }
    if (!digits) return [0, 0];
    const kept = digits.replace(/0+$/, "");
    return [Number(kept), exponent + digits.length - kept.length];
  }

  /** Bits of a description: {bits, parts: [[line, bits], ...]}. */
  function measure(text) {
    const names = new Map(), parts = [];
    text.split(/\r\n|\n|\r/).forEach((row, i) => {
      if (!row.trim() || row.trimStart().startsWith("#")) return;
      const colon = row.indexOf(":"), kind = row.slice(0, colon).trim();
      if (colon < 0 || !KINDS.includes(kind)) {
        throw new Error(`Line ${i + 1}: expected "phrase:", "equation:" or "graph:" and then its words; got "${row.trim()}".`);
      }
      let bits = TAG[kind] + 3;
      for (const token of row.slice(colon + 1).match(TOKEN) || []) {
        if (token !== "->") bits += cost(token, kind, names, i + 1);
      }
      parts.push([row.trim(), bits]);
    });
    if (!parts.length) throw new Error("The description is empty: expected lines such as \"graph: input 784 -> dense 10 -> softmax\".");
    return { bits: parts.reduce((sum, part) => sum + part[1], 3), parts };
  }

  function cost(token, kind, names, line) {
    const alphabet = ALPHABETS[kind];
    if (alphabet.includes(token)) return 1 + fixed(alphabet.length);
    if (/^(\d|\.\d)/.test(token)) {
      const [m, e] = number(token, line);
      return 2 + gamma(m + 1) + gamma(e >= 0 ? 2 * e + 1 : -2 * e);
    }
    if (/^([A-Z][A-Za-z0-9]*|[a-z])$/.test(token)) {
      const bits = 3 + fixed(names.size + 1);
      if (!names.has(token)) names.set(token, names.size);
      return bits;
    }
    const article = kind === "equation" ? "an" : "a";
    throw new Error(`Line ${line}: "${token}" is not in the vocabulary of ${article} ${kind}; a name of your own is a single letter or begins with a capital.`);
  }

  // ---- the bounds ----

  function solve(f, low, high) {
    for (let i = 0; i < 200 && low < high; i++) {
      const middle = (low + high) / 2;
      if (f(middle) < 0) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }

  const hoeffding = (e, n, budget) => e + Math.sqrt(budget / (2 * n));

  const BOUNDS = {
    okamoto(e, n, budget) {
      const c = budget / n, a = 1 + 2 * c, b = c * (1 - 2 * e), d = 2 * c * e * (1 - e);
      const bound = e + (b + Math.sqrt(b * b + a * d)) / a;
      return bound <= 0.5 ? bound : Math.max(0.5, hoeffding(e, n, budget));
    },
    kl(e, n, budget) {
      const part = (x, p) => (x === 0 ? 0 : x * Math.log(x / p));
      const excess = (p) => n * (part(e, p) + part(1 - e, 1 - p)) - budget;
      return excess(1 - 1e-15) > 0 ? solve(excess, Math.max(e, 1e-300), 1 - 1e-15) : 1;
    },
    binomial(e, n, budget) {
      const wrong = Math.round(e * n);
      if (wrong === n) return 1;
      // The terms of P(Bin(n, p) <= wrong), in logarithms: they are far below the smallest double.
      const choose = [0];
      for (let k = 1; k <= wrong; k++) choose.push(choose[k - 1] + Math.log((n - k + 1) / k));
      const tail = (p) => {
        const terms = choose.map((c, k) => c + k * Math.log(p) + (n - k) * Math.log1p(-p)), top = terms.reduce((a, b) => Math.max(a, b));
        return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0));
      };
      return solve((p) => -tail(p) - budget, Math.max(wrong / n, 1e-12), 1 - 1e-12);
    },
    hoeffding,
  };

  /** Bound on the true error. */
  function bound(bits, error, size, delta, inequality) {
    if (!(bits >= 0)) throw new Error("The bits of a description must be a number, zero or more.");
    if (!(error >= 0 && error <= 1)) throw new Error("The test error must lie between 0 and 100 percent.");
    if (!(Number.isInteger(size) && size >= 1)) throw new Error("The size of the test set must be a positive whole number.");
    if (!(delta > 0 && delta <= 1)) throw new Error("The chance of failure must be more than 0 and at most 1.");
    const budget = bits * Math.LN2 - Math.log(delta);
    if (error === 1 || budget <= 0) return error;
    return Math.min(1, BOUNDS[inequality](error, size, budget));
  }

  const api = { ALPHABETS, bound, measure };
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  if (typeof document === "undefined") return;
  root.offconvexRazor = api;

  // ---- the page ----

  const EXAMPLE = [
    "# Lines: phrase, equation or graph. Change anything.",
    "graph: input 28 28 -> conv 3 16 stride 2 -> relu -> conv 3 32 stride 2 -> relu -> dense 10 -> softmax",
    "phrase: init gauss variance 2 fan_in offset zero",
    "phrase: sgd momentum 0.9 batch 50 epochs 6 rate 0.05 cosine loss cross_entropy",
  ].join("\n");
  const NAMES = { okamoto: "Okamoto", kl: "relative entropy", binomial: "exact binomial", hoeffding: "Hoeffding" };

  const PAGE = `
    <form class="rc-form" autocomplete="off">
      <p><label for="rc-text">Description</label>
        <textarea id="rc-text" rows="7" spellcheck="false" aria-describedby="rc-message"></textarea></p>
      <div class="rc-fields">
        <label for="rc-error">Test error, percent <input id="rc-error" type="number" min="0" max="100" step="any"></label>
        <label for="rc-size">Test examples <input id="rc-size" type="number" min="1" step="1"></label>
        <label for="rc-delta">Chance of failure <input id="rc-delta" type="number" min="0" max="1" step="any"></label>
      </div>
    </form>
    <p id="rc-message" aria-live="polite"></p>
    <div class="rc-tables">
      <table><caption>Bound on the true error</caption>
        <thead><tr><th scope="col">Inequality</th><th scope="col">Bound</th></tr></thead>
        <tbody id="rc-bounds"></tbody></table>
      <table><caption>Where the bits go</caption>
        <thead><tr><th scope="col">Expression</th><th scope="col">Bits</th></tr></thead>
        <tbody id="rc-parts"></tbody></table>
    </div>`;

  function fill(body, rows) {
    body.replaceChildren(...rows.map(([name, value]) => {
      const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
      head.scope = "row";
      head.textContent = name;
      cell.textContent = value;
      row.append(head, cell);
      return row;
    }));
  }

  function mount(box) {
    box.innerHTML = PAGE;
    box.classList.add("rc-ready");
    const at = (id) => box.querySelector("#rc-" + id);
    at("text").value = EXAMPLE;
    at("error").value = "11";
    at("size").value = "10000";
    at("delta").value = "0.05";

    function refresh() {
      let message, bounds = [], parts = [], wrong = false;
      try {
        const found = measure(at("text").value);
        parts = found.parts;
        const error = at("error").valueAsNumber / 100, size = at("size").valueAsNumber, delta = at("delta").valueAsNumber;
        const values = Object.keys(BOUNDS).map((name) => [name, bound(found.bits, error, size, delta, name)]);
        bounds = values.map(([name, value]) => [NAMES[name], (100 * value).toFixed(2) + " %"]);
        const gap = 100 * (values[0][1] - error);
        message = `${found.bits} bits. The true error exceeds the test error by at most ${gap.toFixed(2)} points (Okamoto).`;
      } catch (problem) {
        message = problem.message;
        wrong = true;
      }
      at("message").textContent = message;
      at("message").classList.toggle("rc-wrong", wrong);
      at("text").setAttribute("aria-invalid", String(wrong && !parts.length));
      fill(at("bounds"), bounds);
      fill(at("parts"), parts);
    }

    box.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    box.querySelector("form").addEventListener("input", refresh);
    refresh();
  }

  function begin() {
    const box = document.getElementById("razor-calculator");
    if (box) mount(box);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})(typeof globalThis === "undefined" ? this : globalThis);
