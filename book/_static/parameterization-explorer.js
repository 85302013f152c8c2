/* Interactive companion of the chapter "parameterizations": gradient flow of two weights under a chosen parameterization.
   Does nothing on pages without <div id="parameterization-explorer">. No libraries, no network. */
(function (root) {
  "use strict";

  // ---- mathematics: pure functions of numbers, also loaded by the tests ----

  const OPTIMUM = [3, 6];
  const NORMAL = [1, 2];
  const OFFSET = 15;
  const SIDE = 10; // the plane shown is [0, SIDE]^2
  const SMALLEST = 0.01; // starts keep this distance from the axes, where w = u^N ends

  function exponent(family, N) {
    return family === "exp" ? 2 : 2 - 2 / N;
  }

  /** Minus the gradient of the loss with respect to w. */
  function descent(loss, w) {
    if (loss === "point") return [OPTIMUM[0] - w[0], OPTIMUM[1] - w[1]];
    const s = (OFFSET - NORMAL[0] * w[0] - NORMAL[1] * w[1]) / (NORMAL[0] ** 2 + NORMAL[1] ** 2);
    return [s * NORMAL[0], s * NORMAL[1]];
  }

  /** Velocity of w when gradient flow runs on the parameters: family "power" (with N), "exp" or "polar". */
  function field(family, N, loss, w) {
    const g = descent(loss, w);
    if (family === "polar") {
      const r = Math.hypot(w[0], w[1]);
      const c = w[0] / r, s = w[1] / r;
      const along = c * g[0] + s * g[1], across = r * r * (c * g[1] - s * g[0]);
      return [along * c - across * s, along * s + across * c];
    }
    const factor = family === "exp" ? 1 : N * N, a = exponent(family, N);
    return [factor * w[0] ** a * g[0], factor * w[1] ** a * g[1]];
  }

  // Coordinates in which the flow is smooth: w itself for N = 1, log w for other powers and exp, (r, angle) for polar.
  function coordinates(family, N) {
    if (family === "polar") {
      return {
        from: (w) => [Math.hypot(w[0], w[1]), Math.atan2(w[1], w[0])],
        to: (y) => [y[0] * Math.cos(y[1]), y[0] * Math.sin(y[1])],
        velocity: (loss, y) => {
          const c = Math.cos(y[1]), s = Math.sin(y[1]);
          const g = descent(loss, [y[0] * c, y[0] * s]), stretch = 1 + y[0] * y[0];
          return [(c * g[0] + s * g[1]) / stretch, (y[0] * (c * g[1] - s * g[0])) / stretch];
        },
      };
    }
    if (family === "power" && N === 1) {
      return { from: (w) => w.slice(), to: (y) => y.slice(), velocity: (loss, y) => descent(loss, y) };
    }
    const a = exponent(family, N);
    return {
      from: (w) => [Math.log(w[0]), Math.log(w[1])],
      to: (y) => [Math.exp(y[0]), Math.exp(y[1])],
      velocity: (loss, y) => {
        // w_i^a over the sum of both, without overflow: the same path in a clock that suits every N.
        const top = Math.max(a * y[0], a * y[1]);
        const m = [Math.exp(a * y[0] - top), Math.exp(a * y[1] - top)];
        const w = [Math.exp(y[0]), Math.exp(y[1])], g = descent(loss, w), sum = m[0] + m[1];
        return [(m[0] * g[0]) / (sum * w[0]), (m[1] * g[1]) / (sum * w[1])];
      },
    };
  }

  // Dormand-Prince 5(4): nodes are not needed, the field does not depend on time.
  const STAGES = [
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
  ];
  const ERROR = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];
  const RELATIVE = 1e-9, ABSOLUTE = 1e-11;

  function combine(y, h, weights, slopes) {
    const out = y.slice();
    for (let i = 0; i < weights.length; i++) {
      out[0] += h * weights[i] * slopes[i][0];
      out[1] += h * weights[i] * slopes[i][1];
    }
    return out;
  }

  function attempt(f, y, first, h) {
    const slopes = [first];
    let next = y;
    for (const weights of STAGES) {
      next = combine(y, h, weights, slopes);
      slopes.push(f(next));
    }
    const e = combine([0, 0], h, ERROR, slopes);
    let error = 0;
    for (let i = 0; i < 2; i++) {
      error += (e[i] / (ABSOLUTE + RELATIVE * Math.max(Math.abs(y[i]), Math.abs(next[i])))) ** 2;
    }
    return { next, slope: slopes[6], error: Math.sqrt(error / 2) };
  }

  /** Path of the flow: {points: [[w1, w2], ...], end, status}, status "converged", "axis" or "unfinished". */
  function path(family, N, loss, start) {
    check(family, N, loss, start);
    const map = coordinates(family, N), f = (y) => map.velocity(loss, y), logs = family !== "polar" && !(family === "power" && N === 1);
    let y = map.from(start), slope = f(y), h = 1e-3, status = "unfinished";
    const points = [start.slice()];
    for (let step = 0; step < 40000; step++) {
      const g = descent(loss, map.to(y));
      if (Math.hypot(g[0], g[1]) < 1e-8) { status = "converged"; break; }
      if (logs && Math.min(y[0], y[1]) < -18) { status = "axis"; break; }
      const trial = attempt(f, y, slope, h);
      if (trial.error <= 1) {
        y = trial.next;
        slope = trial.slope;
        points.push(map.to(y));
      }
      // A trial outside the domain gives NaN: shorten the step.
      const grow = trial.error >= 0 ? 0.9 * Math.max(trial.error, 1e-10) ** -0.2 : 0.2;
      h *= Math.min(5, Math.max(0.2, grow));
      if (h < 1e-15) { status = "axis"; break; }
    }
    return { points, end: points[points.length - 1], status };
  }

  /** End point of the flow, [w1, w2]; null if the flow runs into an axis. */
  function endPoint(family, N, loss, start) {
    const run = path(family, N, loss, start);
    return run.status === "converged" ? run.end : null;
  }

  function potential(family, N, w) {
    const q = 1 - exponent(family, N);
    return q === 0 ? Math.log(w) : Math.expm1(q * Math.log(w)) / q;
  }

  function onLine(angle) {
    return [(OFFSET / NORMAL[0]) * Math.sin(angle) ** 2, (OFFSET / NORMAL[1]) * Math.cos(angle) ** 2];
  }

  function bisect(f, low, high) {
    for (let i = 0; i < 200; i++) {
      const middle = (low + high) / 2;
      if (f(middle) < 0) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }

  /** Closed-form end point on the line loss from the conserved quantity; null if the flow reaches an axis first. */
  function prediction(family, N, start) {
    check(family, N, "line", start);
    if (family === "power" && N === 1) {
      const g = descent("line", start);
      return [start[0] + g[0], start[1] + g[1]];
    }
    if (family === "polar") {
      const distance = OFFSET / Math.hypot(NORMAL[0], NORMAL[1]), tilt = Math.atan2(NORMAL[1], NORMAL[0]);
      const r0 = Math.hypot(start[0], start[1]), d0 = Math.atan2(start[1], start[0]) - tilt, sign = d0 < 0 ? -1 : 1;
      const excess = (d) => Math.sin(d) - Math.abs(Math.sin(d0)) * Math.exp((r0 * r0 - (distance / Math.cos(d)) ** 2) / 2);
      const d = d0 === 0 ? 0 : sign * bisect(excess, 0, Math.PI / 2 - 1e-9), r = distance / Math.cos(d);
      return [r * Math.cos(tilt + d), r * Math.sin(tilt + d)];
    }
    const kept = (w) => potential(family, N, w[0]) / NORMAL[0] - potential(family, N, w[1]) / NORMAL[1];
    const goal = kept(start), excess = (angle) => kept(onLine(angle)) - goal;
    const low = 1e-9, high = Math.PI / 2 - 1e-9;
    if (!(excess(low) < 0 && excess(high) > 0)) return null;
    return onLine(bisect(excess, low, high));
  }

  function check(family, N, loss, start) {
    if (!["power", "exp", "polar"].includes(family)) throw new Error("family must be power, exp or polar; got " + family);
    if (family === "power" && !(N > 0 && Number.isFinite(N))) throw new Error("the power N must be positive; got " + N);
    if (!["point", "line"].includes(loss)) throw new Error("loss must be point or line; got " + loss);
    if (!(start[0] > 0 && start[1] > 0)) throw new Error("both weights of a start must be positive; got " + start);
  }

  const api = { endPoint, field, path, prediction };
  if (typeof module !== "undefined" && module.exports) module.exports = api;
  if (typeof document === "undefined") return;
  root.offconvexExplorer = api;

  // ---- the page ----

  const ROUND = [0.2, 0.25, 0.5, 1, 2, 3, 4, 6, 10]; // the slider snaps to the chapter's own powers

  function powerAt(position) {
    const raw = 0.2 * 50 ** (position / 100);
    const near = ROUND.find((n) => Math.abs(Math.log(raw / n)) < 0.021);
    return near === undefined ? Number(raw.toPrecision(2)) : near;
  }

  function positionOf(N) {
    return Math.round((100 * Math.log(N / 0.2)) / Math.log(50));
  }

  const PAGE = `
    <form class="pe-controls" autocomplete="off">
      <p><label for="pe-family">Parameterization</label>
        <select id="pe-family">
          <option value="power">power, w = uᴺ</option>
          <option value="exp">exponential, w = eᵘ</option>
          <option value="polar">polar, w = r (cos θ, sin θ)</option>
        </select></p>
      <p id="pe-power"><label for="pe-N">Power N <output id="pe-N-value" for="pe-N"></output></label>
        <input id="pe-N" type="range" min="0" max="100" step="1"></p>
      <p><label for="pe-loss">Loss</label>
        <select id="pe-loss">
          <option value="line">line: w₁ + 2 w₂ = 15</option>
          <option value="point">point: (3, 6)</option>
        </select></p>
      <fieldset><legend>Start</legend>
        <label for="pe-w1">w₁ <input id="pe-w1" type="number" min="0.01" max="10" step="0.01"></label>
        <label for="pe-w2">w₂ <input id="pe-w2" type="number" min="0.01" max="10" step="0.01"></label>
      </fieldset>
    </form>
    <div class="pe-plot">
      <canvas role="img" aria-label="Plane of weights: field, path and end point" aria-describedby="pe-readout"></canvas>
      <button type="button" class="pe-handle" aria-describedby="pe-help"></button>
    </div>
    <div class="pe-text">
      <p id="pe-readout" aria-live="polite"></p>
      <p id="pe-help">Click or drag in the plane to choose the start, or focus the round handle and use the arrow keys
        (with Shift: ten times as far).</p>
    </div>`;

  function mount(box) {
    box.innerHTML = PAGE;
    box.classList.add("pe-ready");
    const at = (id) => box.querySelector(id);
    const canvas = at("canvas"), handle = at(".pe-handle"), plot = at(".pe-plot");
    const state = { family: "power", N: 4, loss: "line", start: [0.3, 0.1] };
    let speak = 0, pending = false;

    const clamp = (x) => Math.min(SIDE, Math.max(SMALLEST, Math.round(x * 100) / 100));
    const show = (w) => "(" + w.map((x) => (Math.abs(x) < 0.0005 ? "0" : x.toFixed(3))).join(", ") + ")";

    function choose(w) {
      if (!Number.isFinite(w[0]) || !Number.isFinite(w[1])) return;
      state.start = w.map(clamp);
      refresh();
    }

    function refresh() {
      at("#pe-power").hidden = state.family !== "power";
      at("#pe-family").value = state.family;
      at("#pe-loss").value = state.loss;
      at("#pe-N").value = positionOf(state.N);
      const name = state.N === 1 ? "1 (identity)" : String(state.N);
      at("#pe-N-value").textContent = "= " + name;
      at("#pe-N").setAttribute("aria-valuetext", name);
      // A field that is being typed in keeps the reader's text.
      ["#pe-w1", "#pe-w2"].forEach((id, i) => { if (document.activeElement !== at(id)) at(id).value = state.start[i]; });
      handle.setAttribute("aria-label", "Start " + show(state.start));
      if (!pending) {
        pending = true;
        root.requestAnimationFrame(() => { pending = false; draw(); });
      }
    }

    function report(run) {
      let text = "From " + show(state.start) + " the flow ";
      if (run.status === "converged") text += "ends at " + show(run.end) + ".";
      else if (run.status === "axis") text += "runs into an axis at " + show(run.end) + ", where w = uᴺ ends.";
      else text += "was not followed to its end.";
      if (state.loss === "line") {
        const predicted = prediction(state.family, state.N, state.start);
        text += predicted
          ? " The conserved quantity predicts " + show(predicted) + "."
          : " The conserved quantity has no matching point on the line in the positive quadrant.";
      }
      // While a handle is dragged, only the resting position is read aloud.
      root.clearTimeout(speak);
      speak = root.setTimeout(() => { at("#pe-readout").textContent = text; }, 120);
    }

    function draw() {
      const size = plot.clientWidth, ratio = root.devicePixelRatio || 1, pad = 34;
      if (!size) return;
      canvas.width = canvas.height = Math.round(size * ratio);
      const pen = canvas.getContext("2d"), style = root.getComputedStyle(box);
      const color = (name) => style.getPropertyValue("--pe-" + name).trim();
      const x = (v) => pad + ((size - pad - 10) * v) / SIDE, y = (v) => size - pad - ((size - pad - 10) * v) / SIDE;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, size, size);
      frame(pen, x, y, color);
      pen.save();
      pen.beginPath();
      pen.rect(x(0), y(SIDE), x(SIDE) - x(0), y(0) - y(SIDE));
      pen.clip();
      arrows(pen, x, y, color, size < 380 ? 14 : 20);
      goal(pen, x, y, color);
      const run = path(state.family, state.N, state.loss, state.start);
      pen.strokeStyle = color("path");
      pen.lineWidth = 3;
      pen.lineJoin = "round";
      pen.beginPath();
      run.points.forEach((w, i) => (i ? pen.lineTo(x(w[0]), y(w[1])) : pen.moveTo(x(w[0]), y(w[1]))));
      pen.stroke();
      disc(pen, x(run.end[0]), y(run.end[1]), 5, color("path"), color("back"));
      if (state.loss === "point") disc(pen, x(OPTIMUM[0]), y(OPTIMUM[1]), 6, color("optimum"), color("back"));
      pen.restore();
      handle.style.left = x(state.start[0]) + "px";
      handle.style.top = y(state.start[1]) + "px";
      plot.dataset.scale = String((size - pad - 10) / SIDE);
      report(run);
    }

    function frame(pen, x, y, color) {
      pen.strokeStyle = pen.fillStyle = color("text");
      pen.lineWidth = 1;
      pen.font = "13px system-ui, sans-serif";
      pen.strokeRect(x(0), y(SIDE), x(SIDE) - x(0), y(0) - y(SIDE));
      for (const tick of [0, 5, 10]) {
        pen.textAlign = "center";
        pen.textBaseline = "top";
        pen.fillText(String(tick), Math.min(x(tick), x(SIDE) - 3), y(0) + 5);
        pen.textAlign = "right";
        pen.textBaseline = "middle";
        pen.fillText(String(tick), x(0) - 6, Math.max(y(tick), 12));
      }
      pen.textAlign = "center";
      pen.textBaseline = "bottom";
      pen.fillText("w₁", x(7.5), y(0) + 21);
      pen.fillText("w₂", x(0) - 16, y(7.3));
    }

    function arrows(pen, x, y, color, count) {
      const length = 0.62 * (SIDE / count);
      pen.strokeStyle = color("field");
      pen.lineWidth = 1.2;
      pen.beginPath();
      for (let i = 0; i < count; i++) {
        for (let j = 0; j < count; j++) {
          const w = [((i + 0.5) * SIDE) / count, ((j + 0.5) * SIDE) / count];
          const v = field(state.family, state.N, state.loss, w), speed = Math.hypot(v[0], v[1]);
          if (!(speed > 0)) continue;
          const dx = (v[0] / speed) * length, dy = (v[1] / speed) * length;
          const tip = [w[0] + dx / 2, w[1] + dy / 2];
          pen.moveTo(x(w[0] - dx / 2), y(w[1] - dy / 2));
          pen.lineTo(x(tip[0]), y(tip[1]));
          // Two short strokes make the head.
          for (const turn of [2.6, -2.6]) {
            const c = 0.34 * Math.cos(turn), s = 0.34 * Math.sin(turn);
            pen.moveTo(x(tip[0]), y(tip[1]));
            pen.lineTo(x(tip[0] + c * dx - s * dy), y(tip[1] + s * dx + c * dy));
          }
        }
      }
      pen.stroke();
    }

    function goal(pen, x, y, color) {
      if (state.loss === "point") return;
      pen.strokeStyle = color("optimum");
      pen.lineWidth = 3;
      pen.beginPath();
      pen.moveTo(x(0), y(OFFSET / NORMAL[1]));
      pen.lineTo(x(SIDE), y((OFFSET - NORMAL[0] * SIDE) / NORMAL[1]));
      pen.stroke();
    }

    function disc(pen, x, y, radius, fill, edge) {
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fillStyle = fill;
      pen.fill();
      pen.lineWidth = 1.5;
      pen.strokeStyle = edge;
      pen.stroke();
    }

    function pointed(event) {
      const place = canvas.getBoundingClientRect(), scale = Number(plot.dataset.scale);
      choose([(event.clientX - place.left - 34) / scale, (place.bottom - 34 - event.clientY) / scale]);
    }

    plot.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      handle.focus({ preventScroll: true });
      plot.setPointerCapture(event.pointerId);
      pointed(event);
    });
    plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) pointed(event); });
    handle.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!way) return;
      event.preventDefault();
      const far = event.shiftKey ? 1 : 0.1;
      choose([state.start[0] + far * way[0], state.start[1] + far * way[1]]);
    });
    at("form").addEventListener("submit", (event) => event.preventDefault());
    at("#pe-family").addEventListener("change", (event) => { state.family = event.target.value; refresh(); });
    at("#pe-loss").addEventListener("change", (event) => { state.loss = event.target.value; refresh(); });
    at("#pe-N").addEventListener("input", (event) => { state.N = powerAt(Number(event.target.value)); refresh(); });
    ["#pe-w1", "#pe-w2"].forEach((id, i) => {
      at(id).addEventListener("input", (event) => {
        const w = state.start.slice();
        w[i] = event.target.valueAsNumber;
        choose(w);
      });
      at(id).addEventListener("change", (event) => { event.target.value = state.start[i]; });
    });
    new root.ResizeObserver(refresh).observe(plot);
    // The theme switches colors by an attribute of <html>.
    new root.MutationObserver(refresh).observe(document.documentElement, { attributeFilter: ["data-theme", "data-mode"] });
    refresh();
  }

  function begin() {
    const box = document.getElementById("parameterization-explorer");
    if (box) mount(box);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})(typeof globalThis === "undefined" ? this : globalThis);
