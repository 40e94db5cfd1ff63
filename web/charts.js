// Charts by hand, in SVG. Each comes with its table: nobody needs to see to know the figures.
import { h, percent, s } from "./dom.js";

/** A bar from 0 to 1, beside figures that say the same. */
export function bar(value, kind = "") {
	const fill = h(`span.fill.${kind}`);
	fill.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
	return h("span.bar", { "aria-hidden": "true" }, fill);
}

/** A chart with its caption and its twin, a table that is made when it is opened. */
export function withTable(chart, { caption, columns, rows, quiet = false }) {
	const twin = h("details.twin", h("summary", quiet ? "Table" : "Show as a table", h("span.sr", ` of ${caption}`)));
	twin.addEventListener("toggle", () => twin.open && twin.children.length === 1 && twin.append(table(columns, rows(), caption)));
	return h("figure", quiet ? null : h("figcaption", caption), chart, twin);
}

export function table(columns, rows, caption) {
	const line = ([first, ...others]) => h("tr", h("th", { scope: "row" }, first), others.map((cell) => h("td", cell)));
	return h(
		"div.scroll",
		{ tabindex: "0", role: "region", "aria-label": caption },
		h(
			"table",
			h("caption.sr", caption),
			h("thead", h("tr", columns.map((name) => h("th", { scope: "col" }, name)))),
			h("tbody", rows.map(line)),
		),
	);
}

/** The last answers at a glance: scores from 0 to 1. */
export function sparkline(values, label) {
	const [width, height, pad] = [280, 44, 4];
	const x = (index) => pad + (index * (width - 2 * pad)) / Math.max(1, values.length - 1);
	const y = (value) => height - pad - value * (height - 2 * pad);
	const line = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
	const last = values.length - 1;
	return s(
		"svg.spark",
		{ viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
		s("line.base", { x1: pad, x2: width - pad, y1: y(0.5), y2: y(0.5) }),
		s("polyline.line", { points: line }),
		s("circle.dot", { cx: x(last), cy: y(values[last]), r: 3 }),
	);
}

/** A drawing that is made anew for each width it gets. */
function responsive(height, draw, label) {
	const frame = h("div.chart", { role: "img", "aria-label": label });
	frame.style.height = `${height}px`;
	let drawn = 0;
	new ResizeObserver(([entry]) => {
		const width = Math.floor(entry.contentRect.width);
		if (!width || width === drawn) return;
		drawn = width;
		frame.replaceChildren(s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, draw(width)));
	}).observe(frame);
	return frame;
}

/**
 * Curves over the same steps: `series` are {name, values, kind}, values from 0 to 1 or null. `lines` are {at, name},
 * the thresholds that give the heights a meaning. `at` are the places of the steps, from 0 to 1, if not evenly spread.
 * Kinds differ by stroke as well as by colour.
 */
export function curves(series, { label, lines = [], height = 240, start = "", end = "", at = null }) {
	const draw = (width) => {
		const [left, right, top, bottom] = [34, 12, 12, 24];
		const count = Math.max(...series.map((one) => one.values.length));
		const x = (index) => left + (at ? at[index] : count < 2 ? 0.5 : index / (count - 1)) * (width - left - right);
		const y = (value) => top + (1 - value) * (height - top - bottom);
		const grid = [0, 0.5, 1].map((value) => [
			s("line.grid", { x1: left, x2: width - right, y1: y(value), y2: y(value) }),
			s("text.tick", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value * 100)),
		]);
		const levels = lines.map((line) => [
			s("line.level", { x1: left, x2: width - right, y1: y(line.at), y2: y(line.at) }),
			s("text.tick", { x: left + 6, y: y(line.at) - 5 }, line.name),
		]);
		const drawn = series.map(({ values, kind }) => {
			const known = values.map((value, index) => [index, value]).filter(([, value]) => value !== null);
			const line = known.map(([index, value]) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
			const dots = known.length <= 30 ? known : known.slice(-1);
			return [
				kind === "main" && known.length > 1
					? s("polygon.area", { points: `${x(known[0][0])},${y(0)} ${line} ${x(known.at(-1)[0])},${y(0)}` })
					: null,
				s(`polyline.line.${kind}`, { points: line }),
				dots.map(([index, value]) => s(`circle.dot.${kind}`, { cx: x(index), cy: y(value), r: kind === "main" ? 3.5 : 2.5 })),
			];
		});
		return [
			grid,
			levels,
			drawn,
			s("text.tick", { x: left, y: height - 4 }, start),
			s("text.tick", { x: width - right, y: height - 4, "text-anchor": "end" }, end),
		];
	};
	const frame = responsive(height, draw, label);
	if (series.length === 1) return frame;
	const key = series.map(({ name, kind }) =>
		h("li", s("svg", { width: 28, height: 10, "aria-hidden": "true" }, s(`line.line.${kind}`, { x1: 1, x2: 27, y1: 5, y2: 5 })), name),
	);
	return h("div", frame, h("ul.key", key));
}

/** How many of a whole are in each part: `parts` are [name, count]. */
export function shares(parts) {
	const total = parts.reduce((sum, [, count]) => sum + count, 0);
	const strip = parts.map(([name, count], index) => {
		const part = h(`span.share.s${index}`, { title: `${name}: ${count}` });
		part.style.flexGrow = count;
		return count ? part : null;
	});
	const words = parts.map(([name, count], index) =>
		h("li", h(`span.swatch.s${index}`), `${name} ${count}`, h("span.muted", ` ${total ? percent(count / total) : "–"}`)),
	);
	return h("div", h("div.shares", { "aria-hidden": "true" }, strip), h("ul.key", words));
}
