// The page itself: controls, answers and figures. `Levers` solves; Plotly draws.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const words = data.words;
  const PALETTES = {
    light: { ground: "#ffffff", ink: "#1d2530", soft: "#55606e", line: "#d9d6cd", c1: "#0072b2", c2: "#d55e00", c3: "#009e73" },
    dark: { ground: "#1c2229", ink: "#e6e8ea", soft: "#a5aeb8", line: "#39424c", c1: "#6cb8ec", c2: "#ff9e57", c3: "#4fd0a5" },
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let printing = false;
  let unpacked = false;
  const colours = () => PALETTES[dark.matches && !printing ? "dark" : "light"];
  const PAPER = 640; // pixels that every paper has beside its margins
  const SCALES = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"]];

  function inWords(value) {
    const rounded = Number(value.toPrecision(3));
    for (const [scale, name] of SCALES) {
      if (rounded >= scale && rounded < 1e3 * scale) return String(Number((rounded / scale).toPrecision(3))) + name;
    }
    return rounded >= 1e15 ? rounded.toExponential(2).replace("e+", "e") : rounded.toLocaleString("en", { maximumSignificantDigits: 3 });
  }
  function exact(value) {
    if (value >= 1e5 || value < 1e-3) return Number(value.toPrecision(4)).toExponential().replace("e+", "e");
    return String(Number(value.toPrecision(4)));
  }
  // "11 to 59 billion" for two numbers of one scale
  function between(low, high, format) {
    const [first, last] = [format(low), format(high)];
    const unit = last.replace(/^[^ ]*/, "");
    return `${unit && first.endsWith(unit) ? first.slice(0, -unit.length) : first} to ${last}`;
  }
  const predicted = (value) => (words.percent ? `${Number((100 * value).toPrecision(4))} %` : Number(value.toPrecision(4)).toString());
  const cost = (value) => {
    if (words.unit === "dollars") return `$${value >= 1e6 ? inWords(value) : value.toLocaleString("en", { maximumSignificantDigits: 4 })}`;
    return `${words.unit === "device-hours" && value >= 1 ? inWords(value) : exact(value)} ${words.unit}`;
  };
  const element = (tag, fields = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), fields);
    made.append(...children);
    return made;
  };

  function filled(value, palette) {
    if (Array.isArray(value)) return value;
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filled(inner, palette)]));
    }
    return Object.hasOwn(palette, value) ? palette[value] : value;
  }

  function draw(name, traces, layout) {
    const place = document.getElementById(name);
    if (!window.Plotly) {
      if (unpacked) place.textContent = "This browser cannot draw the figure.";
      return;
    }
    const palette = colours();
    const height = layout.height || 370;
    place.style.minHeight = `${height}px`;
    const axis = { gridcolor: palette.line, zerolinecolor: palette.soft, linecolor: palette.soft, automargin: true, exponentformat: "power" };
    const styled = {
      ...layout,
      font: { family: "system-ui, sans-serif", size: 13, color: palette.ink },
      paper_bgcolor: palette.ground, plot_bgcolor: palette.ground,
      margin: { l: 12, r: 12, t: 34, b: 12 },
      height, ...(printing ? { width: PAPER, autosize: false } : { autosize: true }),
      legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 },
      hoverlabel: { bgcolor: palette.ground, bordercolor: palette.soft, font: { color: palette.ink } },
      xaxis: { ...axis, ...decades(traces, "x", layout.xaxis), ...layout.xaxis },
      yaxis: { ...axis, nticks: 7, ...decades(traces, "y", layout.yaxis), ...layout.yaxis },
    };
    const config = { displaylogo: false, responsive: true, displayModeBar: "hover", modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]] };
    window.Plotly.react(place, traces.map((trace) => filled(trace, palette)), styled, config).then(() => {
      // for the mouse alone: keys have the levers, and screen readers the text above
      for (const bar of document.querySelectorAll(".modebar, #js-plotly-tester")) bar.setAttribute("aria-hidden", "true");
    });
  }

  // A log axis of more than a decade and a half has its ticks at powers of ten.
  function decades(traces, name, axis) {
    if (!axis || axis.type !== "log") return {};
    const logs = traces.flatMap((trace) => trace[name]).filter((value) => value > 0).map(Math.log10);
    const reach = Math.max(...logs) - Math.min(...logs);
    return reach > 1.5 ? { dtick: Math.max(1, Math.round(reach / 6)) } : {};
  }

  function drawStill() {
    for (const [name, figure] of Object.entries(data.figures)) draw(name, figure.data, figure.layout);
  }

  const bandOf = (x, rows, palette) => ({
    type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], y: [...rows.map((r) => r[2]), ...rows.map((r) => r[0]).reverse()],
    fill: "toself", fillcolor: `${palette.c1}33`, line: { width: 0 }, hoverinfo: "skip", name: `${Math.round(100 * words.level)} % interval`,
  });

  function bench() {
    const model = Levers.make(data.levers);
    const { start, ranges } = data.levers;
    const banded = data.levers.draws || data.levers.over.length;
    const state = { ...start };
    const NAMES = {
      train: ["Training budget", words.unit], inference: ["Serving budget for a query", words.unit],
      total: ["Budget for training and queries", words.unit], queries: ["Queries served", "queries"],
      price: ["Price of a device-hour", "dollars"], tokens: [words.plain ? "Tokens served a query" : "Tokens a query, prompt and one sample", "tokens"],
      samples: ["Fix the samples k", "samples"], cap: ["Limit the training tokens", "tokens"],
    };
    const QUANTITIES = {
      params: ["Parameters N", inWords], tokens: ["Training tokens D", inWords], ratio: ["Tokens per parameter D/N", inWords],
      samples: ["Samples k", inWords], value: [words.response === "loss" ? "Loss (nats)" : words.response, predicted],
    };
    if (!data.levers.samples) delete QUANTITIES.samples;
    const form = document.getElementById("controls");
    const controls = {};

    for (const name of Object.keys(NAMES)) {
      if (!(name in start)) continue;
      const optional = start[name] === null;
      const [low, high] = ranges[name].map(Math.log10);
      const [text, unit] = NAMES[name];
      const first = optional ? (name === "samples" ? Math.max(model.solve(start).samples || 1, 1) : Math.sqrt(ranges.cap[0] * ranges.cap[1])) : start[name];
      const slider = element("input", { type: "range", id: `lever-${name}`, min: low, max: high, step: "any", value: Math.log10(first), disabled: optional });
      const box = element("input", { type: "text", id: `exact-${name}`, inputMode: "decimal", value: exact(first), disabled: optional, autocomplete: "off" });
      box.setAttribute("aria-label", `${text}, exact value in ${unit}`);
      const label = element("label", { htmlFor: slider.id }, text);
      const spoken = element("span");
      const control = { slider, box, spoken, optional, value: first };
      let head = label;
      if (optional) {
        control.switch = element("input", { type: "checkbox", id: `use-${name}` });
        head = element("label", { htmlFor: control.switch.id }, control.switch, element("span", {}, text));
        slider.setAttribute("aria-label", text);
        control.switch.addEventListener("change", () => {
          slider.disabled = box.disabled = !control.switch.checked;
          put(name, control.switch.checked ? control.value : null);
        });
      }
      slider.addEventListener("input", () => put(name, 10 ** Number(slider.value)));
      box.addEventListener("change", () => {
        const value = Number(box.value.replace(/[,_\s$]/g, ""));
        if (value > 0 && Number.isFinite(value)) put(name, value);
        else box.value = exact(control.value);
      });
      controls[name] = control;
      const ends = element("div", { className: "unit" }, element("span", {}, unit), spoken);
      form.append(element("div", { className: "lever" }, element("div", { className: "row" }, head, box), slider, ends));
    }
    form.append(element("button", { type: "button", onclick: reset }, "Back to the plan"));

    function put(name, value) {
      state[name] = value;
      if (value !== null) controls[name].value = value;
      show(name);
      move();
    }
    function show(name) {
      const control = controls[name];
      control.slider.value = Math.log10(control.value);
      if (document.activeElement !== control.box || Number(control.box.value) !== control.value) control.box.value = exact(control.value);
      const text = `${inWords(control.value)} ${NAMES[name][1]}`;
      control.slider.setAttribute("aria-valuetext", text);
      control.spoken.textContent = control.optional && state[name] === null ? "" : inWords(control.value);
    }
    function reset() {
      Object.assign(state, start);
      for (const [name, control] of Object.entries(controls)) {
        if (control.optional) control.switch.checked = !(control.slider.disabled = control.box.disabled = true);
        else control.value = start[name];
        show(name);
      }
      move();
    }

    const planned = model.solve(start);
    const body = document.querySelector("#answers tbody");
    const cells = {};
    const withCosts = { ...QUANTITIES, training: ["Training costs", cost], ...("inference" in start || "total" in start ? { query: ["A query costs", cost] } : {}) };
    for (const [name, [text, format]] of Object.entries(withCosts)) {
      const [now, band, then] = [element("td"), element("td", { className: "interval" }), element("td", { className: "then" })];
      const quantity = quantityOf(planned, name);
      then.textContent = planned.ok ? format(quantity) : "";
      cells[name] = { now, band };
      body.append(element("tr", {}, element("th", { scope: "row" }, text), now, band, then));
    }
    if (!banded) for (const cell of document.querySelectorAll("#answers .interval")) cell.remove();

    function quantityOf(answer, name) { return name === "ratio" ? answer.tokens / answer.params : answer[name]; }

    function sentence(answer) {
      if (!answer.ok && answer.reason === "beyond") return "These levers lead beyond what this page has computed, so it gives no numbers. Ask t2jax plan for such a budget.";
      if (!answer.ok) return "These budgets do not pay for any model in the range of this page.";
      const samples = data.levers.samples ? ` and draw ${inWords(answer.samples)} samples` : "";
      const of = words.percent ? `${words.response} of ${predicted(answer.value)}` : `${words.response} of ${predicted(answer.value)}`;
      return `Train ${inWords(answer.params)} parameters on ${inWords(answer.tokens)} tokens (${inWords(answer.tokens / answer.params)} per parameter)${samples}: ${words.law} predicts a ${of}.`;
    }

    let spoken = 0;
    let later = 0;
    function move() {
      const began = performance.now();
      const answer = model.solve(state);
      const bands = answer.ok && banded ? model.bands(state) : null;
      for (const [name, [, format]] of Object.entries(withCosts)) {
        const { now, band } = cells[name];
        now.textContent = answer.ok ? format(quantityOf(answer, name)) : "–";
        now.dataset.value = answer.ok ? quantityOf(answer, name) : "";
        const ends = bands && bands[name];
        band.textContent = ends ? between(ends[0], ends[2], format) : "";
        band.dataset.low = ends ? ends[0] : "";
        band.dataset.high = ends ? ends[2] : "";
      }
      const verdict = document.getElementById("verdict");
      verdict.classList.toggle("warn", !answer.ok);
      clearTimeout(spoken);
      // a screen reader speaks when the lever rests
      spoken = setTimeout(() => { verdict.textContent = sentence(answer); }, verdict.textContent ? 150 : 0);
      clearTimeout(later);
      later = setTimeout(() => drawMoving(answer), 60);
      document.body.dataset.moved = String(performance.now() - began);
    }

    const of = document.getElementById("path-of");
    const over = document.getElementById("path-over");
    for (const [name, [text]] of Object.entries(QUANTITIES)) of.append(element("option", { value: name }, text));
    for (const name of ["train", "total", "inference", "queries", "price", "tokens"]) {
      if (name in start) over.append(element("option", { value: name }, NAMES[name][0].toLowerCase()));
    }
    for (const select of [of, over]) select.addEventListener("change", () => drawMoving(model.solve(state)));

    function drawMoving(answer) {
      const palette = colours();
      drawSizes(answer, palette);
      drawPath(answer, palette);
    }

    function drawSizes(answer, palette) {
      const rows = model.curve(state);
      // sizes far from the best are of no interest, and would flatten the valley
      const near = rows.filter((row) => !answer.ok || Math.abs(Math.log10(row.params / answer.params)) < 1.6);
      const x = near.map((row) => row.params);
      const traces = near.length && near[0].band ? [bandOf(x, near.map((row) => row.band), palette)] : [];
      traces.push({
        type: "scatter", mode: "lines", name: words.law, x, y: near.map((row) => row.value), line: { color: palette.c1, width: 2.5 },
        text: near.map((row) => `N ${inWords(row.params)}, D ${inWords(row.tokens)}${data.levers.samples ? `, k ${inWords(row.samples)}` : ""}: ${predicted(row.value)}`),
        hovertemplate: "%{text}<extra></extra>",
      });
      if (answer.ok) traces.push({ type: "scatter", mode: "markers", name: "best size", x: [answer.params], y: [answer.value], marker: { color: palette.c2, size: 13, symbol: "star" }, text: [`best: N ${inWords(answer.params)}, ${predicted(answer.value)}`], hovertemplate: "%{text}<extra></extra>" });
      draw("sizes", traces, { xaxis: { type: "log", title: { text: "parameters N" } }, yaxis: { title: { text: QUANTITIES.value[0] } } });
      document.getElementById("sizes-text").textContent = answer.ok
        ? `The prediction at each size with the tokens${data.levers.samples ? " and samples" : ""} that the levers leave it. The best size is ${inWords(answer.params)} parameters.`
        : "The prediction at each size that the levers allow.";
    }

    function drawPath(answer, palette) {
      const [quantity, lever] = [of.value, over.value];
      const format = QUANTITIES[quantity][1];
      const [low, high] = ranges[lever].map(Math.log);
      const [x, y, ends] = [[], [], []];
      for (let i = 0; i <= 24; i++) {
        const value = Math.exp(low + ((high - low) * i) / 24);
        const solved = model.solve({ ...state, [lever]: value });
        if (!solved.ok) continue;
        const bands = banded ? model.bands({ ...state, [lever]: value }, 121) : null;
        x.push(value);
        y.push(quantityOf(solved, quantity));
        ends.push(bands ? bands[quantity] : null);
      }
      const known = ends.map((row, i) => (row ? i : -1)).filter((i) => i >= 0);
      const traces = known.length > 1 ? [bandOf(known.map((i) => x[i]), known.map((i) => ends[i]), palette)] : [];
      traces.push({ type: "scatter", mode: "lines", name: "best plan", x, y, line: { color: palette.c1, width: 2.5 }, text: x.map((value, i) => `${exact(value)}: ${format(y[i])}`), hovertemplate: "%{text}<extra></extra>" });
      if (answer.ok) traces.push({ type: "scatter", mode: "markers", name: "levers now", x: [state[lever]], y: [quantityOf(answer, quantity)], marker: { color: palette.c2, size: 13, symbol: "star" }, text: [`now: ${format(quantityOf(answer, quantity))}`], hovertemplate: "%{text}<extra></extra>" });
      const linear = quantity === "value" && words.percent;
      draw("path", traces, {
        xaxis: { type: "log", title: { text: `${NAMES[lever][0].toLowerCase()} (${NAMES[lever][1]})` } },
        yaxis: { type: linear ? "linear" : "log", title: { text: QUANTITIES[quantity][0] } },
      });
      document.getElementById("path-text").textContent = y.length
        ? `From ${between(x[0], x[x.length - 1], inWords)} ${NAMES[lever][1]}, all other levers as they are, it goes from ${format(y[0])} to ${format(y[y.length - 1])}.`
        : "No plan of this page lies along this lever.";
    }

    function check() {
      const largest = model.check();
      const note = document.getElementById("check");
      const count = data.levers.checks.length;
      if (largest === null || largest > 0.005) {
        note.textContent = `At one of ${count} positions these levers differ from t2.allocate${largest === null ? "" : ` by ${(100 * largest).toPrecision(2)} %`}: use them with care.`;
        note.className = "warning";
        return;
      }
      note.textContent = `Solved again in this browser. At ${count} positions solved by t2.allocate beforehand the levers differ from it by ${Math.max(100 * largest, 1e-4).toPrecision(1)} % at most.`;
      note.dataset.largest = largest;
    }

    for (const name of Object.keys(controls)) show(name);
    move();
    setTimeout(check, 0);
    return () => drawMoving(model.solve(state));
  }

  // Plotly came compressed; it needs no more than an element to run in.
  async function unpack() {
    const bytes = Uint8Array.from(atob(document.getElementById("plotly").textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    document.head.append(element("script", { textContent: await new Response(stream).text() }));
  }

  const redraw = data.levers ? bench() : () => {};
  function drawAll() {
    drawStill();
    redraw();
  }
  dark.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => { printing = true; drawAll(); });
  window.addEventListener("afterprint", () => { printing = false; drawAll(); });
  unpack().catch(() => {}).then(() => { unpacked = true; drawAll(); document.body.dataset.drawn = "true"; });
})();
