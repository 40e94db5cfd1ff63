// One topic: how mastery went, where meaning and key terms differ, each concept and why, the last answers.
import { get, policyInForce, post, to, topicTitles } from "../api.js";
import { bar, curves, withTable } from "../charts.js";
import { capital, duration, h, localTime, percent, plural, points, velocityWords, when } from "../dom.js";
import { acting, button, confirm, empty, fact, heading, longList, say } from "../ui.js";
import { past } from "./answers.js";
import { startPractice } from "./practice.js";

const ANSWERS = 10;

/** The parts of the page, in this order: each (data, place) → node. What looks ahead belongs after `course`. */
const SECTIONS = [figures, course, meaningAndTerms, conceptMap, lastAnswers];

export const page = {
	async load({ words: [topic] }) {
		const name = encodeURIComponent(topic);
		const [record, history, answers, policy, titles] = await Promise.all([
			get(`/api/adaptive/mastery/${name}`),
			get(to("/api/user/progress/history", { topic, order: "newest", limit: 100 })),
			get(`/api/adaptive/mastery/${name}/answers?limit=${ANSWERS}`),
			policyInForce(),
			topicTitles(),
		]);
		return { ...record, topic, history: history.points.reverse(), earlier: history.next_cursor, answers, policy, titles, title: titles.get(topic) || topic };
	},
	draw(data, place) {
		const { topic, title, titles, exists, history, mastery } = data;
		const practise = acting(`Practise ${title}`, () => startPractice(place, { topics: [topic], max_questions: 5 }), "primary", { "data-next": true });
		const known = titles.has(topic);
		if (!exists && !history.length) {
			return [heading(title), empty("Not practised yet", known ? "Answer a few questions, and this page shows how well you know each concept." : "There is nothing recorded under this name.", known ? practise : null)];
		}
		const sub = `${capital(mastery.level)} · ${mastery.current_difficulty} questions · ${velocityWords(mastery.mastery_velocity)}`;
		const actions = [known ? practise : null, exists ? button("Reset", () => reset(data, place), "quiet") : null];
		return [heading(title, exists ? sub : "Reset: the next answer starts anew", ...actions.filter(Boolean)), SECTIONS.map((section) => section(data, place))];
	},
};

function reset({ topic, title, mastery }, place) {
	confirm(
		`Reset ${title}?`,
		`Mastery of ${percent(mastery.mastery_level)} from ${plural(mastery.questions_attempted, "answer")} goes, with all its concepts. It cannot be brought back. Your sessions and answers stay in the history.`,
		{ label: "Reset this topic" },
		async () => {
			const done = await post("/api/user/reset_mastery", { topic });
			say(done.message, "good");
			place.again();
		},
	);
}

function figures({ exists, mastery }) {
	if (!exists) return null;
	const correct = mastery.questions_attempted ? mastery.correct_count / mastery.questions_attempted : 0;
	return h(
		"section.figures.wide",
		{ "aria-label": "Figures" },
		h("div.big", h("p.label", "Mastery"), h("p.number", percent(mastery.mastery_level), mastery.early_estimate ? h("span.tag", "early estimate") : null), bar(mastery.mastery_level)),
		h(
			"dl",
			fact("Answers", mastery.questions_attempted.toLocaleString(), `${percent(correct)} correct`),
			fact("Sessions", mastery.sessions_attempted.toLocaleString()),
			fact("Last step", points(mastery.mastery_velocity), "points"),
			fact("Time an answer", duration(mastery.avg_response_time)),
		),
	);
}

/** Mastery over time, with the levels of the policy. */
function course({ history, earlier, policy, title }) {
	if (!history.length) return null;
	const chart = curves([{ name: "Mastery", kind: "main", values: history.map((point) => point.mastery_level) }], {
		label: `Mastery over ${plural(history.length, "answer")}, from ${percent(history[0].mastery_level)} to ${percent(history.at(-1).mastery_level)}`,
		lines: policy.levels.filter((level) => level.starts_at > 0).map((level) => ({ at: level.starts_at, name: level.name })),
		...ends(history),
	});
	return h(
		"section",
		h("h2", "Mastery over time"),
		earlier ? h("p.hint", `The last ${history.length} answers.`) : null,
		withTable(chart, {
			caption: `Mastery in ${title}`,
			columns: ["When", "Mastery", "Change", "Score", "Difficulty"],
			rows: () => [...history].reverse().map((point) => [localTime(point.at), percent(point.mastery_level), points(point.mastery_velocity), percent(point.combined_score), point.difficulty]),
		}),
	);
}

function meaningAndTerms({ history, mastery, exists }) {
	if (history.length < 2) return null;
	const chart = curves(
		[
			{ name: "Meaning", kind: "main", values: history.map((point) => point.semantic_score) },
			{ name: "Key terms", kind: "second", values: history.map((point) => point.keyword_score) },
		],
		{ label: "Meaning and key terms of each answer", height: 200, ...ends(history) },
	);
	return h(
		"section",
		h("h2", "Meaning and key terms"),
		exists ? h("p", compared(mastery)) : null,
		withTable(chart, {
			caption: "Meaning and key terms of each answer",
			columns: ["When", "Meaning", "Key terms"],
			rows: () => [...history].reverse().map((point) => [localTime(point.at), percent(point.semantic_score), percent(point.keyword_score)]),
		}),
	);
}

function compared({ semantic_avg: semantic, keyword_avg: keyword }) {
	const figures = `Meaning ${percent(semantic)}, key terms ${percent(keyword)} on average.`;
	if (semantic - keyword > 0.1) return `${figures} You have the idea more often than the words for it: name things.`;
	if (keyword - semantic > 0.1) return `${figures} You know the words better than how they hang together: say why.`;
	return `${figures} The two keep step.`;
}

const dayOf = (iso) => new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short" });
const ends = (history) => ({ start: dayOf(history[0].at), end: history.length > 1 ? dayOf(history.at(-1).at) : "" });

/** States of a concept, each with the words that say why. */
const STATES = {
	weak: { is: (one) => one.is_weak, why: (one) => `missed ${one.times_missed_when_sampled} of ${plural(one.attempts, "time")}` },
	strong: { is: (one) => one.is_strong, why: (one) => `shown ${plural(one.times_mentioned, "time")}` },
	stagnating: {
		is: (one, policy) => one.stagnation_count >= policy.priority_stagnation_from,
		why: (one) => `missed ${plural(one.stagnation_count, "time")} in a row`,
	},
	due: {
		is: (one, policy) => one.last_seen > 0 && Date.now() / 1000 - one.last_seen > policy.priority_unseen_above_seconds,
		why: (one) => ["last asked ", when(new Date(one.last_seen * 1000).toISOString())],
	},
};

function conceptMap({ concepts, policy }) {
	const all = Object.entries(concepts).sort(([, one], [, other]) => other.priority_score - one.priority_score);
	if (!all.length) return null;
	const tiles = all.map(([name, one]) => {
		const states = Object.keys(STATES).filter((state) => STATES[state].is(one, policy));
		const why = states.map((state, index) => [index ? ", " : "", STATES[state].why(one)]);
		return {
			states,
			node: h(
				"li",
				{ class: `tile ${one.is_weak ? "weak" : one.is_strong ? "strong" : ""}` },
				h("h3", name),
				bar(one.mastery_level, { kind: "thin" }),
				h("p.meta", percent(one.mastery_level), states.length ? [" · ", states.map((state) => h(`span.state.${state}`, state))] : null),
				h("p.hint", why.length ? why : `asked ${plural(one.attempts, "time")}`),
			),
		};
	});
	const list = h("ul.tiles", tiles.map((tile) => tile.node));
	const count = (state) => tiles.filter((tile) => tile.states.includes(state)).length;
	const choices = ["all", ...Object.keys(STATES).filter(count)].map((state) =>
		h("button.choice", { type: "button", "aria-pressed": String(state === "all"), onclick: (event) => choose(event.currentTarget, state) }, state === "all" ? `All ${tiles.length}` : `${capital(state)} ${count(state)}`),
	);
	const choose = (control, state) => {
		choices.forEach((choice) => choice.setAttribute("aria-pressed", String(choice === control)));
		for (const tile of tiles) tile.node.hidden = state !== "all" && !tile.states.includes(state);
	};
	return h("section", h("h2", "Concepts"), h("p.hint", "The most urgent first."), h("div.choices", { role: "group", "aria-label": "Show concepts that are", hidden: choices.length < 3 }, choices), list);
}

function lastAnswers({ topic, answers }) {
	if (!answers.answers.length) return null;
	const page = ({ answers: rows, next_cursor: next }) => ({ rows: rows.map((one) => h("li", past(one))), next });
	const load = async (cursor) => page(await get(to(`/api/adaptive/mastery/${encodeURIComponent(topic)}/answers`, { limit: ANSWERS, cursor })));
	return h("section", h("h2", "Last answers"), longList(h("ul.plain"), load, page(answers)));
}
