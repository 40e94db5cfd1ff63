// How am I doing, and what next? Progress, and the plan.
import { get, to, withTitles } from "../api.js";
import { bar, sparkline, withTable } from "../charts.js";
import { a, capital, h, kept, labelled, localTime, percent, plural, velocityWords, when } from "../dom.js";
import { acting, button, earlyTag, empty, fact, figures, heading, section } from "../ui.js";
import { columnsOfAnswers, rowOfAnswer } from "./answers.js";
import { inOrderOf, startDebugging, startPractice } from "./practice.js";

const SHOWN_CONCEPTS = 3;
const SHOWN_TOPICS = 3;
const MOST_REVIEWS = 100;

const practise = (label, plan, place, kind, more) =>
	acting(label, () => (plan.recommended_session_type === "debugging" ? startDebugging(place) : startPractice(place, { topics: [plan.topic], session_type: plan.recommended_session_type, max_questions: 5 })), kind, more);

export const page = {
	async load() {
		const [shown, recent] = await Promise.all([
			withTitles("/api/user/progress", "/api/profile/action_plans", `/api/user/review?limit=${MOST_REVIEWS}`),
			get("/api/user/progress/recent?limit=20"),
		]);
		return { ...shown, recent: recent.topics };
	},
	draw(data, place) {
		const { action_plans: plans, titles, topics, overall } = data;
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
		const sorted = inOrderOf(plans, Object.keys(topics), (name) => name);
		const untouched = plans.filter((plan) => !topics[plan.topic]);
		return [
			heading("Your progress"),
			notices,
			h("div.lead", standing(topics, overall), next),
			due(data, place),
			h("h2", "Topics, those that need you first"),
			h("div.cards", sorted.map((name) => card(name, topics[name], data, plans.find((plan) => plan.topic === name)))),
			links("Not yet practised: ", untouched.map((plan) => plan.topic), titles),
		];
	},
};

const topicLink = (name, titles) => a(`/topics/${encodeURIComponent(name)}`, titles.of(name));

const links = (label, names, titles) => (names.length ? h("p.muted", label, names.map((name, index) => [index ? ", " : "", topicLink(name, titles)])) : null);

/** What was known and is about to be forgotten, by topic. */
function due({ reviews, titles }, place) {
	const topics = [...new Set(reviews.map((one) => one.topic))];
	const atLeast = reviews.length < MOST_REVIEWS ? "" : "at least ";
	const line = (topic) => {
		const [first, ...others] = reviews.filter((one) => one.topic === topic);
		const start = () => startPractice(place, { topics: [topic], max_questions: 5, selection: "forecast" });
		return h(
			"li.line",
			h("div", topicLink(topic, titles), h("p.meta", `${first.concept}: ${percent(first.recall_now)} expected now`, others.length ? `, and ${atLeast}${others.length} more` : "")),
			titles.has(topic) ? acting(`Review ${titles.of(topic)}`, start) : null,
		);
	};
	return section(
		"Due for review",
		topics.length ? h("ul.plain", topics.slice(0, SHOWN_TOPICS).map(line)) : h("p.muted", "Nothing is due now."),
		links("Due, too: ", topics.slice(SHOWN_TOPICS), titles),
	);
}

function standing(topics, overall) {
	const all = Object.values(topics);
	const early = all.every((topic) => topic.early_estimate);
	const correct = all.reduce((sum, topic) => sum + topic.correct_count, 0);
	const velocity = all.reduce((sum, topic) => sum + topic.mastery_velocity, 0) / all.length;
	const last = all.map((topic) => topic.last_session_date).filter(Boolean).sort().at(-1);
	const facts = [
		fact("Answers", overall.total_questions.toLocaleString(), `${percent(correct / overall.total_questions)} correct`),
		fact("You are", capital(velocityWords(velocity))),
		fact("Last practice", last ? when(last) : "–"),
	];
	const note = early ? h("p.hint", "It rests on a few answers and starts from 0: five answers a topic make it firm.") : null;
	return figures("", "Average mastery", percent(overall.avg_mastery), overall.avg_mastery, early, facts, note);
}

function suggestion(plan, titles, place) {
	const title = titles.of(plan.topic);
	const start = practise(`Practise ${title}`, plan, place, "primary.large", { "data-next": true });
	return h("section.next", { "aria-label": "What next" }, h("p.label", "Next"), start, because(plan));
}

function because({ reason, mastery, level, weak_concepts: weak, stagnant_concepts: stagnant }) {
	const named = weak.length ? `, weak in ${listed(weak)}` : stagnant.length ? `, no improvement in ${listed(stagnant)}` : "";
	const short = named ? `mastery ${percent(mastery)} (${level})${named}.` : reason;
	return h("div", h("p.because", h("span.muted", "Because: "), short), named ? h("details.twin", h("summary", "All of why"), h("p.hint", reason)) : null);
}

const listed = (names) => names.slice(0, 2).join(" and ") + (names.length > 2 ? ` and ${names.length - 2} more` : "");

function card(name, topic, { recent, titles }, plan) {
	const title = titles.of(name);
	const answers = recent[name] || [];
	return h(
		"article.card",
		h("h3", topicLink(name, titles)),
		h("p.level", h("strong", percent(topic.mastery)), ` ${topic.level}`, topic.early_estimate ? earlyTag() : null),
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
						columns: columnsOfAnswers,
						rows: () => answers.map(rowOfAnswer),
					},
				)
			: null,
		plan && plan.recommended_session_type === "debugging" ? h("p.hint", "Debugging challenges help most here.") : null,
	);
}

function concepts(label, names, kind) {
	const more = names.length - SHOWN_CONCEPTS;
	return labelled(label, [...names.slice(0, SHOWN_CONCEPTS), ...(more > 0 ? [`+${more}`] : [])], kind);
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

export const plan = {
	load: () => withTitles("/api/profile/action_plans"),
	draw({ action_plans: plans, generated_at: at, titles }, place) {
		if (!plans.length) return [heading("Your plan"), empty("Nothing to plan", "There are no topics in the question bank yet.")];
		return [heading("Your plan", `The most urgent first. Made from your mastery at ${localTime(at)}.`), h("ol.plans", plans.map((plan, index) => planCard(plan, index, titles, place)))];
	},
};

function planCard(plan, index, titles, place) {
	const title = titles.of(plan.topic);
	const label = plan.recommended_session_type === "debugging" ? `Debug ${title}` : `Practise ${title}`;
	const start = practise(label, plan, place, index ? "" : "primary", { "data-next": index === 0 });
	return h(
		"li.card.plan",
		h("h2", topicLink(plan.topic, titles)),
		h("p.level", h("strong", percent(plan.mastery)), ` ${plan.level} · ${plan.recommended_session_type}, ${plan.recommended_difficulty}`),
		h("div.priority", h("span.label", "Urgency"), bar(plan.priority, "thin"), h("span.muted", percent(plan.priority))),
		h("p", plan.reason),
		labelled("Weak", plan.weak_concepts, "weak"),
		labelled("Stagnating", plan.stagnant_concepts, "weak"),
		plan.steps.length ? h("div", h("h3", "Steps"), h("ol.steps-list", plan.steps.map((step) => h("li", step)))) : null,
		plan.suggested_questions.length
			? h("details", h("summary", `Questions to expect`, h("span.sr", ` on ${title}`)), h("ul", plan.suggested_questions.map((question) => h("li", capital(question.text)))))
			: null,
		titles.has(plan.topic) ? h("div.actions", start) : null,
	);
}
