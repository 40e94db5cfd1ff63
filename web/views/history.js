// Sessions of the past, and the answers of one.
import { get, to, topicTitles } from "../api.js";
import { bar } from "../charts.js";
import { a, capital, duration, h, localTime, plural, when } from "../dom.js";
import { empty, heading, longList } from "../ui.js";
import { past } from "./answers.js";
import { addressOf } from "./practice.js";
import { curve } from "./round.js";

const TYPES = ["", "technical", "mock", "coding", "debugging"];

const load = async (type, cursor = null) => get(to("/api/sessions", { type, limit: 20, cursor }));

export const page = {
	async load({ query }) {
		const type = TYPES.includes(query.get("type")) ? query.get("type") : "";
		const [first, titles] = await Promise.all([load(type), topicTitles()]);
		return { type, first, titles };
	},
	draw({ type, first, titles }) {
		const filter = h(
			"nav.choices",
			{ "aria-label": "Kind of session" },
			TYPES.map((one) => h("a.choice", { href: to("/history", { type: one }), "aria-current": one === type ? "true" : null }, capital(one || "all"))),
		);
		const shown = ({ sessions, next_cursor: next }) => ({ rows: sessions.map((one) => row(one, titles)), next });
		const none = type
			? empty(`No ${type} sessions yet`, "Choose another kind, or start one.", a("/practice", "Practise"))
			: empty("No sessions yet", "Every session you hold is listed here with its answers.", a("/practice", "Practise"));
		const list = longList(h("ul.plain.sessions"), async (cursor) => shown(await load(type, cursor)), shown(first));
		return [heading("History", "Times are those of your own zone."), filter, first.sessions.length ? list : none];
	},
};

const titleOf = ({ topic }, titles) => titles.get(topic) || (topic === "mixed" ? "Several topics" : topic);

function row(session, titles) {
	const score = session.score === null ? "–" : String(Math.round(session.score));
	return h(
		"li.session",
		h("div", a(`/history/${session.id}`, titleOf(session, titles)), h("p.meta", `${capital(session.session_type)} · `, when(session.created_at, { exact: true }))),
		h("p.meta.facts", `${plural(session.questions_count, "answer")} · ${duration(session.duration)}`, session.completed_at ? null : h("span.tag", "running")),
		h("div.score", bar((session.score || 0) / 100), h("b", score, h("span.sr", " of 100"))),
	);
}

export const session = {
	async load({ words: [id] }) {
		const [reply, titles] = await Promise.all([get(`/api/sessions/${id}`), topicTitles()]);
		return { ...reply, titles };
	},
	draw({ session: one, attempts, titles }) {
		const score = one.score === null ? "no score" : `score ${Math.round(one.score)} of 100`;
		const goOn = one.completed_at ? null : a(addressOf(one), "Go on");
		if (goOn) goOn.className = "button primary";
		return [
			heading(titleOf(one, titles), `${capital(one.session_type)} · ${localTime(one.created_at)} · ${duration(one.duration)} · ${score}`, ...[goOn].filter(Boolean)),
			one.feedback ? h("p.feedback", one.feedback) : null,
			attempts.length ? curve(attempts) : empty("No answers here", "Nothing was answered in this session, or it was held elsewhere."),
			attempts.length ? h("section", h("h2", "Answers"), h("ul.plain", attempts.map((attempt) => h("li", past(attempt, { topic: titles.get(attempt.topic) || attempt.topic }))))) : null,
			h("p", a("/history", "All sessions")),
		];
	},
};
