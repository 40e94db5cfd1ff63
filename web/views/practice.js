// Choose what to practise, or go on where you left off.
import { post, withTitles } from "../api.js";
import { a, h, plural, when } from "../dom.js";
import { acting, field, form, heading, section, select } from "../ui.js";

const TYPES = [["technical", "Technical: question by question"], ["mock", "Mock interview: as in earnest"], ["coding", "Coding: talk through code"]];

export const titleOf = ({ topic }, titles) => (topic === "mixed" ? "Several topics" : titles.of(topic));

/** The address at which a session goes on. */
export const addressOf = (session) => (session.session_type === "debugging" ? `/debugging/${session.id}` : `/practice/${session.id}`);

/** Those whose topic has the most urgent plan first. */
export function inOrderOf(plans, all, topicOf) {
	const order = new Map(plans.map((plan, index) => [plan.topic, index]));
	const place = (one) => order.get(topicOf(one)) ?? plans.length;
	return [...all].sort((one, other) => place(one) - place(other));
}

export async function startPractice(place, body) {
	const { session } = await post("/api/adaptive/sessions", body);
	await place.go(`/practice/${session.id}`);
}

export async function startDebugging(place) {
	const { session } = await post("/api/debugging/sessions");
	await place.go(`/debugging/${session.id}`);
}

export const page = {
	async load() {
		const found = await withTitles("/api/topics", "/api/profile/action_plans", "/api/sessions?limit=10");
		return { ...found, plans: found.action_plans, open: found.sessions.filter((one) => !one.completed_at) };
	},
	draw({ topics, plans, open, titles }, place) {
		return [
			heading("Practice", "Say it as you would in the interview. Each answer is scored by its meaning and by its key terms."),
			open.length ? goingOn(open, titles) : null,
			h("div.halves", questions(topics, plans, place), debugging(place)),
		];
	},
};

function goingOn(open, titles) {
	return section(
		"Go on where you left off",
		h("ul.plain", open.slice(0, 3).map((session) => h("li.line", a(addressOf(session), `${titleOf(session, titles)}, ${session.session_type}`), h("span.muted", plural(session.questions_count, "answer"), " · begun ", when(session.created_at))))),
	);
}

function questions(topics, plans, place) {
	const boxes = inOrderOf(plans, topics, ({ topic }) => topic).map(({ topic, title, questions: count }) => {
		const box = h("input", { type: "checkbox", name: "topics", value: topic });
		return h("label.pick", box, h("span", title), h("span.muted", plural(count, "question")));
	});
	const type = select("session_type", TYPES);
	const ahead = h("input", { type: "checkbox", name: "selection" });
	const number = (name, value, max) => h("input", { type: "number", name, min: 1, max, value, inputmode: "numeric" });
	const many = number("max_questions", "10", 50);
	const long = number("max_minutes", "30", 180);
	const start = async (whole) => {
		const chosen = [...whole.querySelectorAll("[name=topics]:checked")].map((box) => box.value);
		const body = { session_type: type.value, max_questions: Number(many.value), max_minutes: Number(long.value), selection: ahead.checked ? "forecast" : null };
		if (chosen.length) body.topics = chosen;
		await startPractice(place, body);
	};
	const content = form(
		[
			h("fieldset", { "data-field": "topics" }, h("legend", "Topics"), h("p.hint", "None chosen: all, those that need you first."), boxes),
			field("Kind", type),
			h("div.pair", field("Questions", many), field("Minutes", long)),
			h("label.pick", ahead, "Ask what is likely unknown, or soon forgotten"),
		],
		start,
		{ label: "Start" },
	);
	return h("section.card", h("h2", "Questions"), content);
}

function debugging(place) {
	const start = acting("Start debugging", () => startDebugging(place), "primary");
	return h("section.card", h("h2", "Debugging challenges"), h("p", "A short program with one bug. Explain what is wrong and why; then compare with the correction. Challenges aim at your weakest concepts."), h("div.actions", start));
}
