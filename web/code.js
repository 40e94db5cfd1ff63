// Programs, coloured: one regular expression a language, and every piece a text node.
import { h } from "./dom.js";

const WORDS = {
	python: "and as assert async await break class continue def del elif else except finally for from global if import in is lambda None nonlocal not or pass raise return True False try while with yield self",
	java: "abstract boolean break byte case catch char class continue default do double else enum extends final finally float for if implements import instanceof int interface long new null package private protected public record return short static super switch synchronized this throw throws true false try var void volatile while",
	c: "auto break case char const continue default do double else enum extern float for goto if inline int long NULL register return short signed sizeof static struct switch typedef union unsigned void volatile while size_t bool true false",
	sql: "all and as asc between by case check count create cross default delete desc distinct else end exists foreign from group having if in index inner insert integer into is join key left like limit not null on or order outer over partition primary references select set sum table text then union unique update using values view when where with",
};
const COMMENTS = { python: "#[^\\n]*", sql: "--[^\\n]*", java: "//[^\\n]*|/\\*[\\s\\S]*?\\*/", c: "//[^\\n]*|/\\*[\\s\\S]*?\\*/|#[^\\n]*" };
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

/** The lines of the program, each a list of coloured pieces. */
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
