// One answer and what it was worth, wherever it is shown.
import { bar, curves, withTable } from "../charts.js";
import { capital, h, labelled, localTime, percent, points, when } from "../dom.js";
import { section } from "../ui.js";

export const columnsOfAnswers = ["When", "Score", "Mastery", "Change", "Difficulty"];
export const rowOfAnswer = (one) => [localTime(one.at), percent(one.combined_score), percent(one.mastery_level), points(one.mastery_velocity), one.difficulty];

/**
 * Figures of answers, as [name, key]: the first two as curves, all in the table, newest first. `first` is the table's
 * first column: its name, and what it says of an answer.
 */
export function twoCurves(title, answers, named, { words = null, first = ["When", (one) => localTime(one.at)], start, end }) {
	const caption = `${title} of each answer`;
	const series = named.slice(0, 2).map(([name, key], index) => ({ name, kind: index ? "second" : "main", values: answers.map((one) => one[key]) }));
	const row = (one, index) => [first[1](one, index), ...named.map(([, key]) => percent(one[key]))];
	return section(
		title,
		words ? h("p", words) : null,
		withTable(curves(series, { label: caption, height: 200, start, end }), { caption, columns: [first[0], ...named.map(([name]) => name)], rows: () => answers.map(row).reverse() }),
	);
}

export function scores({ combined_score: combined, semantic_score: semantic, keyword_score: keyword }) {
	const row = (name, value, kind) => h("div.score", h("span", name), bar(value, kind), h("b", percent(value)));
	return h("div.scores", row("Together", combined, ""), row("Meaning", semantic, "thin"), row("Key terms", keyword, "thin"));
}

export function terms(attempt) {
	const foundAs = new Map((attempt.grounds?.key_terms || []).map((term) => [term.term, term.found_as]));
	const matched = attempt.matched_keywords.map((term) => {
		const said = foundAs.get(term);
		return said && said.toLowerCase() !== term.toLowerCase() ? `${term} (“${said}”)` : term;
	});
	return h(
		"div.terms",
		labelled("Found", matched, "found"),
		labelled("Missed", attempt.missed_keywords, "missed"),
		labelled("Concepts shown", attempt.mentioned_concepts, "found"),
		labelled("Concepts missed", attempt.missed_concepts, "missed"),
		(attempt.flags || []).map((flag) => h("p.flag", flag.effect)),
	);
}

export function beside(level, answer, expected) {
	return h(
		"div.beside",
		h("section", h(level, "Your answer"), h("p.prose", answer.trim() || "(nothing)")),
		h("section", h(level, "Expected answer"), h("p.prose", expected)),
	);
}

/** An answer of the past, folded. */
export function past(attempt, { topic = null } = {}) {
	return h(
		"details.past",
		h(
			"summary",
			h(`span.score-tag.${attempt.correct ? "good" : "poor"}`, percent(attempt.combined_score)),
			h("span.question", attempt.question),
			h("span.muted", topic ? `${topic} · ${attempt.difficulty} · ` : `${capital(attempt.difficulty)} · `, when(attempt.created_at), ` · mastery ${points(attempt.mastery_velocity)}`),
		),
		h("div.inner", scores(attempt), terms(attempt), beside("h3", attempt.answer, attempt.expected_answer)),
	);
}
