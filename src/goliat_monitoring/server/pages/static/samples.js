// Samples of a run as columns that grow: all of them once, then only what is newer. Holes are marked, so lines break.

// The least time that is a gap, in samples, and how far apart samples of each kind usually lie, seconds.
const GAP = 3;
const USUAL = { progress: 20, vitals: 10 };
// As many points at first; when so many have come together they are asked for again, thinned by the server.
const POINTS = 600;
const MOST = 1800;

export class Samples {
  constructor(run, kind) {
    this.kind = kind;
    this.address = `/api/runs/${encodeURIComponent(run)}/samples?kind=${kind}&points=${POINTS}`;
    this.forget();
  }

  forget() {
    this.times = [];
    this.columns = {};
    this.steps = [];
    this.edge = undefined;
  }

  // Whether something came.
  async more() {
    if (this.times.length > MOST) this.forget();
    const since = this.edge === undefined ? "" : `&since=${encodeURIComponent(new Date(this.edge * 1000).toISOString())}`;
    const answer = await fetch(this.address + since);
    if (!answer.ok) throw new Error(`samples: ${answer.status}`);
    const { times, values, step } = await answer.json();
    // The newest of points that are means may still grow: it is asked for again.
    const first = this.times.findLastIndex((time) => time < (times[0] ?? Infinity)) + 1;
    if (!times.length || (first + times.length === this.times.length && times.at(-1) === this.times.at(-1) && !step)) return false;
    for (const name of new Set([...Object.keys(this.columns), ...Object.keys(values)])) {
      const known = (this.columns[name] ?? this.times.map(() => null)).slice(0, first);
      this.columns[name] = [...known, ...(values[name] ?? times.map(() => null))];
    }
    this.times = [...this.times.slice(0, first), ...times];
    this.steps = [...this.steps.slice(0, first), ...times.map(() => step)];
    this.edge = times.at(-1);
    return true;
  }

  // [from, to] of each hole, seconds.
  get gaps() {
    const found = [];
    for (let i = 1; i < this.times.length; i += 1) {
      const usual = Math.max(this.steps[i - 1], this.steps[i], USUAL[this.kind]);
      if (this.times[i] - this.times[i - 1] > GAP * usual) found.push([this.times[i - 1], this.times[i]]);
    }
    return found;
  }

  // [times, column, …] for a plot, with a hole in each gap.
  plotted(names) {
    const data = [[], ...names.map(() => [])];
    const holes = new Set(this.gaps.map(([, to]) => to));
    this.times.forEach((time, i) => {
      if (holes.has(time)) {
        data[0].push((this.times[i - 1] + time) / 2);
        names.forEach((_, k) => data[k + 1].push(null));
      }
      data[0].push(time);
      names.forEach((name, k) => data[k + 1].push(this.columns[name]?.[i] ?? null));
    });
    return data;
  }
}
