// Programs, coloured: one regular expression a language, and every piece a text node.
import { h } from "./dom.js";

const LIKE_C = "break case char continue default do double else enum float for if int long return short static switch void volatile while true false";
const WORDS = {
	python: "and as assert async await break class continue def del elif else except finally for from global if import in is lambda None nonlocal not or pass raise return True False try while with yield self",
	java: `${LIKE_C} abstract boolean byte catch class extends final finally implements import instanceof interface new null package private protected public record super synchronized this throw throws try var`,
	c: `${LIKE_C} auto const extern goto inline NULL register signed sizeof struct typedef union unsigned size_t bool`,
	sql: "all and as asc between by case check count create cross default delete desc distinct else end exists foreign from group having if in index inner insert integer into is join key left like limit not null on or order outer over partition primary references select set sum table text then union unique update using values view when where with",
};
const SLASHES = "//[^\\n]*|/\\*[\\s\\S]*?\\*/";
const COMMENTS = { python: "#[^\\n]*", sql: "--[^\\n]*", java: SLASHES, c: `${SLASHES}|#[^\\n]*` };
const STRINGS = "\"\"\"[\\s\\S]*?\"\"\"|'''[\\s\\S]*?'''|\"(?:\\\\.|[^\"\\\\\\n])*\"|'(?:\\\\.|[^'\\\\\\n])*'";

function pieces(text, language) {
	const words = new Set((WORDS[language] || "").split(" "));
	const known = (word) => words.has(language === "sql" ? word.toLowerCase() : word);
	const pattern = new RegExp(`(${COMMENTS[language] || "(?!)"})|(${STRINGS})|(\\b\\d[\\w.]*)|([A-Za-z_]\\w*)`, "g");
	const found = [];
	let at = 0;
	for (const match of text.matchAll(pattern)) {
		const kind = match[1] ? "comment" : match[2] ? "string" : match[3] ? "number" : known(match[4]) ? "word" : "";
		if (match.index > at) found.push(["", text.slice(at, match.index)]);
		found.push([kind, match[0]]);
		at = match.index + match[0].length;
	}
	found.push(["", text.slice(at)]);
	return found;
}

function lines(text, language) {
	const all = [[]];
	for (const [kind, piece] of pieces(text.replace(/\n+$/, ""), language)) {
		piece.split("\n").forEach((part, index) => {
			if (index) all.push([]);
			if (part) all.at(-1).push(kind ? h(`span.${kind}`, part) : part);
		});
	}
	return all;
}

/** A program with its line numbers; lines that `other` has not are marked. */
export function program(text, language, label, other = null) {
	const there = other === null ? null : new Set(other.split("\n").map((line) => line.trim()));
	const raw = text.split("\n");
	const rows = lines(text, language).map((parts, index) => {
		const changed = there && raw[index].trim() && !there.has(raw[index].trim());
		return h(changed ? "span.row.changed" : "span.row", parts, changed ? h("span.sr", " (changed)") : null, "\n");
	});
	return h("pre.code", { tabindex: "0", role: "region", "aria-label": `${label}, ${language}` }, h("code", rows));
}
