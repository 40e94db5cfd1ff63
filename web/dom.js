// Elements and words. Text enters the page through text nodes only, so markup in it stays text.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("p.note", {id: "x", onclick: f}, "text", child, …). Empty children and classes are left out. */
export const h = (spec, ...rest) => filled(spec, (tag) => document.createElement(tag), rest);

/** The same for SVG. */
export const s = (spec, ...rest) => filled(spec, (tag) => document.createElementNS(SVG, tag), rest);

function filled(spec, made, rest) {
	const [tag, ...classes] = spec.split(".").filter(Boolean);
	const element = made(tag);
	if (classes.length) element.setAttribute("class", classes.join(" "));
	for (const part of rest.flat(Infinity)) {
		if (part === null || part === undefined || part === false || part === "") continue;
		if (part instanceof Node || typeof part !== "object") element.append(part);
		else for (const [name, value] of Object.entries(part)) setOne(element, name, value);
	}
	return element;
}

function setOne(element, name, value) {
	if (value === null || value === undefined || value === false) return;
	if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
	else if (name === "value") element.value = value;
	else element.setAttribute(name, value === true ? "" : value);
}

let lastId = 0;
export const newId = () => `g${++lastId}`;

/** A number from 0 to 1 in whole per cent. */
export const percent = (value) => `${Math.round(value * 100)}%`;

/** A change of mastery in points, with its sign. */
export function points(change) {
	const rounded = Math.round(change * 1000) / 10;
	return `${rounded > 0 ? "+" : rounded < 0 ? "−" : "±"}${Math.abs(rounded).toFixed(1)}`;
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString()} ${count === 1 ? one : many}`;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** 75 → "1 min 15 s". */
export function duration(seconds) {
	const whole = Math.round(seconds);
	if (whole < 60) return `${whole} s`;
	const minutes = Math.floor(whole / 60);
	if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
	return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/** 75 → "1:15". */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const STEPS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

export const localTime = (iso) => ABSOLUTE.format(new Date(iso));

/** A time as one says it, with the exact one in the reader's zone beside it for whoever asks. */
export function when(iso, { exact = false } = {}) {
	const seconds = (new Date(iso) - Date.now()) / 1000;
	const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
	const said = step ? RELATIVE.format(Math.round(seconds / step[1]), step[0]) : "just now";
	return h("time", { datetime: iso, title: localTime(iso) }, exact ? localTime(iso) : said);
}

const VELOCITIES = [
	[0.1, "learning rapidly"],
	[0.01, "making good progress"],
	[-0.01, "on a plateau"],
	[-0.05, "slightly declining"],
	[-1, "clearly declining"],
];

export const velocityWords = (velocity) => VELOCITIES.find(([lowest]) => velocity >= lowest)[1];

export const a = (href, ...rest) => h("a", { href }, ...rest);

/** Words in small frames. */
export const chips = (words, kind = "") => h("ul.chips", words.map((word) => h(`li.chip.${kind}`, word)));

/** The same under a name; nothing without words. */
export const labelled = (label, words, kind) => (words.length ? h("div.row", h("span.label", label), chips(words, kind)) : null);

/** Keep a word for this browser; where storage is forbidden it lasts as long as the page. */
const memory = new Map();
export const kept = {
	get(name) {
		try {
			return localStorage.getItem(`gradus.${name}`);
		} catch {
			return memory.get(name) ?? null;
		}
	},
	set(name, value) {
		memory.set(name, value);
		try {
			if (value === null) localStorage.removeItem(`gradus.${name}`);
			else localStorage.setItem(`gradus.${name}`, value);
		} catch {
			// it lasts as long as the page
		}
	},
	names() {
		try {
			return Object.keys(localStorage).filter((name) => name.startsWith("gradus.")).map((name) => name.slice(7));
		} catch {
			return [...memory.keys()];
		}
	},
};
