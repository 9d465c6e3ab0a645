// The report's page: draws the data that it carries. All plots share one window of virtual time and one
// cursor; a change of either draws them again. No library, no network, no state but `view`.
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const view = {from: 0, until: Math.max(1, data.duration), cursor: null};
  const whole = {from: 0, until: view.until};
  const plots = [];  // functions that draw

  // --- small tools -------------------------------------------------------------------------------
  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children.flat().filter(child => child !== null && child !== undefined));
    return node;
  };
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
  const say = text => { document.getElementById('said').textContent = text; };
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const count = value => value.toLocaleString('en');

  // 95.5 is "1m35.5s".
  const time = seconds => {
    const ms = Math.round(seconds * 1000), s = Math.floor(ms / 1000);
    const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
    const rest = s % 60 + (ms % 1000 && s < 3600 ? (ms % 1000) / 1000 : 0);
    const parts = [[d, 'd'], [h, 'h'], [m, 'm'], [rest, 's']].filter(([n]) => n);
    return parts.map(([n, unit]) => n + unit).join('') || '0s';
  };

  const steps = [.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  const ticks = (from, until, room) => {
    const step = steps.find(s => (until - from) / s <= room) || 86400 * Math.ceil((until - from) / 86400 / room);
    const at = [];
    for (let t = Math.ceil(from / step) * step; t <= until + 1e-9; t += step) at.push(Math.round(t * 1000) / 1000);
    return at;
  };
  const roundUp = value => {
    if (value <= 4) return 4;
    const unit = 10 ** Math.floor(Math.log10(value));
    return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map(f => f * unit).find(n => n >= value);
  };

  // The last row at or before this time.
  const rowAt = (times, at) => {
    let low = 0, high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] <= at) low = middle + 1; else high = middle;
    }
    return low - 1;
  };

  const isFault = text => !/^(create|apply|patch|scale|set image|delete|startNodes|healNodes|cordon|uncordon|drained|upgrade|replace|load of|end of|everything heals)/i.test(text);

  // --- the window of time ------------------------------------------------------------------------
  let pending = false;
  const redraw = () => {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { pending = false; for (const draw of plots) draw(); });
  };
  const show = (from, until) => {
    const width = clamp(until - from, Math.min(.5, whole.until), whole.until);
    view.from = clamp(from, 0, whole.until - width);
    view.until = view.from + width;
    redraw();
  };
  const zoom = (factor, around) => {
    const center = around ?? view.cursor ?? (view.from + view.until) / 2;
    const at = clamp(center, view.from, view.until);
    show(at - (at - view.from) * factor, at + (view.until - at) * factor);
  };
  const pan = share => { const by = (view.until - view.from) * share; show(view.from + by, view.until + by); };
  const reset = () => show(0, whole.until);
  // As fine as a pixel is, and no finer.
  const rounded = at => {
    const width = view.until - view.from, grain = width > 600 ? 1 : width > 60 ? .1 : .001;
    return at === null ? null : clamp(Math.round(at / grain) * grain, 0, whole.until);
  };
  const setCursor = at => { view.cursor = rounded(at); redraw(); };
  // Brings a moment into sight.
  const goTo = at => {
    view.cursor = at;
    if (at < view.from || at > view.until) {
      const half = (view.until - view.from) / 2;
      show(at - half, at + half);
    }
    redraw();
  };

  // --- head --------------------------------------------------------------------------------------
  const failed = data.findings.filter(f => !f.held);
  const preferred = matchMedia('(prefers-color-scheme: dark)');
  let theme = preferred.matches ? 'dark' : 'light';
  const setTheme = name => { theme = name; document.documentElement.dataset.theme = name; redraw(); };
  preferred.addEventListener('change', () => setTheme(preferred.matches ? 'dark' : 'light'));
  setTheme(theme);
  const fact = (name, value, title) => el('div', {title}, el('dt', {}, name), el('dd', {}, value));
  document.getElementById('head').append(
    el('div', {class: 'brand'},
      svg('svg', {width: 18, height: 18, viewBox: '0 0 18 18', 'aria-hidden': 'true'},
        svg('path', {d: 'M9 1l7 4v8l-7 4-7-4V5z', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.6}),
        svg('path', {d: 'M5 9h2l1.5-3 2 6L12 9h1.5', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.4})),
      el('b', {}, 'minik sim'), el('span', {}, 'report of a run in virtual time'), el('span', {class: 'grow'}),
      el('button', {onclick: () => setTheme(theme === 'dark' ? 'light' : 'dark')}, 'Light / dark')),
    el('div', {class: 'title'},
      el('h1', {}, data.scenario),
      el('span', {class: 'badge ' + (data.passed ? 'good' : 'bad')},
        data.passed ? '✓ All holds' : `✕ ${failed.length} of ${data.findings.length} failed`)),
    el('p', {class: 'about'}, data.description),
    el('dl', {class: 'facts'},
      fact('Seed', data.seed), fact('Virtual time', time(data.duration)), fact('Most pods', count(mostPods())),
      fact('Most nodes', count(most(data.nodes, [0, 1]))), fact('API writes', count(data.writes)),
      fact('Steps', count(data.steps)), fact('Trace', data.trace.slice(0, 12), 'sha256:' + data.trace)));

  function most(series, columns) {
    let best = 0;
    series.t.forEach((t, row) => {
      best = Math.max(best, columns.reduce((sum, c) => sum + series.columns[c].values[row], 0));
    });
    return best;
  }
  function mostPods() { return most(data.pods, data.pods.columns.map((c, i) => i)); }

  // --- findings ----------------------------------------------------------------------------------
  const findingRow = finding => {
    const content = [
      el('span', {class: 'mark', 'aria-label': finding.held ? 'holds' : 'failed'}, finding.held ? '✓' : '✕'),
      el('span', {}, finding.what, finding.detail && !finding.held ? el('span', {class: 'detail'}, finding.detail) : null),
      el('span', {class: 'when'}, finding.at === undefined ? '' : time(finding.at))];
    const inner = finding.at === undefined ? el('div', {class: 'plain'}, ...content)
      : el('button', {title: 'Show this moment', onclick: () => goTo(finding.at)}, ...content);
    return el('li', {class: finding.held ? 'good' : 'bad'}, inner);
  };
  document.getElementById('findings').append(
    el('h2', {id: 'findings-title'}, 'What must hold'),
    data.findings.length
      ? el('ul', {class: 'findings'}, [...failed, ...data.findings.filter(f => f.held)].map(findingRow))
      : el('p', {class: 'soft'}, 'The scenario expects nothing; the invariants that always hold did hold.'));

  // --- plots -------------------------------------------------------------------------------------
  const left = 52, right = 14, top = 10, bottom = 22;
  const section = document.getElementById('time');
  const x = (t, width) => left + (t - view.from) / (view.until - view.from) * (width - left - right);
  const timeAt = (px, width) => view.from + (px - left) / (width - left - right) * (view.until - view.from);

  // Drag selects, shift-drag pans, the wheel with ctrl or shift zooms, keys do all of it.
  const interact = (host, widthOf) => {
    let drag = null;
    const local = event => event.clientX - host.getBoundingClientRect().left;
    host.addEventListener('pointermove', event => {
      const px = local(event), width = widthOf();
      if (drag && drag.pan) {
        const by = (drag.px - px) / (width - left - right) * (drag.until - drag.from);
        show(drag.from + by, drag.until + by);
      }
      setCursor(clamp(timeAt(px, width), view.from, view.until));
      if (drag && !drag.pan) { view.select = [drag.at, view.cursor]; redraw(); }
    });
    host.addEventListener('pointerdown', event => {
      if (event.button !== 0 || event.target.closest('.dot')) return;
      host.setPointerCapture(event.pointerId);
      host.classList.add('pointed');
      const px = local(event);
      drag = {px, at: clamp(timeAt(px, widthOf()), view.from, view.until), pan: event.shiftKey, from: view.from, until: view.until};
    });
    host.addEventListener('pointerup', event => {
      if (drag && !drag.pan && Math.abs(local(event) - drag.px) > 5) {
        const [a, b] = [drag.at, clamp(timeAt(local(event), widthOf()), view.from, view.until)];
        show(Math.min(a, b), Math.max(a, b));
      }
      drag = null;
      view.select = null;
      redraw();
    });
    host.addEventListener('pointerleave', () => { if (!drag) setCursor(null); });
    host.addEventListener('dblclick', reset);
    host.addEventListener('wheel', event => {
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        pan(event.deltaX / 800);
      } else if (event.ctrlKey || event.shiftKey || event.metaKey) {
        event.preventDefault();
        zoom(Math.exp(event.deltaY / 300), timeAt(local(event), widthOf()));
      }
    }, {passive: false});
  };
  const keys = (host, read) => host.addEventListener('keydown', event => {
    host.classList.remove('pointed');
    const width = view.until - view.from, at = view.cursor ?? (view.from + view.until) / 2;
    const move = by => { goTo(rounded(at + by)); say(`${time(view.cursor)}: ${read ? read(view.cursor) : ''}`); };
    const actions = {
      ArrowLeft: () => event.shiftKey ? pan(-.2) : move(-width / 100), ArrowRight: () => event.shiftKey ? pan(.2) : move(width / 100),
      Home: () => move(-at), End: () => move(whole.until - at), '+': () => zoom(.6), '=': () => zoom(.6), '-': () => zoom(1 / .6),
      0: reset, Escape: reset,
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  });

  // Height, and how wide the host is now; draws again when that changes.
  const frame = (host, height, draw) => {
    const root = svg('svg', {height, tabindex: 0, role: 'img'});
    host.append(root);
    const paint = () => {
      const width = Math.max(260, root.clientWidth || host.clientWidth);
      root.setAttribute('viewBox', `0 0 ${width} ${height}`);
      root.replaceChildren(...draw(width).flat(2).filter(Boolean));
    };
    new ResizeObserver(redraw).observe(host);
    plots.push(paint);
    interact(root, () => Math.max(260, root.clientWidth));
    return root;
  };
  const timeAxis = (width, height) => ticks(view.from, view.until, Math.max(2, Math.floor(width / 95))).map(t => [
    svg('line', {class: 'grid', x1: x(t, width), x2: x(t, width), y1: top, y2: height - bottom}),
    svg('text', {x: x(t, width), y: height - 6, 'text-anchor': 'middle'}, time(t))]);
  const inSight = () => data.actions.filter(a => a.at >= view.from && a.at <= view.until);
  const eventLines = (width, height) => {
    const seen = new Set();
    return inSight().map(a => {
      const at = Math.round(x(a.at, width)), kind = isFault(a.text) ? 'fault' : 'change';
      if (seen.has(at + kind)) return null;
      seen.add(at + kind);
      return svg('line', {class: 'event ' + kind, x1: at, x2: at, y1: top, y2: height - bottom});
    });
  };
  const overlay = (width, height) => {
    const parts = [];
    if (view.select) {
      const [a, b] = view.select.map(t => x(t, width)).sort((p, q) => p - q);
      parts.push(svg('rect', {class: 'select', x: a, width: b - a, y: top, height: height - top - bottom}));
    }
    if (view.cursor !== null && view.cursor >= view.from && view.cursor <= view.until) {
      const at = x(view.cursor, width);
      parts.push(svg('line', {class: 'cursor', x1: at, x2: at, y1: top, y2: height - bottom}));
    }
    return parts;
  };

  // One plot of one series; kind 'stack' piles the columns up, 'line' draws each for itself.
  const plot = (host, series, {height, kind, colors, hidden = []}) => {
    const shown = series.columns.map((c, i) => !hidden.includes(i));
    const values = series.columns.map(() => el('b', {}));
    const legend = el('ul', {class: 'legend'}, series.columns.map((column, i) => el('li', {},
      el('button', {'aria-pressed': String(shown[i]), title: 'Show or hide', onclick: event => {
        shown[i] = !shown[i];
        event.currentTarget.setAttribute('aria-pressed', String(shown[i]));
        redraw();
      }}, el('i', {class: kind === 'line' ? 'line' : '', style: `background:var(${colors[i]})`}), column.name, values[i]))));
    const when = el('span', {class: 'when'});
    host.append(el('div', {class: 'top'}, el('h3', {}, series.title), when, el('span', {class: 'grow'}), legend));
    const read = at => {
      const row = rowAt(series.t, at);
      return series.columns.map(c => `${c.name} ${row < 0 ? 0 : count(c.values[row])}`).join(', ');
    };
    const draw = width => {
      const at = view.cursor ?? view.until;
      const row = rowAt(series.t, at);
      when.textContent = 'at ' + time(at);
      values.forEach((node, i) => { node.textContent = row < 0 ? '0' : count(series.columns[i].values[row]); });
      const first = Math.max(0, rowAt(series.t, view.from)), last = Math.min(series.t.length - 1, rowAt(series.t, view.until) + 1);
      const base = new Array(Math.max(0, last - first + 1)).fill(0);
      const layers = [];
      let highest = 0;
      series.columns.forEach((column, i) => {
        if (!shown[i]) return;
        const low = base.slice(), high = base.map((b, k) => (kind === 'stack' ? b : 0) + column.values[first + k]);
        if (kind === 'stack') high.forEach((h, k) => { base[k] = h; });
        for (const h of high) highest = Math.max(highest, h);
        layers.push({i, low, high});
      });
      const limit = roundUp(highest), y = v => height - bottom - v / limit * (height - top - bottom);
      const points = line => {
        let path = '';
        line.forEach((v, k) => {
          const px = clamp(x(series.t[first + k], width), left, width - right).toFixed(1);
          path += k === 0 ? `M${px} ${y(v).toFixed(1)}` : `H${px}V${y(v).toFixed(1)}`;
        });
        return path + (line.length ? `H${clamp(x(Math.min(view.until, whole.until), width), left, width - right).toFixed(1)}` : '');
      };
      const back = line => {
        let path = `V${y(line[line.length - 1]).toFixed(1)}`;
        for (let k = line.length - 1; k > 0; --k) {
          path += `H${clamp(x(series.t[first + k], width), left, width - right).toFixed(1)}V${y(line[k - 1]).toFixed(1)}`;
        }
        return path + `H${clamp(x(series.t[first], width), left, width - right).toFixed(1)}Z`;
      };
      return [
        timeAxis(width, height),
        [0, .5, 1].map(share => [
          svg('line', {class: share ? 'grid' : 'axis', x1: left, x2: width - right, y1: y(limit * share), y2: y(limit * share)}),
          svg('text', {x: left - 8, y: y(limit * share) + 4, 'text-anchor': 'end'}, count(limit * share))]),
        layers.filter(l => l.high.length).map(({i, low, high}) => kind === 'stack'
          ? svg('path', {d: points(high) + back(low), fill: `var(${colors[i]})`, 'fill-opacity': .88})
          : svg('path', {d: points(high), fill: 'none', stroke: `var(${colors[i]})`, 'stroke-width': 1.8, 'stroke-linejoin': 'round'})),
        eventLines(width, height), overlay(width, height)];
    };
    const root = frame(host, height, draw);
    root.setAttribute('aria-label', `${series.title} over virtual time. Arrow keys move the cursor.`);
    keys(root, read);
  };

  // --- the bar over all plots --------------------------------------------------------------------
  const range = el('span', {class: 'range'});
  const overview = svg('svg', {class: 'overview', tabindex: 0, role: 'group',
    'aria-label': 'The whole run. Arrow keys with shift move the window, plus and minus zoom, 0 shows all.'});
  const tool = (label, title, action) => el('button', {title, 'aria-label': title, onclick: action}, label);
  section.append(el('div', {class: 'bar'},
    el('div', {class: 'tools'}, el('h2', {id: 'time-title'}, 'Over virtual time'), range, el('span', {class: 'grow'}),
      tool('←', 'Earlier', () => pan(-.3)), tool('→', 'Later', () => pan(.3)), tool('+', 'Zoom in', () => zoom(.5)),
      tool('−', 'Zoom out', () => zoom(2)), tool('All', 'Show the whole run', reset)),
    overview));
  const overviewAt = event => {
    const box = overview.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * whole.until;
  };
  let grip = null;
  overview.addEventListener('pointerdown', event => {
    overview.setPointerCapture(event.pointerId);
    const at = overviewAt(event), inside = at >= view.from && at <= view.until && view.until - view.from < whole.until * .98;
    grip = {at, from: view.from, until: view.until, pan: inside};
  });
  overview.addEventListener('pointermove', event => {
    if (!grip) return;
    const at = overviewAt(event);
    if (grip.pan) show(grip.from + at - grip.at, grip.until + at - grip.at);
    else if (Math.abs(at - grip.at) > whole.until / 200) show(Math.min(at, grip.at), Math.max(at, grip.at));
  });
  overview.addEventListener('pointerup', () => { grip = null; });
  overview.addEventListener('dblclick', reset);
  keys(overview);
  plots.push(() => {
    const width = Math.max(200, overview.clientWidth), height = 46, all = mostPods() || 1;
    overview.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const px = t => t / whole.until * width;
    range.textContent = `${time(rounded(view.from))} to ${time(rounded(view.until))} of ${time(whole.until)}`;
    let path = `M0 ${height}`;
    data.pods.t.forEach((t, row) => {
      path += `H${px(t).toFixed(1)}V${(height - data.pods.columns[0].values[row] / all * (height - 6)).toFixed(1)}`;
    });
    overview.replaceChildren(
      svg('path', {d: `${path}H${width}V${height}Z`, fill: 'var(--c0)', 'fill-opacity': .35}),
      ...data.actions.slice(0, 400).map(a => svg('line', {class: 'event ' + (isFault(a.text) ? 'fault' : 'change'),
        x1: px(a.at), x2: px(a.at), y1: 0, y2: height})),
      ...data.findings.filter(f => !f.held && f.at !== undefined).map(f =>
        svg('circle', {cx: px(f.at), cy: 6, r: 4, fill: 'var(--bad)'})),
      svg('rect', {x: 0, width: px(view.from), height, fill: 'var(--ground)', 'fill-opacity': .78}),
      svg('rect', {x: px(view.until), width: Math.max(0, width - px(view.until)), height, fill: 'var(--ground)', 'fill-opacity': .78}),
      svg('rect', {x: px(view.from) + .5, width: Math.max(2, px(view.until - view.from) - 1), y: .5, height: height - 1, rx: 4,
        fill: 'none', stroke: 'var(--accent)', 'stroke-width': 1.2}));
  });

  const card = () => { const node = el('div', {class: 'card plot'}); section.append(node); return node; };
  plot(card(), data.pods, {height: 250, kind: 'stack', colors: ['--c0', '--c1', '--c2', '--c3', '--c4', '--c5', '--c6']});

  // --- actions and findings as lanes -------------------------------------------------------------
  const lanes = data.findings.filter(f => f.at !== undefined || f.after !== undefined).slice(0, 40);
  const laneHost = card(), laneHeight = 30;
  laneHost.append(el('div', {class: 'top'}, el('h3', {}, 'Faults, changes and what must hold'), el('span', {class: 'grow'}),
    el('span', {class: 'soft'}, 'a bar is the time in which it was looked at, a mark when it was met or broken')));
  const laneRoot = frame(laneHost, top + laneHeight * (lanes.length + 1) + bottom + 6, width => {
    const height = top + laneHeight * (lanes.length + 1) + bottom + 6;
    const dots = inSight().map(a => svg('circle', {class: 'dot ' + (isFault(a.text) ? 'fault' : 'change'), cx: x(a.at, width), cy: top + 9, r: 4.5,
      onclick: () => goTo(a.at)}, svg('title', {}, `${time(a.at)}  ${a.text}`)));
    return [timeAxis(width, height), eventLines(width, height), dots, lanes.map((f, i) => {
      const y = top + laneHeight * (i + 1), state = f.held ? 'good' : 'bad', parts = [];
      const from = Math.max(f.after ?? 0, view.from), until = Math.min(f.until ?? whole.until, view.until);
      if (f.after !== undefined && until > from) {
        parts.push(svg('rect', {class: `span window ${state}`, x: x(from, width), width: Math.max(2, x(until, width) - x(from, width)),
          y: y + 17, height: 8, rx: 4}));
      }
      if (f.at !== undefined && f.at >= view.from && f.at <= view.until) {
        parts.push(svg('rect', {class: `span ${state}`, x: x(f.at, width) - 2, width: 4, y: y + 15, height: 12, rx: 2}));
      }
      const text = (f.held ? '✓ ' : '✕ ') + f.what;
      return svg('g', {class: 'lane'}, parts, svg('text', {x: left + 6, y: y + 12}, text.length > 110 ? text.slice(0, 108) + '…' : text), svg('title', {}, f.what));
    }), overlay(width, height)];
  });
  laneRoot.setAttribute('aria-label', 'Faults, changes and assertions over virtual time; the same stands in the lists as text.');
  keys(laneRoot);
  if (data.actions.length) {
    laneHost.append(el('details', {}, el('summary', {}, `All ${count(data.actions.length + data.actionsLeftOut)} faults and changes`),
      el('div', {class: 'actions', tabindex: 0}, el('table', {}, data.actions.slice(0, 1000).map(a => el('tr', {},
        el('td', {}, el('button', {onclick: () => goTo(a.at)}, time(a.at))),
        el('td', {}, el('span', {class: isFault(a.text) ? 'mark bad' : 'soft'}, isFault(a.text) ? '⚡ ' : '· '), a.text)))))));
  }

  const pair = el('div', {class: 'pair'});
  section.append(pair);
  const half = () => { const node = el('div', {class: 'card plot'}); pair.append(node); return node; };
  plot(half(), data.nodes, {height: 150, kind: 'line', colors: ['--c0', '--c5', '--c3']});
  const perRow = data.activity.t.length > 1 ? data.activity.t[1] - data.activity.t[0] : 1;
  data.activity.title = `Activity in each ${perRow === 1 ? 'second' : time(perRow)}`;
  plot(half(), data.activity, {height: 150, kind: 'line', colors: ['--c2', '--c4', '--c5'], hidden: [1]});

  // --- rollouts ----------------------------------------------------------------------------------
  if (data.rollouts.length) {
    const shownAtOnce = 6, more = el('div', {class: 'pair'});
    const draw = series => {
      const node = el('div', {class: 'card plot'});
      more.append(node);
      plot(node, series, {height: 150, kind: 'line', colors: ['--c0', '--c2', '--c1', '--c4']});
    };
    data.rollouts.slice(0, shownAtOnce).forEach(draw);
    section.append(more);
    if (data.rollouts.length > shownAtOnce || data.rolloutsLeftOut) {
      const rest = data.rollouts.slice(shownAtOnce);
      section.append(el('div', {}, rest.length ? el('button', {onclick: event => { rest.forEach(draw); event.currentTarget.remove(); redraw(); }},
        `Show ${rest.length} more rollouts`) : null,
        data.rolloutsLeftOut ? el('span', {class: 'soft'}, ` ${count(data.rolloutsLeftOut)} others are not in this page.`) : null));
    }
  }
  section.append(el('p', {class: 'soft'}, 'Drag over a plot to zoom, shift-drag or ', el('kbd', {}, 'shift'), ' ', el('kbd', {}, '←'), el('kbd', {}, '→'),
    ' to pan, ', el('kbd', {}, '+'), ' ', el('kbd', {}, '−'), ' to zoom, ', el('kbd', {}, '0'), ' for the whole run, ',
    el('kbd', {}, '←'), el('kbd', {}, '→'), ' to move the cursor.'));

  // --- objects -----------------------------------------------------------------------------------
  const pointer = path => path.split('/').slice(1).map(p => p.replace(/~1/g, '/').replace(/~0/g, '~'));
  const lookUp = (node, path) => path.reduce((n, p) => (n === null || n === undefined ? undefined : n[p]), node);
  // RFC 6902, the three operations that the report has.
  const patched = (object, patch) => {
    let root = structuredClone(object);
    for (const {op, path, value} of patch) {
      const parts = pointer(path), last = parts.pop();
      if (last === undefined) { root = value; continue; }
      const parent = lookUp(root, parts);
      if (Array.isArray(parent)) {
        if (op === 'add') parent.splice(Number(last), 0, value);
        else if (op === 'remove') parent.splice(Number(last), 1);
        else parent[Number(last)] = value;
      } else if (op === 'remove') delete parent[last];
      else parent[last] = value;
    }
    return root;
  };
  const yaml = (value, indent = '') => {
    if (Array.isArray(value)) {
      return value.length ? value.map(v => `${indent}- ${yaml(v, indent + '  ').trimStart()}`).join('\n') : indent + '[]';
    }
    if (value && typeof value === 'object') {
      const entries = Object.entries(value);
      return entries.length ? entries.map(([k, v]) => v && typeof v === 'object' && Object.keys(v).length
        ? `${indent}${k}:\n${yaml(v, indent + '  ')}` : `${indent}${k}: ${yaml(v).trim()}`).join('\n') : indent + '{}';
    }
    return indent + (typeof value === 'string' && !/^[A-Za-z_\/][\w .\/-]*$/.test(value) ? JSON.stringify(value) : String(value));
  };
  const isNoise = path => /^\/metadata\/(resourceVersion|managedFields|generation)/.test(path);
  const versionsBox = el('div', {class: 'versions', tabindex: 0, 'aria-label': 'Versions'});
  const list = el('ul', {class: 'list'});
  const search = el('input', {class: 'search', type: 'search', placeholder: 'Find by kind or name', 'aria-label': 'Find an object', oninput: () => drawList()});
  const changeRows = (before, patch) => {
    let current = before;
    const rows = patch.map(operation => {
      const old = operation.op === 'add' ? undefined : lookUp(current, pointer(operation.path));
      current = patched(current, [operation]);
      if (isNoise(operation.path)) return null;
      return el('div', {}, el('span', {class: 'soft'}, operation.path.slice(1).replace(/\//g, '.')),
        el('span', {}, old === undefined ? null : el('del', {}, yaml(old)), operation.op === 'remove' ? null : el('ins', {}, yaml(operation.value))));
    });
    return rows.filter(Boolean);
  };
  const versionsMax = 300;
  const showObject = object => {
    let current = null;
    const nodes = object.versions.slice(0, versionsMax).map((version, i) => {
      const before = current, deleted = version.change === undefined || version.change === null;
      const born = !deleted && !Array.isArray(version.change);
      current = deleted ? null : born ? version.change : patched(current, version.change);
      const after = current, rows = born || deleted ? [] : changeRows(before, version.change);
      const box = el('div', {class: 'changes'}, rows.length || born || deleted ? rows : el('span', {class: 'soft'}, 'only bookkeeping'));
      const pre = el('pre', {class: 'whole', hidden: ''});
      return el('div', {class: 'version'}, el('div', {},
        el('button', {title: 'Show this moment in the plots', onclick: () => { goTo(version.at); window.scrollTo({top: section.offsetTop, behavior: 'smooth'}); }}, time(version.at)),
        el('b', {}, born ? (i ? 'created again' : 'created') : deleted ? 'deleted' : 'changed'),
        el('span', {class: 'soft'}, 'revision ' + version.revision), el('span', {class: 'grow'}),
        after ? el('button', {'aria-expanded': 'false', onclick: event => {
          if (!pre.textContent) pre.textContent = yaml(after);
          pre.hidden = !pre.hidden;
          event.currentTarget.setAttribute('aria-expanded', String(!pre.hidden));
        }}, 'Whole object') : null), box, pre);
    });
    if (object.versions.length > versionsMax) nodes.push(el('p', {class: 'version soft'}, `${object.versions.length - versionsMax} later versions are in the page's data.`));
    if (object.cut) nodes.push(el('p', {class: 'version soft'}, 'Later versions are left out: minik sim state TRACE --watch shows them all.'));
    versionsBox.replaceChildren(...nodes);
    versionsBox.scrollTop = 0;
  };
  // What the scenario speaks of comes first as it is; then the kinds that people look for.
  const ranks = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'ReplicaSet', 'Pod', 'Node', 'Service'];
  const rank = o => (o.wanted ? -1 : ranks.includes(o.kind) ? ranks.indexOf(o.kind) : ranks.length);
  data.objects.sort((a, b) => rank(a) - rank(b));
  let chosen = data.objects[0] || null;
  const listMax = 200;
  const drawList = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = data.objects.filter(o => { const text = `${o.kind} ${o.key}`.toLowerCase(); return words.every(w => text.includes(w)); });
    list.replaceChildren(...found.slice(0, listMax).map(object => el('li', {}, el('button', {'aria-current': String(object === chosen), title: `${object.kind} ${object.key}`,
      onclick: () => { chosen = object; drawList(); showObject(object); }},
      el('span', {class: 'name'}, object.key), el('span', {class: 'kind'}, `${object.kind} · ${object.versions.length}`)))));
    if (found.length > listMax) list.append(el('li', {class: 'soft'}, `and ${count(found.length - listMax)} more; search to narrow down`));
    if (!found.length) list.append(el('li', {class: 'soft'}, 'No object has such a name.'));
  };
  document.getElementById('objects').append(
    el('h2', {id: 'objects-title'}, 'Histories of objects'),
    el('div', {class: 'history'}, el('div', {}, search, list,
      data.objectsLeftOut ? el('p', {class: 'soft'}, `${count(data.objectsLeftOut)} objects are left out to keep the page small; the trace file has all.`) : null), versionsBox));
  drawList();
  if (chosen) showObject(chosen);

  // --- how to make it again ----------------------------------------------------------------------
  const file = data.file === '-' ? 'scenario.yaml' : data.file, quoted = /^[\w.\/-]+$/.test(file) ? file : `'${file}'`;
  const run = `minik sim run ${quoted} --seed ${data.seed}`;
  const command = (what, text) => el('div', {class: 'command'}, el('span', {class: 'what'}, what), el('code', {}, text),
    el('button', {onclick: event => {
      const button = event.currentTarget;
      navigator.clipboard?.writeText(text).then(() => { button.textContent = 'Copied'; setTimeout(() => { button.textContent = 'Copy'; }, 1500); });
    }}, 'Copy'));
  document.getElementById('again').append(
    el('h2', {id: 'again-title'}, 'Make it again'),
    command('The same run', run), command('With a trace of it all', `${run} --trace trace.jsonl`),
    command('Any object at any moment', 'minik sim state trace.jsonl --at 2m30s pods'),
    ...(data.passed ? [] : [command('The smallest that still fails', `minik sim shrink ${quoted} --seed ${data.seed}`)]),
    el('p', {class: 'soft'}, 'It is the same run when it ends with ', el('code', {}, 'trace sha256:' + data.trace), '.'));
  redraw();
})();
