// Choose what to practise, or go on where you left off.
import { get, post } from "../api.js";
import { a, h, plural, when } from "../dom.js";
import { acting, field, form, heading } from "../ui.js";

const TYPES = [["technical", "Technical: question by question"], ["mock", "Mock interview: as in earnest"], ["coding", "Coding: talk through code"]];

/** The address at which a session goes on. */
export const addressOf = (session) => (session.session_type === "debugging" ? `/debugging/${session.id}` : `/practice/${session.id}`);

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
		const [topics, plans, sessions] = await Promise.all([get("/api/topics"), get("/api/profile/action_plans"), get("/api/sessions?limit=10")]);
		return { topics: topics.topics, plans: plans.action_plans, open: sessions.sessions.filter((one) => !one.completed_at) };
	},
	draw({ topics, plans, open }, place) {
		return [
			heading("Practice", "Say it as you would in the interview. Each answer is scored by its meaning and by its key terms."),
			open.length ? goingOn(open, topics) : null,
			h("div.halves", questions(topics, plans, place), debugging(place)),
		];
	},
};

function goingOn(open, topics) {
	const titles = new Map(topics.map(({ topic, title }) => [topic, title]));
	return h(
		"section",
		h("h2", "Go on where you left off"),
		h("ul.plain", open.slice(0, 3).map((session) => h("li.line", a(addressOf(session), `${titles.get(session.topic) || (session.topic === "mixed" ? "Several topics" : session.topic)}, ${session.session_type}`), h("span.muted", plural(session.questions_count, "answer"), " · begun ", when(session.created_at))))),
	);
}

function questions(topics, plans, place) {
	const order = new Map(plans.map((plan, index) => [plan.topic, index]));
	const sorted = [...topics].sort((one, other) => (order.get(one.topic) ?? 99) - (order.get(other.topic) ?? 99));
	const boxes = sorted.map(({ topic, title, questions: count }) => {
		const box = h("input", { type: "checkbox", name: "topics", value: topic });
		return h("label.pick", box, h("span", title), h("span.muted", plural(count, "question")));
	});
	const type = h("select", { name: "session_type" }, TYPES.map(([value, words]) => h("option", { value }, words)));
	const number = (name, value, max) => h("input", { type: "number", name, min: 1, max, value, inputmode: "numeric" });
	const many = number("max_questions", "10", 50);
	const long = number("max_minutes", "30", 180);
	const start = async (whole) => {
		const chosen = [...whole.querySelectorAll("[name=topics]:checked")].map((box) => box.value);
		const body = { session_type: type.value, max_questions: Number(many.value), max_minutes: Number(long.value) };
		if (chosen.length) body.topics = chosen;
		await startPractice(place, body);
	};
	const content = form(
		[
			h("fieldset", { "data-field": "topics" }, h("legend", "Topics"), h("p.hint", "None chosen: all, those that need you first."), boxes),
			field("Kind", type),
			h("div.pair", field("Questions", many), field("Minutes", long)),
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
