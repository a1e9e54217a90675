"use strict";
// Solves a plan again after a lever has moved. At a size N the budgets pay for so many tokens and samples, so the best
// plan is the lowest point along one line of sizes. The law is a spline over the logs of N, D and k; costs are exact.
const Levers = (() => {
  const GOLDEN = (Math.sqrt(5) - 1) / 2;
  const SCAN = 241;
  const ROOM = 1e-9;

  function numbers(packed) {
    const text = atob(packed.data);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const type = packed.type === "f4" ? Float32Array : Float64Array;
    return new type(bytes.buffer);
  }

  // The four B-splines that are not zero at x, and the index of the first: de Boor's recurrence.
  function splinesAt(knots, x, out) {
    const last = knots.length - 5;
    let low = 3;
    let high = last + 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (knots[middle] <= x) low = middle;
      else high = middle;
    }
    out[0] = 1;
    for (let degree = 1; degree <= 3; degree++) {
      let saved = 0;
      for (let i = 0; i < degree; i++) {
        const right = knots[low + i + 1];
        const left = knots[low + 1 - degree + i];
        const part = out[i] / (right - left);
        out[i] = saved + (right - x) * part;
        saved = (x - left) * part;
      }
      out[degree] = saved;
    }
    return low - 3;
  }

  function spline(packed) {
    const knots = packed.knots.map(numbers);
    const values = numbers(packed.coefficients);
    const sizes = knots.map((row) => row.length - 4);
    const weights = sizes.map(() => new Float64Array(4));
    const first = sizes.map(() => 0);
    const count = sizes.reduce((product, size) => product * size, 1);

    function place(x) {
      for (let i = 0; i < sizes.length; i++) first[i] = splinesAt(knots[i], x[i], weights[i]);
    }

    // the value of one of several splines at the last place
    function value(of) {
      let sum = 0;
      const start = of * count;
      const deep = sizes.length === 3;
      for (let i = 0; i < 4; i++) {
        for (let j = 0; j < 4; j++) {
          const factor = weights[0][i] * weights[1][j];
          const row = (first[0] + i) * sizes[1] + first[1] + j;
          if (!deep) {
            sum += factor * values[start + row];
            continue;
          }
          const at = start + row * sizes[2] + first[2];
          const inner =
            weights[2][0] * values[at] + weights[2][1] * values[at + 1] +
            weights[2][2] * values[at + 2] + weights[2][3] * values[at + 3];
          sum += factor * inner;
        }
      }
      return sum;
    }
    return { place, value, count: values.length / count };
  }

  function lowest(height, low, high, steps) {
    let [a, b] = [low, high];
    let left = b - GOLDEN * (b - a);
    let right = a + GOLDEN * (b - a);
    let [heightLeft, heightRight] = [height(left), height(right)];
    for (let step = 0; step < steps; step++) {
      if (heightLeft <= heightRight) {
        [b, right, heightRight] = [right, left, heightLeft];
        left = b - GOLDEN * (b - a);
        heightLeft = height(left);
      } else {
        [a, left, heightLeft] = [left, right, heightRight];
        right = a + GOLDEN * (b - a);
        heightRight = height(right);
      }
    }
    // the ends count too: at a limit the best size is the limit itself
    const candidates = [[heightLeft, left], [heightRight, right], [height(low), low], [height(high), high]];
    return candidates.reduce((best, one) => (one[0] < best[0] ? one : best))[1];
  }

  function make(problem) {
    const law = spline(problem.law);
    const draws = problem.draws ? spline(problem.draws) : null;
    const box = problem.box;
    const start = problem.start;
    const bounds = problem.bounds;
    const epsilon = ROOM * 10;

    // Costs at a position of the levers, as functions of N; those of a query are a + b k, of training a + b D.
    function costsAt(levers, costs = problem.costs) {
      const tokens = start.tokens ? levers.tokens / start.tokens : 1;
      const price = start.price ? levers.price / start.price : 1;
      function sums(terms, variable, factor) {
        const rows = terms.map(([powers, c]) => [
          powers[0], powers[variable] !== 0, factor * (c[0] + tokens * (c[1] + tokens * c[2])),
        ]);
        return (n) => {
          let [still, moving] = [0, 0];
          for (const [power, moves, coefficient] of rows) {
            const cost = coefficient * Math.pow(n, power);
            if (moves) moving += cost;
            else still += cost;
          }
          return [still, moving];
        };
      }
      return {
        training: sums(costs.training, 1, price),
        serving: costs.serving.map((terms) => sums(terms, 2, price)),
        memory: sums(costs.memory, 2, 1),
        durations: costs.durations.map(([terms, limit]) => [sums(terms, 2, 1), limit]),
      };
    }

    function heightAt(place) {
      const x = [Math.log(place.n), Math.log(place.d), Math.log(place.k)];
      for (let i = 0; i < box.length; i++) {
        if (x[i] < box[i][0] - epsilon || x[i] > box[i][1] + epsilon) return Infinity;
        x[i] = Math.min(Math.max(x[i], box[i][0]), box[i][1]);
      }
      law.place(x);
      return law.value(0);
    }

    // The tokens and samples that the budgets leave a model of size n, or null where they leave none.
    function placerOf(levers, costs, fixedSamples) {
      const fewest = fixedSamples || Math.max(bounds.samples[0], 1);
      const most = fixedSamples || bounds.samples[1];
      const cap = Math.min(levers.cap || Infinity, bounds.tokens[1]);
      const shared = levers.total !== undefined;
      const single = problem.samples ? fewest : 1;

      function queryCost(n, k) {
        return Math.max(...costs.serving.map((cost) => { const [still, moving] = cost(n); return still + moving * k; }));
      }
      function samplesFor(n, purse) {
        return Math.min(...costs.serving.map((cost) => { const [still, moving] = cost(n); return (purse - still) / moving; }));
      }
      function tokensFor(n, purse) {
        const [still, moving] = costs.training(n);
        return (purse - still) / moving;
      }

      // Without an oracle more samples may be worse, so all that can be paid for are no answer.
      function bestSamples(n, d, low, high) {
        const top = Math.min(Math.log(high), box[2][1]);
        if (top <= Math.log(low)) return high;
        const k = Math.exp(lowest((log) => heightAt({ n, d, k: Math.exp(log) }), Math.log(low), top, 30));
        return Math.abs(k / Math.exp(top) - 1) < 1e-9 ? high : k;
      }

      return (n) => {
        if (problem.costs.memoryLimit && costs.memory(n)[0] > problem.costs.memoryLimit * (1 + ROOM)) return null;
        for (const [seconds, limit] of costs.durations) if (seconds(n)[0] > limit * (1 + ROOM)) return null;
        let most_d = cap;
        if (levers.train !== undefined) most_d = Math.min(most_d, tokensFor(n, levers.train));
        if (shared) most_d = Math.min(most_d, tokensFor(n, levers.total - levers.queries * queryCost(n, single)));
        const ratio = problem.ratio;
        if (!(most_d >= bounds.tokens[0] * (1 - ROOM)) || (ratio && ratio * n > most_d * (1 + ROOM))) return null;
        let purse = Infinity;
        if (levers.inference !== undefined) purse = levers.inference;
        if (purse < queryCost(n, single) * (1 - ROOM)) return null;

        function at(d) {
          if (!problem.samples) return { n, d, k: single };
          let left = purse;
          if (shared) {
            const [still, moving] = costs.training(n);
            left = Math.min(left, (levers.total - still - moving * d) / levers.queries);
          }
          const k = Math.min(most, Math.max(samplesFor(n, left), fewest));
          return problem.fallsInSamples || k <= fewest ? { n, d, k } : { n, d, k: bestSamples(n, d, fewest, k) };
        }
        if (ratio) return at(ratio * n);
        if ((shared && problem.samples && !fixedSamples) || !problem.fallsInTokens) {
          const low = Math.max(Math.log(Math.max(bounds.tokens[0], 1)), box[1][0]);
          const high = Math.log(most_d);
          if (high > low) return at(Math.exp(lowest((d) => heightAt(at(Math.exp(d))), low, high, 44)));
        }
        return at(most_d);
      };
    }

    // The sizes from the smallest to the largest that the limits allow, evenly spaced in logs.
    function sizesOf(placer, count) {
      const low = Math.max(box[0][0], Math.log(bounds.params[0]));
      let high = Math.min(box[0][1], Math.log(bounds.params[1]));
      if (!placer(Math.exp(low))) return [];
      let limited = high < box[0][1];
      if (!placer(Math.exp(high))) {
        limited = true;
        let [below, above] = [low, high];
        for (let i = 0; i < 60; i++) {
          const middle = 0.5 * (below + above);
          if (placer(Math.exp(middle))) below = middle;
          else above = middle;
        }
        high = below;
      }
      const sizes = [];
      for (let i = 0; i < count; i++) sizes.push(low + ((high - low) * i) / (count - 1));
      sizes.limited = limited;
      return sizes;
    }

    function answer(levers, costs, place, height) {
      const cost = problem.inLogs ? Math.exp(height) : height;
      const training = costs.training(place.n);
      const query = Math.max(...costs.serving.map((at) => { const [a, b] = at(place.n); return a + b * place.k; }));
      return {
        ok: true, params: place.n, tokens: place.d, samples: place.k, height,
        value: problem.passes ? Math.exp(-cost) : cost,
        training: training[0] + training[1] * place.d, query,
      };
    }

    function failure(reason) { return { ok: false, reason }; }

    function solveAt(levers, fixedSamples) {
      const costs = costsAt(levers);
      const placer = placerOf(levers, costs, fixedSamples);
      const height = (logN) => {
        const place = placer(Math.exp(logN));
        return place ? heightAt(place) : Infinity;
      };
      let sizes = problem.sizes ? problem.sizes.map(Math.log).filter((n) => placer(Math.exp(n))) : sizesOf(placer, slow && !problem.fallsInSamples ? 61 : SCAN);
      if (!sizes.length) return failure("infeasible");
      const heights = sizes.map(height);
      let best = 0;
      for (let i = 1; i < sizes.length; i++) if (heights[i] < heights[best]) best = i;
      if (!Number.isFinite(heights[best])) return failure("beyond");
      let n = sizes[best];
      if (!problem.sizes) {
        n = lowest(height, sizes[Math.max(best - 1, 0)], sizes[Math.min(best + 1, sizes.length - 1)], 60);
        const step = 1e-5;
        for (const beside of [n - step, n + step]) {
          const place = placer(Math.exp(beside));
          const outside = beside < Math.max(box[0][0], Math.log(bounds.params[0])) ? beside < box[0][0] : place && height(beside) === Infinity;
          if (outside) return failure("beyond");
        }
      }
      const place = placer(Math.exp(n));
      return answer(levers, costs, place, heightAt(place));
    }

    function solve(levers) {
      const fixed = problem.samples ? levers.samples : null;
      const free = solveAt(levers, fixed);
      if (!free.ok || !problem.whole || fixed || !problem.samples) return free;
      const below = Math.max(Math.floor(free.samples * (1 + ROOM)), 1);
      const options = [below, below + 1].map((k) => solveAt(levers, k)).filter((one) => one.ok);
      return options.reduce((best, one) => (one.height < best.height ? one : best), options[0] || free);
    }

    // The law and some of its draws along the sizes that costs allow.
    function line(levers, count, prices, chosen) {
      const costs = costsAt(levers, prices);
      const placer = placerOf(levers, costs, problem.samples ? levers.samples : null);
      const sizes = problem.sizes ? problem.sizes.map(Math.log) : sizesOf(placer, count);
      const rows = [];
      const heights = [];
      for (const size of sizes) {
        const place = placer(Math.exp(size));
        const height = place ? heightAt(place) : Infinity;
        if (!Number.isFinite(height)) continue;
        rows.push({ n: size, d: Math.log(place.d), k: Math.log(place.k), height });
        const column = new Float64Array(chosen.length).fill(height);
        if (draws) {
          draws.place(inside([size, Math.log(place.d), Math.log(place.k)]));
          for (let i = 0; i < chosen.length; i++) column[i] += draws.value(chosen[i]);
        }
        heights.push(column);
      }
      return { rows, heights, limited: sizes.limited };
    }

    // Draws of the law at each point of the ranges of prices; without draws, the law itself at each point.
    const points = problem.over.length ? problem.over : [problem.costs];
    const number = draws ? draws.count : problem.over.length;
    const groups = points.map((_, point) => {
      const members = [];
      for (let i = point; i < number; i += points.length) members.push(i);
      return members;
    });
    const slow = problem.samples && start.total !== undefined && start.total !== null;

    function inside(x) {
      return box.map((ends, i) => Math.min(Math.max(x[i], ends[0]), ends[1]));
    }

    function response(height) {
      const cost = problem.inLogs ? Math.exp(height) : height;
      return problem.passes ? Math.exp(-cost) : cost;
    }

    function quantile(sorted, share) {
      const at = share * (sorted.length - 1);
      const low = Math.floor(at);
      return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
    }

    function spread(values, level = 0.9) {
      const sorted = Float64Array.from(values).sort();
      return [0.5 - level / 2, 0.5, 0.5 + level / 2].map((share) => quantile(sorted, share));
    }

    // Bands of N, D, k and the prediction over draws, each at its own best size; null where draws do not bound it.
    function bands(levers, count = SCAN) {
      if (number < 20) return null;
      const columns = { params: [], tokens: [], samples: [], value: [], ratio: [] };
      const sizes = slow && (points.length > 1 || !problem.fallsInSamples) ? 61 : count;
      const edges = points.reduce((sum, prices, point) => sum + best(line(levers, sizes, prices, groups[point]), columns), 0);
      if (edges > 0.1 * number) return null;
      return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, spread(values)]));
    }

    // Adds the best size of each draw along a line, with what belongs to it, and counts draws that have it at an end.
    function best({ rows, heights, limited }, columns) {
      if (rows.length < 5) return rows.length ? heights[0].length : Infinity;
      let edges = 0;
      for (let draw = 0; draw < heights[0].length; draw++) {
        let at = 0;
        for (let i = 1; i < rows.length; i++) if (heights[i][draw] < heights[at][draw]) at = i;
        const last = rows.length - 1;
        if (at === 0 || (at === last && !limited)) edges += 1;
        let [shift, height] = [0, heights[at][draw]];
        if (at > 0 && at < last) {
          const [left, right] = [heights[at - 1][draw], heights[at + 1][draw]];
          const bend = Math.max(left - 2 * height + right, 1e-300);
          shift = Math.min(Math.max((0.5 * (left - right)) / bend, -0.5), 0.5);
          height -= 0.25 * (left - right) * shift;
        }
        const beside = rows[at + Math.sign(shift)];
        const between = (name) => Math.exp(rows[at][name] + Math.abs(shift) * (beside[name] - rows[at][name]));
        const [n, d, k] = [between("n"), between("d"), between("k")];
        columns.params.push(n);
        columns.tokens.push(d);
        columns.samples.push(k);
        columns.ratio.push(d / n);
        columns.value.push(response(height));
      }
      return edges;
    }

    // The prediction at other sizes under the same levers, with its band.
    function curve(levers) {
      const all = Array.from({ length: draws ? draws.count : 0 }, (_, i) => i);
      const { rows, heights } = line(levers, slow && !problem.fallsInSamples ? 61 : SCAN, problem.costs, all);
      return rows.map((row, i) => ({
        params: Math.exp(row.n), tokens: Math.exp(row.d), samples: Math.exp(row.k), value: response(row.height),
        band: all.length >= 20 ? spread(Array.from(heights[i], response)) : null,
      }));
    }

    // The largest relative difference to the optima that came with the page, or null if an answer is missing.
    function check() {
      let largest = 0;
      for (const { levers, answer: expected } of problem.checks) {
        const solved = solve({ ...start, ...levers });
        if (!solved.ok) return null;
        for (const name of ["params", "tokens", "samples", "value"]) {
          largest = Math.max(largest, Math.abs(solved[name] / expected[name] - 1));
        }
      }
      return largest;
    }

    return { solve, bands, curve, check, problem };
  }

  return { make };
})();
if (typeof module !== "undefined") module.exports = Levers;
