// How am I doing, and what next?
import { get, to, topicTitles } from "../api.js";
import { bar, sparkline, withTable } from "../charts.js";
import { a, capital, chips, h, kept, localTime, percent, plural, points, velocityWords, when } from "../dom.js";
import { acting, button, empty, fact, heading } from "../ui.js";
import { startDebugging, startPractice } from "./practice.js";

const SHOWN_CONCEPTS = 3;

/** A button that starts what a plan recommends. */
export const practise = (label, plan, place, kind, more) =>
	acting(label, () => (plan.recommended_session_type === "debugging" ? startDebugging(place) : startPractice(place, { topics: [plan.topic], session_type: plan.recommended_session_type, max_questions: 5 })), kind, more);

export const page = {
	async load() {
		const [progress, plans, recent, titles] = await Promise.all([
			get("/api/user/progress"),
			get("/api/profile/action_plans"),
			get("/api/user/progress/recent?limit=20"),
			topicTitles(),
		]);
		return { ...progress, plans: plans.action_plans, recent: recent.topics, titles };
	},
	draw(data, place) {
		const { plans, titles, topics, overall } = data;
		const notices = h("div.notices");
		showNotices(notices);
		const askable = plans.find((plan) => titles.has(plan.topic));
		const next = askable ? suggestion(askable, titles, place) : null;
		if (!overall.total_questions) {
			const hello = empty(
				"Nothing measured yet",
				"After your first answers you see here how well you know each topic, which concepts are weak and strong, and what to practise next.",
				a("/practice", "Choose topics yourself"),
			);
			return [heading("Your progress", "Start with one question. Saying what you know is the fastest way to see what you do not."), notices, next, hello];
		}
		const order = new Map(plans.map((plan, index) => [plan.topic, index]));
		const sorted = Object.keys(topics).sort((one, other) => (order.get(one) ?? 99) - (order.get(other) ?? 99));
		const started = new Set(sorted);
		const untouched = plans.filter((plan) => !started.has(plan.topic));
		return [
			heading("Your progress"),
			notices,
			h("div.lead", figures(topics, overall), next),
			h("h2", "Topics, those that need you first"),
			h("div.cards", sorted.map((name) => card(name, topics[name], data, plans[order.get(name)]))),
			untouched.length
				? h("p.muted", "Not yet practised: ", untouched.map((plan, index) => [index ? ", " : "", a(`/topics/${encodeURIComponent(plan.topic)}`, titles.get(plan.topic) || plan.topic)]))
				: null,
		];
	},
};

function figures(topics, overall) {
	const all = Object.values(topics);
	const early = all.every((topic) => topic.early_estimate);
	const correct = all.reduce((sum, topic) => sum + topic.correct_count, 0);
	const velocity = all.reduce((sum, topic) => sum + topic.mastery_velocity, 0) / all.length;
	const last = all.map((topic) => topic.last_session_date).filter(Boolean).sort().at(-1);
	return h(
		"section.figures",
		{ "aria-label": "How you are doing" },
		h(
			"div.big",
			h("p.label", "Average mastery"),
			h("p.number", percent(overall.avg_mastery), early ? h("span.tag", "early estimate") : null),
			bar(overall.avg_mastery),
			early ? h("p.hint", "It rests on a few answers and starts from 0: five answers a topic make it firm.") : null,
		),
		h(
			"dl",
			fact("Answers", overall.total_questions.toLocaleString(), `${percent(correct / overall.total_questions)} correct`),
			fact("You are", capital(velocityWords(velocity))),
			fact("Last practice", last ? when(last) : "–"),
		),
	);
}

function suggestion(plan, titles, place) {
	const title = titles.get(plan.topic) || plan.topic;
	const start = practise(`Practise ${title}`, plan, place, "primary.large", { "data-next": true });
	return h("section.next", { "aria-label": "What next" }, h("p.label", "Next"), start, because(plan));
}

/** Why, at a glance; the plan's own words follow where they are longer. */
function because({ reason, mastery, level, weak_concepts: weak, stagnant_concepts: stagnant }) {
	const named = weak.length ? `, weak in ${listed(weak)}` : stagnant.length ? `, no improvement in ${listed(stagnant)}` : "";
	const short = named ? `mastery ${percent(mastery)} (${level})${named}.` : reason;
	return h("div", h("p.because", h("span.muted", "Because: "), short), named ? h("details.twin", h("summary", "All of why"), h("p.hint", reason)) : null);
}

const listed = (names) => names.slice(0, 2).join(" and ") + (names.length > 2 ? ` and ${names.length - 2} more` : "");

function card(name, topic, { recent, titles }, plan) {
	const title = titles.get(name) || name;
	const answers = recent[name] || [];
	return h(
		"article.card",
		h("h3", a(`/topics/${encodeURIComponent(name)}`, title)),
		h("p.level", h("strong", percent(topic.mastery)), ` ${topic.level}`, topic.early_estimate ? h("span.tag", "early estimate") : null),
		bar(topic.mastery),
		h("p.meta", `${capital(topic.current_difficulty)} questions · ${plural(topic.questions_attempted, "answer")} · ${velocityWords(topic.mastery_velocity)}`),
		concepts("Weak", topic.weak_concepts, "weak"),
		concepts("Strong", topic.strong_concepts, "strong"),
		answers.length
			? withTable(
					sparkline(answers.map((one) => one.combined_score), `Scores of the last ${plural(answers.length, "answer")}, from ${percent(answers[0].combined_score)} to ${percent(answers.at(-1).combined_score)}`),
					{
						caption: `the last answers in ${title}`,
						quiet: true,
						columns: ["When", "Score", "Mastery", "Change", "Difficulty"],
						rows: () => answers.map((one) => [localTime(one.at), percent(one.combined_score), percent(one.mastery_level), points(one.mastery_velocity), one.difficulty]),
					},
				)
			: null,
		plan && plan.recommended_session_type === "debugging" ? h("p.hint", "Debugging challenges help most here.") : null,
	);
}

function concepts(label, names, kind) {
	if (!names.length) return null;
	const more = names.length - SHOWN_CONCEPTS;
	return h("div.row", h("span.label", label), chips([...names.slice(0, SHOWN_CONCEPTS), ...(more > 0 ? [`+${more}`] : [])], kind));
}

/** What an administrator did is told until it was read. */
async function showNotices(box) {
	let notices = [];
	try {
		({ notices } = await get(to("/api/dashboard_data", { type: "mock" }))); // a kind, for not all sessions are needed
	} catch {
		return; // the page works without
	}
	const read = new Set((kept.get("notices") || "").split(" "));
	for (const notice of notices.filter((one) => !read.has(String(one.id)))) {
		const line = h("p.notice", { role: "status" }, h("span", notice.message, notice.reason ? ` “${notice.reason}” ` : " ", when(notice.at)));
		line.append(
			button("Got it", () => {
				kept.set("notices", [...read.add(String(notice.id))].join(" ").trim());
				line.remove();
			}),
		);
		box.append(line);
	}
}
