// One answer and what it was worth, wherever it is shown.
import { bar } from "../charts.js";
import { capital, chips, h, percent, points, when } from "../dom.js";

/** Scores as bars with their figures. */
export function scores({ combined_score: combined, semantic_score: semantic, keyword_score: keyword }) {
	const row = (name, value, kind) => h("div.score", h("span", name), bar(value, { kind }), h("b", percent(value)));
	return h("div.scores", row("Together", combined, ""), row("Meaning", semantic, "thin"), row("Key terms", keyword, "thin"));
}

/** What was found and what was missed. */
export function terms(attempt) {
	const foundAs = new Map((attempt.grounds?.key_terms || []).map((term) => [term.term, term.found_as]));
	const matched = attempt.matched_keywords.map((term) => {
		const said = foundAs.get(term);
		return said && said.toLowerCase() !== term.toLowerCase() ? `${term} (“${said}”)` : term;
	});
	return h(
		"div.terms",
		line("Found", matched, "found"),
		line("Missed", attempt.missed_keywords, "missed"),
		line("Concepts shown", attempt.mentioned_concepts, "found"),
		line("Concepts missed", attempt.missed_concepts, "missed"),
		(attempt.flags || []).map((flag) => h("p.flag", flag.effect)),
	);
}

const line = (label, words, kind) => (words.length ? h("div.row", h("span.label", label), chips(words, kind)) : null);

/** The answer beside the expected one. */
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
