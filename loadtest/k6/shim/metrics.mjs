// The module `k6/metrics`. Figures are not kept: a few iterations say nothing about speed.
export const declared = new Set();

class Metric {
  constructor(name) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/.test(name)) {
      throw new Error(`"${name}" is no name of a metric`);
    }
    declared.add(name);
  }

  add(value) {
    if (!Number.isFinite(Number(value))) {
      throw new Error(`a metric cannot take ${value}`);
    }
  }
}

export class Rate extends Metric {}
export class Trend extends Metric {}
