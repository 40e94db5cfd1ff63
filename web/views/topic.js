// One topic: how mastery went, what lies ahead, each concept and why, the last answers.
import { get, policyInForce, to, withTitles } from "../api.js";
import { bar, curves, withTable } from "../charts.js";
import { capital, duration, h, percent, plural, points, velocityWords, when } from "../dom.js";
import { acting, button, empty, fact, figures, heading, longList, section } from "../ui.js";
import { askReset } from "./account.js";
import { columnsOfAnswers, past, rowOfAnswer, twoCurves } from "./answers.js";
import { startPractice } from "./practice.js";

const ANSWERS = 10;
const FORETOLD = 30;

/** The chance of success below which what was known is due for review. */
const REVIEW_BELOW = 0.7;

const SECTIONS = [standing, course, ahead, foretold, meaningAndTerms, conceptMap, lastAnswers];

export const page = {
	async load({ words: [topic] }) {
		const mastery = `/api/adaptive/mastery/${encodeURIComponent(topic)}`;
		const answersFrom = (cursor) => get(to(`${mastery}/answers`, { limit: ANSWERS, cursor }));
		const [record, outlook, history, answers, policy] = await Promise.all([
			withTitles(mastery),
			get(`${mastery}/forecast`),
			get(to("/api/user/progress/history", { topic, order: "newest", limit: 100 })),
			answersFrom(),
			policyInForce(),
		]);
		return { ...record, topic, outlook, history: history.points.reverse(), earlier: history.next_cursor, answers, answersFrom, policy, title: record.titles.of(topic) };
	},
	draw(data, place) {
		const { topic, title, titles, exists, history, mastery } = data;
		const practise = acting(`Practise ${title}`, () => startPractice(place, { topics: [topic], max_questions: 5 }), "primary", { "data-next": true });
		const known = titles.has(topic);
		if (!exists && !history.length) {
			return [heading(title), empty("Not practised yet", known ? "Answer a few questions, and this page shows how well you know each concept." : "There is nothing recorded under this name.", known ? practise : null)];
		}
		const sub = `${capital(mastery.level)} · ${mastery.current_difficulty} questions · ${velocityWords(mastery.mastery_velocity)}`;
		return [heading(title, exists ? sub : "Reset: the next answer starts anew", known ? practise : null, exists ? button("Reset", () => reset(data, place), "quiet") : null), SECTIONS.map((part) => part(data, place))];
	},
};

function reset({ topic, title, mastery }, place) {
	const text = `Mastery of ${percent(mastery.mastery_level)} from ${plural(mastery.questions_attempted, "answer")} goes, with all its concepts.`;
	askReset(place, topic, `Reset ${title}?`, text, { label: "Reset this topic" });
}

function standing({ exists, mastery }) {
	if (!exists) return null;
	const correct = mastery.questions_attempted ? mastery.correct_count / mastery.questions_attempted : 0;
	const facts = [
		fact("Answers", mastery.questions_attempted.toLocaleString(), `${percent(correct)} correct`),
		fact("Sessions", mastery.sessions_attempted.toLocaleString()),
		fact("Last step", points(mastery.mastery_velocity), "points"),
		fact("Time an answer", duration(mastery.avg_response_time)),
	];
	return figures("wide", "Mastery", percent(mastery.mastery_level), mastery.mastery_level, mastery.early_estimate, facts);
}

function course({ history, earlier, policy, title }) {
	if (!history.length) return null;
	const chart = curves([{ name: "Mastery", kind: "main", values: history.map((point) => point.mastery_level) }], {
		label: `Mastery over ${plural(history.length, "answer")}, from ${percent(history[0].mastery_level)} to ${percent(history.at(-1).mastery_level)}`,
		lines: policy.levels.filter((level) => level.starts_at > 0).map((level) => ({ at: level.starts_at, name: level.name })),
		...ends(history),
	});
	return section(
		"Mastery over time",
		earlier ? h("p.hint", `The last ${history.length} answers.`) : null,
		withTable(chart, {
			caption: `Mastery in ${title}`,
			columns: columnsOfAnswers,
			rows: () => [...history].reverse().map(rowOfAnswer),
		}),
	);
}

function ahead({ exists, mastery, outlook: { forgetting } }) {
	if (!exists) return null;
	if (!forgetting.length) return section("Looking ahead", h("p.muted", "No forecast yet. It begins with the next question."));
	const last = forgetting.at(-1);
	const low = forgetting.find((point) => point.recall < REVIEW_BELOW);
	const chart = curves([{ name: "Chance of success", kind: "main", values: forgetting.map((point) => point.recall) }], {
		label: `Chance of success without practice: ${percent(forgetting[0].recall)} now, ${percent(last.recall)} after ${last.days} days`,
		lines: [{ at: REVIEW_BELOW, name: "review" }],
		height: 200,
		at: forgetting.map((point) => point.days / last.days),
		start: "now",
		end: `in ${last.days} days`,
	});
	return section(
		"Looking ahead",
		h(
			"dl",
			fact("Chance of success now", percent(mastery.expected_score)),
			fact("Certainty of the forecast", percent(mastery.confidence)),
			fact("Questions that fit", capital(mastery.recommended_difficulty)),
			fact(`Below ${percent(REVIEW_BELOW)} without practice`, low ? (low.days ? `Within ${plural(low.days, "day")}` : "Already") : `Not within ${last.days} days`),
		),
		withTable(chart, {
			caption: "Chance of success without practice",
			columns: ["Days from now", "Chance of success"],
			rows: () => forgetting.map((point) => [point.days, percent(point.recall)]),
		}),
	);
}

function foretold({ outlook }) {
	const answers = outlook.answers.slice(-FORETOLD);
	if (answers.length < 2) return null;
	const mean = (key) => percent(answers.reduce((sum, one) => sum + one[key], 0) / answers.length);
	const words = `Of the concepts asked, ${mean("foretold")} were foretold to be shown, and ${mean("happened")} were.`;
	return twoCurves("Forecast and outcome", answers, [["Happened", "happened"], ["Foretold", "foretold"]], { words, ...ends(answers) });
}

function meaningAndTerms({ history, mastery, exists }) {
	if (history.length < 2) return null;
	const words = exists ? compared(mastery) : null;
	return twoCurves("Meaning and key terms", history, [["Meaning", "semantic_score"], ["Key terms", "keyword_score"]], { words, ...ends(history) });
}

function compared({ semantic_avg: semantic, keyword_avg: keyword }) {
	const figures = `Meaning ${percent(semantic)}, key terms ${percent(keyword)} on average.`;
	if (semantic - keyword > 0.1) return `${figures} You have the idea more often than the words for it: name things.`;
	if (keyword - semantic > 0.1) return `${figures} You know the words better than how they hang together: say why.`;
	return `${figures} The two keep step.`;
}

const dayOf = (iso) => new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short" });
const ends = (history) => ({ start: dayOf(history[0].at), end: history.length > 1 ? dayOf(history.at(-1).at) : "" });

const isKnown = ({ forecast }) => forecast.review_due_at !== null && forecast.probability >= REVIEW_BELOW;
const isDue = (one) => isKnown(one) && new Date(one.forecast.review_due_at) <= Date.now();

/** What is expected of a concept, and when to look at it again. */
function expected(one) {
	const { probability, interval, mastered, enough_data: enough, recall_now: now, review_due_at: at } = one.forecast;
	if (at === null) return h("p.hint", "No forecast yet.");
	const review = isDue(one) ? "review due now" : isKnown(one) ? ["review ", when(at)] : "to be learned first";
	return h("p.hint", `${enough ? "Expected" : "First guess:"} ${percent(now)} now, ${percent(probability)} fresh (${interval.map(percent).join("–")}), ${percent(mastered)} likely mastered; `, review, ".");
}

/** States of a concept, each with the words that say why. `waiting` is the policy's word, `due` the forecast's. */
const STATES = {
	due: { is: isDue, why: () => "about to be forgotten" },
	weak: { is: (one) => one.is_weak, why: (one) => `missed ${one.times_missed_when_sampled} of ${plural(one.attempts, "time")}` },
	strong: { is: (one) => one.is_strong, why: (one) => `shown ${plural(one.times_mentioned, "time")}` },
	stagnating: {
		is: (one, policy) => one.stagnation_count >= policy.priority_stagnation_from,
		why: (one) => `missed ${plural(one.stagnation_count, "time")} in a row`,
	},
	waiting: {
		is: (one, policy) => one.last_seen > 0 && Date.now() / 1000 - one.last_seen > policy.priority_unseen_above_seconds,
		why: (one) => ["last asked ", when(new Date(one.last_seen * 1000).toISOString())],
	},
};

function conceptMap({ concepts, policy }) {
	const urgency = (one) => (isDue(one) ? 2 - one.forecast.recall_now : one.priority_score / 10);
	const all = Object.entries(concepts).sort(([, one], [, other]) => urgency(other) - urgency(one));
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
				bar(one.mastery_level, "thin"),
				h("p.meta", percent(one.mastery_level), states.length ? [" · ", states.map((state) => h(`span.state.${state}`, state))] : null),
				h("p.hint", why.length ? why : `asked ${plural(one.attempts, "time")}`),
				expected(one),
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
	return section("Concepts", h("p.hint", "Those due for review first, then the most urgent."), h("div.choices", { role: "group", "aria-label": "Show concepts that are", hidden: choices.length < 3 }, choices), list);
}

function lastAnswers({ answers, answersFrom }) {
	if (!answers.answers.length) return null;
	return section("Last answers", longList(answers, "answers", (one) => h("li", past(one)), answersFrom));
}
