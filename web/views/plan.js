// The action plans: what to do about each topic, and why.
import { get, topicTitles } from "../api.js";
import { bar } from "../charts.js";
import { a, capital, chips, h, localTime, percent } from "../dom.js";
import { empty, heading } from "../ui.js";
import { practise } from "./progress.js";

export const page = {
	async load() {
		const [plans, titles] = await Promise.all([get("/api/profile/action_plans"), topicTitles()]);
		return { ...plans, titles };
	},
	draw({ action_plans: plans, generated_at: at, titles }, place) {
		if (!plans.length) return [heading("Your plan"), empty("Nothing to plan", "There are no topics in the question bank yet.")];
		return [heading("Your plan", `The most urgent first. Made from your mastery at ${localTime(at)}.`), h("ol.plans", plans.map((plan, index) => card(plan, index, titles, place)))];
	},
};

function card(plan, index, titles, place) {
	const title = titles.get(plan.topic) || plan.topic;
	const label = plan.recommended_session_type === "debugging" ? `Debug ${title}` : `Practise ${title}`;
	const start = practise(label, plan, place, index ? "" : "primary", { "data-next": index === 0 });
	return h(
		"li.card.plan",
		h("h2", a(`/topics/${encodeURIComponent(plan.topic)}`, title)),
		h("p.level", h("strong", percent(plan.mastery)), ` ${plan.level} · ${plan.recommended_session_type}, ${plan.recommended_difficulty}`),
		h("div.priority", h("span.label", "Urgency"), bar(plan.priority, { kind: "thin" }), h("span.muted", percent(plan.priority))),
		h("p", plan.reason),
		plan.weak_concepts.length ? h("div.row", h("span.label", "Weak"), chips(plan.weak_concepts, "weak")) : null,
		plan.stagnant_concepts.length ? h("div.row", h("span.label", "Stagnating"), chips(plan.stagnant_concepts, "weak")) : null,
		plan.steps.length ? h("div", h("h3", "Steps"), h("ol.steps-list", plan.steps.map((step) => h("li", step)))) : null,
		plan.suggested_questions.length
			? h("details", h("summary", `Questions to expect`, h("span.sr", ` on ${title}`)), h("ul", plan.suggested_questions.map((question) => h("li", capital(question.text)))))
			: null,
		titles.has(plan.topic) ? h("div.actions", start) : null,
	);
}
